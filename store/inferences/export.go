package inferences

import (
	"context"
	"errors"
	"time"

	"github.com/modelwatch/modelwatch/store/inferences/codec"
	"github.com/modelwatch/modelwatch/store/inferences/raw"
	"github.com/modelwatch/modelwatch/store/inferences/seglog"
)

// These are those of package raw.
type (
	// Filter says which raw inferences to list.
	Filter = raw.Filter
	// Row is one raw inference.
	Row = raw.Row
	// Selection is the raw inferences of one model version in a span of time.
	Selection = raw.Selection
	// Extent says how much there is of a Selection.
	Extent = raw.Extent
)

// ErrNoRaw is returned where raw inferences are turned off.
var ErrNoRaw = errors.New("raw inferences are not kept: they are turned off in the configuration")

// export is the goroutine that brings raw inferences up to date.
func (s *Store) export() {
	tick := time.NewTicker(s.o.ExportInterval)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.ExportNow(s.ctx); err != nil && s.ctx.Err() == nil {
			s.o.Logger.Error("Write raw inferences; will be tried again", "err", err)
		}
		if err := s.raw.Tidy(); err != nil {
			s.o.Logger.Error("Delete old raw inferences", "err", err)
		}
		if err := s.shorten(); err != nil {
			s.o.Logger.Error("Shorten inference log", "err", err)
		}
	}
}

// Bounds of one transaction of raw inferences.
const (
	exportRecords = 5_000
	exportBytes   = 4 << 20
)

// errEnough ends a reading of the log because there is enough for one transaction.
var errEnough = errors.New("enough")

// ExportNow brings raw inferences up to what is accepted now.
func (s *Store) ExportNow(ctx context.Context) error {
	if s.raw == nil {
		return nil
	}
	s.exportMu.Lock()
	defer s.exportMu.Unlock()
	goal := s.log.Synced()
	var d decoders
	for at := s.places.get().Export; at < goal; {
		next, err := s.exportSome(ctx, at, goal, &d)
		if err == nil {
			s.failures = 0
		} else {
			if ctx.Err() != nil {
				return err
			}
			s.failures++
			if s.log.Size() <= s.o.MaxLogBytes/2 {
				return err
			}
			// Raw inferences are an excerpt: they must not stop what is essential.
			s.metrics.skipped.Add(float64(goal - at))
			s.o.Logger.Error("Gave up raw inferences so that the log does not grow", "err", err)
			next = goal
		}
		if err := s.places.set(func(p *placesFile) { p.Export = next }); err != nil {
			return err
		}
		at = next
	}
	return nil
}

// decoders are those of one transaction, one for each batch of the log: what a
// decoder returns is used until the transaction ends. The next one uses them anew.
type decoders struct {
	all  []*codec.Decoder
	used int
}

func (d *decoders) next() *codec.Decoder {
	if d.used == len(d.all) {
		d.all = append(d.all, &codec.Decoder{})
	}
	d.used++
	return d.all[d.used-1]
}

// exportSome exports what fits into one transaction, and returns how far it came.
func (s *Store) exportSome(ctx context.Context, from, to Position, d *decoders) (Position, error) {
	d.used = 0
	var batch []raw.Record
	next, size := from, 0
	full := s.raw.Full(time.Now())
	err := s.log.Read(from, to, func(end Position, f seglog.Frame) error {
		if len(batch) > 0 && (len(batch)+int(f.Count) > exportRecords || size+len(f.Payload) > exportBytes) {
			return errEnough
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		next = end
		if f.Kind != kindRecords {
			return nil
		}
		records, indexes, err := d.next().Records(string(f.Payload), func(i int, failed bool) bool {
			return !full || failed || s.raw.Sampled(uint64(end), i)
		})
		if err != nil {
			s.o.Logger.Error("Cannot read a batch of the inference log", "position", end, "err", err)
			return nil
		}
		if full {
			s.metrics.sampledOut.Add(float64(int(f.Count) - len(records)))
		} else {
			size += len(f.Payload)
		}
		for i := range records {
			batch = append(batch, raw.Record{Inference: &records[i], Position: uint64(end), Index: indexes[i]})
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return from, err
	}
	if errors.Is(err, errEnough) || next < to {
		return next, s.raw.Append(ctx, uint64(next), batch)
	}
	return to, s.raw.Append(ctx, uint64(to), batch)
}

// List returns raw inferences, those accepted just now among them.
func (s *Store) List(ctx context.Context, f Filter) ([]Row, error) {
	if s.raw == nil {
		return nil, ErrNoRaw
	}
	s.exportSoon(ctx)
	return s.raw.List(ctx, f)
}

// exportSoon brings raw inferences up to date for who wants to read them, but does not
// wait for a backlog long.
func (s *Store) exportSoon(ctx context.Context) {
	short, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := s.ExportNow(short); err != nil && short.Err() == nil {
		s.o.Logger.Warn("The newest raw inferences cannot be read yet", "err", err)
	}
}

// Extent counts the raw inferences of a selection, those accepted just now among them.
func (s *Store) Extent(ctx context.Context, of Selection) (Extent, error) {
	if s.raw == nil {
		return Extent{}, ErrNoRaw
	}
	s.exportSoon(ctx)
	return s.raw.Extent(ctx, of)
}

// Scan reads the features and the predictions of a selection, as raw.Store.Scan does.
func (s *Store) Scan(ctx context.Context, of Selection, f func(features, prediction []byte) error) error {
	if s.raw == nil {
		return ErrNoRaw
	}
	return s.raw.Scan(ctx, of, f)
}

// Export writes raw inferences that the filter lets through as Parquet, those accepted
// just now among them, and returns their number.
func (s *Store) Export(ctx context.Context, f Filter, file string) (int64, error) {
	if s.raw == nil {
		return 0, ErrNoRaw
	}
	if err := s.ExportNow(ctx); err != nil {
		return 0, err
	}
	return s.raw.Export(ctx, f, file)
}

// Days lists the days of which there are raw inferences, oldest first.
func (s *Store) Days() ([]string, error) {
	if s.raw == nil {
		return nil, ErrNoRaw
	}
	return s.raw.Days()
}

// RawStatus says whether raw inferences are being sampled.
func (s *Store) RawStatus() raw.Status {
	if s.raw == nil {
		return raw.Status{Reason: ErrNoRaw.Error()}
	}
	return s.raw.Status()
}
