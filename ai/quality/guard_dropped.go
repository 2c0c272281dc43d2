package quality

import (
	"fmt"

	"github.com/modelwatch/modelwatch/ai"
)

// guardDropped says that profiles do not cover everything that came.
func guardDropped() check {
	return check{
		Check: ai.Check{
			ID: "guard_dropped", Title: "Left out of profiles", Layer: ai.LayerData, Unit: "values",
			Threshold: 0, Direction: ai.Above, Severity: ai.SeverityInfo,
			Message: "A guard left values or records out of the profiles. What was judged does not cover them: raise the limit, or send fewer features.",
		},
		model: func(in *input) (result, bool) {
			d := in.profile.Dropped
			r := result{score: float64(d.Total()), samples: in.profile.Records, method: "count"}
			r.message = func() string {
				return "left out: " + dropped(d)
			}
			return r, true
		},
	}
}

func dropped(d ai.Dropped) string {
	s := ""
	for _, part := range []struct {
		n    uint64
		what string
	}{
		{d.Features, "values past the limit on features"},
		{d.Classes, "probabilities past the limit on classes"},
		{d.Vectors, "vectors past the limit on dimensions"},
		{d.Late, "records that came after their window was closed"},
		{d.Early, "records from the future"},
		{d.Repeated, "values of a feature that a record had twice"},
	} {
		if part.n == 0 {
			continue
		}
		if s != "" {
			s += ", "
		}
		s += fmt.Sprintf("%d %s", part.n, part.what)
	}
	return s
}
