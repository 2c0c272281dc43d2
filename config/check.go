package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	alertmanager "github.com/prometheus/alertmanager/config"
	toolkit "github.com/prometheus/exporter-toolkit/web"
	"github.com/prometheus/prometheus/config"
	"go.yaml.in/yaml/v3"
)

// Kind is what a configuration file is.
type Kind string

// The kinds of files that modelwatch reads.
const (
	KindModelwatch   Kind = "modelwatch"
	KindPrometheus   Kind = "prometheus"
	KindRules        Kind = "rules"
	KindAlertmanager Kind = "alertmanager"
	KindPromtail     Kind = "promtail"
	KindScrape       Kind = "scrape"
	KindWeb          Kind = "web"
	KindUnknown      Kind = ""
)

// Describe names the kind for people.
func (k Kind) Describe() string {
	switch k {
	case KindModelwatch:
		return "modelwatch configuration"
	case KindPrometheus:
		return "Prometheus configuration"
	case KindRules:
		return "rule file"
	case KindAlertmanager:
		return "Alertmanager configuration"
	case KindPromtail:
		return "Promtail configuration"
	case KindScrape:
		return "file of scrape jobs"
	case KindWeb:
		return "web configuration"
	default:
		return "unknown kind of file"
	}
}

// topKeys are the settings at the top of each kind of file. The kind with the
// most of them wins; the order decides between equals.
var topKeys = []struct {
	kind Kind
	keys []string
}{
	{KindRules, []string{"groups"}},
	{KindPromtail, []string{"positions", "clients", "client", "server", "target_config", "limits_config", "scrape_configs"}},
	{KindPrometheus, []string{"global", "rule_files", "scrape_configs", "scrape_config_files", "alerting", "remote_write", "remote_read", "storage", "tracing", "otlp", "runtime"}},
	{KindAlertmanager, []string{"global", "route", "receivers", "inhibit_rules", "templates", "time_intervals", "mute_time_intervals"}},
	{KindWeb, []string{"tls_server_config", "http_server_config", "basic_auth_users", "rate_limit"}},
	{KindModelwatch, []string{"web", "storage", "metrics", "alerting", "logs", "collect", "inferences"}},
}

// promtailOnly are settings inside scrape_configs that only Promtail has.
var promtailOnly = regexp.MustCompile(`(?m)^\s*-?\s*(__path__|pipeline_stages|journal|syslog|loki_push_api|windows_events)\s*:`)

// Recognise says what kind of file the text is.
func Recognise(text []byte) Kind {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil || len(root.Content) == 0 || root.Content[0].Kind != yaml.MappingNode {
		return recogniseBroken(text)
	}
	var present []string
	for i := 0; i < len(root.Content[0].Content); i += 2 {
		present = append(present, root.Content[0].Content[i].Value)
	}
	return byKeys(present, text)
}

// topKey finds what looks like a setting at the top of a file that is not
// YAML.
var topKey = regexp.MustCompile(`(?m)^([a-z_]+)\s*:`)

func recogniseBroken(text []byte) Kind {
	var present []string
	for _, m := range topKey.FindAllSubmatch(text, -1) {
		present = append(present, string(m[1]))
	}
	return byKeys(present, text)
}

func byKeys(present []string, text []byte) Kind {
	best, most := KindUnknown, 0
	for _, k := range topKeys {
		n := 0
		for _, key := range present {
			if slices.Contains(k.keys, key) {
				n++
			}
		}
		if k.kind == KindPromtail {
			// Without any sign of its own, a file with scrape_configs is
			// Prometheus's.
			if promtailOnly.Match(text) {
				n += 2
			} else if slices.Contains(present, "scrape_configs") {
				n--
			}
		}
		if n > most {
			best, most = k.kind, n
		}
	}
	return best
}

// ErrUnknownKind is the answer for a file that is none of ours.
var ErrUnknownKind = errors.New("not recognised as a configuration of modelwatch, Prometheus, Alertmanager or Promtail, nor as rules or a web config")

// CheckPrometheus reports every problem of a prometheus.yml that Prometheus's
// own parser finds, where that parser stops at the first.
func CheckPrometheus(file string, text []byte) Problems {
	load := func(t []byte) error {
		_, err := config.Load(string(t), slog.New(slog.DiscardHandler))
		return err
	}
	err := load(text)
	if err == nil {
		return nil
	}
	ps := dissect(file, text, load, func(f fragment) []byte {
		return f.with("global")
	})
	return orWhole(file, ps, err)
}

// CheckAlertmanager reports every problem of an alertmanager.yml that
// Alertmanager's own parser finds, where that parser stops at the first.
func CheckAlertmanager(file string, text []byte) Problems {
	load := func(t []byte) error {
		_, err := alertmanager.Load(string(t))
		return err
	}
	err := load(text)
	if err == nil {
		return nil
	}
	names := receiverNames(text)
	ps := dissect(file, text, load, func(f fragment) []byte {
		switch f.key {
		case "receivers":
			// A route to this receiver alone makes the rest complete.
			return append(f.with("global"), fmt.Sprintf("\nroute: {receiver: %q}\n", f.name)...)
		case "route":
			return append(f.with("time_intervals", "mute_time_intervals"), stubReceivers(text)...)
		default:
			return append(f.with("global"), "\nroute: {receiver: check}\nreceivers: [{name: check}]\n"...)
		}
	})
	// A broken receiver must not hide what is wrong with the route to it.
	ps = slices.DeleteFunc(ps, func(p Problem) bool { return strings.Contains(p.Reason, "undefined receiver") })
	ps = append(ps, undefinedReceivers(file, text, names)...)
	return orWhole(file, dedupe(ps), err)
}

// CheckWeb reports the first problem of a web config.
func CheckWeb(file string) Problems {
	if err := toolkit.Validate(file); err != nil {
		return FromYAML(file, err)
	}
	return nil
}

// CheckSyntax reports a file that is not YAML.
func CheckSyntax(file string, text []byte) Problems {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return FromYAML(file, err)
	}
	return nil
}

// orWhole falls back to what the parser says of the whole file.
func orWhole(file string, ps Problems, whole error) Problems {
	if len(ps) > 0 {
		return ps
	}
	return FromYAML(file, whole)
}

// fragment is one setting at the top of a file, or one item of its list.
type fragment struct {
	key string
	// name is the value of the item's name or job_name.
	name string
	// first and last are the lines, counting from 1; last is included.
	first, last int
	lines       [][]byte
	blocks      map[string][2]int
}

// with returns the file with all but the fragment and the named settings
// blanked out, so that line numbers stay.
func (f fragment) with(keys ...string) []byte {
	keep := make([]bool, len(f.lines)+1)
	mark := func(first, last int) {
		for i := first; i <= last && i < len(keep); i++ {
			keep[i] = true
		}
	}
	for _, k := range keys {
		if b, ok := f.blocks[k]; ok {
			mark(b[0], b[1])
		}
	}
	mark(f.blocks[f.key][0], f.blocks[f.key][0])
	mark(f.first, f.last)
	var out bytes.Buffer
	for i, l := range f.lines {
		if keep[i+1] {
			out.Write(l)
		}
		out.WriteByte('\n')
	}
	return out.Bytes()
}

// fragments takes a YAML mapping apart.
func fragments(text []byte) []fragment {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil || len(root.Content) == 0 || root.Content[0].Kind != yaml.MappingNode {
		return nil
	}
	lines := bytes.Split(text, []byte("\n"))
	nodes := root.Content[0].Content
	blocks := map[string][2]int{}
	for i := 0; i < len(nodes); i += 2 {
		end := len(lines)
		if i+2 < len(nodes) {
			end = nodes[i+2].Line - 1
		}
		blocks[nodes[i].Value] = [2]int{nodes[i].Line, end}
	}
	var out []fragment
	for i := 0; i < len(nodes); i += 2 {
		key, value := nodes[i], nodes[i+1]
		block := blocks[key.Value]
		whole := fragment{key: key.Value, first: block[0], last: block[1], lines: lines, blocks: blocks}
		if value.Kind != yaml.SequenceNode || value.Style&yaml.FlowStyle != 0 || len(value.Content) == 0 {
			out = append(out, whole)
			continue
		}
		for j, item := range value.Content {
			f := whole
			f.first, f.last = item.Line, block[1]
			if j+1 < len(value.Content) {
				f.last = value.Content[j+1].Line - 1
			}
			f.name = scalar(item, "name", "job_name")
			out = append(out, f)
		}
	}
	return out
}

func scalar(n *yaml.Node, keys ...string) string {
	if n.Kind != yaml.MappingNode {
		return ""
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if slices.Contains(keys, n.Content[i].Value) {
			return n.Content[i+1].Value
		}
	}
	return ""
}

// dissect loads every fragment by itself and collects what is wrong. complete
// makes a fragment loadable.
//
// What is wrong in the global block would be found again with every other
// fragment, so it is told once, and the others are then loaded without it.
func dissect(file string, text []byte, load func([]byte) error, complete func(fragment) []byte) Problems {
	var ps Problems
	all := fragments(text)
	globalBroken := false
	slices.SortStableFunc(all, func(a, b fragment) int { return boolRank(b.key == "global") - boolRank(a.key == "global") })
	for _, f := range all {
		if globalBroken {
			delete(f.blocks, "global")
		}
		err := load(complete(f))
		if err == nil {
			continue
		}
		if f.key == "global" {
			globalBroken = true
		}
		for _, p := range FromYAML(file, err) {
			if globalBroken && strings.HasPrefix(p.Reason, "no global") {
				continue
			}
			if p.Line == 0 {
				p.Line = f.locate(p.Reason)
			}
			if f.name != "" {
				p.Reason = fmt.Sprintf("%s %q: %s", strings.TrimSuffix(f.key, "s"), f.name, p.Reason)
			}
			ps = append(ps, p)
		}
	}
	return dedupe(ps)
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// quoted finds what a message quotes from the file.
var quoted = regexp.MustCompile(`"((?:[^"\\]|\\.)+)"`)

// lastWord finds what a message names after its last colon.
var lastWord = regexp.MustCompile(`: (\S+)$`)

// locate finds the line that a message without a place speaks of, by what it
// quotes; the fragment's first line where that says nothing.
func (f fragment) locate(reason string) int {
	said := quoted.FindAllStringSubmatch(reason, -1)
	if m := lastWord.FindStringSubmatch(reason); m != nil {
		said = append(said, m)
	}
	for _, m := range said {
		for i := f.first; i <= f.last && i <= len(f.lines); i++ {
			if bytes.Contains(f.lines[i-1], []byte(m[1])) {
				return i
			}
		}
	}
	return f.first
}

func dedupe(ps Problems) Problems {
	seen := map[string]bool{}
	var out Problems
	for _, p := range ps {
		at := strconv.Itoa(p.Line) + p.Reason
		if i := strings.LastIndex(p.Reason, ": field "); i >= 0 {
			at = strconv.Itoa(p.Line) + p.Reason[i:]
		}
		if !seen[at] {
			seen[at] = true
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b Problem) int { return a.Line - b.Line })
	return out
}

// stubReceivers defines every receiver that routes name, so that a routing
// tree can be loaded by itself.
func stubReceivers(text []byte) []byte {
	names := map[string]bool{}
	for _, m := range routeReceiver.FindAllSubmatch(text, -1) {
		names[string(m[1])] = true
	}
	var b bytes.Buffer
	b.WriteString("\nreceivers:\n")
	for _, n := range slices.Sorted(maps.Keys(names)) {
		fmt.Fprintf(&b, "  - name: %q\n", n)
	}
	return b.Bytes()
}

var routeReceiver = regexp.MustCompile(`\breceiver\s*:\s*["']?([^"'\s,}]+)`)

func receiverNames(text []byte) map[string]bool {
	var c struct {
		Receivers []struct {
			Name string `yaml:"name"`
		} `yaml:"receivers"`
	}
	_ = yaml.Unmarshal(text, &c) // What cannot be read is reported elsewhere.
	names := map[string]bool{}
	for _, r := range c.Receivers {
		names[r.Name] = true
	}
	return names
}

// undefinedReceivers walks the routing tree.
func undefinedReceivers(file string, text []byte, names map[string]bool) Problems {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil || len(root.Content) == 0 {
		return nil
	}
	var ps Problems
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i], n.Content[i+1]
			switch {
			case k.Value == "receiver" && v.Kind == yaml.ScalarNode && !names[v.Value]:
				reason := fmt.Sprintf("undefined receiver %q used in route", v.Value)
				ps = append(ps, Problem{File: file, Line: v.Line, Reason: reason, Hint: HintFor(reason)})
			case k.Value == "routes" && v.Kind == yaml.SequenceNode:
				for _, r := range v.Content {
					walk(r)
				}
			}
		}
	}
	for i := 0; i+1 < len(root.Content[0].Content); i += 2 {
		if root.Content[0].Content[i].Value == "route" {
			walk(root.Content[0].Content[i+1])
		}
	}
	return ps
}

// RuleFiles lists the rule files that the text of a prometheus.yml names, with
// the line of each pattern.
func RuleFiles(file string, text []byte) (patterns []string, lines []int) {
	return patternsOf(file, text, "rule_files")
}

// patternsOf lists the patterns of files under a key at the top.
func patternsOf(file string, text []byte, key string) (patterns []string, lines []int) {
	root := map[string]yaml.Node{}
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, nil
	}
	var nodes []yaml.Node
	if list, ok := root[key]; !ok || list.Decode(&nodes) != nil {
		return nil, nil
	}
	for _, n := range nodes {
		p := n.Value
		if !filepath.IsAbs(p) {
			p = filepath.Join(filepath.Dir(file), p)
		}
		patterns, lines = append(patterns, p), append(lines, n.Line)
	}
	return patterns, lines
}

// ReadFile reads a configuration file, and says what it is when that fails.
func ReadFile(file string) ([]byte, Problems) {
	f, err := os.Open(file)
	if err != nil {
		return nil, Problems{{File: file, Reason: "cannot be read: " + errors.Unwrap(err).Error(), Hint: "check the path and its permissions"}}
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err != nil {
		return nil, Problems{{File: file, Reason: "cannot be read: " + err.Error(), Hint: "give the file itself, not its directory"}}
	}
	if len(text) > maxConfigBytes {
		return nil, Problems{{File: file, Reason: fmt.Sprintf("larger than %d MiB", maxConfigBytes>>20), Hint: "this is not a configuration file"}}
	}
	return text, nil
}

const maxConfigBytes = 16 << 20
