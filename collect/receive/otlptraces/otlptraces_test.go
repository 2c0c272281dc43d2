package otlptraces

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	collectpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/modelwatch/modelwatch/collect/receive/inferences"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type sink struct {
	batches []inferences.Batch
	err     error
}

func (s *sink) Append(_ context.Context, b inferences.Batch) (bool, error) {
	if s.err != nil {
		return false, s.err
	}
	s.batches = append(s.batches, b)
	return false, nil
}

// spans is a request as an OpenTelemetry SDK writes it in JSON: a chat that
// succeeded, one that failed, an agent, a tool, a database call, and a chat from
// the far future.
const spans = `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"assistant"}},
{"key":"deployment.environment.name","value":{"stringValue":"prod"}}]},"scopeSpans":[{"scope":{"name":"openai"},"spans":[
{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"chat gpt-4o","kind":3,
 "startTimeUnixNano":"1772366399000000000","endTimeUnixNano":"1772366400500000000","attributes":[
 {"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.provider.name","value":{"stringValue":"openai"}},
 {"key":"gen_ai.request.model","value":{"stringValue":"gpt-4o"}},{"key":"gen_ai.response.model","value":{"stringValue":"gpt-4o-2024-08-06"}},
 {"key":"gen_ai.request.temperature","value":{"doubleValue":0.5}},{"key":"gen_ai.request.max_tokens","value":{"intValue":"200"}},
 {"key":"gen_ai.request.seed","value":{"intValue":"7"}},{"key":"gen_ai.request.stop_sequences","value":{"arrayValue":{"values":[{"stringValue":"x"}]}}},
 {"key":"gen_ai.usage.input_tokens","value":{"intValue":"97"}},{"key":"gen_ai.usage.output_tokens","value":{"doubleValue":52}},
 {"key":"gen_ai.response.finish_reasons","value":{"arrayValue":{"values":[{"stringValue":"stop"}]}}},
 {"key":"gen_ai.response.time_to_first_chunk","value":{"doubleValue":0.25}},{"key":"server.address","value":{"stringValue":"api.openai.com"}}],"status":{}},
{"traceId":"5b8efff798038103d269b633813fc60d","spanId":"eee19b7ec3c1b175","name":"chat","startTimeUnixNano":"1772366399000000000","endTimeUnixNano":"1772366400000000000",
 "attributes":[{"key":"gen_ai.system","value":{"stringValue":"openai"}},{"key":"gen_ai.request.model","value":{"stringValue":"gpt-4o"}},
 {"key":"error.type","value":{"stringValue":"timeout"}},{"key":"http.response.status_code","value":{"intValue":"504"}}],"status":{"code":2,"message":"deadline exceeded"}},
{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b176","name":"invoke_agent","startTimeUnixNano":"1","endTimeUnixNano":"1772366400000000000",
 "attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"invoke_agent"}},{"key":"gen_ai.request.model","value":{"stringValue":"gpt-4o"}}]},
{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b177","name":"SELECT","attributes":[{"key":"db.system","value":{"stringValue":"postgresql"}}]},
{"traceId":"5b8efff798038103d269b633813fc60e","spanId":"eee19b7ec3c1b178","name":"chat later","endTimeUnixNano":"1900000000000000000",
 "attributes":[{"key":"gen_ai.response.model","value":{"stringValue":"m"}}]}
]}]}]}`

func handler(t *testing.T, s *sink) *Handler {
	t.Helper()
	h, err := New(Options{
		Sink: s, Registerer: prometheus.NewPedanticRegistry(), MaxBody: 64 << 10,
		Now: func() time.Time { return time.Unix(1772366410, 0) },
	})
	require.NoError(t, err)
	return h
}

func post(h http.Handler, contentType, encoding string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/v1/traces", bytes.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Content-Encoding", encoding)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestSpansBecomeInferences(t *testing.T) {
	s := &sink{}
	h := handler(t, s)
	w := post(h, "application/json", "", []byte(spans))
	require.Equal(t, 200, w.Code, w.Body.String())
	require.JSONEq(t, `{"partialSuccess":{"rejectedSpans":"1","errorMessage":"span \"chat later\": end_time: 2030-03-17T17:46:40Z is more than 10m0s in the future"}}`, w.Body.String())
	require.Len(t, s.batches, 1)
	records := s.batches[0].Records
	got, err := json.Marshal(records)
	require.NoError(t, err)
	require.JSONEq(t, `[
{"Service":"assistant","Model":"gpt-4o","ModelVersion":"gpt-4o-2024-08-06","Endpoint":"chat","Timestamp":"2026-03-01T12:00:00.5Z",
 "RequestID":"5b8efff798038103d269b633813fc60c-eee19b7ec3c1b174","DurationSeconds":1.5,"StatusCode":0,"Error":"",
 "Features":[{"name":"max_tokens","value":200},{"name":"temperature","value":0.5}],"Prediction":"stop","Probabilities":null,
 "Tokens":{"input":97,"output":52},"TimeToFirstTokenSeconds":0.25,"Tags":{"provider":"openai","server_address":"api.openai.com","environment":"prod"}},
{"Service":"assistant","Model":"gpt-4o","ModelVersion":"","Endpoint":"","Timestamp":"2026-03-01T12:00:00Z",
 "RequestID":"5b8efff798038103d269b633813fc60d-eee19b7ec3c1b175","DurationSeconds":1,"StatusCode":504,"Error":"timeout","Features":null,
 "Prediction":null,"Probabilities":null,"Tokens":{"input":0,"output":0},"TimeToFirstTokenSeconds":0,"Tags":{"provider":"openai","environment":"prod"}}]`, string(got))
	require.InDelta(t, 2, testutil.ToFloat64(h.accepted), 0)
	require.InDelta(t, 2, testutil.ToFloat64(h.ignored), 0)
	require.InDelta(t, 1, testutil.ToFloat64(h.rejected), 0)

	// The same in protocol buffers, compressed, has the same records.
	req := &collectpb.ExportTraceServiceRequest{}
	require.NoError(t, parse([]byte(spans), true, req))
	raw, err := proto.Marshal(req)
	require.NoError(t, err)
	var gz bytes.Buffer
	g := gzip.NewWriter(&gz)
	_, _ = g.Write(raw)
	require.NoError(t, g.Close())
	for range 2 {
		w = post(h, "application/x-protobuf", "gzip", gz.Bytes())
		require.Equal(t, 200, w.Code, w.Body.String())
		answer := &collectpb.ExportTraceServiceResponse{}
		require.NoError(t, proto.Unmarshal(w.Body.Bytes(), answer))
		require.Equal(t, int64(1), answer.GetPartialSuccess().GetRejectedSpans())
	}
	again, err := json.Marshal(s.batches[1].Records)
	require.NoError(t, err)
	require.JSONEq(t, string(got), string(again))
	require.Equal(t, s.batches[1].ID, s.batches[2].ID, "a repeated request is known by its content")
	require.NotEqual(t, s.batches[0].ID, s.batches[1].ID)
}

func TestNothingToStore(t *testing.T) {
	s := &sink{err: errors.New("must not be asked")}
	w := post(handler(t, s), "application/json", "", []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"GET /"}]}]}]}`))
	require.Equal(t, 200, w.Code)
	answer := &collectpb.ExportTraceServiceResponse{}
	require.NoError(t, protojson.Unmarshal(w.Body.Bytes(), answer))
	require.Nil(t, answer.PartialSuccess)
}

type refusal struct{ error }

func (refusal) StatusCode() int           { return 429 }
func (refusal) RetryAfter() time.Duration { return time.Second }

func TestRefusals(t *testing.T) {
	h := handler(t, &sink{})
	for _, c := range []struct {
		kind, encoding, body string
		status               int
		want                 string
	}{
		{"application/json", "", "{", 400, "not an ExportTraceServiceRequest"},
		{"application/x-protobuf", "", "\xff", 400, "not an ExportTraceServiceRequest"},
		{"application/x-protobuf", "gzip", "x", 400, "decompress gzip"},
		{"application/x-protobuf", "br", "x", 415, `content encoding "br"`},
		{"text/plain", "", "x", 415, "neither application/x-protobuf nor application/json"},
		{"application/json", "", strings.Repeat(" ", 65<<10), 413, "65536 bytes"},
	} {
		w := post(h, c.kind, c.encoding, []byte(c.body))
		require.Equal(t, c.status, w.Code, c.want)
		require.Contains(t, w.Body.String(), c.want)
	}
	w := post(handler(t, &sink{err: refusal{errors.New("overloaded")}}), "application/json", "", []byte(spans))
	require.Equal(t, 429, w.Code)
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/traces", nil))
	require.Equal(t, 405, w.Code)
}

func FuzzSpans(f *testing.F) {
	req := &collectpb.ExportTraceServiceRequest{}
	if err := parse([]byte(spans), true, req); err != nil {
		f.Fatal(err)
	}
	raw, err := proto.Marshal(req)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw, false)
	f.Add([]byte(spans), true)
	h, err := New(Options{Sink: &sink{}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte, isJSON bool) {
		req := &collectpb.ExportTraceServiceRequest{}
		if parse(raw, isJSON, req) != nil {
			return
		}
		records, _, _ := h.Inferences(t.Context(), req)
		for i := range records {
			if err := records[i].Validate(); err != nil {
				t.Fatalf("record %d got through: %v", i, err)
			}
		}
	})
}
