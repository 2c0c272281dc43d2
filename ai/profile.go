package ai

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// MaxMagnitude is the largest absolute value that profiles take as a number.
// Larger ones, and the infinities, are counted as NotFinite: their squares
// would make the moments meaningless.
const MaxMagnitude = 1e140

// Profile sums up the values of one feature in one window in at most 4 KiB.
// Merging two profiles gives the profile of both windows together: counts, bins,
// minimum, maximum and the distinct estimate exactly, the moments to rounding.
// Profiles that are empty are zero in every field; all numbers are finite.
type Profile struct {
	// Kind is what the values should be.
	Kind Kind `json:"kind"`
	// BinsID is the ID of the bins that Counts refers to; 0 without bins.
	BinsID uint64 `json:"bins_id,omitempty,string"`

	// Count is the number of values of the right kind, which all the statistics
	// below are about.
	Count uint64 `json:"count"`
	// Missing counts nulls and NaN: the feature was sent empty.
	Missing uint64 `json:"missing,omitempty"`
	// Absent counts records that did not have the feature at all.
	Absent uint64 `json:"absent,omitempty"`
	// TypeErrors counts values of another kind, by the kind they had.
	TypeErrors TypeErrors `json:"type_errors,omitzero"`
	// NotFinite counts infinities, numbers beyond MaxMagnitude, and vectors that
	// hold one.
	NotFinite uint64 `json:"not_finite,omitempty"`

	// Mean and M2 (the sum of squared deviations from Mean) describe numbers, and
	// the Euclidean norm of vectors.
	Mean float64 `json:"mean"`
	M2   float64 `json:"m2"`
	Min  float64 `json:"min"`
	Max  float64 `json:"max"`

	// Integers counts numbers without a fraction.
	Integers uint64 `json:"integers,omitempty"`

	// Counts has one count a cell of the bins; nil without bins.
	Counts []uint64 `json:"counts,omitempty"`
	// Distinct estimates the number of different values; nil for vectors.
	Distinct *Distinct `json:"distinct,omitempty"`
	// Top has frequent categories that no cell counts.
	Top Top `json:"top,omitzero"`
	// Vector sums up embeddings; nil for every other kind.
	Vector *VectorSummary `json:"vector,omitempty"`
}

// TypeErrors counts values of a wrong kind by the kind they had.
type TypeErrors struct {
	Number uint64 `json:"number,omitempty"`
	String uint64 `json:"string,omitempty"`
	Bool   uint64 `json:"bool,omitempty"`
	Vector uint64 `json:"vector,omitempty"`
}

// Total returns the number of values of a wrong kind.
func (e TypeErrors) Total() uint64 { return e.Number + e.String + e.Bool + e.Vector }

// Add counts n values of kind k.
func (e *TypeErrors) Add(k Kind, n uint64) {
	switch k {
	case KindNumber:
		e.Number += n
	case KindString:
		e.String += n
	case KindBool:
		e.Bool += n
	case KindVector:
		e.Vector += n
	default:
	}
}

// Of returns the count of kind k.
func (e TypeErrors) Of(k Kind) uint64 {
	switch k {
	case KindNumber:
		return e.Number
	case KindString:
		return e.String
	case KindBool:
		return e.Bool
	case KindVector:
		return e.Vector
	default:
		return 0
	}
}

// NewProfile returns an empty profile that counts in those bins, which may be nil.
func NewProfile(kind Kind, bins *Bins) *Profile {
	p := &Profile{Kind: kind, BinsID: bins.ID()}
	if n := bins.Len(); n > 0 {
		p.Counts = make([]uint64, n)
	}
	if kind != KindVector {
		p.Distinct = new(Distinct)
	} else if bins != nil && bins.Projection != nil {
		p.Vector = &VectorSummary{
			Sum:    make([]float64, bins.Projection.SketchLen()),
			Kernel: make([]float64, KernelDim),
		}
	}
	return p
}

// Rows returns the number of records that the profile is about.
func (p *Profile) Rows() uint64 {
	n := p.Count + p.Missing + p.Absent + p.TypeErrors.Total() + p.NotFinite
	if p.Vector != nil {
		n += p.Vector.WrongDim
	}
	return n
}

// MissingRatio returns the share of records without a value, between 0 and 1,
// and NaN where there are no records.
func (p *Profile) MissingRatio() float64 {
	return float64(p.Missing+p.Absent) / float64(p.Rows())
}

// Variance returns the population variance (divided by Count), NaN where Count is 0.
func (p *Profile) Variance() float64 { return p.M2 / float64(p.Count) }

// Std returns the population standard deviation, NaN where Count is 0.
func (p *Profile) Std() float64 { return math.Sqrt(p.Variance()) }

// DistinctEstimate returns the estimated number of different values, NaN where
// it is not kept.
func (p *Profile) DistinctEstimate() float64 {
	if p.Distinct == nil {
		return math.NaN()
	}
	return p.Distinct.Estimate()
}

// ErrOtherBins is returned by Merge where two profiles count in different bins:
// they belong to different baselines.
var ErrOtherBins = errors.New("profiles count in different bins")

// Merge adds what o has counted to p. It refuses profiles of other bins or
// another kind and then leaves p as it was.
func (p *Profile) Merge(o *Profile) error {
	if p.BinsID != o.BinsID || len(p.Counts) != len(o.Counts) {
		return fmt.Errorf("merge profiles: %w", ErrOtherBins)
	}
	if p.Kind != o.Kind {
		return fmt.Errorf("merge profiles: kinds %s and %s", p.Kind, o.Kind)
	}
	if p.Vector != nil && o.Vector != nil && len(p.Vector.Sum) != len(o.Vector.Sum) {
		return fmt.Errorf("merge profiles: vectors of %d and %d elements", len(p.Vector.Sum), len(o.Vector.Sum))
	}
	if o.Count > 0 {
		p.mergeMoments(o)
	}
	p.Count += o.Count
	p.Missing += o.Missing
	p.Absent += o.Absent
	p.NotFinite += o.NotFinite
	p.Integers += o.Integers
	p.TypeErrors.Number += o.TypeErrors.Number
	p.TypeErrors.String += o.TypeErrors.String
	p.TypeErrors.Bool += o.TypeErrors.Bool
	p.TypeErrors.Vector += o.TypeErrors.Vector
	for i, n := range o.Counts {
		p.Counts[i] += n
	}
	if o.Distinct != nil {
		if p.Distinct == nil {
			p.Distinct = new(Distinct)
		}
		p.Distinct.Merge(o.Distinct)
	}
	p.Top.Merge(&o.Top)
	if o.Vector != nil {
		p.mergeVector(o.Vector)
	}
	return nil
}

// mergeMoments adds the moments of o, which is not empty, before the counts are
// added. Source: Chan, Golub, LeVeque, "Updating formulae and a pairwise
// algorithm for computing sample variances", 1979.
func (p *Profile) mergeMoments(o *Profile) {
	if p.Count == 0 {
		p.Mean, p.M2, p.Min, p.Max = o.Mean, o.M2, o.Min, o.Max
		return
	}
	n, m := float64(p.Count), float64(o.Count)
	d := o.Mean - p.Mean
	p.Mean += d * (m / (n + m))
	p.M2 += o.M2 + d*d*(n*(m/(n+m)))
	p.Min = min(p.Min, o.Min)
	p.Max = max(p.Max, o.Max)
}

func (p *Profile) mergeVector(o *VectorSummary) {
	if p.Vector == nil {
		p.Vector = &VectorSummary{Sum: make([]float64, len(o.Sum)), Kernel: make([]float64, len(o.Kernel))}
	}
	p.Vector.WrongDim += o.WrongDim
	for i, x := range o.Sum {
		p.Vector.Sum[i] += x
	}
	for i, x := range o.Kernel {
		p.Vector.Kernel[i] += x
	}
}

// Clone returns a copy that shares nothing with p.
func (p *Profile) Clone() *Profile {
	c := *p
	c.Counts = append([]uint64(nil), p.Counts...)
	if p.Distinct != nil {
		d := *p.Distinct
		c.Distinct = &d
	}
	c.Top.Entries = append([]TopEntry(nil), p.Top.Entries...)
	if p.Vector != nil {
		v := *p.Vector
		v.Sum = append([]float64(nil), v.Sum...)
		v.Kernel = append([]float64(nil), v.Kernel...)
		c.Vector = &v
	}
	return &c
}

// Dropped counts what the guards of a profile left out. Nothing is left out
// silently: series and statuses show these.
type Dropped struct {
	// Features counts values of features past the limit on features per model.
	Features uint64 `json:"features,omitempty"`
	// Classes counts probabilities of classes past the limit.
	Classes uint64 `json:"classes,omitempty"`
	// Vectors counts vectors past the limit on dimensions.
	Vectors uint64 `json:"vectors,omitempty"`
	// Late counts records that came after their window was closed.
	Late uint64 `json:"late,omitempty"`
	// Early counts records from too far in the future.
	Early uint64 `json:"early,omitempty"`
	// Repeated counts values of features that a record had twice.
	Repeated uint64 `json:"repeated,omitempty"`
}

// Add adds o to d.
func (d *Dropped) Add(o Dropped) {
	d.Features += o.Features
	d.Classes += o.Classes
	d.Vectors += o.Vectors
	d.Late += o.Late
	d.Early += o.Early
	d.Repeated += o.Repeated
}

// Total returns everything that was left out.
func (d Dropped) Total() uint64 {
	return d.Features + d.Classes + d.Vectors + d.Late + d.Early + d.Repeated
}

// ModelProfile holds the profiles of all features of one model version in one
// window.
type ModelProfile struct {
	Key    Key    `json:"key"`
	Window Window `json:"window"`
	// BaselineID is the baseline whose bins the profiles count in; empty before
	// there is one.
	BaselineID string `json:"baseline_id,omitempty"`
	// Records is the number of inferences in the window.
	Records uint64 `json:"records"`
	// Inputs is the number of records that the features are about: all but failed
	// ones that came without any feature.
	Inputs uint64 `json:"inputs"`
	// Duplicates counts records whose features equal those of one of the last
	// few thousand records.
	Duplicates uint64 `json:"duplicates,omitempty"`
	// Features by name, derived ones (PredictionFeature, ConfidenceFeature,
	// ProbabilityPrefix) among them.
	Features map[string]*Profile `json:"features"`
	// Dropped is what the guards left out in this window.
	Dropped Dropped `json:"dropped,omitzero"`
	// First and Last are the earliest and latest timestamp seen.
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
}

// Merge adds what o has counted to m: the same model version and baseline, and
// usually a window inside m's. A feature that only one of them has was absent
// from the other's records. Where a feature without a baseline changed its kind
// in between, the other kind's values become type errors. m's Window and Key
// stay as they are; it shares nothing with o afterwards.
func (m *ModelProfile) Merge(o *ModelProfile) error {
	if m.BaselineID != o.BaselineID {
		return fmt.Errorf("merge profiles of %s: baselines %q and %q: %w", m.Key, m.BaselineID, o.BaselineID, ErrOtherBins)
	}
	for name, p := range m.Features {
		if q, ok := o.Features[name]; ok && p.Kind == q.Kind && (p.BinsID != q.BinsID || len(p.Counts) != len(q.Counts)) {
			return fmt.Errorf("merge profiles of %s: feature %q: %w", m.Key, name, ErrOtherBins)
		}
	}
	if m.Features == nil {
		m.Features = make(map[string]*Profile, len(o.Features))
	}
	for name, q := range o.Features {
		p, ok := m.Features[name]
		if !ok {
			p = q.Clone()
			if !Derived(name) {
				p.Absent += m.Inputs
			}
			m.Features[name] = p
			continue
		}
		if p.Kind != q.Kind {
			p.mergeOtherKind(q)
			continue
		}
		if err := p.Merge(q); err != nil {
			return fmt.Errorf("merge profiles of %s: feature %q: %w", m.Key, name, err)
		}
	}
	for name, p := range m.Features {
		if _, ok := o.Features[name]; !ok && !Derived(name) {
			p.Absent += o.Inputs
		}
	}
	m.Records += o.Records
	m.Inputs += o.Inputs
	m.Duplicates += o.Duplicates
	m.Dropped.Add(o.Dropped)
	if !o.First.IsZero() && (m.First.IsZero() || o.First.Before(m.First)) {
		m.First = o.First
	}
	if o.Last.After(m.Last) {
		m.Last = o.Last
	}
	return nil
}

// mergeOtherKind counts the values of o, a profile of another kind, as type errors.
func (p *Profile) mergeOtherKind(o *Profile) {
	p.Missing += o.Missing
	p.Absent += o.Absent
	n := o.Count + o.NotFinite
	if o.Vector != nil {
		n += o.Vector.WrongDim
	}
	p.TypeErrors.Add(o.Kind, n)
	for k := KindNumber; k < numKinds; k++ {
		p.TypeErrors.Add(k, o.TypeErrors.Of(k))
	}
}
