package gpu

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// state is what outlives a restart.
type state struct {
	// Highest is the largest number of GPUs ever there, lost ones included.
	Highest int `json:"highest_gpu_count"`
	// GPUs are those that should be there, so that a missing one has a name.
	GPUs []identity `json:"gpus"`
	// BootID and Next say up to where the kernel's log was counted: records before Next of that start of the machine
	// are in Xids.
	BootID string     `json:"boot_id"`
	Next   uint64     `json:"next_log_sequence"`
	Xids   []xidCount `json:"xid_errors"`

	saved string // the content of the file
}

// xidCount is how often one GPU had one error.
type xidCount struct {
	Bus   string `json:"pci_bus"`
	Code  int    `json:"xid"`
	Count uint64 `json:"count"`
}

// maxXidCounts bounds the series: more kinds of errors than this are a broken log.
const maxXidCounts = 1000

// boot begins the kernel's log anew if the machine has started since, or if that is not known.
func (s *state) boot(id string) {
	if id == "" || id != s.BootID {
		s.BootID, s.Next = id, 0
	}
}

// observe learns from a reading which GPUs there are. Expected is the configured number, 0 if it is the highest seen,
// negative if nothing is expected.
func (s *state) observe(r *reading, expected int) {
	s.Highest = max(s.Highest, r.total())
	if expected == 0 {
		expected = s.Highest
	}
	var all []identity
	for _, g := range r.gpus {
		all = append(all, g.identity)
	}
	missing := r.lost
	if len(all) < expected {
		// Some are not there, so the memory of those before gives them their names.
		missing = append(slices.Clone(r.lost), s.GPUs...)
	}
	for _, id := range missing {
		if id.label() == "" {
			continue
		}
		// A GPU replaces the one that was in its slot.
		i := slices.IndexFunc(all, func(have identity) bool { return have.same(id) || have.Bus != "" && have.Bus == id.Bus })
		if i < 0 {
			all = append(all, id)
		} else {
			all[i].complete(id)
		}
	}
	slices.SortStableFunc(all, func(a, b identity) int { return a.Index - b.Index })
	s.GPUs = all
}

// complete fills what a does not know about itself, if b is the same GPU.
func (a *identity) complete(b identity) {
	if a.UUID != "" && b.UUID != "" && a.UUID != b.UUID {
		return
	}
	if a.Index < 0 {
		a.Index = b.Index
	}
	for _, part := range []struct{ mine, other *string }{{&a.UUID, &b.UUID}, {&a.Bus, &b.Bus}, {&a.Name, &b.Name}} {
		if *part.mine == "" {
			*part.mine = *part.other
		}
	}
}

// count adds the errors that are new.
func (s *state) count(events []xid) {
	for _, e := range events {
		if e.sequence < s.Next {
			continue
		}
		s.Next = e.sequence + 1
		i := slices.IndexFunc(s.Xids, func(x xidCount) bool { return x.Bus == e.bus && x.Code == e.code })
		switch {
		case i >= 0:
			s.Xids[i].Count++
		case len(s.Xids) < maxXidCounts:
			s.Xids = append(s.Xids, xidCount{e.bus, e.code, 1})
		}
	}
}

// at returns the GPU on a bus.
func (s *state) at(bus string) (identity, bool) {
	i := slices.IndexFunc(s.GPUs, func(id identity) bool { return id.Bus == bus })
	if i < 0 {
		return identity{Index: -1, Bus: bus}, false
	}
	return s.GPUs[i], true
}

// pending returns what should be in the file, and whether it is not.
func (s *state) pending() (content string, dirty bool) {
	if s.Highest == 0 && len(s.Xids) == 0 {
		return "", false // Nothing worth a file.
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil { // Cannot happen: there is nothing in it that JSON refuses.
		return "", false
	}
	content = string(b) + "\n"
	return content, content != s.saved
}

// loadState reads a state file. One that is not there is an empty state; with any other error the state is empty too.
func loadState(path string) (state, error) {
	if path == "" {
		return state{}, nil
	}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return state{}, nil
	}
	if err != nil {
		return state{}, fmt.Errorf("read GPU state: %w", err)
	}
	var s state
	if err := json.Unmarshal(content, &s); err != nil {
		return state{}, fmt.Errorf("read GPU state %s: %w", path, err)
	}
	if s.Highest < 0 || s.Highest > 10_000 || len(s.Xids) > maxXidCounts {
		return state{}, fmt.Errorf("read GPU state %s: it makes no sense (%d GPUs, %d kinds of errors)", path, s.Highest, len(s.Xids))
	}
	s.saved = string(content)
	return s, nil
}

// writeState replaces the file as a whole, so that a crash leaves the old one or the new one.
func writeState(path, content string) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, filepath.Base(path)+".tmp-*")
	if err != nil {
		return fmt.Errorf("write GPU state: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name()) // The first error is the one to tell.
		}
	}()
	_, err = tmp.WriteString(content)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write GPU state: %w", err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("write GPU state: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("write GPU state: %w", err)
	}
	return nil
}
