package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Status is what there is in the store.
type Status struct {
	Entries      int64 `json:"entries"`
	LineBytes    int64 `json:"line_bytes"`
	DiskBytes    int64 `json:"disk_bytes"`
	StreamsToday int   `json:"streams_today"`
	// Queries is the number of queries that are running.
	Queries int         `json:"queries"`
	Days    []DayStatus `json:"days"`
	// SetAside are corrupt files. They are missing from every answer until somebody repairs or removes them.
	SetAside []SetAside `json:"set_aside"`
}

// DayStatus is what there is of one day.
type DayStatus struct {
	Day       string `json:"day"`
	Streams   int    `json:"streams"`
	Entries   int64  `json:"entries"`
	LineBytes int64  `json:"line_bytes"`
	DiskBytes int64  `json:"disk_bytes"`
	// Sealed is true if all of the day is in its sealed file.
	Sealed bool `json:"sealed"`
}

// Status sums up the store.
func (s *Store) Status() Status {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := Status{Queries: len(s.slots)}
	for n, d := range s.days {
		if len(d.segments) == 0 {
			continue
		}
		ds := DayStatus{Day: dayName(n), Sealed: d.hot() == nil}
		streams := map[uint64]struct{}{}
		for _, g := range d.segments {
			for h := range g.byHash {
				streams[h] = struct{}{}
			}
			for i := range g.streams {
				ds.Entries += g.streams[i].rows
				ds.LineBytes += g.streams[i].bytes
			}
			ds.DiskBytes += g.size()
		}
		ds.Streams = len(streams)
		out.Days = append(out.Days, ds)
		out.Entries += ds.Entries
		out.LineBytes += ds.LineBytes
		out.DiskBytes += ds.DiskBytes
	}
	slices.SortFunc(out.Days, func(a, b DayStatus) int { return cmp.Compare(a.Day, b.Day) })
	if n := len(out.Days); n > 0 {
		out.StreamsToday = out.Days[n-1].Streams
	}
	s.asideMu.Lock()
	out.SetAside = slices.Clone(s.aside)
	s.asideMu.Unlock()
	return out
}

// corrupt tells whether an error says that a file's content is broken, as opposed to a file that cannot be reached.
func corrupt(err error) bool {
	if errors.Is(err, errInconsistent) {
		return true
	}
	text := err.Error()
	for _, sign := range []string{
		"not a valid DuckDB database file", "Corrupt", "stored checksum", "Failed to deserialize", "Serialization Error",
		"Catalog Error", "INTERNAL Error", "read a database file with version", "replaying WAL", "unexpected end",
	} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// setAside detaches a corrupt segment that nobody reads and renames its files, so that the rest goes on.
func (s *Store) setAside(ctx context.Context, g *segment, reason error) error {
	if err := g.detach(ctx, s.writer); err != nil {
		return fmt.Errorf("detach corrupt %s: %w", filepath.Base(g.path), err)
	}
	return s.rename(g, reason)
}

// rename gives the files of a corrupt segment another name and takes note of it.
func (s *Store) rename(g *segment, reason error) error {
	s.metrics.aside.Inc()
	s.o.Logger.Error("log file is corrupt and was set aside; its entries are missing from every answer", "file", filepath.Base(g.path), "err", reason)
	suffix := ".corrupt-" + s.o.Now().UTC().Format("20060102T150405")
	var errs []error
	for _, p := range g.files() {
		if err := os.Rename(p, p+suffix); err != nil && !os.IsNotExist(err) {
			errs = append(errs, fmt.Errorf("set corrupt file aside: %w", err))
		}
	}
	s.asideMu.Lock()
	s.aside = append(s.aside, SetAside{Day: dayName(g.day), File: g.path + suffix, Reason: reason.Error(), Time: s.o.Now()})
	s.asideMu.Unlock()
	return errors.Join(errs...)
}

// oldSetAside finds files that were set aside in earlier runs.
func (s *Store) oldSetAside() error {
	entries, err := os.ReadDir(s.o.Dir)
	if err != nil {
		return fmt.Errorf("list log store directory: %w", err)
	}
	for _, e := range entries {
		name, at, ok := strings.Cut(e.Name(), ".duckdb.corrupt-")
		if !ok {
			continue
		}
		when, err := time.Parse("20060102T150405", at)
		if err != nil {
			continue
		}
		day, _, _ := strings.Cut(name, ".")
		s.aside = append(s.aside, SetAside{Day: day, File: filepath.Join(s.o.Dir, e.Name()), Reason: "found corrupt in an earlier run", Time: when})
	}
	return nil
}
