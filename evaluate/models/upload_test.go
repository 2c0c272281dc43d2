package models_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/evaluate/models"
)

// rowText is a row for comparing.
func rowText(r *models.Row) string {
	var b strings.Builder
	for _, f := range r.Inference.Features {
		fmt.Fprintf(&b, "%s=%s ", f.Name, f.Value)
	}
	for _, p := range r.Inference.Probabilities {
		fmt.Fprintf(&b, "p(%s)=%v ", p.Class, p.P)
	}
	fmt.Fprintf(&b, "prediction=%s label=%s duration=%v status=%d",
		r.Inference.Prediction, r.Label, r.Inference.DurationSeconds, r.Inference.StatusCode)
	return b.String()
}

func TestRowsOfTables(t *testing.T) {
	t.Parallel()
	key := ai.Key{Model: "m"}
	for name, c := range map[string]struct {
		format, text string
		columns      models.Columns
		want         []string
	}{
		"kinds of cells": {format: "csv", text: "\ufeffa,b, c ,d,e,f,g\n1,-2.5e3,true,x y,,NaN,0815\n", want: []string{
			`a=1 b=-2500 c=true d="x y" e=null f=null g="0815" prediction=null label=null duration=0 status=0`,
		}},
		"quoted cells": {format: "csv", text: "a,b\n\"x,\"\"y\"\"\nz\",+1\n", want: []string{`a="x,\"y\"\nz" b=1 prediction=null label=null duration=0 status=0`}},
		"columns that are no features": {
			format: "csv", text: "age,said,truth,duration_seconds,status_code,probability:yes,@probability:no,id\n3,yes,no,0.5,200,0.7,0.3,9\n",
			columns: models.Columns{Prediction: "said", Label: "truth", Exclude: []string{"id"}},
			want:    []string{`age=3 p(yes)=0.7 p(no)=0.3 prediction="yes" label="no" duration=0.5 status=200`},
		},
		"infinity and hexadecimal are text": {format: "csv", text: "a,b\ninf,0x1\n", want: []string{`a="inf" b="0x1" prediction=null label=null duration=0 status=0`}},
		"column twice":                      {format: "csv", text: "a,a\n", want: []string{`error: line 1: column 2 has the name "a", which is empty or there twice`}},
		"empty table":                       {format: "csv", text: "", want: []string{"error: the table is empty: the first line must name the columns"}},
		"short line":                        {format: "csv", text: "a,b\n1\n", want: []string{"error: line 2: wrong number of fields"}},
		"open quote":                        {format: "csv", text: "a\n\"1\n", want: []string{"error: line 2: extraneous or missing \" in quoted-field"}},
		"no probability":                    {format: "csv", text: "probability:a\n2\n", want: []string{"error: line 2: probabilities.a: 2 is not a probability (0 to 1)"}},
		"kept name":                         {format: "csv", text: "@x\n2\n", want: []string{"error: line 2: features.@x: names that start with '@' are kept for predictions"}},
		"status":                            {format: "csv", text: "status_code\n2.5\n", want: []string{"error: line 2: status_code: 2.5 is not an HTTP status"}},
		"flat and nested objects": {format: "ndjson", text: "{\"b\":1,\"a\":[1,2],\"label\":true}\n\n{\"features\":{\"a\":\"x\"},\"probabilities\":{\"b\":0.4,\"a\":0.6},\"duration_seconds\":2,\"other\":1}\n", want: []string{
			`a=[1 2] b=1 prediction=null label=true duration=0 status=0`,
			`a="x" p(a)=0.6 p(b)=0.4 prediction=null label=null duration=2 status=0`,
		}},
		"not JSON":      {format: "ndjson", text: "{}\nx\n", want: []string{"prediction=null label=null duration=0 status=0", "error: line 2: not a JSON object: invalid character 'x' looking for beginning of value"}},
		"nested object": {format: "ndjson", text: `{"a":{"b":1}}`, want: []string{"error: line 1: a: decode value: map[string]interface {}: want a number, a string, a boolean, null or a list of numbers"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows := models.CSVRows(key, strings.NewReader(c.text), c.columns)
			if c.format == "ndjson" {
				rows = models.NDJSONRows(key, strings.NewReader(c.text), c.columns)
			}
			var got []string
			for row, err := range rows {
				if err != nil {
					got = append(got, "error: "+err.Error())
					continue
				}
				got = append(got, rowText(row))
			}
			require.Equal(t, c.want, got)
		})
	}
}

func FuzzRows(f *testing.F) {
	f.Add("a,b\n1,x\n")
	f.Add("{\"a\":1}\n{\"features\":{\"a\":null},\"probabilities\":{\"x\":1}}")
	f.Fuzz(func(t *testing.T, text string) {
		key := ai.Key{Model: "m"}
		for row, err := range models.CSVRows(key, strings.NewReader(text), models.Columns{}) {
			if err == nil {
				require.NoError(t, row.Inference.Validate())
			}
		}
		for row, err := range models.NDJSONRows(key, strings.NewReader(text), models.Columns{}) {
			if err == nil {
				require.NoError(t, row.Inference.Validate())
			}
		}
	})
}
