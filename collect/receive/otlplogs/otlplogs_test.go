package otlplogs

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	collectpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/modelwatch/modelwatch/logs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type kept struct {
	streams []logs.Stream
	err     error
}

func (k *kept) Append(_ context.Context, streams []logs.Stream) error {
	k.streams = append(k.streams, streams...)
	return k.err
}

// example is a request in OTLP's own JSON, with numbers in hexadecimal.
const example = `{"resourceLogs":[{"resource":{"attributes":[
	{"key":"service.name","value":{"stringValue":"chat"}},
	{"key":"service.instance.id","value":{"intValue":"7"}},
	{"key":"host.name","value":{"stringValue":"node1"}}]},
 "scopeLogs":[{"scope":{"name":"lib","version":"1.2","attributes":[{"key":"a.b","value":{"boolValue":true}}]},
  "logRecords":[
   {"timeUnixNano":"1000","observedTimeUnixNano":"1001","severityNumber":17,"severityText":"ERROR","body":{"stringValue":"boom"},
    "attributes":[{"key":"http.status","value":{"intValue":"500"}},{"key":"nest","value":{"kvlistValue":{"values":[{"key":"x.y","value":{"doubleValue":1.5}}]}}}],
    "traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","flags":1},
   {"observedTimeUnixNano":"2000","body":{"kvlistValue":{"values":[{"key":"k","value":{"arrayValue":{"values":[{"intValue":"1"},{"stringValue":"é\""}]}}}]}}},
   {"body":{"stringValue":"no time"}}]}]},
 {"resource":{},"scopeLogs":[{"logRecords":[{"timeUnixNano":"5","body":{"stringValue":"nobody"}}]}]}]}`

const wanted = `{service_instance_id="7", service_name="chat"} 1000 "boom" {a_b="true", flags="1", host_name="node1", http_status="500", nest_x_y="1.5", observed_timestamp="1001", scope_name="lib", scope_version="1.2", severity_number="17", severity_text="ERROR", span_id="eee19b7ec3c1b174", trace_id="5b8efff798038103d269b633813fc60c"}
{service_instance_id="7", service_name="chat"} 2000 "{\"k\":[1,\"é\\\"\"]}" {a_b="true", host_name="node1", observed_timestamp="2000", scope_name="lib", scope_version="1.2"}
{service_instance_id="7", service_name="chat"} 9000000000 "no time" {a_b="true", host_name="node1", scope_name="lib", scope_version="1.2"}
{service_name="unknown_service"} 5 "nobody" {}
`

func send(t *testing.T, k *kept, body []byte, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	h, err := New(Options{Appender: k, MaxBody: 1 << 16, Naming: logs.Naming{TenantLabel: "tenant"}, Now: func() time.Time { return time.Unix(9, 0) }})
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodPost, "/v1/logs", bytes.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func (k *kept) String() string {
	var b strings.Builder
	for _, st := range k.streams {
		for _, e := range st.Entries {
			fmt.Fprintf(&b, "%s %d %q %s\n", st.Labels, e.Timestamp, e.Line, e.Metadata)
		}
	}
	return b.String()
}

func TestReceive(t *testing.T) {
	req := &collectpb.ExportLogsServiceRequest{}
	require.NoError(t, protojson.Unmarshal([]byte(example), req))
	fixIDs(req)
	binary, err := proto.Marshal(req)
	require.NoError(t, err)
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	_, err = w.Write(binary)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	for name, c := range map[string]struct {
		body    []byte
		headers []string
	}{
		"json":          {[]byte(example), []string{"Content-Type", "application/json"}},
		"protobuf":      {binary, []string{"Content-Type", "application/x-protobuf"}},
		"protobuf gzip": {gz.Bytes(), []string{"Content-Type", "application/x-protobuf", "Content-Encoding", "gzip"}},
	} {
		t.Run(name, func(t *testing.T) {
			k := &kept{}
			w := send(t, k, c.body, c.headers...)
			require.Equal(t, http.StatusOK, w.Code, w.Body)
			require.Equal(t, c.headers[1], w.Header().Get("Content-Type"))
			require.Equal(t, wanted, k.String())
		})
	}
	k := &kept{}
	send(t, k, []byte(example), "Content-Type", "application/json", "X-Scope-OrgID", "team-a")
	require.Contains(t, k.String(), `{service_name="unknown_service", tenant="team-a"} 5`)
}

type refused struct{ error }

func (refused) StatusCode() int { return http.StatusBadRequest }
func (refused) Rejected() int   { return 2 }

func TestErrors(t *testing.T) {
	w := send(t, &kept{err: refused{errors.New("too old")}}, []byte(example), "Content-Type", "application/json")
	require.Equal(t, http.StatusOK, w.Code)
	require.JSONEq(t, `{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"too old"}}`, w.Body.String())
	w = send(t, &kept{err: errors.New("disk")}, []byte(example), "Content-Type", "application/json")
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	for body, headers := range map[string][]string{
		"{":  {"Content-Type", "application/json"},
		"x":  {"Content-Type", "application/x-protobuf"},
		"y":  {"Content-Type", "text/plain"},
		"z":  {"Content-Type", "application/json", "Content-Encoding", "gzip"},
		"zz": {"Content-Type", "application/json", "Content-Encoding", "br"},
	} {
		w = send(t, &kept{}, []byte(body), headers...)
		require.Equal(t, http.StatusBadRequest, w.Code, body)
		require.Contains(t, w.Body.String(), "log records refused: ")
	}
	w = send(t, &kept{}, bytes.Repeat([]byte(" "), 1<<17), "Content-Type", "application/json")
	require.Equal(t, http.StatusRequestEntityTooLarge, w.Code)
}

func FuzzStreams(f *testing.F) {
	f.Add([]byte(example), true)
	f.Fuzz(func(t *testing.T, body []byte, isJSON bool) {
		h, err := New(Options{})
		require.NoError(t, err)
		kind := "application/x-protobuf"
		if isJSON {
			kind = "application/json"
		}
		r := httptest.NewRequest(http.MethodPost, "/v1/logs", bytes.NewReader(body))
		r.Header.Set("Content-Type", kind)
		req, _, err := h.decode(r)
		if err != nil {
			return
		}
		for _, st := range h.Streams(req, "") {
			require.False(t, st.Labels.IsEmpty())
		}
	})
}
