package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// Mount points and file system types without storage of their own; the same as node_exporter's defaults.
var (
	ignoredMountPoints = regexp.MustCompile(`^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)`)
	ignoredFSTypes     = regexp.MustCompile(`^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$`)
)

const (
	// statTimeout is how long a mount may take to answer before the others are reported without it.
	statTimeout = 2 * time.Second
	// statParallel bounds the statfs calls (and so the threads) of one update.
	statParallel = 32
	// mountTimedOut is node_exporter's device_error label of such a mount.
	mountTimedOut = "mountpoint timeout"
)

// filesystems reports the size of mounted file systems. A mount that does not answer costs one update at most
// statTimeout, is then left alone until its call returns, and never hides the other mounts.
type filesystems struct {
	fs      procfs.FS
	root    string
	timeout time.Duration
	statfs  func(path string, buf *unix.Statfs_t) error

	size, free, avail, files, filesFree, readonly, deviceError, info *prometheus.Desc

	mu   sync.Mutex
	busy map[string]bool // by mount point: a statfs call that has not returned
}

func newFilesystems(procPath, root string) (*filesystems, error) {
	fs, err := procfs.NewFS(procPath)
	if err != nil {
		return nil, fmt.Errorf("open procfs: %w", err)
	}
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("node_filesystem_"+name, help,
			[]string{"device", "mountpoint", "fstype", "device_error"}, nil)
	}
	return &filesystems{
		fs: fs, root: root, timeout: statTimeout, statfs: unix.Statfs, busy: map[string]bool{},
		size:        desc("size_bytes", "Filesystem size in bytes."),
		free:        desc("free_bytes", "Filesystem free space in bytes."),
		avail:       desc("avail_bytes", "Filesystem space available to non-root users in bytes."),
		files:       desc("files", "Filesystem total file nodes."),
		filesFree:   desc("files_free", "Filesystem total free file nodes."),
		readonly:    desc("readonly", "Filesystem read-only status."),
		deviceError: desc("device_error", "Whether an error occurred while getting statistics for the given device."),
		info: prometheus.NewDesc("node_filesystem_mount_info", "Filesystem mount information.",
			[]string{"device", "major", "minor", "mountpoint"}, nil),
	}, nil
}

type mount struct {
	device, point, fstype, major, minor string
	readonly                            bool
}

type statResult struct {
	buf unix.Statfs_t
	err error
}

var errMountTimeout = errors.New(mountTimedOut)

func (f *filesystems) update(ch chan<- prometheus.Metric) error {
	mounts, err := f.mounts()
	if err != nil {
		return fmt.Errorf("list mounts: %w", err)
	}
	results := f.statAll(mounts)
	for _, m := range mounts {
		f.send(ch, m, results[m.point])
	}
	return nil
}

// mounts lists what is mounted and not ignored, each (device, mount point, type) once.
func (f *filesystems) mounts() ([]mount, error) {
	infos, err := f.fs.GetProcMounts(1)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		infos, err = f.fs.GetMounts() // Other users' processes are hidden; ours sees the same mounts as a rule.
	}
	if err != nil {
		return nil, err
	}
	type key struct{ device, point, fstype string }
	seen := make(map[key]bool, len(infos))
	mounts := make([]mount, 0, len(infos))
	for _, info := range infos {
		point := f.label(info.MountPoint)
		if ignoredMountPoints.MatchString(point) || ignoredFSTypes.MatchString(info.FSType) {
			continue
		}
		k := key{strings.ToValidUTF8(info.Source, "�"), point, strings.ToValidUTF8(info.FSType, "�")}
		if seen[k] {
			continue
		}
		seen[k] = true
		major, minor, _ := strings.Cut(info.MajorMinorVer, ":")
		mounts = append(mounts, mount{
			device: k.device, point: k.point, fstype: k.fstype, major: major, minor: minor,
			readonly: has(info.Options, "ro") || has(info.SuperOptions, "ro") || has(info.SuperOptions, "emergency_ro"),
		})
	}
	return mounts, nil
}

func has(options map[string]string, name string) bool {
	_, ok := options[name]
	return ok
}

// unescape undoes the octal escapes of mountinfo, see proc_pid_mountinfo(5).
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// label is the mount point as the host names it.
func (f *filesystems) label(point string) string {
	point = strings.ToValidUTF8(unescape.Replace(point), "�")
	if f.root == "/" {
		return point
	}
	rest, ok := strings.CutPrefix(point, f.root)
	switch {
	case !ok || rest != "" && rest[0] != '/':
		return point
	case rest == "":
		return "/"
	default:
		return rest
	}
}

// statAll asks every mount point once, at most statParallel at a time, and returns after f.timeout at the latest with
// what has come in; the rest have timed out.
func (f *filesystems) statAll(mounts []mount) map[string]statResult {
	type answer struct {
		point string
		statResult
	}
	var (
		results = make(map[string]statResult, len(mounts))
		answers = make(chan answer, len(mounts)) // Room for all: a late call must not block on us.
		slots   = make(chan struct{}, statParallel)
		late    = time.NewTimer(f.timeout)
		waiting int
		expired bool
	)
	defer late.Stop()
	for _, m := range mounts {
		if _, asked := results[m.point]; asked {
			continue
		}
		results[m.point] = statResult{err: errMountTimeout} // Until it answers.
		if !f.begin(m.point) {
			continue
		}
		if !expired {
			select {
			case slots <- struct{}{}:
			case <-late.C:
				expired = true
			}
		}
		if expired {
			f.end(m.point)
			continue
		}
		waiting++
		go func() {
			var r statResult
			r.err = f.statfs(filepath.Join(f.root, m.point), &r.buf)
			f.end(m.point)
			answers <- answer{m.point, r}
			<-slots
		}()
	}
	for waiting > 0 && !expired {
		select {
		case a := <-answers:
			waiting--
			results[a.point] = a.statResult
		case <-late.C:
			expired = true
		}
	}
	for range len(answers) { // Those that came in while others were waited for.
		a := <-answers
		results[a.point] = a.statResult
	}
	return results
}

func (f *filesystems) begin(point string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy[point] {
		return false
	}
	f.busy[point] = true
	return true
}

func (f *filesystems) end(point string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.busy, point)
}

func (f *filesystems) send(ch chan<- prometheus.Metric, m mount, r statResult) {
	fault, failed := "", 0.0
	if r.err != nil {
		fault, failed = r.err.Error(), 1
	}
	gauge := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, m.device, m.point, m.fstype, fault)
	}
	readonly := 0.0
	if m.readonly {
		readonly = 1
	}
	gauge(f.deviceError, failed)
	gauge(f.readonly, readonly)
	if r.err != nil {
		return
	}
	block := float64(r.buf.Bsize)
	gauge(f.size, float64(r.buf.Blocks)*block)
	gauge(f.free, float64(r.buf.Bfree)*block)
	gauge(f.avail, float64(r.buf.Bavail)*block)
	gauge(f.files, float64(r.buf.Files))
	gauge(f.filesFree, float64(r.buf.Ffree))
	ch <- prometheus.MustNewConstMetric(f.info, prometheus.GaugeValue, 1, m.device, m.major, m.minor, m.point)
}
