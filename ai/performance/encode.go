package performance

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// The JSON forms are how windows and references are kept and exported. Decoding
// checks all that arithmetic relies on, so that a damaged document is an error
// and never a wrong figure.

// maxCount bounds decoded counts, so that sums of many cannot overflow.
const maxCount = 1 << 53

type sketchJSON struct {
	Count  uint64   `json:"count"`
	Sum    float64  `json:"sum"`
	Min    float64  `json:"min"`
	Max    float64  `json:"max"`
	Zero   uint64   `json:"zero,omitempty"`
	Low    int      `json:"low,omitempty"`
	Counts []uint64 `json:"counts,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (s *Sketch) MarshalJSON() ([]byte, error) {
	out := sketchJSON{Count: s.count, Sum: s.Sum(), Min: s.min, Max: s.max, Zero: s.zero}
	first, last := 0, len(s.counts)
	for first < last && s.counts[first] == 0 {
		first++
	}
	for last > first && s.counts[last-1] == 0 {
		last--
	}
	if first < last {
		out.Low, out.Counts = s.low+first, s.counts[first:last]
	}
	return json.Marshal(out)
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *Sketch) UnmarshalJSON(data []byte) error {
	var in sketchJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("decode sketch: %w", err)
	}
	total := in.Zero
	for _, c := range in.Counts {
		if c > maxCount || total > maxCount {
			return errors.New("decode sketch: a count is too large")
		}
		total += c
	}
	switch {
	case total != in.Count:
		return fmt.Errorf("decode sketch: the buckets hold %d values, count says %d", total, in.Count)
	case len(in.Counts) > 0 && (in.Low < sketchMinIndex || in.Low > sketchMaxIndex || in.Low+len(in.Counts)-1 > sketchMaxIndex):
		return fmt.Errorf("decode sketch: buckets %d to %d are outside %d to %d",
			in.Low, in.Low+len(in.Counts)-1, sketchMinIndex, sketchMaxIndex)
	case !(in.Min >= 0 && in.Min <= in.Max && in.Sum >= 0):
		return errors.New("decode sketch: min, max and sum must not be negative, and min at most max")
	}
	*s = Sketch{zero: in.Zero, low: in.Low, counts: in.Counts, count: in.Count, sum: in.Sum, min: in.Min, max: in.Max}
	return nil
}

type serviceJSON struct {
	Requests       uint64            `json:"requests"`
	Outcomes       map[string]uint64 `json:"outcomes,omitempty"`
	Errors         map[string]uint64 `json:"errors,omitempty"`
	Duration       *Sketch           `json:"duration_seconds"`
	FailedDuration *Sketch           `json:"failed_duration_seconds"`
	TokensInput    uint64            `json:"tokens_input,omitempty"`
	TokensOutput   uint64            `json:"tokens_output,omitempty"`
	TokenRequests  uint64            `json:"token_requests,omitempty"`
	FirstToken     *Sketch           `json:"first_token_seconds"`
	TokenRate      *Sketch           `json:"token_rate"`
	First          time.Time         `json:"first,omitzero"`
	Last           time.Time         `json:"last,omitzero"`
}

// MarshalJSON implements json.Marshaler.
func (s *Service) MarshalJSON() ([]byte, error) {
	out := serviceJSON{
		Requests: s.Requests, Errors: s.Errors, Duration: &s.Duration, FailedDuration: &s.FailedDuration,
		TokensInput: s.TokensInput, TokensOutput: s.TokensOutput, TokenRequests: s.TokenRequests,
		FirstToken: &s.FirstToken, TokenRate: &s.TokenRate, First: s.First, Last: s.Last,
		Outcomes: make(map[string]uint64),
	}
	for _, c := range Classes() {
		if n := s.Outcomes[c]; n > 0 {
			out.Outcomes[c.String()] = n
		}
	}
	return json.Marshal(out)
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *Service) UnmarshalJSON(data []byte) error {
	var v Service
	in := serviceJSON{
		Duration: &v.Duration, FailedDuration: &v.FailedDuration, FirstToken: &v.FirstToken, TokenRate: &v.TokenRate,
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("decode service: %w", err)
	}
	// A null replaces the pointers above.
	if in.Duration == nil || in.FailedDuration == nil || in.FirstToken == nil || in.TokenRate == nil {
		return errors.New("decode service: a sketch is null")
	}
	v.Requests, v.Errors, v.First, v.Last = in.Requests, in.Errors, in.First, in.Last
	v.TokensInput, v.TokensOutput, v.TokenRequests = in.TokensInput, in.TokensOutput, in.TokenRequests
	var total uint64
	for name, n := range in.Outcomes {
		c := slices.Index(classNames[:], name)
		if c < 0 {
			return fmt.Errorf("decode service: outcome %q is not one of %q", name, classNames)
		}
		if n > maxCount {
			return errors.New("decode service: a count is too large")
		}
		v.Outcomes[c] = n
		total += n
	}
	if total != v.Requests {
		return fmt.Errorf("decode service: the outcomes hold %d requests, requests says %d", total, v.Requests)
	}
	if len(v.Errors) > MaxErrorNames+1 {
		return fmt.Errorf("decode service: %d different errors, the limit is %d", len(v.Errors), MaxErrorNames+1)
	}
	*s = v
	return nil
}

// scoresJSON lists filled bins: one element a bin in each list.
type scoresJSON struct {
	Bin  []int     `json:"bin,omitempty"`
	N0   []uint64  `json:"n0,omitempty"`
	N1   []uint64  `json:"n1,omitempty"`
	Sum0 []float64 `json:"sum0,omitempty"`
	Sum1 []float64 `json:"sum1,omitempty"`
}

func (h *scores) encode() scoresJSON {
	var out scoresJSON
	for i := range h.cells {
		c := &h.cells[i]
		if c.n[0]+c.n[1] == 0 {
			continue
		}
		out.Bin = append(out.Bin, h.low+i)
		out.N0, out.N1 = append(out.N0, c.n[0]), append(out.N1, c.n[1])
		out.Sum0, out.Sum1 = append(out.Sum0, c.sum[0]), append(out.Sum1, c.sum[1])
	}
	return out
}

func (in *scoresJSON) decode() (scores, error) {
	var h scores
	n := len(in.Bin)
	if len(in.N0) != n || len(in.N1) != n || len(in.Sum0) != n || len(in.Sum1) != n {
		return h, errors.New("decode scores: the lists differ in length")
	}
	for i, bin := range in.Bin {
		if bin < 0 || bin >= numScoreBins || i > 0 && bin <= in.Bin[i-1] {
			return h, fmt.Errorf("decode scores: bin %d is out of order or not between 0 and %d", bin, numScoreBins-1)
		}
		count, sum := [2]uint64{in.N0[i], in.N1[i]}, [2]float64{in.Sum0[i], in.Sum1[i]}
		for side := range 2 {
			// Rounding may take a sum slightly out of its bounds.
			if count[side] > maxCount || !(sum[side] >= 0 && sum[side] <= float64(count[side])*(1+1e-9)) {
				return h, fmt.Errorf("decode scores: bin %d: %d probabilities cannot sum to %v", bin, count[side], sum[side])
			}
		}
		if i == 0 {
			h.grow(bin, in.Bin[n-1])
		}
		h.cells[bin-h.low] = scoreCell{n: count, sum: sum}
		h.n[0] += count[0]
		h.n[1] += count[1]
	}
	return h, nil
}

type predictionsJSON struct {
	Answers  uint64     `json:"answers,omitempty"`
	Numbers  uint64     `json:"numbers,omitempty"`
	Silent   uint64     `json:"silent,omitempty"`
	Positive string     `json:"positive_class,omitempty"`
	Mixed    bool       `json:"mixed,omitempty"`
	Top      scoresJSON `json:"top"`
	Binary   scoresJSON `json:"binary"`
}

// MarshalJSON implements json.Marshaler.
func (p *Predictions) MarshalJSON() ([]byte, error) {
	return json.Marshal(predictionsJSON{
		Answers: p.answers, Numbers: p.numbers, Silent: p.silent, Positive: p.positive, Mixed: p.mixed,
		Top: p.top.encode(), Binary: p.binary.encode(),
	})
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *Predictions) UnmarshalJSON(data []byte) error {
	var in predictionsJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("decode predictions: %w", err)
	}
	top, err := in.Top.decode()
	if err != nil {
		return fmt.Errorf("decode predictions: %w", err)
	}
	binary, err := in.Binary.decode()
	if err != nil {
		return fmt.Errorf("decode predictions: %w", err)
	}
	if in.Answers > maxCount || in.Numbers > maxCount || in.Silent > maxCount {
		return errors.New("decode predictions: a count is too large")
	}
	*p = Predictions{
		answers: in.Answers, numbers: in.Numbers, silent: in.Silent,
		positive: in.Positive, mixed: in.Mixed, top: top, binary: binary,
	}
	return nil
}

type binnedJSON struct {
	Scores  scoresJSON                      `json:"scores"`
	Bins    [calibrationBins]calibrationBin `json:"bins"`
	Brier   moments                         `json:"brier"`
	Spiegel [2]float64                      `json:"spiegelhalter"`
}

func (b *binned) encode() *binnedJSON {
	if b.scores.total() == 0 {
		return nil
	}
	return &binnedJSON{b.scores.encode(), b.bins, b.brier, b.spiegel}
}

func (in *binnedJSON) decode() (b binned, err error) {
	if in == nil {
		return b, nil
	}
	if b.scores, err = in.Scores.decode(); err != nil {
		return b, err
	}
	if !in.Brier.valid() || !(in.Spiegel[1] >= 0) || in.Brier.N > maxCount {
		return b, errors.New("decode calibration: a sum is not possible")
	}
	for _, c := range in.Bins {
		if c.N > maxCount || c.Events > c.N || !(c.Sum >= 0 && c.Sum <= float64(c.N)*(1+1e-9)) {
			return b, errors.New("decode calibration: a bin is not possible")
		}
	}
	b.bins, b.brier, b.spiegel = in.Bins, in.Brier, in.Spiegel
	return b, nil
}

type classificationJSON struct {
	N        uint64      `json:"n"`
	Correct  uint64      `json:"correct"`
	Classes  []string    `json:"classes,omitempty"`
	Matrix   [][]uint64  `json:"matrix,omitempty"` // By true class, then by predicted class.
	LogLoss  moments     `json:"log_loss"`
	Top      *binnedJSON `json:"top,omitempty"`
	Binary   *binnedJSON `json:"binary,omitempty"`
	Positive string      `json:"positive_class,omitempty"`
	Mixed    bool        `json:"mixed,omitempty"`
}

func (c *Classification) encode() *classificationJSON {
	if c == nil || c.n == 0 {
		return nil
	}
	return &classificationJSON{
		N: c.n, Correct: c.correct, Classes: c.classes, Matrix: c.matrix, LogLoss: c.logLoss,
		Top: c.top.encode(), Binary: c.binary.encode(), Positive: c.positive, Mixed: c.mixed,
	}
}

func (in *classificationJSON) decode(o Options) (*Classification, error) {
	c := NewClassification(o)
	if in == nil {
		return c, nil
	}
	var err error
	if c.top, err = in.Top.decode(); err != nil {
		return nil, fmt.Errorf("decode classification: %w", err)
	}
	if c.binary, err = in.Binary.decode(); err != nil {
		return nil, fmt.Errorf("decode classification: %w", err)
	}
	if len(in.Classes) > c.options.MaxClasses+1 {
		return nil, fmt.Errorf("decode classification: %d classes, the limit is %d", len(in.Classes), c.options.MaxClasses+1)
	}
	for _, name := range in.Classes {
		if _, ok := c.index[name]; ok || c.classIndexFull(name) {
			return nil, fmt.Errorf("decode classification: class %q is there twice, or is one too many", name)
		}
		c.class(name)
	}
	if len(in.Matrix) != len(c.classes) {
		return nil, errors.New("decode classification: the matrix must have one row a class")
	}
	var total, diagonal uint64
	for i, row := range in.Matrix {
		if len(row) != len(c.classes) {
			return nil, errors.New("decode classification: the matrix must have one column a class")
		}
		for j, n := range row {
			if n > maxCount || total > maxCount {
				return nil, errors.New("decode classification: a count is too large")
			}
			total += n
			if i == j {
				diagonal += n
			}
			c.matrix[i][j] = n
		}
	}
	// Records of two classes that share OtherClass are on the diagonal, and wrong.
	if total != in.N || in.Correct > diagonal || !in.LogLoss.valid() || in.LogLoss.N > in.N {
		return nil, errors.New("decode classification: the matrix and the counts contradict each other")
	}
	c.n, c.correct, c.logLoss, c.positive, c.mixed = in.N, in.Correct, in.LogLoss, in.Positive, in.Mixed
	return c, nil
}

// classIndexFull reports whether a class of that name would not get its own row.
func (c *Classification) classIndexFull(name string) bool {
	return len(c.classes) >= c.options.MaxClasses && name != OtherClass
}

type regressionJSON struct {
	Errors   moments `json:"errors"`
	Absolute moments `json:"absolute"`
	Squared  moments `json:"squared"`
	Relative moments `json:"relative"`
	Labels   moments `json:"labels"`
	Zeros    uint64  `json:"zeros,omitempty"`
	Unusable uint64  `json:"unusable,omitempty"`
}

func (r *Regression) encode() *regressionJSON {
	if r.errors.N == 0 && r.unusable == 0 {
		return nil
	}
	return &regressionJSON{r.errors, r.absolute, r.squared, r.relative, r.labels, r.zeros, r.unusable}
}

func (in *regressionJSON) decode() (Regression, error) {
	if in == nil {
		return Regression{}, nil
	}
	n := in.Errors.N
	for _, m := range []moments{in.Errors, in.Absolute, in.Squared, in.Relative, in.Labels} {
		if !m.valid() || m.N > n {
			return Regression{}, errors.New("decode regression: a sum is not possible")
		}
	}
	if n > maxCount || in.Absolute.N != n || in.Squared.N != n || in.Labels.N != n || in.Relative.N+in.Zeros != n ||
		in.Absolute.Mean < 0 || in.Squared.Mean < 0 || in.Relative.Mean < 0 {
		return Regression{}, errors.New("decode regression: the counts contradict each other")
	}
	return Regression{in.Errors, in.Absolute, in.Squared, in.Relative, in.Labels, in.Zeros, in.Unusable}, nil
}

type windowJSON struct {
	Options        Options             `json:"options,omitzero"`
	Service        *Service            `json:"service,omitempty"`
	Predictions    *Predictions        `json:"predictions,omitempty"`
	Classification *classificationJSON `json:"classification,omitempty"`
	Regression     *regressionJSON     `json:"regression,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (w *Window) MarshalJSON() ([]byte, error) {
	out := windowJSON{Options: w.Options, Classification: w.Classification.encode(), Regression: w.Regression.encode()}
	if w.Service.Requests > 0 {
		out.Service = &w.Service
	}
	if w.Predictions.answers+w.Predictions.numbers > 0 {
		out.Predictions = &w.Predictions
	}
	return json.Marshal(out)
}

// UnmarshalJSON implements json.Unmarshaler.
func (w *Window) UnmarshalJSON(data []byte) error {
	var in windowJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("decode window: %w", err)
	}
	const most = 10_000
	if in.Options.MaxClasses < 0 || in.Options.MaxClasses > most {
		return fmt.Errorf("decode window: max_classes is %d, must be between 0 and %d", in.Options.MaxClasses, most)
	}
	c, err := in.Classification.decode(in.Options)
	if err != nil {
		return fmt.Errorf("decode window: %w", err)
	}
	r, err := in.Regression.decode()
	if err != nil {
		return fmt.Errorf("decode window: %w", err)
	}
	*w = Window{Options: in.Options, Classification: c, Regression: r}
	if in.Service != nil {
		w.Service = *in.Service
	}
	if in.Predictions != nil {
		w.Predictions = *in.Predictions
	}
	return nil
}

type referenceJSON struct {
	Window        *Window `json:"window"`
	LengthSeconds float64 `json:"length_seconds,omitempty"`
	// Top and Binary are written for people; reading makes them anew.
	Top    Calibration `json:"top_calibration"`
	Binary Calibration `json:"binary_calibration"`
}

// MarshalJSON implements json.Marshaler.
func (r *Reference) MarshalJSON() ([]byte, error) {
	return json.Marshal(referenceJSON{r.Window, r.Length.Seconds(), r.Top, r.Binary})
}

// UnmarshalJSON implements json.Unmarshaler. Calibrations are fitted again from
// the counts, so that they cannot contradict them.
func (r *Reference) UnmarshalJSON(data []byte) error {
	var in referenceJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("decode reference: %w", err)
	}
	if in.Window == nil {
		return errors.New("decode reference: it has no window")
	}
	if !(in.LengthSeconds >= 0 && in.LengthSeconds <= math.MaxInt64/1e9) {
		return fmt.Errorf("decode reference: length_seconds is %v, must be between 0 and 292 years", in.LengthSeconds)
	}
	*r = *NewReference(in.Window, time.Duration(in.LengthSeconds*float64(time.Second)))
	return nil
}
