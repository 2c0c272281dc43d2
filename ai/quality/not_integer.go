package quality

import "github.com/modelwatch/modelwatch/ai"

// notInteger finds fractions in a feature that had whole numbers only.
func notInteger() check {
	return check{
		Check: ai.Check{
			ID: "not_integer", Title: "Fractions in an integer", Layer: ai.LayerData, Unit: "ratio",
			Threshold: 0.01, Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "Values of a feature that had whole numbers only have fractions. Look for a changed unit, a mean where a count was, or a fill value.",
		},
		feature: func(in *input, f *feature) (result, bool) {
			if f.p.Kind != ai.KindNumber || !f.schema.Integer {
				return result{}, false
			}
			return shareOf(in, f, f.p.Count-f.p.Integers, "have a fraction",
				func(p *ai.Profile) uint64 { return p.Count - p.Integers })
		},
	}
}
