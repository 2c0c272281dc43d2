// Package jsonfile reads inferences or labels from files to which a service
// writes one JSON object a line.
//
// Files are polled. They may be rotated (renamed or removed, with a new one in
// their place) or truncated. What was read is remembered only after the sink has
// taken it, and a batch that was on its way when the process ended is sent again
// as it was, under the identifier that it had: nothing is lost, and nothing
// counts twice. It does not collect log lines: collect/tail does.
package jsonfile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/modelwatch/modelwatch/collect/receive/inferences"
	"github.com/modelwatch/modelwatch/collect/receive/inferences/decode"
)

// Options configures a Source.
type Options struct {
	// Name tells several sources apart, in metrics and log lines. Default "files".
	Name string
	// Paths are the files, as patterns of doublestar: "/var/log/ai/**/*.jsonl".
	Paths []string
	// Fields says where the fields of a record are in a line; see Mapping. Empty
	// means that lines have the form of package inferences already.
	Fields map[string]string
	// Labels reads labels instead of inferences.
	Labels bool
	// FromEnd begins new files at their end if they are there when the source is
	// first started. The default is their beginning.
	FromEnd bool
	// Positions is the file that remembers how far files were read.
	Positions string
	// Interval is the time between two looks at the files. Default one second.
	Interval time.Duration
	// BatchRecords and MaxLine bound a batch and a line (in bytes); longer lines
	// are rejected. Defaults 1,000 and 1 MiB.
	BatchRecords int
	MaxLine      int
	// Sink, Future and Retention are as in inferences.Options.
	Sink       inferences.Sink
	Future     time.Duration
	Retention  time.Duration
	Now        func() time.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Source reads files.
type Source struct {
	o         Options
	mapping   *mapping
	positions *positions
	files     map[string]*file // By identity.
	decoder   *decode.Decoder
	accepted  prometheus.Counter
	rejected  *prometheus.CounterVec
	failures  prometheus.Counter
	first     bool // It has never run before.
	bad       int  // Records rejected in this round.
	badErr    error
}

// New checks the options and reads the positions.
func New(o Options) (*Source, error) {
	s := &Source{files: map[string]*file{}, decoder: decode.New()}
	if o.Sink == nil {
		return nil, errors.New("inference files: no sink")
	}
	if o.Positions == "" {
		return nil, errors.New("inference files: no file for positions")
	}
	if len(o.Paths) == 0 {
		return nil, errors.New("inference files: no paths")
	}
	for _, p := range o.Paths {
		if !doublestar.ValidatePathPattern(p) {
			return nil, fmt.Errorf("inference files: %q is not a pattern of paths", p)
		}
	}
	if o.Name == "" {
		o.Name = "files"
	}
	if o.Interval <= 0 {
		o.Interval = time.Second
	}
	if o.BatchRecords <= 0 {
		o.BatchRecords = 1000
	}
	if o.MaxLine <= 0 {
		o.MaxLine = 1 << 20
	}
	if o.Future <= 0 {
		o.Future = 10 * time.Minute
	}
	if o.Retention <= 0 {
		o.Retention = 15 * 24 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s.o = o
	var err error
	if s.mapping, err = newMapping(o.Fields, o.Labels); err != nil {
		return nil, fmt.Errorf("inference files: %w", err)
	}
	if s.positions, s.first, err = openPositions(o.Positions); err != nil {
		return nil, fmt.Errorf("inference files: %w", err)
	}
	return s, s.register()
}

func (s *Source) register() error {
	labels := prometheus.Labels{"source": s.o.Name}
	s.accepted = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "modelwatch_receive_file_records_total", Help: "Inferences and labels read from files.", ConstLabels: labels,
	})
	s.rejected = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "modelwatch_receive_file_rejected_total", Help: "Lines of files that are no valid inference or label.", ConstLabels: labels,
	}, []string{"reason"})
	s.failures = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "modelwatch_receive_file_failures_total", Help: "Failures to read files with inferences.", ConstLabels: labels,
	})
	if s.o.Registerer == nil {
		return nil
	}
	for _, c := range []prometheus.Collector{s.accepted, s.rejected, s.failures} {
		if err := s.o.Registerer.Register(c); err != nil {
			return fmt.Errorf("register metrics of inference files: %w", err)
		}
	}
	return nil
}

// Run reads until ctx ends.
func (s *Source) Run(ctx context.Context) {
	defer func() {
		for _, f := range s.files {
			f.close()
		}
		clear(s.files)
	}()
	tick := time.NewTicker(s.o.Interval)
	defer tick.Stop()
	for ctx.Err() == nil {
		s.round(ctx)
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// round looks at all files once.
func (s *Source) round(ctx context.Context) {
	s.bad, s.badErr = 0, nil
	here := map[string]bool{}
	for _, path := range s.paths() {
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue // Gone meanwhile.
		}
		id := identity(info)
		here[id] = true
		if s.files[id] == nil {
			f, err := s.open(path, id, info)
			if err != nil {
				s.fail(path, err)
				continue
			}
			s.files[id] = f
		}
	}
	s.first = false
	for id, f := range s.files {
		if err := s.read(ctx, f, !here[id]); err != nil && ctx.Err() == nil {
			s.fail(f.path, err)
		}
		if !here[id] && ctx.Err() == nil {
			// Renamed or removed, and read to its end.
			f.close()
			delete(s.files, id)
		}
	}
	s.positions.forget(here, s.o.Now())
	if s.bad > 0 {
		s.o.Logger.Warn("Lines of files are no valid records", "source", s.o.Name, "lines", s.bad, "last", s.badErr)
	}
}

func (s *Source) fail(path string, err error) {
	s.failures.Inc()
	s.o.Logger.Error("Read inferences from file", "source", s.o.Name, "file", path, "err", err)
}

func (s *Source) paths() []string {
	var out []string
	for _, p := range s.o.Paths {
		found, err := doublestar.FilepathGlob(p, doublestar.WithFilesOnly())
		if err != nil {
			s.fail(p, err)
			continue
		}
		out = append(out, found...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// open takes a file up where it was left.
func (s *Source) open(path, id string, info os.FileInfo) (*file, error) {
	h, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f := &file{path: path, id: id, h: h}
	if p, ok := s.positions.get(id); ok {
		f.position = p
		f.Path = filepath.Clean(path)
		return f, nil
	}
	f.position = position{Path: filepath.Clean(path)}
	if s.first && s.o.FromEnd {
		f.Offset = info.Size()
		if err := f.remember(); err != nil {
			return nil, errors.Join(err, h.Close())
		}
	}
	return f, nil
}

// read reads what is new in a file. final is set if no more can come.
func (s *Source) read(ctx context.Context, f *file, final bool) error {
	if err := s.resume(ctx, f); err != nil {
		return err
	}
	same, err := f.same()
	if err != nil {
		return err
	}
	if !same {
		s.o.Logger.Info("A file was truncated or replaced, and is read from its beginning", "source", s.o.Name, "file", f.path)
		f.position = position{Path: f.Path, Generation: f.Generation + 1}
	}
	for ctx.Err() == nil {
		data, skipped, err := f.lines(s.o.BatchRecords, s.o.MaxLine, final)
		if err != nil {
			return err
		}
		if skipped > 0 {
			s.reject(decode.ReasonSyntax, fmt.Errorf("line of over %d bytes", s.o.MaxLine))
		}
		if len(data) == 0 && skipped == 0 {
			return nil
		}
		if err := f.remember(); err != nil {
			return err
		}
		f.Pending = int64(len(data)) + skipped
		if err := s.positions.set(f.id, f.position, s.o.Now()); err != nil {
			return err
		}
		if err := s.send(ctx, f, data); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// resume sends a batch again that was on its way when the process ended.
func (s *Source) resume(ctx context.Context, f *file) error {
	if f.Pending == 0 {
		return nil
	}
	same, err := f.same()
	if err != nil {
		return err
	}
	data := make([]byte, f.Pending)
	if same {
		if _, err := f.h.ReadAt(data, f.Offset); err != nil {
			same = false
		}
	}
	if !same {
		// It cannot be known any more what the batch was.
		f.Pending = 0
		return nil
	}
	if len(data) > s.o.MaxLine && !strings.Contains(string(data[:s.o.MaxLine]), "\n") {
		data = nil // A line that was skipped.
	}
	return s.send(ctx, f, data)
}

// send hands a batch over and moves on. It comes back only when the sink has
// taken it, or ctx ends.
func (s *Source) send(ctx context.Context, f *file, data []byte) error {
	wait := 250 * time.Millisecond
	for {
		n, err := s.append(ctx, f, data)
		if err == nil {
			s.accepted.Add(float64(n))
			break
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		after := wait
		if e, ok := errors.AsType[interface {
			error
			RetryAfter() time.Duration
		}](err); ok {
			after = max(after, e.RetryAfter())
		}
		wait = min(2*wait, 30*time.Second)
		s.o.Logger.Warn("Inferences of a file were not taken; will be tried again", "source", s.o.Name, "file", f.path, "after", after, "err", err)
		timer := time.NewTimer(after)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
	f.Offset += f.Pending
	f.Pending = 0
	return s.positions.set(f.id, f.position, s.o.Now())
}

// append decodes a batch and gives it to the sink.
func (s *Source) append(ctx context.Context, f *file, data []byte) (int, error) {
	kind := decode.Inferences
	if s.o.Labels {
		kind = decode.Labels
	}
	arrival := s.o.Now()
	d := s.decoder
	d.Reset(decode.Limits{Arrival: arrival, Future: s.o.Future, Age: s.o.Retention})
	index := 0
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		mapped, err := s.mapping.apply([]byte(line))
		if err != nil {
			s.reject(decode.ReasonSyntax, err)
			continue
		}
		d.Line(kind, mapped, index)
		index++
	}
	for _, r := range d.Rejected {
		s.reject(r.Reason, r.Err)
	}
	n := len(d.Records) + len(d.Labels)
	if n == 0 {
		return 0, nil
	}
	// The sink keeps the decoder's slices until it releases them.
	s.decoder = decode.New()
	b := inferences.Batch{
		ID: f.batchID(), Arrival: arrival, Records: d.Records, Labels: d.Labels,
		Release: func() {},
	}
	if s.o.Labels {
		b.Records = nil
	} else {
		b.Labels = nil
	}
	_, err := s.o.Sink.Append(ctx, b)
	return n, err
}

func (s *Source) reject(reason decode.Reason, err error) {
	s.rejected.WithLabelValues(string(reason)).Inc()
	s.bad++
	s.badErr = err
}
