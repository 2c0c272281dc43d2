package models_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift/compare"
	"github.com/modelwatch/modelwatch/ai/status"
	"github.com/modelwatch/modelwatch/api"
	apimodels "github.com/modelwatch/modelwatch/api/models"
	"github.com/modelwatch/modelwatch/app/comparison"
	"github.com/modelwatch/modelwatch/evaluate/models"
	"github.com/modelwatch/modelwatch/evaluate/models/memory"
	"github.com/modelwatch/modelwatch/store/inferences/parquet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The engine answers what the API asks.
var (
	_ apimodels.Models    = models.Answers{}
	_ apimodels.Baselines = models.Answers{}
)

var midnight = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// watched returns a handler over an engine that has seen an incident: a classifier
// with labels whose newer version drifts and fails, and a regressor of another service.
func watched(t *testing.T) http.Handler {
	now := midnight
	store := new(memory.Store)
	e, err := models.New(models.Options{
		Profiles: store, Baselines: store, Clock: func() time.Time { return now }, Auto: models.Auto{Records: 300},
		Readings: func() []status.Reading {
			return []status.Reading{{Service: "shop", Instance: "gpu0", Kind: "gpu_memory", Value: 0.97, At: now}}
		},
		Availability: func(string) (*float64, *float64) { return new(0.999), nil },
	})
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(3, 4))
	classify := func(version string, shift float64, failing bool) {
		inf := ai.Inference{
			Service: "shop", Model: "ranker", ModelVersion: version, Endpoint: "/predict", Timestamp: now, DurationSeconds: 0.1 * math.Exp(rng.NormFloat64()/4),
			StatusCode: 200, TimeToFirstTokenSeconds: 0.01, Tokens: ai.Tokens{Input: 10, Output: 5},
			Features: []ai.Feature{
				{Name: "age", Value: ai.Number(40 + 8*rng.NormFloat64() + shift)},
				{Name: "city", Value: ai.String([]string{"Graz", "Linz", "Wien"}[rng.IntN(3)])},
				{Name: "vip", Value: ai.Bool(rng.IntN(5) == 0)},
				{Name: "text", Value: ai.Vector([]float64{rng.NormFloat64(), rng.NormFloat64() + shift, rng.NormFloat64()})},
			},
		}
		if rng.IntN(3) == 0 {
			inf.Features[0].Value = ai.Value{}
		}
		if failing && rng.IntN(4) == 0 {
			inf.StatusCode, inf.Error = 503, "no backend: 10.0.0.1"
		} else {
			p := rng.Float64()
			inf.Probabilities = []ai.ClassProbability{{Class: "no", P: 1 - p}, {Class: "yes", P: p}}
			inf.Prediction = ai.String("yes")
			if p < 0.5 {
				inf.Prediction = ai.String("no")
			}
		}
		e.Consume([]ai.Inference{inf})
		if !inf.Failed() {
			truth := "no"
			if rng.Float64() < inf.Probabilities[1].P {
				truth = "yes"
			}
			e.ConsumeLabels([]models.Labelled{{Key: inf.Key(), Prediction: inf.Prediction, Probabilities: inf.Probabilities, Label: ai.String(truth), PredictedAt: now}})
		}
	}
	estimate := func() {
		x := rng.NormFloat64()
		inf := ai.Inference{Service: "bank", Model: "price/eur", Timestamp: now, Features: []ai.Feature{{Name: "x", Value: ai.Number(x)}}, Prediction: ai.Number(2 * x)}
		e.Consume([]ai.Inference{inf})
		e.ConsumeLabels([]models.Labelled{{Key: inf.Key(), Prediction: inf.Prediction, Label: ai.Number(2*x + rng.NormFloat64()/10), PredictedAt: now}})
	}
	for s := range 12 * 60 {
		for range 5 {
			classify("v1", 0, false)
			estimate()
			if s >= 240 {
				shift := 0.0
				if s >= 480 {
					shift = 10
				}
				classify("v2", shift, s >= 480)
			}
		}
		now = now.Add(time.Second)
		e.Tick(now)
	}
	now = now.Add(10 * time.Second)
	e.Tick(now)
	a := models.Answers{Engine: e, Spool: t.TempDir(), Parquet: func(ctx context.Context, f *os.File, exclude []string) (io.ReadCloser, error) {
		return parquet.Open(ctx, f, exclude)
	}}
	return apimodels.New(apimodels.Options{Models: a, Baselines: a, Comparer: tables{}})
}

// tables compares two tables of its own, whatever is asked. That of real inferences is
// app/comparison's.
type tables struct{}

func (tables) Compare(_ context.Context, q apimodels.Comparison) (any, error) {
	var baseline, current compare.Table
	for i := range 400 {
		x := float64(i * 7919 % 50)
		for t, inf := range map[*compare.Table]ai.Inference{
			&baseline: {Features: []ai.Feature{{Name: "age", Value: ai.Number(x)}, {Name: "old", Value: ai.Bool(true)}, {Name: "zip", Value: ai.Number(1)}}},
			&current:  {Features: []ai.Feature{{Name: "age", Value: ai.Number(x + 20)}, {Name: "new", Value: ai.Bool(true)}, {Name: "zip", Value: ai.String("a")}}},
		} {
			if err := t.Add(inf); err != nil {
				return nil, err
			}
		}
	}
	report, err := compare.Compare(&baseline, &current, q.Presets)
	if err != nil {
		return nil, err
	}
	side := comparison.Side{BaselineID: q.BaselineID, Since: q.Since, Until: q.Until, Kept: 400, Inferences: 450.5, Compared: q.Rows}
	return comparison.Answer{Service: "shop", Model: q.Model, Version: *q.Version, Baseline: side, Current: side, Notices: []string{"one"}, Report: *report}, nil
}

// document reads the description of the API and checks it.
func document(t *testing.T) *openapi3.T {
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	require.NoError(t, err)
	require.NoError(t, doc.Validate(t.Context()))
	doc.Servers = nil
	return doc
}

// TestContract plays requests and compares the answers, which must also obey
// openapi.yaml.
func TestContract(t *testing.T) {
	doc := document(t)
	c := &contract{handler: watched(t), doc: doc, ids: map[string]string{}}
	datadriven.RunTest(t, "testdata/contract", c.play)
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			if strings.Contains(path, "/alerting/") || strings.Contains(path, "/auth/") || strings.Contains(path, "/config/") || slices.Contains([]string{"/ai/v1/notifications", "/ai/v1/inferences", "/ai/v1/inferences/export", "/ai/v1/labels"}, path) {
				continue // Other handlers serve them.
			}
			require.Contains(t, c.asked, method+" "+path, "no request in testdata/contract asks for it")
		}
	}
}

type contract struct {
	handler http.Handler
	doc     *openapi3.T
	ids     map[string]string // Of baselines, by the names that scripts give them.
	asked   []string
	last    []byte
}

// figures of drift are the business of ai/drift's own scripts.
var figures = regexp.MustCompile(`(score|p-value) [-0-9.e]+( of at most [-0-9.e]+)?|[0-9.]+e-[0-9]+`)

var idPattern = regexp.MustCompile(`b-[a-z0-9]{16}`)

// play sends one request: "get PATH", "post PATH [type=...]", "delete PATH". BASELINE1
// in a path stands for the first baseline that an answer named; the body LAST is the
// last answer.
func (c *contract) play(t *testing.T, d *datadriven.TestData) string {
	path, kind := d.CmdArgs[0].Key, ""
	if len(d.CmdArgs[0].Vals) > 0 { // A query has an equals sign.
		path += "=" + d.CmdArgs[0].Vals[0]
	}
	for _, a := range d.CmdArgs[1:] {
		switch a.Key {
		case "type":
			kind = a.Vals[0]
		default:
			path += " " + a.String()
		}
	}
	for name, id := range c.ids {
		path = strings.ReplaceAll(path, name, id)
	}
	var body io.Reader
	if d.Input == "LAST" {
		body = bytes.NewReader(c.last)
	} else if d.Input != "" {
		body = strings.NewReader(d.Input + "\n")
	}
	req := httptest.NewRequest(strings.ToUpper(d.Cmd), path, body)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	rec := httptest.NewRecorder()
	c.handler.ServeHTTP(rec, req)
	c.last = bytes.Clone(rec.Body.Bytes())
	c.obey(t, req, rec)
	if rec.Body.Len() == 0 {
		return fmt.Sprintf("%d", rec.Code)
	}
	text := idPattern.ReplaceAllStringFunc(rec.Body.String(), func(id string) string {
		for name, known := range c.ids {
			if known == id {
				return name
			}
		}
		name := fmt.Sprintf("BASELINE%d", len(c.ids)+1)
		c.ids[name] = id
		return name
	})
	var x any
	require.NoError(t, json.Unmarshal([]byte(text), &x))
	out, err := json.MarshalIndent(prune(x), "", " ")
	require.NoError(t, err)
	return fmt.Sprintf("%d\n%s", rec.Code, out)
}

// obey checks a response against the description.
func (c *contract) obey(t *testing.T, req *http.Request, rec *httptest.ResponseRecorder) {
	t.Helper()
	route, params := c.find(req)
	require.NotNil(t, route, "%s %s is not in openapi.yaml", req.Method, req.URL)
	c.asked = append(c.asked, route.Method+" "+route.Path)
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route},
		Status:                 rec.Code, Header: rec.Header(), Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	in.SetBodyBytes(rec.Body.Bytes())
	require.NoError(t, openapi3filter.ValidateResponse(t.Context(), in), "%s %s", req.Method, req.URL)
}

// find returns the operation that a request is for, nil where there is none.
func (c *contract) find(req *http.Request) (*routers.Route, map[string]string) {
	parts := strings.Split(req.URL.EscapedPath(), "/")
	for path, item := range c.doc.Paths.Map() {
		names := strings.Split(path, "/")
		op := item.GetOperation(req.Method)
		if op == nil || len(names) != len(parts) {
			continue
		}
		params := map[string]string{}
		ok := true
		for i, name := range names {
			if strings.HasPrefix(name, "{") {
				params[strings.Trim(name, "{}")] = parts[i]
			} else if name != parts[i] {
				ok = false
			}
		}
		if ok {
			return &routers.Route{Spec: c.doc, Path: path, PathItem: item, Method: req.Method, Operation: op}, params
		}
	}
	return nil, nil
}

// prune shortens a document for the golden file: two elements of each list, four digits
// of each number.
func prune(x any) any {
	switch x := x.(type) {
	case map[string]any:
		for k, v := range x {
			x[k] = prune(v)
			switch k {
			case "p_value", "adjusted_p_value", "p_value_threshold", "alpha", "statistic", "score", "weight":
				if _, ok := x[k].(json.Number); ok {
					x[k] = "number" // The business of ai/drift's own scripts.
				}
			}
		}
		if len(x) > 30 {
			return fmt.Sprintf("%d members", len(x))
		}
	case []any:
		n := len(x)
		for i := range x {
			x[i] = prune(x[i])
		}
		if n > 2 {
			return append(x[:2:2], fmt.Sprintf("… %d in all", n))
		}
	case float64:
		if x == math.Trunc(x) && math.Abs(x) < 1e9 {
			return x
		}
		return json.Number(fmt.Sprintf("%.4g", x))
	case string:
		text := figures.ReplaceAllString(x, "…")
		if len(text) > 300 {
			text = strings.ToValidUTF8(text[:300], "") + "…"
		}
		return text
	}
	return x
}
