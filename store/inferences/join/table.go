package join

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/store/inferences/codec"
)

// maxClasses is how many probabilities of an inference are kept.
const maxClasses = 256

// dictionary gives numbers to texts that come again: keys, and lists of classes.
type dictionary struct {
	mu    sync.RWMutex
	ids   map[string]uint64
	texts []string
}

// maxDictionary bounds its memory; further texts are written out.
const maxDictionary = 8192

func newDictionary() *dictionary { return &dictionary{ids: map[string]uint64{}} }

func (d *dictionary) restore(texts []string) {
	for i, t := range texts {
		d.ids[t] = uint64(i)
	}
	d.texts = slices.Clone(texts)
}

func (d *dictionary) all() []string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Clone(d.texts)
}

// append writes a text by its number plus one, or zero and the text itself. The
// text is in b and is copied only when it is new.
func (d *dictionary) append(dst, b []byte) []byte {
	d.mu.RLock()
	id, ok := d.ids[string(b)]
	n := len(d.texts)
	d.mu.RUnlock()
	if !ok && n < maxDictionary {
		d.mu.Lock()
		id, ok = uint64(len(d.texts)), true
		d.ids[string(b)] = id
		d.texts = append(d.texts, string(b))
		d.mu.Unlock()
	}
	if ok {
		return binary.AppendUvarint(dst, id+1)
	}
	dst = append(dst, 0)
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

var errShort = errors.New("entry ends too early")

// read reads what append wrote.
func (d *dictionary) read(b []byte) (text string, rest []byte, err error) {
	n, b, err := uvarint(b)
	if err != nil {
		return "", nil, err
	}
	if n == 0 {
		return readText(b)
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if n > uint64(len(d.texts)) {
		return "", nil, fmt.Errorf("text %d where there are %d", n, len(d.texts))
	}
	return d.texts[n-1], b, nil
}

func uvarint(b []byte) (uint64, []byte, error) {
	n, size := binary.Uvarint(b)
	if size <= 0 {
		return 0, nil, errShort
	}
	return n, b[size:], nil
}

func readText(b []byte) (string, []byte, error) {
	n, b, err := uvarint(b)
	if err != nil {
		return "", nil, err
	}
	if n > uint64(len(b)) {
		return "", nil, errShort
	}
	return string(b[:n]), b[n:], nil
}

// Kinds of entries.
const (
	entryInference = iota
	entryLabelled  // A mark: the request has had its label.
)

// table is what came last, in memory: entries behind each other, found by a hash.
type table struct {
	data    []byte
	last    map[uint64]uint32 // Offset of the last entry of a hash, plus one.
	entries int
	opened  time.Time
	scratch []byte
}

func newTable() *table { return &table{last: map[uint64]uint32{}, opened: time.Now()} }

// size is about how much memory the table takes.
func (t *table) size() int { return len(t.data) + 40*t.entries }

// An entry in a table is the offset of the one before of its hash, plus one, its
// length, and its form; in a file it is its hash, its length, and its form.
func (t *table) begin(hash uint64) int {
	if t.entries == 0 {
		t.opened = time.Now()
	}
	begin := len(t.data)
	t.data = binary.LittleEndian.AppendUint32(t.data, t.last[hash])
	t.data = binary.LittleEndian.AppendUint32(t.data, 0)
	return begin
}

func (t *table) end(hash uint64, begin int) {
	binary.LittleEndian.PutUint32(t.data[begin+4:], uint32(len(t.data)-begin-8))
	t.last[hash] = uint32(begin + 1)
	t.entries++
}

// mark notes that a request has had its label.
func (t *table) mark(hash uint64, id string) {
	begin := t.begin(hash)
	t.data = append(t.data, entryLabelled)
	t.data = appendText(t.data, id)
	t.end(hash, begin)
}

// add keeps what a label will need of an inference.
func (t *table) add(hash uint64, inf *ai.Inference, dict *dictionary) {
	begin := t.begin(hash)
	t.data = append(t.data, entryInference)
	t.data = appendText(t.data, inf.RequestID)
	s := append(t.scratch[:0], inf.Service...)
	s = append(append(s, 0), inf.Model...)
	s = append(append(s, 0), inf.ModelVersion...)
	t.data = dict.append(t.data, s)
	t.data = binary.LittleEndian.AppendUint64(t.data, uint64(inf.Timestamp.UnixNano()))
	t.data = codec.AppendValue(t.data, inf.Prediction)
	classes := inf.Probabilities[:min(len(inf.Probabilities), maxClasses)]
	s = s[:0]
	for i := range classes {
		s = append(append(s, classes[i].Class...), 0)
	}
	t.scratch = s
	t.data = dict.append(t.data, s)
	for i := range classes {
		t.data = binary.LittleEndian.AppendUint64(t.data, math.Float64bits(classes[i].P))
	}
	t.end(hash, begin)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// each calls fn for the entries of a hash, the newest first.
func (t *table) each(hash uint64, fn func([]byte) error) error {
	for at := t.last[hash]; at > 0; {
		i := int(at - 1)
		n := int(binary.LittleEndian.Uint32(t.data[i+4:]))
		if err := fn(t.data[i+8 : i+8+n]); err != nil {
			return err
		}
		at = binary.LittleEndian.Uint32(t.data[i:])
	}
	return nil
}

// decodeEntry reads an entry. The mark of a labelled request has no key.
func decodeEntry(b []byte, dict *dictionary) (j Joined, err error) {
	if len(b) == 0 {
		return j, errShort
	}
	kind := b[0]
	if j.RequestID, b, err = readText(b[1:]); err != nil || kind == entryLabelled {
		return j, err
	}
	if kind != entryInference {
		return j, fmt.Errorf("entry of unknown kind %d", kind)
	}
	key, b, err := dict.read(b)
	if err != nil {
		return j, err
	}
	parts := strings.SplitN(key, "\x00", 3)
	if len(parts) != 3 || len(b) < 8 {
		return j, errShort
	}
	j.Key = ai.Key{Service: parts[0], Model: parts[1], Version: parts[2]}
	j.PredictedAt = time.Unix(0, int64(binary.LittleEndian.Uint64(b))).UTC()
	v, rest, err := codec.DecodeValue(string(b[8:]))
	if err != nil {
		return j, err
	}
	j.Prediction = v
	classes, b, err := dict.read([]byte(rest))
	if err != nil {
		return j, err
	}
	for len(classes) > 0 {
		name, more, _ := strings.Cut(classes, "\x00")
		classes = more
		if len(b) < 8 {
			return j, errShort
		}
		j.Probabilities = append(j.Probabilities, ai.ClassProbability{Class: name, P: math.Float64frombits(binary.LittleEndian.Uint64(b))})
		b = b[8:]
	}
	return j, nil
}

func encodeValue(v ai.Value) []byte { return codec.AppendValue(nil, v) }

func decodeValue(b []byte) (ai.Value, error) {
	v, _, err := codec.DecodeValue(string(b))
	return v, err
}
