package loki

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

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/modelwatch/modelwatch/logs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kept is an appender that keeps what it is given.
type kept struct {
	streams []logs.Stream
	err     error
}

func (k *kept) Append(_ context.Context, streams []logs.Stream) error {
	k.streams = append(k.streams, streams...)
	return k.err
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

func send(t *testing.T, o Options, body []byte, headers ...string) (*kept, int, string) {
	t.Helper()
	k := &kept{}
	if o.Appender == nil {
		o.Appender = k
	}
	h, err := New(o)
	require.NoError(t, err)
	t.Cleanup(h.Close)
	r := httptest.NewRequest(http.MethodPost, "/loki/api/v1/push", bytes.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return k, w.Code, w.Body.String()
}

const example = `{"streams":[{"stream":{"job":"ai","empty":""},"values":[["1","one"],["2","two \u00e9 \"q\"",{"trace_id":"t1","x":""}]]},{"stream":{"job":"web"},"values":[]}]}`

const wanted = "{job=\"ai\"} 1 \"one\" {}\n{job=\"ai\"} 2 \"two é \\\"q\\\"\" {trace_id=\"t1\"}\n"

func TestEncodings(t *testing.T) {
	gz := func(b []byte) []byte {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		_, err := w.Write(b)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return out.Bytes()
	}
	zs, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	proto := EncodeProtobuf([]logs.Stream{{Labels: labels.FromStrings("job", "ai"), Entries: []logs.Entry{
		{Timestamp: 1, Line: "one"}, {Timestamp: 2, Line: "two é \"q\"", Metadata: labels.FromStrings("trace_id", "t1")},
	}}})
	for name, c := range map[string]struct {
		body    []byte
		headers []string
	}{
		"json":            {[]byte(example), []string{"Content-Type", "application/json"}},
		"json charset":    {[]byte(example), []string{"Content-Type", "application/json; charset=utf-8"}},
		"json gzip":       {gz([]byte(example)), []string{"Content-Type", "application/json", "Content-Encoding", "gzip"}},
		"json snappy":     {snappy.Encode(nil, []byte(example)), []string{"Content-Type", "application/json", "Content-Encoding", "snappy"}},
		"json zstd":       {zs.EncodeAll([]byte(example), nil), []string{"Content-Type", "application/json", "Content-Encoding", "zstd"}},
		"protobuf":        {snappy.Encode(nil, proto), []string{"Content-Type", "application/x-protobuf"}},
		"protobuf, said":  {snappy.Encode(nil, proto), []string{"Content-Type", "application/x-protobuf", "Content-Encoding", "snappy"}},
		"no content type": {snappy.Encode(nil, proto), nil},
		"protobuf gzip":   {gz(proto), []string{"Content-Type", "application/x-protobuf", "Content-Encoding", "gzip"}},
	} {
		t.Run(name, func(t *testing.T) {
			k, status, text := send(t, Options{}, c.body, c.headers...)
			require.Equal(t, http.StatusNoContent, status, text)
			require.Equal(t, wanted, k.String())
		})
	}
}

func TestOlderJSON(t *testing.T) {
	k, status, text := send(t, Options{}, []byte(`{"streams":[{"labels":"{job=\"ai\"}","entries":[{"ts":"1970-01-01T00:00:01.5Z","line":"x"}]}]}`), "Content-Type", "application/json")
	require.Equal(t, http.StatusNoContent, status, text)
	require.Equal(t, "{job=\"ai\"} 1500000000 \"x\" {}\n", k.String())
}

// TestPlace checks that an error names the place of the mistake.
func TestPlace(t *testing.T) {
	for body, want := range map[string]string{
		``:                            `expected a JSON object with "streams", found no JSON value`,
		`[]`:                          `expected a JSON object with "streams", found an array`,
		`{}`:                          `no "streams" in the request`,
		`{"streams":1}`:               `"streams": expected an array, found a number`,
		`{"streams":[1]}`:             `stream 1: expected an object, found a number`,
		`{"streams":[{"values":[]}]}`: `stream 1: neither "stream" nor "labels" says which stream it is`,
		`{"streams":[{"stream":{"a":1},"values":[]}]}`:                                      `stream 1: "stream": the value of "a" must be a string, found a number`,
		`{"streams":[{"stream":{"a":"b"},"values":[["1","x"],[2,"x"]]}]}`:                   `stream 1: value 2: the timestamp must be a string of nanoseconds like "1795345200000000000", found a number`,
		`{"streams":[{"stream":{"a":"b"},"values":[["1.5","x"]]}]}`:                         `stream 1: value 1: timestamp "1.5" is not a whole number of nanoseconds`,
		`{"streams":[{"stream":{"a":"b"},"values":[["1"]]}]}`:                               `stream 1: value 1: a timestamp and a line are needed`,
		`{"streams":[{"stream":{"a":"b"},"values":[["1",7]]}]}`:                             `stream 1: value 1: the line must be a string, found a number`,
		`{"streams":[{"stream":{"a":"b"},"values":[["1","x",{"k":1}]]}]}`:                   `stream 1: value 1: structured metadata: the value of "k" must be a string, found a number`,
		`{"streams":[{"stream":{"a":"b"},"values":[]},{"labels":"{a=\"b\"","entries":[]}]}`: `stream 2: labels {a="b": expected "," or "}" at byte 7`,
		`{"streams":[{"labels":"{1a=\"b\"}","entries":[]}]}`:                                `stream 1: labels {1a="b"}: expected a label name at byte 2`,
		`{"streams":[{"labels":"{a=\"b\",a=\"c\"}","entries":[]}]}`:                         `label "a" is there twice`,
		`{"streams":[{"stream":{"a":"b"},"entries":[{"ts":"yesterday","line":"x"}]}]}`:      `stream 1: entry 1: timestamp "yesterday" is not RFC 3339`,
		`{"streams":[{"stream":{"a":"b"},"values":[["1","x"]`:                               `stream 1`,
	} {
		_, status, text := send(t, Options{}, []byte(body), "Content-Type", "application/json")
		require.Equal(t, http.StatusBadRequest, status, body)
		require.Contains(t, text, want, body)
	}
	_, status, text := send(t, Options{}, snappy.Encode(nil, []byte{0x0a, 0x03, 0x12, 0x05, 0x01}))
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, text, "stream 1: not a valid protocol buffer")
	_, status, text = send(t, Options{}, []byte("not snappy"))
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, text, "decompress Snappy")
	_, status, text = send(t, Options{}, nil, "Content-Type", "text/plain")
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, text, `content type "text/plain" is neither`)
	_, status, text = send(t, Options{}, nil, "Content-Type", "application/json", "Content-Encoding", "br")
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, text, `content encoding "br" is none of`)
}

func TestTooLarge(t *testing.T) {
	body := []byte(`{"streams":[{"stream":{"a":"b"},"values":[["1","` + strings.Repeat("x", 4096) + `"]]}]}`)
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	_, err := w.Write(body)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	for name, c := range map[string][]string{
		"plain":  {string(body), ""},
		"gzip":   {gz.String(), "gzip"},
		"snappy": {string(snappy.Encode(nil, body)), "snappy"},
	} {
		_, status, text := send(t, Options{MaxBody: 1024}, []byte(c[0]), "Content-Type", "application/json", "Content-Encoding", c[1])
		require.Equal(t, http.StatusRequestEntityTooLarge, status, "%s: %s", name, text)
	}
}

type coded struct{ error }

func (coded) StatusCode() int { return http.StatusTooManyRequests }

func TestStoreErrors(t *testing.T) {
	for err, want := range map[error]int{errors.New("disk"): 500, coded{errors.New("slow down")}: 429} {
		_, status, text := send(t, Options{Appender: &kept{err: err}}, []byte(example), "Content-Type", "application/json")
		require.Equal(t, want, status)
		require.Contains(t, text, err.Error())
	}
}

func TestAddedLabels(t *testing.T) {
	o := Options{Naming: logs.Naming{TenantLabel: "tenant", ServiceName: logs.ServiceNameLabels}}
	k, _, _ := send(t, o, []byte(`{"streams":[{"stream":{"job":"ai"},"values":[["1","x"]]},{"stream":{"z":"1"},"values":[["1","y"]]},{"stream":{"service_name":"s","app":"a"},"values":[["1","z"]]}]}`),
		"Content-Type", "application/json", "X-Scope-OrgID", "team-a")
	require.Equal(t, `{job="ai", service_name="ai", tenant="team-a"} 1 "x" {}
{service_name="unknown_service", tenant="team-a", z="1"} 1 "y" {}
{app="a", service_name="s", tenant="team-a"} 1 "z" {}
`, k.String())
}

func TestMethod(t *testing.T) {
	h, err := New(Options{Appender: &kept{}})
	require.NoError(t, err)
	defer h.Close()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/loki/api/v1/push", nil))
	require.Equal(t, http.StatusMethodNotAllowed, w.Code)
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(example), true)
	f.Add(EncodeProtobuf([]logs.Stream{{Labels: labels.FromStrings("a", "b"), Entries: []logs.Entry{{Timestamp: -1, Line: "x", Metadata: labels.FromStrings("c", "d")}}}}), false)
	f.Fuzz(func(t *testing.T, body []byte, isJSON bool) {
		var p parsed
		if isJSON {
			_, _ = p.decodeJSON(body)
			return
		}
		streams, err := p.decodeProtobuf(body)
		if err != nil {
			return
		}
		again, err := p.decodeProtobuf(EncodeProtobuf(streams))
		require.NoError(t, err)
		require.Equal(t, (&kept{streams: streams}).String(), (&kept{streams: again}).String(), "what was decoded survives encoding")
	})
}

func FuzzParseLabels(f *testing.F) {
	f.Add(`{a="b", c="d\"\\"}`)
	f.Fuzz(func(t *testing.T, s string) {
		ls, err := ParseLabels(s)
		if err != nil {
			return
		}
		again, err := ParseLabels(ls.String())
		require.NoError(t, err)
		require.True(t, labels.Equal(ls, again))
	})
}

func BenchmarkDecode(b *testing.B) {
	st := logs.Stream{Labels: labels.FromStrings("job", "ai")}
	for i := range 5000 {
		st.Entries = append(st.Entries, logs.Entry{Timestamp: int64(i), Line: strings.Repeat("x", 150)})
	}
	proto := EncodeProtobuf([]logs.Stream{st})
	var js bytes.Buffer
	js.WriteString(`{"streams":[{"stream":{"job":"ai"},"values":[`)
	for i, e := range st.Entries {
		if i > 0 {
			js.WriteByte(',')
		}
		fmt.Fprintf(&js, `["%d",%q]`, e.Timestamp, e.Line)
	}
	js.WriteString(`]}]}`)
	var p parsed
	b.Run("protobuf", func(b *testing.B) {
		b.SetBytes(150 * 5000)
		for b.Loop() {
			if _, err := p.decodeProtobuf(proto); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("json", func(b *testing.B) {
		b.SetBytes(150 * 5000)
		for b.Loop() {
			if _, err := p.decodeJSON(js.Bytes()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
