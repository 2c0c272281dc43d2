// Package join brings ground truth together with the inferences that it is
// about, minutes or days after them.
//
// What it keeps of an inference (its key, prediction and probabilities, by
// request id) goes to sorted files that are never changed, found by the hash of
// the request id, and dropped whole when they are past the horizon or the size
// limit. Memory holds what came last, and the labels that came before their
// inference. Inferences without a request id cost nothing.
//
// It does not judge how good a model is, and it keeps no log: what it holds in
// memory is made again from the segment log after a restart. For the same log it
// gives the same answers, so it goes back only to places that its reader is past
// too: see Commit.
package join

import (
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/store/inferences/seglog"
)

// Joined is an inference with the truth about it.
type Joined struct {
	Key           ai.Key
	RequestID     string
	Prediction    ai.Value
	Probabilities []ai.ClassProbability
	Label         ai.Value
	PredictedAt   time.Time // The inference's timestamp.
	LabelledAt    time.Time // The label's.
}

// Options configures a Joiner.
type Options struct {
	// Disabled turns joining off: the store then has no Joiner.
	Disabled bool
	// Dir holds the files. The store sets it.
	Dir string
	// Horizon is how long an inference waits for its label, and a label for its
	// inference; default 7 days.
	Horizon time.Duration
	// MaxBytes is the size of all files beyond which the oldest go; default 2 GiB.
	MaxBytes int64
	// MaxMemory is about the size of what waits to be written; default 24 MiB.
	MaxMemory int
	// MaxAge is how long it waits at most; default 10 minutes. It bounds the part
	// of the log that is read again after a restart.
	MaxAge time.Duration
	// MaxWaiting is how many labels may wait for their inference; default 100,000.
	MaxWaiting int
	Logger     *slog.Logger
}

func (o Options) withDefaults() Options {
	or := func(p *time.Duration, d time.Duration) {
		if *p <= 0 {
			*p = d
		}
	}
	or(&o.Horizon, 7*24*time.Hour)
	or(&o.MaxAge, 10*time.Minute)
	if o.MaxBytes <= 0 {
		o.MaxBytes = 2 << 30
	}
	if o.MaxMemory <= 0 {
		o.MaxMemory = 24 << 20
	}
	if o.MaxWaiting <= 0 {
		o.MaxWaiting = 100_000
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Stats counts since Open, but for the gauges.
type Stats struct {
	Joined   uint64 // Inferences that met their label.
	Repeated uint64 // Labels of a request that had one.
	// Unmatched counts labels whose inference did not come within the horizon.
	Unmatched uint64
	Dropped   uint64 // Inferences not kept for lack of disk.
	Waiting   int    // Labels that wait now.
	Bytes     int64  // Size of the files.
	Runs      int    // Number of the files.
}

// Joiner joins. Add belongs to one goroutine; the rest is safe for concurrent use.
type Joiner struct {
	o    Options
	dict *dictionary

	mu       sync.Mutex
	table    *table   // What came last.
	frozen   []*flush // What is written, or being written, and not committed.
	runs     []*run   // Committed, oldest first.
	waiting  map[uint64][]waiting
	queue    []waiting // In the order of arrival, for the horizon.
	position seglog.Position
	held     seglog.Position // Where a restart would begin.
	stats    Stats
	seq      int
	closed   bool
	wg       sync.WaitGroup
	merging  bool
	joined   []Joined // Scratch.
	now      func() time.Time
}

// waiting is a label without its inference.
type waiting struct {
	Hash      uint64    `json:"hash,string"`
	RequestID string    `json:"request_id"`
	Label     []byte    `json:"label"` // In the codec's form.
	At        time.Time `json:"at"`    // The label's timestamp.
	Since     time.Time `json:"since"` // When it came, by the clock.
}

// flush is a table that was closed at a position.
type flush struct {
	table    *table // nil once written.
	run      *run   // nil until written.
	path     string
	position seglog.Position
	waiting  []waiting
	failed   bool
}

// Open opens a joiner. end is the end of the log: files that are further were
// left by another log, and are dropped.
func Open(o Options, end seglog.Position) (*Joiner, error) {
	o = o.withDefaults()
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("make directory of labels: %w", err)
	}
	j := &Joiner{o: o, dict: newDictionary(), table: newTable(), waiting: map[uint64][]waiting{}, now: time.Now}
	m, err := readManifest(o.Dir)
	if err != nil {
		j.o.Logger.Error("Labels for inferences from before cannot be joined: the manifest is damaged", "err", err)
		if err := os.Rename(filepath.Join(o.Dir, manifestName), filepath.Join(o.Dir, manifestName+".corrupt")); err != nil {
			return nil, fmt.Errorf("set aside manifest of labels: %w", err)
		}
		m = &manifest{}
	}
	if m.Position > end {
		m = &manifest{Seq: m.Seq}
	}
	j.position, j.held, j.seq = m.Position, m.Position, m.Seq
	j.dict.restore(m.Dictionary)
	for _, name := range m.Runs {
		r, err := openRun(filepath.Join(o.Dir, name))
		if err != nil {
			j.o.Logger.Error("A file of inferences that wait for labels is damaged and left out", "file", name, "err", err)
			continue
		}
		j.runs = append(j.runs, r)
	}
	for _, w := range m.Waiting {
		j.wait(w)
	}
	return j, j.clean()
}

// clean removes files that no manifest names.
func (j *Joiner) clean() error {
	entries, err := os.ReadDir(j.o.Dir)
	if err != nil {
		return fmt.Errorf("list files of labels: %w", err)
	}
	known := map[string]bool{}
	for _, r := range j.runs {
		known[filepath.Base(r.path)] = true
	}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); (ext == runExt || ext == ".tmp") && !known[e.Name()] {
			if err := os.Remove(filepath.Join(j.o.Dir, e.Name())); err != nil {
				return fmt.Errorf("remove file of labels: %w", err)
			}
		}
	}
	return nil
}

// Position is behind the last batch that was added.
func (j *Joiner) Position() seglog.Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.position
}

func hashOf(id string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // It takes everything.
	x := h.Sum64()
	// FNV mixes its high bits badly, and files are sorted by them.
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	return x ^ x>>32
}

// Add takes the batch that ends at a position, and returns what became complete
// by it. The slice is valid until the next Add; what it refers to stays.
func (j *Joiner) Add(end seglog.Position, records []ai.Inference, labels []ai.Label) []Joined {
	j.mu.Lock()
	defer j.mu.Unlock()
	clear(j.joined)
	j.joined = j.joined[:0]
	for i := range records {
		if records[i].RequestID != "" {
			j.inference(&records[i])
		}
	}
	for i := range labels {
		j.label(&labels[i])
	}
	j.position = end
	j.expire()
	if j.table.size() >= j.o.MaxMemory || j.table.entries > 0 && j.now().Sub(j.table.opened) >= j.o.MaxAge {
		j.freeze()
	}
	if j.table.entries == 0 && len(j.frozen) == 0 && len(j.queue) == 0 {
		j.held = end // There is nothing to lose.
	}
	j.stats.Joined += uint64(len(j.joined))
	return j.joined
}

// inference keeps an inference, or joins it to the label that waits for it.
func (j *Joiner) inference(inf *ai.Inference) {
	hash := hashOf(inf.RequestID)
	if len(j.waiting) > 0 {
		for i, w := range j.waiting[hash] {
			if w.RequestID != inf.RequestID {
				continue
			}
			j.complete(&w, inf)
			j.stopWaiting(hash, i)
			j.table.mark(hash, inf.RequestID)
			return
		}
	}
	j.table.add(hash, inf, j.dict)
}

func (j *Joiner) complete(w *waiting, inf *ai.Inference) {
	label, err := decodeValue(w.Label)
	if err != nil {
		j.o.Logger.Error("A waiting label is damaged", "err", err)
		return
	}
	out := Joined{
		Key: inf.Key(), RequestID: inf.RequestID, Prediction: inf.Prediction, Label: label,
		PredictedAt: inf.Timestamp, LabelledAt: w.At,
	}
	out.Probabilities = append(out.Probabilities, inf.Probabilities...)
	j.joined = append(j.joined, out)
}

// label joins a label to all inferences of its request, one a model version, or
// lets it wait for the first one.
func (j *Joiner) label(l *ai.Label) {
	hash := hashOf(l.RequestID)
	for _, w := range j.waiting[hash] {
		if w.RequestID == l.RequestID {
			j.stats.Repeated++
			return
		}
	}
	found, labelled, err := j.find(hash, l.RequestID)
	if err != nil {
		j.o.Logger.Error("Look up the inference of a label", "err", err)
	}
	if labelled {
		j.stats.Repeated++
		return
	}
	if len(found) == 0 {
		j.wait(waiting{Hash: hash, RequestID: l.RequestID, Label: encodeValue(l.Label), At: l.Timestamp, Since: j.now().UTC()})
		return
	}
	for i := range found {
		found[i].Label, found[i].LabelledAt = l.Label, l.Timestamp
		j.joined = append(j.joined, found[i])
	}
	j.table.mark(hash, l.RequestID)
}

// find looks for the inferences of a request everywhere.
func (j *Joiner) find(hash uint64, id string) (found []Joined, labelled bool, err error) {
	seen := func(raw []byte) error {
		e, err := decodeEntry(raw, j.dict)
		if err != nil {
			return err
		}
		if e.RequestID != id {
			return nil
		}
		if e.Key == (ai.Key{}) {
			labelled = true
			return nil
		}
		for i := range found {
			if found[i].Key == e.Key {
				return nil // The latest counts, and tables are asked newest first.
			}
		}
		found = append(found, e)
		return nil
	}
	err = j.table.each(hash, seen)
	for _, f := range slices.Backward(j.frozen) {
		if f.table != nil {
			err = errors.Join(err, f.table.each(hash, seen))
		} else if f.run != nil {
			err = errors.Join(err, f.run.each(hash, seen))
		}
	}
	for _, r := range slices.Backward(j.runs) {
		err = errors.Join(err, r.each(hash, seen))
	}
	return found, labelled, err
}

func (j *Joiner) wait(w waiting) {
	j.waiting[w.Hash] = append(j.waiting[w.Hash], w)
	j.queue = append(j.queue, w)
	j.stats.Waiting++
	for j.stats.Waiting > j.o.MaxWaiting {
		j.giveUpFirst()
	}
}

func (j *Joiner) stopWaiting(hash uint64, i int) {
	list := j.waiting[hash]
	if len(list) == 1 {
		delete(j.waiting, hash)
	} else {
		j.waiting[hash] = append(append([]waiting(nil), list[:i]...), list[i+1:]...)
	}
	j.stats.Waiting--
	// The queue keeps it until its turn; it is short of what memory it was to have.
	if len(j.queue) > 64 && len(j.queue) > 2*j.stats.Waiting {
		j.queue = j.list()
	}
}

// list returns the labels that wait, in the order in which they came.
func (j *Joiner) list() []waiting {
	out := make([]waiting, 0, j.stats.Waiting)
	for _, w := range j.queue {
		if j.waits(&w) {
			out = append(out, w)
		}
	}
	return out
}

func (j *Joiner) waits(w *waiting) bool {
	for _, x := range j.waiting[w.Hash] {
		if x.RequestID == w.RequestID {
			return true
		}
	}
	return false
}

// giveUpFirst drops the label that has waited longest.
func (j *Joiner) giveUpFirst() {
	for len(j.queue) > 0 {
		w := j.queue[0]
		j.queue = j.queue[1:]
		for i, x := range j.waiting[w.Hash] {
			if x.RequestID == w.RequestID {
				j.stopWaiting(w.Hash, i)
				j.stats.Unmatched++
				return
			}
		}
	}
}

// expire drops what is past the horizon.
func (j *Joiner) expire() {
	if len(j.queue) == 0 {
		return
	}
	limit := j.now().Add(-j.o.Horizon)
	for len(j.queue) > 0 && j.queue[0].Since.Before(limit) {
		j.giveUpFirst()
	}
}

// Stats counts.
func (j *Joiner) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.stats
	for _, r := range j.runs {
		s.Bytes += r.size
	}
	for _, f := range j.frozen {
		if f.run != nil {
			s.Bytes += f.run.size
		}
	}
	s.Runs = len(j.runs) + len(j.frozen)
	return s
}

// Close waits for files being written and closes them. What is only in memory
// is made again from the log.
func (j *Joiner) Close() error {
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	j.wg.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	var err error
	for _, r := range j.runs {
		err = errors.Join(err, r.close())
	}
	for _, f := range j.frozen {
		if f.run != nil {
			err = errors.Join(err, f.run.close())
		}
	}
	j.runs, j.frozen = nil, nil
	return err
}
