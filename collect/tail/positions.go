package tail

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"go.yaml.in/yaml/v3"
)

// headSize is how many bytes of a file's beginning are remembered, to tell it from another that has its place.
const headSize = 256

// identity is what a file is called by the system, whatever its path.
type identity struct {
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
}

func identityOf(info os.FileInfo) identity {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return identity{uint64(st.Dev), st.Ino}
	}
	return identity{}
}

// record is how far a file was read.
type record struct {
	Path string `json:"path"`
	identity
	Offset int64  `json:"offset"`
	Head   []byte `json:"head"`
	// Rotated is set for a file that is no longer at its path and not read to its end.
	Rotated bool `json:"rotated,omitempty"`
}

// positions keeps how far files were read: in Promtail's own file, which knows paths and offsets, and in one beside it
// that also knows which file it was that was read so far.
type positions struct {
	path   string
	period time.Duration

	mu      sync.Mutex
	records map[string]record // by key
	cursors map[string]string // of journals
	legacy  map[string]int64  // from Promtail's file, for paths without a record
	dirty   bool
}

func (p *positions) sidecar() string { return p.path + ".files" }

func recordKey(r record) string {
	if r.Rotated {
		return fmt.Sprintf("%s\x00%d\x00%d", r.Path, r.Device, r.Inode)
	}
	return r.Path
}

func openPositions(path string, period time.Duration) (*positions, error) {
	p := &positions{path: path, period: period, records: map[string]record{}, cursors: map[string]string{}, legacy: map[string]int64{}}
	text, err := os.ReadFile(path)
	switch {
	case os.IsNotExist(err):
	case err != nil:
		return nil, fmt.Errorf("read positions: %w", err)
	default:
		var file struct {
			Positions map[string]string `yaml:"positions"`
		}
		if err := yaml.Unmarshal(text, &file); err != nil {
			return nil, fmt.Errorf("read positions file %s: %w (remove it to read all files from their beginning)", path, err)
		}
		for k, v := range file.Positions {
			if n, err := strconv.ParseInt(v, 10, 64); err == nil {
				p.legacy[k] = n
			} else {
				p.cursors[k] = v
			}
		}
	}
	text, err = os.ReadFile(p.sidecar())
	if os.IsNotExist(err) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read positions: %w", err)
	}
	var list []record
	// A broken file beside the positions costs no more than what it knows in addition.
	if json.Unmarshal(text, &list) == nil {
		for _, r := range list {
			p.records[recordKey(r)] = r
		}
	}
	return p, nil
}

// get returns how far the file at a path was read.
func (p *positions) get(path string) (record, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r, ok := p.records[path]; ok {
		return r, true
	}
	if n, ok := p.legacy[path]; ok {
		return record{Path: path, Offset: n}, true
	}
	return record{}, false
}

// rotated lists files that were not read to their end when they lost their path.
func (p *positions) rotated() []record {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []record
	for _, r := range p.records {
		if r.Rotated {
			out = append(out, r)
		}
	}
	return out
}

func (p *positions) put(r record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.records[recordKey(r)] = r
	p.dirty = true
}

func (p *positions) remove(r record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.records, recordKey(r))
	if !r.Rotated {
		delete(p.legacy, r.Path)
	}
	p.dirty = true
}

func (p *positions) cursor(key string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cursors[key]
}

func (p *positions) putCursor(key, cursor string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cursors[key] = cursor
	p.dirty = true
}

// save writes both files if something has changed.
func (p *positions) save() error {
	p.mu.Lock()
	if !p.dirty {
		p.mu.Unlock()
		return nil
	}
	p.dirty = false
	list := make([]record, 0, len(p.records))
	paths := maps.Clone(p.cursors)
	for k, n := range p.legacy {
		paths[k] = strconv.FormatInt(n, 10)
	}
	for _, r := range p.records {
		list = append(list, r)
		if !r.Rotated {
			paths[r.Path] = strconv.FormatInt(r.Offset, 10)
		}
	}
	p.mu.Unlock()
	slices.SortFunc(list, func(a, b record) int { return bytes.Compare([]byte(recordKey(a)), []byte(recordKey(b))) })
	files, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("encode positions: %w", err)
	}
	text, err := yaml.Marshal(map[string]any{"positions": paths})
	if err != nil {
		return fmt.Errorf("encode positions: %w", err)
	}
	if err := errors.Join(replaceFile(p.sidecar(), files), replaceFile(p.path, text)); err != nil {
		p.mu.Lock()
		p.dirty = true
		p.mu.Unlock()
		return fmt.Errorf("write positions: %w", err)
	}
	return nil
}

// replaceFile writes a file so that there is always either the old or the new one.
func replaceFile(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
