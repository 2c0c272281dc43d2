// Package otlplogs receives log records by OpenTelemetry's protocol over HTTP: POST /v1/logs and /otlp/v1/logs.
//
// It turns records into streams and lines as Loki documents it: some resource attributes become labels of the stream,
// everything else becomes structured metadata. It does not store, and it does not receive metrics or traces.
package otlplogs

import (
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	collectpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/modelwatch/modelwatch/logs"
)

// Appender is where received entries go. Append returns when they are durable. If its error has a method StatusCode, that
// is the HTTP status it stands for: 400 means that some entries were refused for good and the others stored.
type Appender interface {
	Append(ctx context.Context, streams []logs.Stream) error
}

// IndexAttributes are the resource attributes that become labels of the stream unless Options say otherwise.
var IndexAttributes = []string{
	"cloud.availability_zone", "cloud.region", "container.name", "deployment.environment", "deployment.environment.name",
	"k8s.cluster.name", "k8s.container.name", "k8s.cronjob.name", "k8s.daemonset.name", "k8s.deployment.name", "k8s.job.name",
	"k8s.namespace.name", "k8s.pod.name", "k8s.replicaset.name", "k8s.statefulset.name",
	"service.instance.id", "service.name", "service.namespace",
}

// Options configures a Handler.
type Options struct {
	Appender Appender
	// IndexAttributes replaces the package's list.
	IndexAttributes []string
	// MaxBody is the greatest size of a request in bytes after decompression. Default 64 MiB.
	MaxBody int64
	// Naming adds labels to streams; the tenant is that of the header X-Scope-OrgID.
	Naming logs.Naming
	// Logger and Registerer are for the receiver's own log lines and metrics. Default: none.
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Now is the clock, used for records without any time. Default time.Now.
	Now func() time.Time
}

// Handler receives log records.
type Handler struct {
	o       Options
	index   map[string]bool
	entries prometheus.Counter
	bad     prometheus.Counter
}

// New returns a handler.
func New(o Options) (*Handler, error) {
	if o.MaxBody == 0 {
		o.MaxBody = 64 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.IndexAttributes == nil {
		o.IndexAttributes = IndexAttributes
	}
	h := &Handler{
		o: o, index: map[string]bool{},
		entries: prometheus.NewCounter(prometheus.CounterOpts{Name: "modelwatch_receive_otlp_log_records_total", Help: "Log records received by OTLP."}),
		bad:     prometheus.NewCounter(prometheus.CounterOpts{Name: "modelwatch_receive_otlp_log_bad_requests_total", Help: "OTLP log requests that could not be read."}),
	}
	for _, name := range o.IndexAttributes {
		h.index[name] = true
	}
	if o.Registerer != nil {
		for _, c := range []prometheus.Collector{h.entries, h.bad} {
			if err := o.Registerer.Register(c); err != nil {
				return nil, fmt.Errorf("register metrics of OTLP log receiver: %w", err)
			}
		}
	}
	return h, nil
}

var errTooLarge = errors.New("request is too large")

// ServeHTTP answers 200 when the records are durable. Refused records are counted in the answer's partial success.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "send log records by POST", http.StatusMethodNotAllowed)
		return
	}
	req, isJSON, err := h.decode(r)
	if err != nil {
		h.bad.Inc()
		status := http.StatusBadRequest
		if errors.Is(err, errTooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, "log records refused: "+err.Error(), status)
		return
	}
	streams := h.Streams(req, r.Header.Get("X-Scope-OrgID"))
	n := 0
	for i := range streams {
		n += len(streams[i].Entries)
	}
	h.entries.Add(float64(n))
	out := &collectpb.ExportLogsServiceResponse{}
	if err := h.o.Appender.Append(r.Context(), streams); err != nil {
		status := http.StatusServiceUnavailable
		var coded interface{ StatusCode() int }
		if errors.As(err, &coded) {
			status = coded.StatusCode()
		}
		if status != http.StatusBadRequest {
			if status >= 500 && r.Context().Err() == nil {
				h.o.Logger.Error("store OTLP log records", "records", n, "err", err)
			}
			http.Error(w, err.Error(), status)
			return
		}
		rejected := int64(n)
		var counted interface{ Rejected() int }
		if errors.As(err, &counted) {
			rejected = int64(counted.Rejected())
		}
		out.PartialSuccess = &collectpb.ExportLogsPartialSuccess{RejectedLogRecords: rejected, ErrorMessage: err.Error()}
	}
	var body []byte
	if isJSON {
		w.Header().Set("Content-Type", "application/json")
		body, err = protojson.Marshal(out)
	} else {
		w.Header().Set("Content-Type", "application/x-protobuf")
		body, err = proto.Marshal(out)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(body) // The records are stored whether or not the sender still listens.
}

func (h *Handler) decode(r *http.Request) (*collectpb.ExportLogsServiceRequest, bool, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, false, fmt.Errorf("content type %q: %w", r.Header.Get("Content-Type"), err)
	}
	var body io.Reader = r.Body
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip":
		gz, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, false, fmt.Errorf("decompress gzip: %w", err)
		}
		body = gz
	default:
		return nil, false, fmt.Errorf("content encoding %q is not gzip", encoding)
	}
	raw, err := io.ReadAll(io.LimitReader(body, h.o.MaxBody+1))
	if err != nil {
		return nil, false, fmt.Errorf("read request: %w", err)
	}
	if int64(len(raw)) > h.o.MaxBody {
		return nil, false, fmt.Errorf("%w: limit %d bytes", errTooLarge, h.o.MaxBody)
	}
	req := &collectpb.ExportLogsServiceRequest{}
	switch kind {
	case "application/x-protobuf":
		if err := proto.Unmarshal(raw, req); err != nil {
			return nil, false, fmt.Errorf("not an ExportLogsServiceRequest: %w", err)
		}
		return req, false, nil
	case "application/json":
		if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(raw, req); err != nil {
			return nil, true, fmt.Errorf("not an ExportLogsServiceRequest: %w", err)
		}
		fixIDs(req)
		return req, true, nil
	}
	return nil, false, fmt.Errorf("content type %q is neither application/x-protobuf nor application/json", kind)
}

// fixIDs puts right the trace and span numbers of a request in JSON: OTLP writes them in hexadecimal where the protocol
// buffer's JSON has base64. Hexadecimal of 16 or 32 digits is valid base64, so what was decoded is encoded again.
func fixIDs(req *collectpb.ExportLogsServiceRequest) {
	fix := func(b []byte, n int) []byte {
		if id, err := hex.DecodeString(base64.StdEncoding.EncodeToString(b)); err == nil && len(id) == n {
			return id
		}
		return b
	}
	for _, rl := range req.ResourceLogs {
		for _, sl := range rl.ScopeLogs {
			for _, rec := range sl.LogRecords {
				rec.TraceId, rec.SpanId = fix(rec.TraceId, 16), fix(rec.SpanId, 8)
			}
		}
	}
}

// Streams turns a request of a tenant, which may be empty, into streams.
func (h *Handler) Streams(req *collectpb.ExportLogsServiceRequest, tenant string) []logs.Stream {
	var out []logs.Stream
	index := map[string]int{}
	now := h.o.Now().UnixNano()
	for _, rl := range req.ResourceLogs {
		stream, shared := map[string]string{}, map[string]string{}
		for _, kv := range rl.GetResource().GetAttributes() {
			if h.index[kv.Key] {
				if v := plain(kv.Value); v != "" {
					stream[name(kv.Key)] = v
				}
				continue
			}
			flatten(shared, name(kv.Key), kv.Value)
		}
		if len(stream) == 0 {
			stream[logs.ServiceName] = logs.UnknownService
		}
		ls := h.o.Naming.Labels(labels.FromMap(stream), tenant)
		key := ls.String()
		i, ok := index[key]
		if !ok {
			i = len(out)
			index[key] = i
			out = append(out, logs.Stream{Labels: ls})
		}
		for _, sl := range rl.ScopeLogs {
			scope := map[string]string{}
			if s := sl.GetScope(); s != nil {
				set(scope, "scope_name", s.Name)
				set(scope, "scope_version", s.Version)
				for _, kv := range s.Attributes {
					flatten(scope, name(kv.Key), kv.Value)
				}
			}
			for _, rec := range sl.LogRecords {
				out[i].Entries = append(out[i].Entries, entry(rec, now, shared, scope))
			}
		}
	}
	return out
}

func entry(rec *logspb.LogRecord, now int64, sets ...map[string]string) logs.Entry {
	e := logs.Entry{Timestamp: int64(rec.TimeUnixNano), Line: plain(rec.Body)}
	meta := map[string]string{}
	for _, s := range sets {
		maps.Copy(meta, s)
	}
	if e.Timestamp == 0 {
		e.Timestamp = int64(rec.ObservedTimeUnixNano)
	}
	if e.Timestamp == 0 {
		e.Timestamp = now
	}
	for _, kv := range rec.Attributes {
		flatten(meta, name(kv.Key), kv.Value)
	}
	if rec.ObservedTimeUnixNano != 0 {
		meta["observed_timestamp"] = strconv.FormatUint(rec.ObservedTimeUnixNano, 10)
	}
	if rec.SeverityNumber != 0 {
		meta["severity_number"] = strconv.Itoa(int(rec.SeverityNumber))
	}
	set(meta, "severity_text", rec.SeverityText)
	if rec.DroppedAttributesCount != 0 {
		meta["dropped_attributes_count"] = strconv.FormatUint(uint64(rec.DroppedAttributesCount), 10)
	}
	if rec.Flags != 0 {
		meta["flags"] = strconv.FormatUint(uint64(rec.Flags), 10)
	}
	if len(rec.TraceId) == 16 && slices.Max(rec.TraceId) > 0 {
		meta["trace_id"] = hex.EncodeToString(rec.TraceId)
	}
	if len(rec.SpanId) == 8 && slices.Max(rec.SpanId) > 0 {
		meta["span_id"] = hex.EncodeToString(rec.SpanId)
	}
	e.Metadata = labels.FromMap(meta)
	return e
}

func set(m map[string]string, key, value string) {
	if value != "" {
		m[key] = value
	}
}

// name makes a label name of an attribute's: what is no letter, digit or underscore becomes an underscore.
func name(key string) string {
	out := strings.Map(func(r rune) rune {
		if r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, key)
	if out == "" || out[0] >= '0' && out[0] <= '9' {
		return "_" + out
	}
	return out
}

// flatten sets an attribute; the members of a map become attributes of their own.
func flatten(m map[string]string, key string, v *commonpb.AnyValue) {
	if kvs := v.GetKvlistValue(); kvs != nil {
		for _, kv := range kvs.Values {
			flatten(m, key+"_"+strings.TrimPrefix(name(kv.Key), "_"), kv.Value)
		}
		return
	}
	set(m, key, plain(v))
}

// plain is a value as text: text as it is, lists and maps as JSON.
func plain(v *commonpb.AnyValue) string {
	switch x := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return x.StringValue
	case *commonpb.AnyValue_BoolValue:
		return strconv.FormatBool(x.BoolValue)
	case *commonpb.AnyValue_IntValue:
		return strconv.FormatInt(x.IntValue, 10)
	case *commonpb.AnyValue_DoubleValue:
		return strconv.FormatFloat(x.DoubleValue, 'f', -1, 64)
	case *commonpb.AnyValue_BytesValue:
		return base64.StdEncoding.EncodeToString(x.BytesValue)
	case *commonpb.AnyValue_ArrayValue, *commonpb.AnyValue_KvlistValue:
		return asJSON(v)
	}
	return ""
}
