package inference

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/modelwatch/modelwatch/ai"
	store "github.com/modelwatch/modelwatch/store/inferences"
)

// Decode reads what the store keeps of an inference: features, in the order of their
// names, and the prediction. Names that are in names already are used again.
func Decode(features, prediction []byte, names map[string]string) (inf ai.Inference, err error) {
	if len(features) > 0 {
		var values map[string]ai.Value
		if err := json.Unmarshal(features, &values); err != nil {
			return inf, fmt.Errorf("features of a raw inference: %w", err)
		}
		inf.Features = make([]ai.Feature, 0, len(values))
		for name, v := range values {
			if _, known := names[name]; !known {
				names[name] = name
			}
			inf.Features = append(inf.Features, ai.Feature{Name: names[name], Value: v})
		}
		slices.SortFunc(inf.Features, func(a, b ai.Feature) int { return strings.Compare(a.Name, b.Name) })
	}
	if len(prediction) > 0 {
		if err := json.Unmarshal(prediction, &inf.Prediction); err != nil {
			return inf, fmt.Errorf("prediction of a raw inference: %w", err)
		}
	}
	return inf, nil
}

// recordsLimit is how long reading single inferences for the analysis may take.
const recordsLimit = time.Minute

// records reads single inferences as the analysis wants them.
func (p *Pipeline) records(ctx context.Context, key ai.Key, since, until time.Time, about int, f func(*ai.Inference)) error {
	ctx, cancel := context.WithTimeout(ctx, recordsLimit)
	defer cancel()
	of := store.Selection{Key: key, Since: since, Until: until}
	there, err := p.Store.Extent(ctx, of)
	if err != nil {
		return err
	}
	if there.Rows > int64(about) {
		of.Share = float64(about) / float64(there.Rows)
	}
	names := make(map[string]string)
	return p.Store.Scan(ctx, of, func(features, _ []byte) error {
		inf, err := Decode(features, nil, names)
		if err == nil {
			f(&inf)
		}
		return err
	})
}
