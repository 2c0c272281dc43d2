package inferences

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// placesFile is how far everyone who reads the log has come.
type placesFile struct {
	Analysis Position `json:"analysis"`
	Export   Position `json:"export"`
}

// places keeps a placesFile on disk.
type places struct {
	path string
	mu   sync.Mutex
	now  placesFile
}

func openPlaces(path string) (*places, error) {
	p := &places{path: path}
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read positions: %w", err)
	}
	if err := json.Unmarshal(data, &p.now); err != nil {
		return nil, fmt.Errorf("read positions in %s: %w: restore the file, or delete it to have the log analysed again", path, err)
	}
	return p, nil
}

// limit brings positions back behind which there is nothing, as after a loss of
// the log: what is written there next has not been read by anyone.
func (p *places) limit(end Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.Analysis = min(p.now.Analysis, end)
	p.now.Export = min(p.now.Export, end)
}

func (p *places) get() placesFile {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// set changes the positions and writes them durably.
func (p *places) set(change func(*placesFile)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := p.now
	change(&next)
	if next == p.now {
		return nil
	}
	data, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("encode positions: %w", err)
	}
	if err := replaceFile(p.path, append(data, '\n')); err != nil {
		return err
	}
	p.now = next
	return nil
}

// replaceFile replaces a file as a whole, durably.
func replaceFile(path string, data []byte) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(tmp))
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("open directory: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
