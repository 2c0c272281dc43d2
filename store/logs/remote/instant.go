package remote

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// Sample is a number with its labels.
type Sample struct {
	Labels labels.Labels
	Value  float64
}

// Instant has a metric query answered by the other side, which need not send the lines for it.
func (s *Store) Instant(ctx context.Context, query string, at time.Time) ([]Sample, error) {
	var out struct {
		Data struct {
			ResultType string
			Result     []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := s.form(ctx, "/loki/api/v1/query", url.Values{"query": {query}, "time": {fmt.Sprint(at.UnixNano())}}, nil, &out); err != nil {
		return nil, err
	}
	if out.Data.ResultType != "vector" {
		return nil, fmt.Errorf("log store elsewhere answered with %q where numbers with labels were asked for", out.Data.ResultType)
	}
	samples := make([]Sample, 0, len(out.Data.Result))
	for _, r := range out.Data.Result {
		text, _ := r.Value[1].(string)
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("read answer of log store elsewhere: %v is no number", r.Value[1])
		}
		samples = append(samples, Sample{Labels: labels.FromMap(r.Metric), Value: v})
	}
	return samples, nil
}
