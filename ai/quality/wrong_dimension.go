package quality

import (
	"fmt"

	"github.com/modelwatch/modelwatch/ai"
)

// wrongDimension finds vectors of another length than the baseline's.
func wrongDimension() check {
	return check{
		Check: ai.Check{
			ID: "wrong_dimension", Title: "Vector length", Layer: ai.LayerData, Unit: "ratio",
			Threshold: 0.01, Critical: new(0.5), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "More vectors have another length than in the baseline. Look for another embedding model upstream.",
		},
		feature: func(in *input, f *feature) (result, bool) {
			if f.p.Vector == nil {
				return result{}, false
			}
			return shareOf(in, f, f.p.Vector.WrongDim, fmt.Sprintf("do not have %d elements", f.schema.Dim),
				func(p *ai.Profile) uint64 {
					if p.Vector == nil {
						return 0
					}
					return p.Vector.WrongDim
				})
		},
	}
}
