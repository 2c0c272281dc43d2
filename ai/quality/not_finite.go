package quality

import "github.com/modelwatch/modelwatch/ai"

// notFinite finds infinities and numbers too large to be measurements.
func notFinite() check {
	return check{
		Check: ai.Check{
			ID: "not_finite", Title: "Infinite values", Layer: ai.LayerData, Unit: "ratio",
			Threshold: 0, Critical: new(0.1), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "More values are infinite than in the baseline. Look for a division by zero or an overflow.",
		},
		feature: func(in *input, f *feature) (result, bool) {
			return shareOf(in, f, f.p.NotFinite, "are infinite or beyond 1e140",
				func(p *ai.Profile) uint64 { return p.NotFinite })
		},
	}
}
