package ai

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// Validate reports what makes a profile unusable: parts that do not fit each
// other, or numbers that are not finite. It is for profiles that were read.
func (p *Profile) Validate() error {
	if p.Kind >= numKinds {
		return fmt.Errorf("kind %d is not known", p.Kind)
	}
	for name, x := range map[string]float64{"mean": p.Mean, "m2": p.M2, "min": p.Min, "max": p.Max} {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("%s is not finite", name)
		}
	}
	if p.M2 < 0 || p.Min > p.Max {
		return fmt.Errorf("moments contradict each other: m2 %v, min %v, max %v", p.M2, p.Min, p.Max)
	}
	if (p.Counts == nil) != (p.BinsID == 0) {
		return fmt.Errorf("counts of %d cells with bins id %d", len(p.Counts), p.BinsID)
	}
	if len(p.Counts) > MaxEdges+1 {
		return fmt.Errorf("counts of %d cells, the limit is %d", len(p.Counts), MaxEdges+1)
	}
	if p.Counts != nil {
		var sum uint64
		for _, n := range p.Counts {
			if n > p.Count-sum {
				return fmt.Errorf("cells count more than the count of %d", p.Count)
			}
			sum += n
		}
		if sum != p.Count {
			return fmt.Errorf("cells count %d of %d values", sum, p.Count)
		}
	}
	if len(p.Top.Entries) > MaxTop {
		return fmt.Errorf("%d top categories, the limit is %d", len(p.Top.Entries), MaxTop)
	}
	for _, e := range p.Top.Entries {
		if len(e.Category) > MaxCategoryLength || e.Over > e.Count {
			return fmt.Errorf("top category %q is not one that is written", clip(e.Category))
		}
	}
	if p.Distinct != nil {
		if r := slices.Max(p.Distinct.Registers[:]); r > 57 {
			return fmt.Errorf("distinct register of %d, the limit is 57", r)
		}
	}
	if v := p.Vector; v != nil {
		if p.Kind != KindVector || len(v.Sum) == 0 || len(v.Sum) > SketchDim || len(v.Kernel) != KernelDim {
			return fmt.Errorf("vector summary of %d and %d numbers in a profile of kind %s", len(v.Sum), len(v.Kernel), p.Kind)
		}
		for _, x := range slices.Concat(v.Sum, v.Kernel) {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return fmt.Errorf("vector summary is not finite")
			}
		}
	}
	return nil
}

// Validate reports the first thing that makes a baseline unusable, with the
// feature's name.
func (b *Baseline) Validate() error {
	if b.Key.Model == "" {
		return &FieldError{"model", "is required"}
	}
	for name, s := range map[string]string{"service": b.Key.Service, "model": b.Key.Model, "model_version": b.Key.Version, "id": b.ID} {
		if err := checkName(name, s); err != nil {
			return err
		}
	}
	if b.Rows == 0 || b.Inputs > b.Rows {
		return &FieldError{"rows", fmt.Sprintf("%d records, %d of them with inputs", b.Rows, b.Inputs)}
	}
	if len(b.Features) > maxEncodedFeatures {
		return &FieldError{"features", fmt.Sprintf("%d features, the limit is %d", len(b.Features), maxEncodedFeatures)}
	}
	for _, name := range slices.Sorted(maps.Keys(b.Features)) {
		if err := checkNameAt("features", name); err != nil {
			return err
		}
		if err := b.Features[name].validate(); err != nil {
			return &FieldError{"features." + name, err.Error()}
		}
	}
	return nil
}

func (f *FeatureBaseline) validate() error {
	switch {
	case f == nil || f.Bins == nil || f.Profile == nil:
		return fmt.Errorf("needs bins and a profile")
	case f.Profile.Kind != f.Kind:
		return fmt.Errorf("is a %s with the profile of a %s", f.Kind, f.Profile.Kind)
	case f.Kind == KindMissing:
		return fmt.Errorf("has no kind")
	case f.Kind.Categorical() != (f.Bins.Categories != nil):
		return fmt.Errorf("is a %s with the bins of another kind", f.Kind)
	case (f.Kind == KindVector) != (f.Bins.Projection != nil):
		return fmt.Errorf("is a %s with the bins of another kind", f.Kind)
	case f.Profile.BinsID != f.Bins.ID() || len(f.Profile.Counts) != f.Bins.Len():
		return fmt.Errorf("the profile does not count in the bins: after editing bins, make the baseline again from data")
	case f.Kind == KindVector && (f.Profile.Vector == nil || len(f.Profile.Vector.Sum) != f.Bins.Projection.SketchLen()):
		return fmt.Errorf("the profile does not sum up vectors of %d elements", f.Bins.Projection.Dim)
	case !(f.Unseen >= 0 && f.Unseen <= 1):
		return fmt.Errorf("unseen %v is not a share", f.Unseen)
	}
	if err := f.Profile.Validate(); err != nil {
		return err
	}
	if f.Kernel != nil {
		for _, x := range f.Kernel.Eigenvalues {
			if !(x >= 0) || math.IsInf(x, 0) {
				return fmt.Errorf("eigenvalue %v is not one of a covariance", x)
			}
		}
		if len(f.Kernel.Eigenvalues) > KernelDim {
			return fmt.Errorf("%d eigenvalues, the limit is %d", len(f.Kernel.Eigenvalues), KernelDim)
		}
	}
	return f.Schema.validate()
}

func (s *Schema) validate() error {
	if s.Kind >= numKinds {
		return fmt.Errorf("schema: kind %d is not known", s.Kind)
	}
	if s.Min != nil && s.Max != nil && *s.Min > *s.Max {
		return fmt.Errorf("schema: min %v is above max %v", *s.Min, *s.Max)
	}
	return nil
}
