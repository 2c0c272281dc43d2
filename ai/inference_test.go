package ai_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
)

func TestValidate(t *testing.T) {
	long := strings.Repeat("x", ai.MaxNameLength+1)
	feature := func(name string, v ai.Value) func(*ai.Inference) {
		return func(i *ai.Inference) { i.Features = append(i.Features, ai.Feature{Name: name, Value: v}) }
	}
	class := func(name string, p float64) func(*ai.Inference) {
		return func(i *ai.Inference) {
			i.Probabilities = append(i.Probabilities, ai.ClassProbability{Class: name, P: p})
		}
	}
	for name, c := range map[string]struct {
		change func(*ai.Inference)
		want   string // Empty: it is valid.
	}{
		"model alone":       {func(*ai.Inference) {}, ""},
		"no model":          {func(i *ai.Inference) { i.Model = "" }, "model: is required"},
		"long model":        {func(i *ai.Inference) { i.Model = long }, "model: 257 bytes long, the limit is 256"},
		"bad text":          {func(i *ai.Inference) { i.ModelVersion = "v\xff" }, "model_version: is not valid UTF-8"},
		"zero byte":         {func(i *ai.Inference) { i.Service = "a\x00b" }, "service: holds a zero byte"},
		"long endpoint":     {func(i *ai.Inference) { i.Endpoint = long }, "endpoint: 257 bytes long"},
		"long id":           {func(i *ai.Inference) { i.RequestID = long }, "request_id: 257 bytes long"},
		"bad duration":      {func(i *ai.Inference) { i.DurationSeconds = math.NaN() }, "duration_seconds: NaN is not a finite number"},
		"negative duration": {func(i *ai.Inference) { i.DurationSeconds = -0.5 }, "duration_seconds: -0.5 is negative"},
		"milliseconds":      {func(i *ai.Inference) { i.DurationSeconds = 1e6 }, "give seconds, not milliseconds"},
		"negative first":    {func(i *ai.Inference) { i.TimeToFirstTokenSeconds = -1 }, "time_to_first_token_seconds: -1 is negative"},
		"status":            {func(i *ai.Inference) { i.StatusCode = 20 }, "status_code: 20 is not an HTTP status"},
		"unnamed feature":   {feature("", ai.Number(1)), "features: a feature has an empty name"},
		"kept name":         {feature("@prediction", ai.Number(1)), "features.@prediction: names that start with '@'"},
		"long feature name": {feature(long, ai.Number(1)), "features." + strings.Repeat("x", 64) + "…: 257 bytes long"},
		"feature text":      {feature("city", ai.String("\xff")), "features.city: is not valid UTF-8"},
		"long vector":       {feature("e", ai.Vector32(make([]float32, ai.MaxVectorDim+1))), "features.e: 16385 elements"},
		"infinite feature":  {feature("x", ai.Number(math.Inf(1))), ""},
		"missing feature":   {feature("x", ai.Value{}), ""},
		"non-Latin names":   {feature("年龄", ai.Number(3)), ""},
		"prediction text":   {func(i *ai.Inference) { i.Prediction = ai.String("\xff") }, "prediction: is not valid UTF-8"},
		"probability":       {class("cat", 1.01), "probabilities.cat: 1.01 is not a probability (0 to 1)"},
		"no probability":    {class("cat", math.NaN()), "probabilities.cat: NaN is not a probability"},
		"tag":               {func(i *ai.Inference) { i.Tags = map[string]string{"a": "\xff"} }, "tags.a: is not valid UTF-8"},
		"many tags": {func(i *ai.Inference) {
			i.Tags = map[string]string{}
			for n := range ai.MaxTags + 1 {
				i.Tags[fmt.Sprint(n)] = ""
			}
		}, "tags: 65 tags, the limit is 64"},
		"many features": {func(i *ai.Inference) { i.Features = make([]ai.Feature, ai.MaxFeatures+1) }, "features: 10001 features"},
	} {
		t.Run(name, func(t *testing.T) {
			inf := ai.Inference{Model: "m"}
			c.change(&inf)
			err := inf.Validate()
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
			field, ok := errors.AsType[*ai.FieldError](err)
			require.True(t, ok, "want the field, got %T", err)
			require.NotEmpty(t, field.Field)
		})
	}
}

func TestValidateDoesNotAllocate(t *testing.T) {
	inf := ai.Inference{
		Service: "s", Model: "m", ModelVersion: "v", Endpoint: "/e", RequestID: "r", DurationSeconds: 0.2, StatusCode: 200,
		Features:      []ai.Feature{{Name: "a", Value: ai.Number(1)}, {Name: "b", Value: ai.String("x")}},
		Probabilities: []ai.ClassProbability{{Class: "yes", P: 0.5}},
	}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if inf.Validate() != nil {
			t.Error("valid record refused")
		}
	}))
}

func TestLabelValidate(t *testing.T) {
	ok := ai.Label{RequestID: "r", Label: ai.Bool(true)}
	require.NoError(t, ok.Validate())
	none := ai.Label{Label: ai.Bool(true)}
	require.ErrorContains(t, none.Validate(), "request_id: is required")
	empty := ai.Label{RequestID: "r"}
	require.ErrorContains(t, empty.Validate(), "label: is required")
}

func TestInferenceAnswers(t *testing.T) {
	inf := ai.Inference{Service: "shop", Model: "ranker", ModelVersion: "v2", Features: []ai.Feature{{Name: "age", Value: ai.Number(3)}}}
	require.Equal(t, "shop/ranker@v2", inf.Key().String())
	v, ok := inf.Feature("age")
	require.True(t, ok)
	require.True(t, v.Equal(ai.Number(3)))
	_, ok = inf.Feature("income")
	require.False(t, ok)
	require.False(t, inf.HasDuration())
	require.False(t, inf.Failed())
	inf.StatusCode = 500
	require.True(t, inf.Failed())
}
