package join

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"sort"
	"time"
)

// A run is a file of entries sorted by hash, and behind them an index of every
// 64th. It ends with a foot: where the index is, how many entries there are,
// between which times they were written, and a checksum of index and foot.
const (
	runExt     = ".run"
	runMagic   = "MWjoin1\n"
	runFoot    = 8 + 8 + 8 + 8 + 8 + 4
	indexEvery = 64
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// run is an open file.
type run struct {
	path    string
	f       *os.File
	index   []indexEntry
	data    int64 // Where the entries end.
	size    int64
	entries int
	first   time.Time // When its oldest entry came, and its newest.
	last    time.Time
}

type indexEntry struct {
	hash   uint64
	offset int64
}

// runWriter writes a run. Entries come sorted by hash.
type runWriter struct {
	path  string
	f     *os.File
	w     *bufio.Writer
	at    int64
	n     int
	index []indexEntry
	head  []byte
}

func createRun(path string) (*runWriter, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o640)
	if err != nil {
		return nil, fmt.Errorf("make file of inferences that wait for labels: %w", err)
	}
	return &runWriter{path: path, f: f, w: bufio.NewWriterSize(f, 256<<10)}, nil
}

func (w *runWriter) add(hash uint64, entry []byte) error {
	if w.n%indexEvery == 0 {
		w.index = append(w.index, indexEntry{hash, w.at})
	}
	w.n++
	w.head = binary.LittleEndian.AppendUint64(w.head[:0], hash)
	w.head = binary.AppendUvarint(w.head, uint64(len(entry)))
	w.at += int64(len(w.head) + len(entry))
	_, err := w.w.Write(w.head)
	if err == nil {
		_, err = w.w.Write(entry)
	}
	return err
}

// finish syncs the file and returns it open; on error the file is removed.
func (w *runWriter) finish(first, last time.Time) (*run, error) {
	b := make([]byte, 0, 16*len(w.index)+runFoot)
	for _, e := range w.index {
		b = binary.LittleEndian.AppendUint64(b, e.hash)
		b = binary.LittleEndian.AppendUint64(b, uint64(e.offset))
	}
	b = append(b, runMagic...)
	for _, n := range [...]int64{w.at, int64(w.n), first.UnixMilli(), last.UnixMilli()} {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	_, err := w.w.Write(b)
	if err = errors.Join(err, w.w.Flush()); err == nil {
		err = w.f.Sync()
	}
	if err != nil {
		return nil, w.abort(fmt.Errorf("write inferences that wait for labels: %w", err))
	}
	return &run{
		path: w.path, f: w.f, index: w.index, data: w.at, size: w.at + int64(len(b)), entries: w.n,
		first: first.Truncate(time.Millisecond).UTC(), last: last.Truncate(time.Millisecond).UTC(),
	}, nil
}

func (w *runWriter) abort(err error) error {
	return errors.Join(err, w.f.Close(), os.Remove(w.path))
}

// writeTable writes a table as a run.
func writeTable(path string, t *table) (*run, error) {
	w, err := createRun(path)
	if err != nil {
		return nil, err
	}
	hashes := make([]uint64, 0, len(t.last))
	for h := range t.last {
		hashes = append(hashes, h)
	}
	slices.Sort(hashes)
	for _, h := range hashes {
		if err := t.each(h, func(e []byte) error { return w.add(h, e) }); err != nil {
			return nil, w.abort(fmt.Errorf("write inferences that wait for labels: %w", err))
		}
	}
	return w.finish(t.opened, time.Now())
}

func openRun(path string) (*run, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &run{path: path, f: f}
	if err := r.load(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

var errDamaged = errors.New("file is damaged")

func (r *run) load() error {
	info, err := r.f.Stat()
	if err != nil {
		return err
	}
	r.size = info.Size()
	foot := make([]byte, runFoot)
	if r.size < runFoot {
		return errDamaged
	}
	if _, err := r.f.ReadAt(foot, r.size-runFoot); err != nil {
		return err
	}
	if !bytes.HasPrefix(foot, []byte(runMagic)) {
		return errDamaged
	}
	field := func(i int) int64 { return int64(binary.LittleEndian.Uint64(foot[8+8*i:])) }
	r.data, r.entries = field(0), int(field(1))
	r.first, r.last = time.UnixMilli(field(2)).UTC(), time.UnixMilli(field(3)).UTC()
	if r.data < 0 || r.data > r.size-runFoot || r.entries < 0 ||
		r.size-runFoot-r.data != 16*int64((r.entries+indexEvery-1)/indexEvery) {
		return errDamaged
	}
	b := make([]byte, r.size-r.data)
	if _, err := r.f.ReadAt(b, r.data); err != nil {
		return err
	}
	if crc32.Checksum(b[:len(b)-4], castagnoli) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return errDamaged
	}
	for b = b[:len(b)-runFoot]; len(b) > 0; b = b[16:] {
		r.index = append(r.index, indexEntry{binary.LittleEndian.Uint64(b), int64(binary.LittleEndian.Uint64(b[8:]))})
	}
	return nil
}

// each calls fn for the entries of a hash.
func (r *run) each(hash uint64, fn func([]byte) error) error {
	// The entries of a hash may begin in the block before the first that is above it.
	i := sort.Search(len(r.index), func(i int) bool { return r.index[i].hash >= hash })
	i = max(i-1, 0)
	for ; i < len(r.index) && r.index[i].hash <= hash; i++ {
		end := r.data
		if i+1 < len(r.index) {
			end = r.index[i+1].offset
		}
		b := make([]byte, end-r.index[i].offset)
		if _, err := r.f.ReadAt(b, r.index[i].offset); err != nil {
			return fmt.Errorf("read inferences that wait for labels: %w", err)
		}
		for len(b) > 0 {
			h, entry, rest, err := cutEntry(b)
			if err != nil {
				return err
			}
			if h == hash {
				if err := fn(entry); err != nil {
					return err
				}
			}
			b = rest
		}
	}
	return nil
}

func cutEntry(b []byte) (hash uint64, entry, rest []byte, err error) {
	if len(b) < 9 {
		return 0, nil, nil, errDamaged
	}
	hash = binary.LittleEndian.Uint64(b)
	n, b, err := uvarint(b[8:])
	if err != nil || n > uint64(len(b)) {
		return 0, nil, nil, errDamaged
	}
	return hash, b[:n], b[n:], nil
}

func (r *run) close() error { return r.f.Close() }

// remove closes and deletes the file.
func (r *run) remove() error { return errors.Join(r.f.Close(), os.Remove(r.path)) }

// runReader goes through a run in order.
type runReader struct {
	r     *bufio.Reader
	hash  uint64
	entry []byte
	left  int
}

func (r *run) reader() *runReader {
	return &runReader{r: bufio.NewReaderSize(io.NewSectionReader(r.f, 0, r.data), 128<<10), left: r.entries}
}

// next reads an entry; false at the end.
func (r *runReader) next() (bool, error) {
	if r.left == 0 {
		return false, nil
	}
	r.left--
	var head [8]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		return false, err
	}
	r.hash = binary.LittleEndian.Uint64(head[:])
	n, err := binary.ReadUvarint(r.r)
	if err != nil {
		return false, err
	}
	if n > 1<<24 {
		return false, errDamaged
	}
	r.entry = slices.Grow(r.entry[:0], int(n))[:n]
	_, err = io.ReadFull(r.r, r.entry)
	return err == nil, err
}

// mergeRuns writes several runs as one.
func mergeRuns(path string, runs []*run, stop func() bool) (*run, error) {
	w, err := createRun(path)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*run, error) {
		return nil, w.abort(fmt.Errorf("merge inferences that wait for labels: %w", err))
	}
	var open []*runReader
	first, last := runs[0].first, runs[0].last
	// Of equal hashes, the newest comes first.
	for _, old := range slices.Backward(runs) {
		if old.first.Before(first) {
			first = old.first
		}
		if old.last.After(last) {
			last = old.last
		}
		r := old.reader()
		ok, err := r.next()
		if err != nil {
			return fail(err)
		}
		if ok {
			open = append(open, r)
		}
	}
	for n := 0; len(open) > 0; n++ {
		if n%4096 == 0 && stop() {
			return fail(errStopped)
		}
		least := 0
		for i := range open {
			if open[i].hash < open[least].hash {
				least = i
			}
		}
		r := open[least]
		if err := w.add(r.hash, r.entry); err != nil {
			return fail(err)
		}
		ok, err := r.next()
		if err != nil {
			return fail(err)
		}
		if !ok {
			open = slices.Delete(open, least, least+1)
		}
	}
	return w.finish(first, last)
}

var errStopped = errors.New("stopped")
