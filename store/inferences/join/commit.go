package join

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/modelwatch/modelwatch/store/inferences/seglog"
)

const manifestName = "manifest.json"

// manifest says what a restart begins with: the state behind a position.
type manifest struct {
	Position   seglog.Position `json:"position"`
	Seq        int             `json:"seq"`
	Runs       []string        `json:"runs"`
	Waiting    []waiting       `json:"waiting"`
	Dictionary []string        `json:"dictionary"`
}

func readManifest(dir string) (*manifest, error) {
	data, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, os.ErrNotExist) {
		return &manifest{}, nil
	}
	if err != nil {
		return nil, err
	}
	m := &manifest{}
	if err := json.Unmarshal(data, m); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *manifest) write(dir string) error {
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode manifest: %w", err)
	}
	path := filepath.Join(dir, manifestName)
	f, err := os.OpenFile(path+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open directory: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// freeze closes the table and writes it in the background. It is called under mu.
func (j *Joiner) freeze() {
	if n := len(j.frozen); n > 0 && j.frozen[n-1].table != nil && !j.frozen[n-1].failed {
		if j.table.size() < 4*j.o.MaxMemory {
			return // The one before is still being written.
		}
	}
	if j.closed {
		return
	}
	if len(j.frozen) >= 8 {
		// Nobody commits, or the disk is full: the oldest files make room.
		j.dropOldest()
	}
	j.seq++
	f := &flush{table: j.table, position: j.position, waiting: j.list()}
	j.table = newTable()
	j.frozen = append(j.frozen, f)
	f.path = filepath.Join(j.o.Dir, fmt.Sprintf("%08d%s", j.seq, runExt))
	j.save(f)
}

// save writes a table in the background. It is called under mu.
func (j *Joiner) save(f *flush) {
	f.failed = false
	t := f.table
	j.wg.Go(func() {
		r, err := writeTable(f.path, t)
		j.mu.Lock()
		defer j.mu.Unlock()
		if err != nil {
			j.o.Logger.Error("Write inferences that wait for labels; will be tried again", "err", err)
			f.failed = true
			return
		}
		f.run, f.table = r, nil
	})
}

// dropOldest gives up the oldest table that could not be written; its inferences
// cannot be joined any more. It is called under mu.
func (j *Joiner) dropOldest() {
	for _, f := range j.frozen {
		if f.table != nil && f.failed {
			j.stats.Dropped += uint64(f.table.entries)
			f.table = newTable()
			return
		}
	}
}

// Commit makes the state durable that lies behind the latest position that is
// not after limit, and returns the position at which a restart begins: the log
// from there on is needed. limit is where the reader of what was joined begins
// after a restart; were the joiner further, it could not give the same again.
func (j *Joiner) Commit(limit seglog.Position) (seglog.Position, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return j.held, nil
	}
	if j.table.entries > 0 && j.now().Sub(j.table.opened) >= j.o.MaxAge {
		j.freeze()
	}
	for _, f := range j.frozen {
		if f.failed {
			j.save(f)
		}
	}
	n := 0
	for n < len(j.frozen) && j.frozen[n].position <= limit && j.frozen[n].run != nil {
		n++
	}
	if n == 0 {
		return j.held, nil
	}
	at := j.frozen[n-1]
	for _, f := range j.frozen[:n] {
		if f.run != nil {
			j.runs = append(j.runs, f.run)
		}
	}
	j.frozen = append([]*flush(nil), j.frozen[n:]...)
	gone := j.expired()
	if err := j.manifest(at.position, at.waiting).write(j.o.Dir); err != nil {
		return j.held, err
	}
	j.held = at.position
	for _, r := range gone {
		if err := r.remove(); err != nil {
			j.o.Logger.Warn("Remove inferences past the horizon", "err", err)
		}
	}
	j.merge(at.waiting)
	return j.held, nil
}

func (j *Joiner) manifest(at seglog.Position, w []waiting) *manifest {
	m := &manifest{Position: at, Seq: j.seq, Waiting: w, Dictionary: j.dict.all()}
	for _, r := range j.runs {
		m.Runs = append(m.Runs, filepath.Base(r.path))
	}
	return m
}

// expired takes runs out that are past the horizon or over the size limit. It is
// called under mu.
func (j *Joiner) expired() []*run {
	if j.merging {
		return nil // They are being read.
	}
	var size int64
	for _, r := range j.runs {
		size += r.size
	}
	limit := j.now().Add(-j.o.Horizon)
	var gone []*run
	kept := j.runs[:0:0]
	for _, r := range j.runs {
		if r.last.Before(limit) || size > j.o.MaxBytes {
			size -= r.size
			gone = append(gone, r)
			continue
		}
		kept = append(kept, r)
	}
	j.runs = kept
	return gone
}

// fanIn is how many runs of like size become one.
const fanIn = 8

// merge makes one run of several of like size, in the background: a lookup asks
// each run. It is called under mu.
func (j *Joiner) merge(waiting []waiting) {
	if j.merging || j.closed {
		return
	}
	// Runs of like size stand together, because they are in the order of time.
	from, to := 0, 0
	for to = len(j.runs); to >= fanIn; to-- {
		from = to - fanIn
		least, most := j.runs[from].entries, j.runs[from].entries
		for _, r := range j.runs[from:to] {
			least, most = min(least, r.entries), max(most, r.entries)
		}
		if most <= 4*least+1024 {
			break
		}
	}
	if to < fanIn {
		return
	}
	j.seq++
	j.merging = true
	todo := append([]*run(nil), j.runs[from:to]...)
	path := filepath.Join(j.o.Dir, fmt.Sprintf("%08d%s", j.seq, runExt))
	j.wg.Go(func() {
		merged, err := mergeRuns(path, todo, func() bool {
			j.mu.Lock()
			defer j.mu.Unlock()
			return j.closed
		})
		j.mu.Lock()
		defer j.mu.Unlock()
		j.merging = false
		if err != nil {
			if !errors.Is(err, errStopped) {
				j.o.Logger.Error("Merge inferences that wait for labels", "err", err)
			}
			return
		}
		before := j.runs
		// Commits meanwhile only append.
		j.runs = append(append(append([]*run(nil), before[:from]...), merged), before[to:]...)
		m := j.manifest(j.held, waiting)
		if last, err := readManifest(j.o.Dir); err == nil {
			m.Waiting = last.Waiting // As they were at held.
		}
		if err := m.write(j.o.Dir); err != nil {
			j.o.Logger.Error("Merge inferences that wait for labels", "err", err)
			j.runs = before
			if err := merged.remove(); err != nil {
				j.o.Logger.Warn("Remove a merged file", "err", err)
			}
			return
		}
		for _, r := range todo {
			if err := r.remove(); err != nil {
				j.o.Logger.Warn("Remove merged inferences", "err", err)
			}
		}
	})
}
