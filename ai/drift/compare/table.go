// Package compare judges one table of inferences against another, by the rule of
// ai/drift or by those of other tools (ai/drift/peer), side by side.
//
// It is for two tables that are at hand whole. It reads no files, and knows no windows
// of live traffic, which are profiles and judged by ai/drift alone.
package compare

import (
	"fmt"
	"slices"

	"github.com/modelwatch/modelwatch/ai"
)

// Limits of a Table.
const (
	// MaxValues bounds the memory of a table: a value counts once for each 40 bytes
	// that it takes, so only long texts and vectors count more than once, and each row
	// counts one more.
	MaxValues = 5_000_000
	// MaxFeatures is the number of features of a table.
	MaxFeatures = 1000

	valueBytes = 40
)

// LimitError says which limit a table is over. What to do about it depends on where the
// rows come from.
type LimitError struct{ text string }

// Error implements error.
func (e *LimitError) Error() string { return e.text }

// Table is the rows of one side. The zero Table is empty and takes up to MaxValues.
type Table struct {
	// Limit takes the place of MaxValues.
	Limit int

	rows    []row
	names   map[string]string
	weight  int
	records int
}

// row is what is compared of an inference, which as a whole takes much more memory.
type row struct {
	features   []ai.Feature
	prediction ai.Value
}

// inference returns the row as what is profiled.
func (r *row) inference() *ai.Inference {
	return &ai.Inference{Service: key.Service, Model: key.Model, Features: r.features, Prediction: r.prediction}
}

// key is that of all tables, which are of no model in particular.
var key = ai.Key{Service: "compared", Model: "compared"}

// Rows returns the number of rows.
func (t *Table) Rows() int { return t.records }

// Add appends the features and the prediction of a row, which must be valid and belong to
// the table from then on. The error is a LimitError.
func (t *Table) Add(inf ai.Inference) error {
	limit := t.Limit
	if limit == 0 {
		limit = MaxValues
	}
	if t.names == nil {
		t.names = make(map[string]string)
	}
	t.weight++
	if !inf.Prediction.IsMissing() {
		t.weight += weigh(inf.Prediction)
	}
	features := slices.Clone(inf.Features) // As long as need be.
	for i, f := range features {
		t.weight += weigh(f.Value)
		if _, known := t.names[f.Name]; !known {
			t.names[f.Name] = f.Name
		}
		features[i].Name = t.names[f.Name] // Rows of JSON have each name once more.
	}
	if t.weight > limit {
		return &LimitError{fmt.Sprintf("row %d is beyond %d values, the most that is compared (each row counts one more, long texts and vectors one for each %d bytes)",
			t.records+1, limit, valueBytes)}
	}
	if len(t.names) > MaxFeatures {
		return &LimitError{fmt.Sprintf("row %d is beyond %d features, the most that is compared", t.records+1, MaxFeatures)}
	}
	t.rows = append(t.rows, row{features, inf.Prediction})
	t.records++
	return nil
}

func weigh(v ai.Value) int {
	s, _ := v.Str()
	return 1 + (len(s)+8*v.Dim())/valueBytes
}

// features returns the names of the features, the prediction among them where there is
// one, in order.
func (t *Table) features() []string {
	names := make([]string, 0, len(t.names)+1)
	for name := range t.names {
		names = append(names, name)
	}
	if slices.ContainsFunc(t.rows, func(r row) bool { return !r.prediction.IsMissing() }) {
		names = append(names, ai.PredictionFeature)
	}
	slices.Sort(names)
	return names
}

// column is the values of one feature that are there.
type column struct {
	kind    ai.Kind // What most values are; missing where there are none.
	values  []ai.Value
	present bool
}

func (t *Table) column(name string) column {
	var c column
	var counts [ai.KindVector + 1]int
	add := func(v ai.Value) {
		c.present = true
		counts[v.Kind()]++
		if !v.IsMissing() {
			c.values = append(c.values, v)
		}
	}
	at := 0
	for i := range t.rows {
		if name == ai.PredictionFeature {
			if p := t.rows[i].prediction; !p.IsMissing() {
				add(p)
			}
			continue
		}
		// Rows have mostly the same features in the same order.
		features := t.rows[i].features
		if at >= len(features) || features[at].Name != name {
			found := slices.IndexFunc(features, func(f ai.Feature) bool { return f.Name == name })
			if found < 0 {
				continue
			}
			at = found
		}
		add(features[at].Value)
	}
	for kind := ai.KindNumber; kind <= ai.KindVector; kind++ {
		if counts[kind] > 0 && (c.kind == ai.KindMissing || counts[kind] > counts[c.kind]) {
			c.kind = kind
		}
	}
	c.values = slices.DeleteFunc(c.values, func(v ai.Value) bool { return v.Kind() != c.kind })
	return c
}
