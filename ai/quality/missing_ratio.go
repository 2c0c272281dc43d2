package quality

import (
	"fmt"

	"github.com/modelwatch/modelwatch/ai"
)

// missingRatio finds features whose share of records without a value rose.
func missingRatio() check {
	return check{
		Check: ai.Check{
			ID: "missing_ratio", Title: "Missing values", Layer: ai.LayerData, Unit: "ratio",
			Threshold: 0.05, Critical: new(0.5), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "More records lack the feature than in the baseline, by more than the threshold. Look at the step that fills it.",
		},
		feature: func(in *input, f *feature) (result, bool) {
			rows, missing := f.p.Rows(), f.p.Missing+f.p.Absent
			if rows == 0 || missing == 0 {
				return result{}, false
			}
			r := result{score: float64(missing) / float64(rows), samples: rows}
			if f.configured {
				if f.schema.Nullable || f.schema.Optional && f.p.Missing == 0 {
					return result{}, false
				}
				r.broken, r.method = true, "schema"
				r.message = func() string {
					return fmt.Sprintf("%d of %d records lack %q, which the schema requires", missing, rows, f.name)
				}
				return r, true
			}
			if !in.comparable() || f.base == nil || present(f.p) == 0 {
				return result{}, false // A feature that is gone is another finding.
			}
			base := f.base.Profile
			n0, k0 := base.Rows(), base.Missing+base.Absent
			if n0 == 0 {
				return result{}, false
			}
			r.offset = float64(k0) / float64(n0)
			r.method = "fisher"
			r.test = func() float64 { return fisherGreater(k0, n0, missing, rows) }
			r.message = func() string {
				return fmt.Sprintf("%s of %d records lack %q, in the baseline %s", percent(r.score), rows, f.name, percent(r.offset))
			}
			return r, true
		},
	}
}

// present returns the number of records that had the feature, empty or not.
func present(p *ai.Profile) uint64 { return p.Rows() - p.Absent }
