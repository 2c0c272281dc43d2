package gpu

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// column is one figure of nvidia-smi and the series that it becomes.
type column struct {
	query string // nvidia-smi's name of the property
	name  string // the series
	help  string
	scale float64 // series = figure × scale
	kind  prometheus.ValueType
}

// columns are all figures asked for. nvidia-smi prints them, without units, as per cent, MiB, °C, W and counts.
var columns = []column{
	{"utilization.gpu", "modelwatch_gpu_utilization_ratio", "Share of the last sample period, of up to a second, in which a kernel ran on the GPU.", 0.01, prometheus.GaugeValue},
	{"memory.used", "modelwatch_gpu_memory_used_bytes", "GPU memory in use.", 1 << 20, prometheus.GaugeValue},
	{"memory.total", "modelwatch_gpu_memory_total_bytes", "GPU memory installed.", 1 << 20, prometheus.GaugeValue},
	{"temperature.gpu", "modelwatch_gpu_temperature_celsius", "Temperature of the GPU's core.", 1, prometheus.GaugeValue},
	{"power.draw", "modelwatch_gpu_power_watts", "Power drawn by the board.", 1, prometheus.GaugeValue},
	{"power.limit", "modelwatch_gpu_power_limit_watts", "Power limit set in software.", 1, prometheus.GaugeValue},
	{"ecc.errors.corrected.volatile.total", "modelwatch_gpu_ecc_errors_corrected_total", "Memory errors that ECC corrected since the driver was loaded.", 1, prometheus.CounterValue},
	{"ecc.errors.uncorrected.volatile.total", "modelwatch_gpu_ecc_errors_uncorrected_total", "Memory errors that ECC could not correct since the driver was loaded.", 1, prometheus.CounterValue},
}

// leading columns name the GPU. The product's name comes last in a row, because it alone might hold a comma.
var leading = []string{"index", "uuid", "pci.bus_id", "driver_version"}

// arguments makes nvidia-smi print one row a GPU.
func arguments() []string {
	fields := slices.Clone(leading)
	for _, c := range columns {
		fields = append(fields, c.query)
	}
	return []string{"--query-gpu=" + strings.Join(append(fields, "name"), ","), "--format=csv,noheader,nounits"}
}

// identity names a GPU. Any part may be unknown: Index is then -1, the others are empty.
type identity struct {
	Index int    `json:"index"`
	UUID  string `json:"uuid"`
	Bus   string `json:"pci_bus"` // domain:bus:device in lower case, as in 0000:3b:00
	Name  string `json:"name"`
}

// same reports whether a and b can be told to be one GPU. The UUID decides if both have one, then the bus, then the
// index.
func (a identity) same(b identity) bool {
	switch {
	case a.UUID != "" && b.UUID != "":
		return a.UUID == b.UUID
	case a.Bus != "" && b.Bus != "":
		return a.Bus == b.Bus
	default:
		return a.Index >= 0 && a.Index == b.Index
	}
}

// gpu is one GPU that answers. Figures are in the order of columns; NaN was not reported.
type gpu struct {
	identity
	driver  string
	figures []float64
}

// reading is what one run of nvidia-smi says.
type reading struct {
	gpus []gpu
	lost []identity // GPUs that are there but do not answer
	none bool       // nvidia-smi says that there is no GPU

	notes []string // lines that are none of the above
}

// merge adds what another run says.
func (r *reading) merge(o reading) {
	for _, g := range o.gpus {
		r.add(g)
	}
	for _, id := range o.lost {
		r.lose(id)
	}
	r.notes = append(r.notes, o.notes...)
}

// add notes a GPU that answers, unless its series would be those of another.
func (r *reading) add(g gpu) {
	if !slices.ContainsFunc(r.gpus, func(have gpu) bool {
		return have.same(g.identity) || have.Index == g.Index && have.UUID == g.UUID
	}) {
		r.gpus = append(r.gpus, g)
	}
}

// lose notes a GPU that does not answer. One without any name is noted once at most.
func (r *reading) lose(id identity) {
	nameless := func(id identity) bool { return id.Index < 0 && id.Bus == "" && id.UUID == "" }
	if !slices.ContainsFunc(r.lost, func(have identity) bool { return have.same(id) || nameless(have) && nameless(id) }) {
		r.lost = append(r.lost, id)
	}
}

// settle takes GPUs that did answer after all off the lost ones.
func (r *reading) settle() {
	r.lost = slices.DeleteFunc(r.lost, func(id identity) bool {
		return slices.ContainsFunc(r.gpus, func(g gpu) bool { return g.same(id) })
	})
}

// total is how many GPUs there are at least. The same GPU may be lost by its bus in one line and by its index in
// another, so the two kinds of names are not added up.
func (r *reading) total() int {
	withBus := 0
	for _, id := range r.lost {
		if id.Bus != "" {
			withBus++
		}
	}
	return len(r.gpus) + max(withBus, len(r.lost)-withBus)
}

var (
	// noHandle is nvidia-smi's word for a GPU that the driver lists and cannot reach. Depending on the driver it names
	// the GPU by bus, by index and bus, or by index only:
	//
	//	Unable to determine the device handle for GPU 0000:3B:00.0: GPU is lost.  Reboot the system to recover this GPU
	//	Unable to determine the device handle for GPU3: 0000:5F:00.0: Unknown Error
	//	Unable to determine the device handle for GPU2: Unknown Error
	noHandle = regexp.MustCompile(`(?i)unable to determine the device handle for (?:gpu)?\s*(.*)`)
	busID    = regexp.MustCompile(`\b([0-9A-Fa-f]{4,8}):([0-9A-Fa-f]{2}):([0-9A-Fa-f]{2})(?:\.[0-7])?\b`)
	indexed  = regexp.MustCompile(`^(\d{1,4})(?::|$|\s)`)
)

// normalBus brings the ways to write a PCI address into one: nvidia-smi prints eight digits of domain and the
// function, the kernel four and none. It returns "" if there is no address in s.
func normalBus(s string) string {
	m := busID.FindStringSubmatch(s)
	if m == nil {
		return ""
	}
	domain, err := strconv.ParseUint(m[1], 16, 32)
	if err != nil {
		return ""
	}
	return strings.ToLower(fmt.Sprintf("%04x:%s:%s", domain, m[2], m[3]))
}

const (
	// maxNotes bounds what is kept of output that nobody understands.
	maxNotes = 5
	// maxIndex is more GPUs than a machine has.
	maxIndex = 9999
)

// parse reads nvidia-smi's output, whatever it is: what cannot be read becomes a note, never a figure.
func parse(output string) reading {
	var r reading
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(strings.ToValidUTF8(line, "�"))
		switch {
		case line == "":
		case r.handleless(line):
		case strings.Contains(line, "No devices were found"):
			r.none = true
		case r.row(line):
		case len(r.notes) < maxNotes:
			r.notes = append(r.notes, line[:min(len(line), 200)])
		}
	}
	return r
}

func (r *reading) handleless(line string) bool {
	m := noHandle.FindStringSubmatch(line)
	if m == nil {
		return false
	}
	id := identity{Index: -1, Bus: normalBus(m[1])}
	startsWithBus := id.Bus != "" && strings.HasPrefix(m[1], busID.FindString(m[1]))
	if i := indexed.FindStringSubmatch(m[1]); i != nil && !startsWithBus {
		id.Index, _ = strconv.Atoi(i[1]) // Four digits at most.
	}
	r.lose(id)
	return true
}

// row reads one line of figures. It returns false if the line is something else.
func (r *reading) row(line string) bool {
	fields := strings.SplitN(line, ",", len(leading)+len(columns)+1)
	if len(fields) != len(leading)+len(columns)+1 {
		return false
	}
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	index, err := strconv.Atoi(fields[0])
	if err != nil || index < 0 || index > maxIndex {
		return false
	}
	g := gpu{
		identity: identity{Index: index, UUID: word(fields[1]), Bus: normalBus(fields[2]), Name: word(fields[len(fields)-1])},
		driver:   word(fields[3]),
	}
	var reported, failed int
	for i, c := range columns {
		v := figure(fields[len(leading)+i])
		if v < 0 && c.query != "temperature.gpu" {
			v = math.NaN()
		}
		if !math.IsNaN(v) {
			reported++
		} else if broken(fields[len(leading)+i]) {
			failed++
		}
		g.figures = append(g.figures, v*c.scale)
	}
	down := slices.ContainsFunc(fields, unreachable) || reported == 0 && failed > 0
	switch {
	case down:
		r.lose(g.identity)
	default:
		r.add(g)
	}
	return true
}

// word returns a field of text, or "" for the ways in which nvidia-smi says that there is none.
func word(field string) string {
	if strings.HasPrefix(field, "[") || field == "N/A" || broken(field) {
		return ""
	}
	return field
}

// figure returns a number, or NaN for [N/A], [Not Supported], ERR! and anything else.
func figure(field string) float64 {
	v, err := strconv.ParseFloat(field, 64)
	if err != nil || math.IsInf(v, 0) {
		return math.NaN()
	}
	return v
}

// unreachable reports whether a field says that the whole GPU cannot be used.
func unreachable(field string) bool {
	return strings.Contains(field, "GPU is lost") || strings.Contains(field, "GPU requires reset")
}

// broken reports whether a field says that reading it failed, which is more than not being supported.
func broken(field string) bool {
	return strings.Contains(field, "ERR!") || strings.Contains(field, "Unknown Error")
}
