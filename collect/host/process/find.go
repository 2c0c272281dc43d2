package process

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
)

const (
	// ticksPerSecond is the kernel's USER_HZ, which is 100 on every architecture that Go supports.
	ticksPerSecond = 100
	// stateListen is TCP_LISTEN of the kernel's tcp_states.h.
	stateListen = 0x0A
	// pidFileSlack is how much younger than its pid file a process may look, given clock adjustments.
	pidFileSlack = time.Minute
	// maxPIDFile bounds what is read of a pid file, in bytes.
	maxPIDFile = 128
)

// running is one process as procfs shows it.
type running struct {
	proc    procfs.Proc
	parent  int
	start   uint64  // clock ticks since the machine started
	cpu     float64 // seconds
	rss     float64 // bytes
	threads float64
}

func (p running) identity() identity { return identity{p.proc.PID, p.start} }

// table is one look at all processes. Zombies are not in it: they run no more.
type table struct {
	byPID    map[int]running
	children map[int][]int
	boot     float64 // seconds since 1970, 0 when unknown
	hidden   bool    // procfs shows only some of the processes
}

func (t table) identities() map[identity]bool {
	ids := make(map[identity]bool, len(t.byPID))
	for _, p := range t.byPID {
		ids[p.identity()] = true
	}
	return ids
}

// finding is what one measurement says of one service.
type finding struct {
	unknown string   // why the lookup failed, "" if it succeeded
	err     error    // the same for the log
	reasons []string // everything that went wrong, for the counter

	processes  []running
	boot       float64
	openFiles  float64
	maxFiles   float64 // 0: none of the processes has a limit, or they cannot be read
	fileRatio  float64
	filesKnown bool
}

// unknownError is a lookup that cannot say whether the service runs.
type unknownError struct {
	reason string
	err    error
}

func (e *unknownError) Error() string { return e.err.Error() }
func (e *unknownError) Unwrap() error { return e.err }

func unknown(reason, format string, args ...any) error {
	return &unknownError{reason, fmt.Errorf(format, args...)}
}

// gone reports that a process ended while it was looked at.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}

func (c *Collector) snapshot() (table, error) {
	procs, err := c.fs.AllProcs()
	if err != nil {
		return table{}, err
	}
	t := table{byPID: make(map[int]running, len(procs)), children: map[int][]int{}}
	for _, p := range procs {
		stat, err := p.Stat()
		if err != nil {
			continue // Ended, or another user's under hidepid=1: either way not ours to measure.
		}
		if stat.State == "Z" || stat.State == "X" {
			continue
		}
		t.byPID[p.PID] = running{
			proc: p, parent: stat.PPID, start: stat.Starttime,
			cpu: stat.CPUTime(), rss: float64(stat.ResidentMemory()), threads: float64(stat.NumThreads),
		}
		t.children[stat.PPID] = append(t.children[stat.PPID], p.PID)
	}
	_, first := t.byPID[1]
	t.hidden = !first
	if stat, err := c.fs.Stat(); err == nil {
		t.boot = float64(stat.BootTime)
	}
	return t, nil
}

// find looks a service's processes up and measures them.
func (c *Collector) find(s *service, all table) finding {
	roots, err := c.roots(s, all)
	if err == nil && len(roots) == 0 && all.hidden && s.watch.PIDFile == "" {
		err = unknown(ReasonHidden, "procfs shows only some of the processes (mounted with hidepid?): run modelwatch as a member of the mount's gid, or use a pid file")
	}
	if err != nil {
		reason := ReasonRead
		if u, ok := errors.AsType[*unknownError](err); ok {
			reason = u.reason
		} else if errors.Is(err, fs.ErrPermission) {
			reason = ReasonPermission
		}
		return finding{unknown: reason, err: err, reasons: []string{reason}}
	}
	members := map[int]bool{}
	for _, pid := range roots {
		all.collect(pid, !s.watch.WithoutChildren, members)
	}
	f := finding{boot: all.boot, filesKnown: true}
	for _, pid := range slices.Sorted(maps.Keys(members)) {
		f.processes = append(f.processes, all.byPID[pid])
		f.files(all.byPID[pid])
	}
	return f
}

// collect adds pid and, if asked, its descendants that run.
func (t table) collect(pid int, children bool, into map[int]bool) {
	if _, ok := t.byPID[pid]; !ok || into[pid] {
		return
	}
	into[pid] = true
	if children {
		for _, child := range t.children[pid] {
			t.collect(child, true, into)
		}
	}
}

// files adds a process's open files and limit to the finding.
func (f *finding) files(p running) {
	open, err := p.proc.FileDescriptorsLen()
	if gone(err) {
		return
	}
	if err != nil {
		f.filesKnown = false
		f.reason(err)
	}
	f.openFiles += float64(open)
	limits, err := p.proc.Limits()
	if gone(err) {
		return
	}
	if err != nil {
		f.reason(err)
		return
	}
	if limits.OpenFiles == 0 || limits.OpenFiles == math.MaxUint64 { // procfs gives the latter for "unlimited".
		return
	}
	limit := float64(limits.OpenFiles)
	if f.maxFiles == 0 || limit < f.maxFiles {
		f.maxFiles = limit
	}
	f.fileRatio = max(f.fileRatio, float64(open)/limit)
}

// reason notes once per measurement what kept it from being complete.
func (f *finding) reason(err error) {
	reason := ReasonRead
	if errors.Is(err, fs.ErrPermission) {
		reason = ReasonPermission
	}
	if !slices.Contains(f.reasons, reason) {
		f.reasons = append(f.reasons, reason)
	}
}

// roots returns the processes that a watch names, without their descendants. None, without an error, means that the
// service does not run.
func (c *Collector) roots(s *service, all table) ([]int, error) {
	switch {
	case s.watch.PIDFile != "":
		return c.byPIDFile(s.watch.PIDFile, all)
	case s.watch.Port != 0:
		return c.byPort(s, all)
	default:
		return c.byCommand(s, all)
	}
}

func (c *Collector) byPIDFile(path string, all table) ([]int, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // A named pipe must not block us.
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // Daemons remove it when they stop.
	}
	if err != nil {
		return nil, fmt.Errorf("read pid file: %w", err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read pid file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, unknown(ReasonPIDFile, "pid file %s is not a regular file", path)
	}
	content := make([]byte, maxPIDFile)
	n, err := file.Read(content)
	if err != nil && n == 0 && info.Size() > 0 {
		return nil, fmt.Errorf("read pid file: %w", err)
	}
	// Some daemons write more after the number, on the same line or below.
	first, _, _ := strings.Cut(strings.TrimSpace(string(content[:n])), "\n")
	number, _, _ := strings.Cut(strings.TrimSpace(first), " ")
	pid, err := strconv.Atoi(number)
	if err != nil || pid <= 0 {
		return nil, unknown(ReasonPIDFile, "pid file %s holds no process number: %.40q", path, content[:n])
	}
	p, ok := all.byPID[pid]
	if !ok {
		if _, err := os.Stat(filepath.Join(c.path, strconv.Itoa(pid))); all.hidden && err != nil {
			return nil, unknown(ReasonHidden, "process %d of pid file %s may be hidden (procfs mounted with hidepid)", pid, path)
		}
		return nil, nil
	}
	if all.boot > 0 {
		started := time.UnixMilli(int64(1000 * (all.boot + float64(p.start)/ticksPerSecond)))
		if started.After(info.ModTime().Add(pidFileSlack)) {
			return nil, unknown(ReasonStale, "pid file %s was written at %s, before process %d started at %s: the number belongs to another process now",
				path, info.ModTime().Format(time.RFC3339), pid, started.Format(time.RFC3339))
		}
	}
	return []int{pid}, nil
}

func (c *Collector) byCommand(s *service, all table) ([]int, error) {
	var pids []int
	for pid, p := range all.byPID {
		if pid == c.self {
			continue // modelwatch's own flags may well hold the service's name.
		}
		line, err := p.proc.CmdLine()
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read command line of process %d: %w", pid, err)
		}
		// Kernel threads have none.
		if len(line) > 0 && s.command.MatchString(strings.Join(line, " ")) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// portHolders remembers which processes hold a port's sockets, because finding them means reading the links of every
// open file of every process.
type portHolders struct {
	sockets []uint64
	holders []identity
}

func (h portHolders) valid(sockets []uint64, all table) bool {
	if len(h.holders) == 0 || !slices.Equal(h.sockets, sockets) {
		return false
	}
	for _, id := range h.holders {
		if p, ok := all.byPID[id.pid]; !ok || p.start != id.start {
			return false
		}
	}
	return true
}

func (c *Collector) byPort(s *service, all table) ([]int, error) {
	sockets, err := c.listening(s.watch.Port)
	if err != nil {
		return nil, err
	}
	if len(sockets) == 0 {
		s.holders = portHolders{}
		return nil, nil
	}
	if !s.holders.valid(sockets, all) {
		holders, denied := socketHolders(sockets, all)
		if len(holders) == 0 {
			if denied {
				return nil, unknown(ReasonPermission, "port %d is open but its process belongs to another user: run modelwatch as that user or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or use a pid file", s.watch.Port)
			}
			return nil, unknown(ReasonNoHolder, "port %d is open but no visible process holds it (another container?)", s.watch.Port)
		}
		s.holders = portHolders{sockets, holders}
	}
	pids := make([]int, len(s.holders.holders))
	for i, id := range s.holders.holders {
		pids[i] = id.pid
	}
	return pids, nil
}

// listening returns the socket inodes that listen on a TCP port, sorted.
func (c *Collector) listening(port int) ([]uint64, error) {
	var sockets []uint64
	//nolint:staticcheck // The successor asks the kernel by netlink, of this host only: not of the host whose procfs is mounted.
	for _, read := range []func() (procfs.NetTCP, error){c.fs.NetTCP, c.fs.NetTCP6} {
		lines, err := read()
		if errors.Is(err, fs.ErrNotExist) {
			continue // No IPv6, or no network at all.
		}
		if err != nil {
			return nil, fmt.Errorf("list TCP sockets: %w", err)
		}
		for _, l := range lines {
			if l.St == stateListen && l.LocalPort == uint64(port) {
				sockets = append(sockets, l.Inode)
			}
		}
	}
	slices.Sort(sockets)
	return sockets, nil
}

// socketHolders returns the processes with one of the sockets open, and whether any process could not be looked into.
func socketHolders(sockets []uint64, all table) (holders []identity, denied bool) {
	wanted := make(map[string]bool, len(sockets))
	for _, inode := range sockets {
		wanted[fmt.Sprintf("socket:[%d]", inode)] = true
	}
	for _, p := range all.byPID {
		targets, err := p.proc.FileDescriptorTargets()
		if errors.Is(err, fs.ErrPermission) {
			denied = true
			continue
		}
		if err != nil {
			continue // Ended meanwhile.
		}
		if slices.ContainsFunc(targets, func(target string) bool { return wanted[target] }) {
			holders = append(holders, p.identity())
		}
	}
	return holders, denied
}
