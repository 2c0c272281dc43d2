package tail

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/modelwatch/modelwatch/collect/tail/forward"
	"github.com/modelwatch/modelwatch/collect/tail/stage"
)

// run is collecting by one config.
type run struct {
	m         *Manager
	config    *Config
	env       *stage.Env
	sinks     []sink
	positions *positions
	ctx       context.Context
	cancel    func()
	wg        sync.WaitGroup

	mu      sync.Mutex
	current map[string]*source // by job and path
	rotated map[*source]bool
	begun   int
	// read holds compressed files that were read to their end.
	read map[string]fileSize
	// skipped are paths that were complained about.
	skipped map[string]bool
	groups  map[string][]Group // of file_sd files, by file
	seen    map[string]time.Time
	// tokens of the read limit, and the last time given out.
	tokens   float64
	tokensAt time.Time
	clock    time.Time
}

type fileSize struct {
	id   identity
	size int64
}

// start begins to collect by a config.
func (m *Manager) start(c *Config) (*run, error) {
	r := &run{
		m: m, config: c, current: map[string]*source{}, rotated: map[*source]bool{}, read: map[string]fileSize{},
		skipped: map[string]bool{}, groups: map[string][]Group{}, seen: map[string]time.Time{},
	}
	r.ctx, r.cancel = stoppable()
	r.env = &stage.Env{Metrics: m.stages, Now: m.o.Now, Stop: r.ctx.Done()}
	var err error
	if r.positions, err = openPositions(c.Positions, min(c.PositionsSync, time.Second)); err != nil {
		r.cancel()
		return nil, err
	}
	if err := r.openSinks(); err != nil {
		r.closeSinks()
		r.cancel()
		return nil, err
	}
	if err := r.listen(); err != nil {
		r.cancel()
		r.wg.Wait()
		r.closeSinks()
		return nil, err
	}
	r.resumeRotated()
	r.discover()
	r.save()
	r.wg.Go(r.loop)
	return r, nil
}

// files is the number of files that were begun.
func (r *run) files() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.begun
}

// openSinks decides where lines go.
func (r *run) openSinks() error {
	own := len(r.config.Clients) == 0 || !r.m.o.ForwardOnly
	whose := r.m.o.Own
	whose.Addresses = slices.Concat(whose.Addresses, r.config.own)
	ours := sink{own: r.m.o.Appender, naming: r.m.o.Naming}
	for _, c := range r.config.Clients {
		d := whose.destination(c)
		switch {
		case d.Assumed:
			r.m.o.Logger.Warn("Lines for a client are kept by modelwatch itself", "client", d.URL, "reason", d.Why, "hint", "if another Loki is meant, make its name known and reload; if not, leave the client out or add it to logs.collect.own_addresses")
		case d.Own:
			r.m.o.Logger.Info("Lines for a client are kept by modelwatch itself", "client", d.URL, "reason", d.Why)
		default:
			r.m.o.Logger.Info("Lines are sent to a client elsewhere, too", "client", d.URL)
		}
		if d.Own {
			own, ours.external, ours.tenant = true, c.ExternalLabels, c.Tenant
			continue
		}
		sum := sha256.Sum256([]byte(c.URL + "\x00" + c.Name))
		q, err := forward.Open(*c, forward.Options{
			Dir:      filepath.Join(r.m.o.Dir, "forward", hex.EncodeToString(sum[:6])),
			MaxBytes: r.m.o.QueueBytes, Logger: r.m.o.Logger,
		})
		if err != nil {
			return err
		}
		r.sinks = append(r.sinks, sink{queue: q, external: c.ExternalLabels})
	}
	if own {
		r.sinks = append([]sink{ours}, r.sinks...)
	}
	return nil
}

func (r *run) closeSinks() {
	for _, s := range r.sinks {
		if s.queue != nil {
			s.queue.Close()
		}
	}
}

func (r *run) stop() {
	r.cancel()
	r.wg.Wait()
	r.closeSinks()
	r.save()
}

// loop looks for new files and writes positions down.
func (r *run) loop() {
	find := time.NewTicker(r.config.SyncPeriod)
	defer find.Stop()
	save := time.NewTicker(max(r.positions.period, 100*time.Millisecond))
	defer save.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-find.C:
			known := r.files()
			r.discover()
			if r.files() != known {
				r.save()
			}
		case <-save.C:
			r.save()
		}
	}
}

// now is the time for a line that has none: never the same twice, so that equal lines in one instant stay two.
func (r *run) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.m.o.Now()
	if !t.After(r.clock) {
		t = r.clock.Add(1)
	}
	r.clock = t
	return t
}

// limit applies limits_config.readline_rate; false drops the line.
func (r *run) limit(ctx context.Context) bool {
	if r.config.ReadRate <= 0 {
		return true
	}
	for {
		r.mu.Lock()
		now := r.m.o.Now()
		if r.tokensAt.IsZero() {
			r.tokens = float64(r.config.ReadBurst)
		} else {
			r.tokens = min(float64(r.config.ReadBurst), r.tokens+r.config.ReadRate*now.Sub(r.tokensAt).Seconds())
		}
		r.tokensAt = now
		ok := r.tokens >= 1
		if ok {
			r.tokens--
		}
		r.mu.Unlock()
		if ok || r.config.RateDrop {
			return ok
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// discover finds the files of all jobs and begins to follow those that are new.
func (r *run) discover() {
	hostname, _ := os.Hostname() // Without a name only __host__ does not work.
	for _, job := range r.config.Jobs {
		for _, g := range slices.Concat(job.Static, r.fileGroups(job)) {
			targets := g.Targets
			if len(targets) == 0 {
				targets = []string{"localhost"}
			}
			for _, target := range targets {
				ls := maps.Clone(g.Labels)
				ls["__address__"] = target
				if host := ls["__host__"]; host != "" && host != hostname {
					continue
				}
				ls, keep := applyRelabel(ls, job.Relabel)
				if keep && ls["__path__"] != "" {
					r.follow(job, ls["__path__"], ls["__path_exclude__"], visible(ls))
				}
			}
		}
	}
}

func (r *run) follow(job *Job, pattern, exclude string, labels map[string]string) {
	paths, err := doublestar.FilepathGlob(pattern, doublestar.WithFilesOnly())
	if err != nil {
		r.m.complain(pattern, "look for log files", err)
		return
	}
	for _, path := range paths {
		if exclude != "" {
			if out, err := doublestar.PathMatch(exclude, path); err == nil && out {
				continue
			}
		}
		if r.ctx.Err() != nil {
			return
		}
		r.begin(job, path, labels)
	}
}

// begin follows a file if it is not followed yet.
func (r *run) begin(job *Job, path string, labels map[string]string) {
	key := job.Name + "\x00" + path
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current[key] != nil {
		return
	}
	if done, ok := r.read[key]; ok && unchanged(path, done.id, done.size) {
		return
	}
	if job.Compression == "" && compressedName(path) {
		if !r.skipped[path] {
			r.skipped[path] = true
			r.m.o.Logger.Info("compressed file is not followed; give its job decompression to read it", "path", path)
		}
		return
	}
	with := maps.Clone(labels)
	with["filename"] = path
	offset := r.resume(job, path, with)
	s, err := r.open(job, path, path, with, offset)
	if err != nil {
		r.m.complain(path, "open log file", err)
		return
	}
	r.current[key] = s
	r.begun++
	// That a file was seen is written down before anything else happens to it.
	r.positions.put(s.record())
	r.spawn(key, s)
}

// save writes the positions down.
func (r *run) save() {
	if err := r.positions.save(); err != nil {
		r.m.complain("positions", "write positions", err)
	}
}

func (r *run) spawn(key string, s *source) {
	r.wg.Go(func() {
		if s.job.Compression == "" {
			s.follow(r.ctx)
			r.mu.Lock()
			delete(r.rotated, s)
			if r.current[key] == s {
				delete(r.current, key)
			}
			r.mu.Unlock()
			return
		}
		info, err := s.f.Stat()
		if err == nil {
			err = s.readCompressed(r.ctx)
		}
		if err != nil && r.ctx.Err() == nil {
			r.m.complain(s.path, "read compressed log file", err)
		}
		if err := s.f.Close(); err != nil {
			r.m.complain(s.path, "close log file", err)
		}
		r.mu.Lock()
		delete(r.current, key)
		if r.ctx.Err() == nil && info != nil {
			r.read[key] = fileSize{s.id, info.Size()}
		}
		r.mu.Unlock()
	})
}

// resume says from where to read a file. If it is not the one that was read before, what was left to read of that one is
// looked for under another name.
func (r *run) resume(job *Job, path string, labels map[string]string) int64 {
	rec, ok := r.positions.get(path)
	if !ok {
		return 0
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	if rec.identity == (identity{}) {
		// From Promtail's own file, which knows no more than the offset.
		if job.Compression == "" && rec.Offset > info.Size() {
			return 0
		}
		return rec.Offset
	}
	if rec.identity == identityOf(info) && (job.Compression != "" || rec.Offset <= info.Size() && beginsWith(path, rec.Head)) {
		return rec.Offset
	}
	if job.Compression == "" {
		was := rec
		rec.Rotated = true
		r.continueRotated(job, rec, labels)
		r.positions.remove(was)
	}
	return 0
}

func beginsWith(path string, head []byte) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, len(head))
	n, _ := f.ReadAt(b, 0) // A file that cannot be read does not begin so.
	return string(b[:n]) == string(head)
}

// continueRotated reads on in a file that has another name now. The caller holds mu.
func (r *run) continueRotated(job *Job, rec record, labels map[string]string) {
	entries, err := os.ReadDir(filepath.Dir(rec.Path))
	if err != nil {
		r.m.complain(rec.Path, "look for rotated log file", err)
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || identityOf(info) != rec.identity || info.Size() < rec.Offset {
			continue
		}
		at := filepath.Join(filepath.Dir(rec.Path), e.Name())
		if !beginsWith(at, rec.Head) {
			continue
		}
		s, err := r.open(job, rec.Path, at, labels, rec.Offset)
		if err != nil {
			r.m.complain(at, "open rotated log file", err)
			return
		}
		s.rotated = true
		r.rotated[s] = true
		r.positions.put(s.record())
		r.spawn("", s)
		return
	}
	r.positions.remove(rec)
}

// resumeRotated reads on in files that had lost their path when collecting was stopped.
func (r *run) resumeRotated() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range r.positions.rotated() {
		for _, job := range r.config.Jobs {
			if labels, ok := r.labelsFor(job, rec.Path); ok {
				r.continueRotated(job, rec, labels)
				break
			}
		}
	}
}

// labelsFor returns the labels that a job gives to a path, if it is one of its own.
func (r *run) labelsFor(job *Job, path string) (map[string]string, bool) {
	for _, g := range slices.Concat(job.Static, r.fileGroups(job)) {
		ls, keep := applyRelabel(maps.Clone(g.Labels), job.Relabel)
		if !keep {
			continue
		}
		if ok, err := doublestar.PathMatch(ls["__path__"], path); err == nil && ok {
			ls = visible(ls)
			ls["filename"] = path
			return ls, true
		}
	}
	return nil, false
}

// lost takes note that a file is no longer at its path, and follows who is there now.
func (r *run) lost(s *source) {
	r.mu.Lock()
	for key, c := range r.current {
		if c == s {
			delete(r.current, key)
		}
	}
	r.rotated[s] = true
	s.rotated = true
	r.mu.Unlock()
	labels := maps.Clone(s.labels)
	if _, err := os.Stat(s.path); err == nil {
		r.begin(s.job, s.path, labels)
	}
	r.save()
}

// fileGroups reads the target files of a job that are due.
func (r *run) fileGroups(job *Job) []Group {
	var out []Group
	now := r.m.o.Now()
	for _, sd := range job.FileSD {
		for _, pattern := range sd.Files {
			paths, err := filepath.Glob(pattern)
			if err != nil {
				r.m.complain(pattern, "look for target files", err)
				continue
			}
			for _, path := range paths {
				info, err := os.Stat(path)
				if err != nil {
					continue
				}
				if last, ok := r.seen[path]; !ok || info.ModTime().After(last) || now.Sub(last) > sd.Refresh {
					groups, err := readGroups(path)
					if err != nil {
						r.m.complain(path, "read target file; the targets read before are kept", err)
					} else {
						r.groups[path] = groups
					}
					r.seen[path] = now
				}
				out = append(out, r.groups[path]...)
			}
		}
	}
	return out
}

func (r *run) status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out Status
	add := func(s *source) {
		f := FileStatus{Path: s.path, Job: s.job.Name, Rotated: s.rotated}
		if rec, ok := r.positions.get(s.path); ok && !s.rotated {
			f.Offset = rec.Offset
		}
		if info, err := s.f.Stat(); err == nil {
			f.Size = info.Size()
		} else if !errors.Is(err, os.ErrClosed) {
			r.m.complain(s.path, "look at log file", err)
		}
		out.Files = append(out.Files, f)
	}
	for _, s := range r.current {
		add(s)
	}
	for s := range r.rotated {
		add(s)
	}
	slices.SortFunc(out.Files, func(a, b FileStatus) int {
		return slices.Compare([]string{a.Path, fmt.Sprint(a.Rotated)}, []string{b.Path, fmt.Sprint(b.Rotated)})
	})
	for _, s := range r.sinks {
		if s.queue != nil {
			out.Clients = append(out.Clients, s.queue.Status())
		}
	}
	return out
}
