package local

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
)

// DamagedError is a query that came upon a damaged file. The file is examined and set aside, after which queries go on
// without it.
type DamagedError struct {
	Day string
	Err error
}

// Error says what happens next.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("the log file of %s is damaged; it is being set aside, after which queries go on without it (%v)", e.Day, e.Err)
}

// Unwrap returns the engine's error.
func (e *DamagedError) Unwrap() error { return e.Err }

// damaged is what a query does that came upon a damaged file among sources.
func (s *Store) damaged(err error, sources []*source) error {
	var suspects []*segment
	for _, src := range sources {
		suspects = append(suspects, src.seg)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.running.Go(func() { s.examine(s.reading, suspects) })
	}
	return &DamagedError{Day: dayName(suspects[0].day), Err: err}
}

// examine reads files from end to end and sets aside those that cannot be read.
func (s *Store) examine(ctx context.Context, suspects []*segment) {
	s.sealing.Lock()
	defer s.sealing.Unlock()
	for _, g := range suspects {
		if !s.hold(g) {
			continue // It has been replaced or set aside meanwhile.
		}
		reason := s.readThrough(ctx, g)
		if reason != nil && ctx.Err() == nil && corrupt(reason) {
			if err := s.lose(ctx, g, reason); err != nil {
				s.o.Logger.Error("set aside corrupt log file", "file", filepath.Base(g.path), "err", err)
			}
		}
		s.letGo(g)
	}
}

// hold keeps a segment from being removed; false if it is not in use any more.
func (s *Store) hold(g *segment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.days[g.day]
	if d == nil || !slices.Contains(d.segments, g) {
		return false
	}
	g.refs++
	return true
}

func (s *Store) letGo(g *segment) {
	s.mu.Lock()
	g.refs--
	last := g.refs == 0 && g.gone
	s.mu.Unlock()
	if last {
		s.discard(g)
	}
}

func (s *Store) readThrough(ctx context.Context, g *segment) error {
	c, err := s.conn(ctx)
	if err != nil {
		return err
	}
	defer s.putConn(c)
	return c.Exec(ctx, "SELECT max(stream), max(ts), max(size), max(strlen(line)), max(strlen(metadata)), max(level) FROM "+g.catalog+".lines")
}

// lose takes a segment out of use. Its files get another name; they are let go with the last reader.
func (s *Store) lose(_ context.Context, g *segment, reason error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	if d := s.days[g.day]; d != nil {
		d.segments = slices.DeleteFunc(d.segments, func(x *segment) bool { return x == g })
	}
	g.gone = true
	s.mu.Unlock()
	// What is gone is not there any more to compare with.
	s.recent.forget()
	return s.rename(g, reason)
}
