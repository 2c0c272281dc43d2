package quality

import (
	"fmt"

	"github.com/modelwatch/modelwatch/ai"
)

// typeMismatch finds values of another type than the feature's.
func typeMismatch() check {
	return check{
		Check: ai.Check{
			ID: "type_mismatch", Title: "Type changes", Layer: ai.LayerData, Unit: "ratio",
			Threshold: 0.01, Critical: new(0.5), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "More values are of another type than in the baseline: numbers sent as text, flags as numbers. Look at how the caller encodes them.",
		},
		feature: func(in *input, f *feature) (result, bool) {
			wrong, kind := f.p.TypeErrors, f.p.Kind
			n := wrong.Total()
			if f.configured && f.schema.Kind != ai.KindMissing && f.schema.Kind != kind {
				// Profiled as another kind than the schema's: the right ones are errors.
				kind = f.schema.Kind
				n += f.p.Count + f.p.NotFinite - wrong.Of(kind)
				wrong.Add(f.p.Kind, f.p.Count+f.p.NotFinite)
				wrong = without(wrong, kind)
			}
			if n == 0 {
				return result{}, false
			}
			return shareOf(in, f, n, fmt.Sprintf("are not of type %s but %s", kind, listKinds(wrong)),
				func(p *ai.Profile) uint64 { return p.TypeErrors.Total() })
		},
	}
}

func without(e ai.TypeErrors, k ai.Kind) ai.TypeErrors {
	var out ai.TypeErrors
	for _, kind := range []ai.Kind{ai.KindNumber, ai.KindString, ai.KindBool, ai.KindVector} {
		if kind != k {
			out.Add(kind, e.Of(kind))
		}
	}
	return out
}

// listKinds writes the kinds that were counted.
func listKinds(e ai.TypeErrors) string {
	s := ""
	for _, k := range []ai.Kind{ai.KindNumber, ai.KindString, ai.KindBool, ai.KindVector} {
		if e.Of(k) > 0 {
			if s != "" {
				s += ", "
			}
			s += k.String()
		}
	}
	return s
}

// shareOf compares the share of n bad values among those that are there with the
// baseline's share, which count returns. A configured schema allows none.
func shareOf(in *input, f *feature, n uint64, what string, count func(*ai.Profile) uint64) (result, bool) {
	rows := f.p.Rows() - f.p.Missing - f.p.Absent
	if n == 0 || rows == 0 {
		return result{}, false
	}
	r := result{score: float64(n) / float64(rows), samples: rows}
	if f.configured && f.schema.Kind != ai.KindMissing {
		r.broken, r.method = true, "schema"
		r.message = func() string {
			return fmt.Sprintf("%d of %d values of %q %s, against the schema", n, rows, f.name, what)
		}
		return r, true
	}
	if !in.comparable() || f.base == nil {
		return result{}, false
	}
	base := f.base.Profile
	n0, k0 := base.Rows()-base.Missing-base.Absent, count(base)
	if n0 == 0 {
		return result{}, false
	}
	r.offset = float64(k0) / float64(n0)
	r.method = "fisher"
	r.test = func() float64 { return fisherGreater(k0, n0, n, rows) }
	r.message = func() string {
		return fmt.Sprintf("%s of %d values of %q %s, in the baseline %s", percent(r.score), rows, f.name, what, percent(r.offset))
	}
	return r, true
}
