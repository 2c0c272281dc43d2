package inferences

import (
	"errors"
	"fmt"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/store/inferences/codec"
	"github.com/modelwatch/modelwatch/store/inferences/seglog"
)

// feed is the goroutine that delivers.
func (s *Store) feed() {
	err := s.replay()
	if errors.Is(err, errStop) {
		// What comes after what was not replayed is for the next start too.
		s.discard()
		return
	}
	if err != nil {
		// What could be read was delivered. The log stays as it is.
		s.o.Logger.Error("Replay of the inference log failed", "err", err)
	}
	close(s.replayed)
	for {
		s.mu.Lock()
		for len(s.queue) == 0 && !s.finished() {
			s.wake.Wait()
		}
		items := s.queue
		s.queue = nil
		s.mu.Unlock()
		if len(items) == 0 {
			return
		}
		for _, it := range items {
			s.deliver(it.end, it.batch.Records, it.batch.Labels)
			s.drop(it)
		}
	}
}

// discard ends the life of what is in memory without delivering it: it is on
// disk. No more can come, because the log is closed.
func (s *Store) discard() {
	s.mu.Lock()
	items := s.queue
	s.queue = nil
	s.mu.Unlock()
	for _, it := range items {
		s.drop(it)
	}
}

// finished tells whether no more batches can come. It is called under mu.
func (s *Store) finished() bool { return s.closing && s.batches == 0 }

// errStop ends a replay because the store closes.
var errStop = errors.New("closing")

// replay delivers what is in the log from before Open.
func (s *Store) replay() error {
	from := s.analysed()
	if s.joiner != nil {
		from = min(from, s.joiner.Position())
	}
	var d codec.Decoder
	n, bad := 0, 0
	err := s.log.Read(from, s.begin, func(end Position, f seglog.Frame) error {
		if s.ctx.Err() != nil {
			return errStop
		}
		records, labels, err := decode(&d, &f)
		if err != nil {
			// Its checksum is right: it was written by another release.
			bad++
			s.metrics.damaged.Add(float64(len(f.Payload)))
			s.o.Logger.Error("Cannot read a batch of the inference log", "position", end, "err", err)
			return nil
		}
		n += len(records)
		s.deliver(end, records, labels)
		return nil
	})
	if n > 0 {
		s.o.Logger.Info("Replayed inferences", "records", n)
	}
	if err == nil && bad > 0 {
		return fmt.Errorf("%d batches could not be read", bad)
	}
	return err
}

// analysed is where the analysis goes on.
func (s *Store) analysed() Position {
	if s.o.Deliver == nil {
		return s.begin
	}
	return s.places.get().Analysis
}

func decode(d *codec.Decoder, f *seglog.Frame) ([]ai.Inference, []ai.Label, error) {
	if f.Kind == kindLabels {
		labels, err := codec.DecodeLabels(string(f.Payload))
		return nil, labels, err
	}
	if f.Kind != kindRecords {
		return nil, nil, fmt.Errorf("batch of unknown kind %d", f.Kind)
	}
	records, _, err := d.Records(string(f.Payload), nil)
	return records, nil, err
}

// deliver hands a batch over. What the analysis has counted already, before a
// restart, only the joiner sees.
func (s *Store) deliver(end Position, records []ai.Inference, labels []ai.Label) {
	fresh := end > s.analysed()
	if s.joiner != nil && end > s.joiner.Position() {
		joined := s.joiner.Add(end, records, labels)
		if fresh && len(joined) > 0 && s.o.Joined != nil {
			s.o.Joined(end, joined)
		}
	}
	if fresh && s.o.Deliver != nil {
		s.o.Deliver(end, records, labels)
	}
}
