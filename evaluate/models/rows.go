package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift"
	"github.com/modelwatch/modelwatch/ai/performance"
)

// Point is one window of a version in a few figures; what is not known is nil.
type Point struct {
	Start   time.Time     `json:"start"`
	Length  time.Duration `json:"-"`
	Records uint64        `json:"records"`
	// Rate is in records per second.
	Rate       *float64 `json:"rate"`
	ErrorRatio *float64 `json:"error_ratio"`
	// LatencyP50, LatencyP95 and LatencyP99 are in seconds.
	LatencyP50 *float64 `json:"latency_p50_seconds"`
	LatencyP95 *float64 `json:"latency_p95_seconds"`
	LatencyP99 *float64 `json:"latency_p99_seconds"`
	// Accuracy is measured with the labels that were there when the window was judged,
	// AccuracyEstimate estimated without.
	Accuracy             *float64 `json:"accuracy"`
	AccuracyEstimate     *float64 `json:"accuracy_estimate"`
	AccuracyEstimateLow  *float64 `json:"accuracy_estimate_low"`
	AccuracyEstimateHigh *float64 `json:"accuracy_estimate_high"`
	Labelled             uint64   `json:"labelled"`
	Features             int      `json:"features"` // Inputs that the window had.
	Judged               int      `json:"judged_features"`
	Drifted              int      `json:"drifted_features"`
	Warnings             int      `json:"warnings"`
	Critical             int      `json:"critical"`
}

func known(m performance.Measure) *float64 {
	if !m.Known {
		return nil
	}
	return &m.Value
}

// finite returns nil for what JSON cannot hold.
func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// point sums up a result.
func (r *result) point() Point {
	sum := r.performance.Service.Summary(r.window.Length)
	p := Point{
		Start: r.window.Start, Length: r.window.Length, Records: r.profile.Records,
		Rate: known(sum.Rate), ErrorRatio: known(sum.ErrorRatio),
		LatencyP50: known(sum.LatencyP50), LatencyP95: known(sum.LatencyP95), LatencyP99: known(sum.LatencyP99),
		Labelled: r.performance.Labelled(),
	}
	if r.classification != nil {
		p.Accuracy = known(r.classification.Accuracy)
	}
	if e := r.estimate; e != nil && e.Accuracy.Known {
		p.AccuracyEstimate = &e.Accuracy.Value
		p.AccuracyEstimateLow, p.AccuracyEstimateHigh = finite(e.Accuracy.Interval.Low), finite(e.Accuracy.Interval.High)
	}
	p.Features = inputs(r.profile)
	for i := range r.drift {
		if r.drift[i].Feature == ai.AllFeatures {
			continue
		}
		if r.drift[i].Verdict != ai.VerdictUnknown {
			p.Judged++
		}
		if r.drift[i].Verdict == ai.VerdictDrift {
			p.Drifted++
		}
	}
	for i := range r.findings {
		switch r.findings[i].Severity {
		case ai.SeverityCritical:
			p.Critical++
		case ai.SeverityWarning:
			p.Warnings++
		case ai.SeverityInfo:
		}
	}
	return p
}

// inputs returns the number of features, derived ones not counted, that at least
// one record had.
func inputs(p *ai.ModelProfile) int {
	n := 0
	for name, f := range p.Features {
		if !ai.Derived(name) && f.Rows() > f.Absent {
			n++
		}
	}
	return n
}

// Cell is the verdict on one feature in one window.
type Cell struct {
	Feature string     `json:"f"`
	Verdict ai.Verdict `json:"v"`
	Score   float64    `json:"s"`
	PValue  float64    `json:"p"`
	Method  string     `json:"m"`
}

// windowRow is what is stored of a window as a whole.
type windowRow struct {
	Point       Point               `json:"point"`
	BaselineID  string              `json:"baseline_id,omitempty"`
	Profile     []byte              `json:"profile"` // Without features.
	Performance *performance.Window `json:"performance"`
	Drift       []Cell              `json:"drift,omitempty"`
	Together    *drift.Result       `json:"together,omitempty"` // About all features.
	Findings    []ai.Finding        `json:"findings,omitempty"`
}

// maxRow bounds what one stored row or a checkpoint may decompress to.
const maxRow = 1 << 30

// coder compresses and decompresses. It is safe for concurrent use and has nothing to
// stop.
type coder struct {
	in  *zstd.Decoder
	out *zstd.Encoder
}

func newCoder() (*coder, error) {
	in, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxRow))
	if err != nil {
		return nil, fmt.Errorf("prepare decompression: %w", err)
	}
	out, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(256<<10), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("prepare compression: %w", err)
	}
	return &coder{in, out}, nil
}

func (c *coder) compress(data []byte) []byte { return c.out.EncodeAll(data, nil) }

func (c *coder) decompress(data []byte) ([]byte, error) {
	out, err := c.in.DecodeAll(data, nil)
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	return out, nil
}

// encodeWindow returns the rows of a judged window.
func (c *coder) encodeWindow(r *result, point Point) ([]StoredProfile, error) {
	head := *r.profile
	head.Features = nil
	text, err := head.MarshalBinary()
	if err != nil {
		return nil, err
	}
	row := windowRow{Point: point, BaselineID: r.profile.BaselineID, Profile: text, Performance: withoutLabels(r.performance), Findings: r.findings}
	if !r.carried {
		row.Drift = cells(r)
		if i := slices.IndexFunc(r.drift, func(d drift.Result) bool { return d.Feature == ai.AllFeatures }); i >= 0 {
			row.Together = &r.drift[i]
		}
	}
	data, err := json.Marshal(row)
	if err != nil {
		return nil, fmt.Errorf("encode window %s of %s: %w", r.window, r.profile.Key, err)
	}
	out := []StoredProfile{{Key: r.profile.Key, Start: r.window.Start, Length: r.window.Length, Data: c.compress(data)}}
	for _, name := range slices.Sorted(maps.Keys(r.profile.Features)) {
		one := head
		one.Features = map[string]*ai.Profile{name: r.profile.Features[name]}
		data, err := one.MarshalBinary()
		if err != nil {
			return nil, err
		}
		out = append(out, StoredProfile{Key: r.profile.Key, Feature: name, Start: r.window.Start, Length: r.window.Length, Data: data})
	}
	return out, nil
}

// withoutLabels returns a window without what labels said: that is about another
// span of time, and kept elsewhere.
func withoutLabels(w *performance.Window) *performance.Window {
	return &performance.Window{
		Options: w.Options, Service: w.Service, Predictions: w.Predictions, Classification: performance.NewClassification(w.Options),
	}
}

func cells(r *result) []Cell {
	var out []Cell
	for i := range r.drift {
		if d := &r.drift[i]; d.Verdict != ai.VerdictUnknown {
			out = append(out, Cell{Feature: d.Feature, Verdict: d.Verdict, Score: d.Score, PValue: d.AdjustedPValue, Method: d.Method})
		}
	}
	return out
}

// storedWindow is a window as it was stored.
type storedWindow struct {
	row     windowRow
	profile *ai.ModelProfile
}

var errNoWindow = errors.New("the row of the window itself is missing")

// decodeWindows joins rows, which are in order, to windows. Windows whose own row is
// missing are left out.
func (c *coder) decodeWindows(rows []StoredProfile) ([]storedWindow, error) {
	var out []storedWindow
	for i := 0; i < len(rows); {
		j := i
		for j < len(rows) && rows[j].Start.Equal(rows[i].Start) {
			j++
		}
		w, err := c.decodeWindow(rows[i:j])
		if err != nil && !errors.Is(err, errNoWindow) {
			return nil, fmt.Errorf("read window %s of %s: %w", rows[i].Start.Format(time.RFC3339), rows[i].Key, err)
		}
		if err == nil {
			out = append(out, w)
		}
		i = j
	}
	return out, nil
}

func (c *coder) decodeWindow(rows []StoredProfile) (w storedWindow, err error) {
	if rows[0].Feature != "" {
		return w, errNoWindow
	}
	data, err := c.decompress(rows[0].Data)
	if err != nil {
		return w, err
	}
	if err := json.Unmarshal(data, &w.row); err != nil {
		return w, err
	}
	w.row.Point.Length = rows[0].Length
	w.profile = new(ai.ModelProfile)
	if err := w.profile.UnmarshalBinary(w.row.Profile); err != nil {
		return w, err
	}
	for _, r := range rows[1:] {
		var one ai.ModelProfile
		if err := one.UnmarshalBinary(r.Data); err != nil {
			return w, fmt.Errorf("feature %q: %w", r.Feature, err)
		}
		p := one.Features[r.Feature]
		if p == nil || one.BaselineID != w.profile.BaselineID {
			continue // Of an earlier store of the same window.
		}
		w.profile.Features[r.Feature] = p
	}
	return w, nil
}
