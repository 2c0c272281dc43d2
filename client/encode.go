package client

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// encoder writes records as NDJSON. It is used by one goroutine at a time.
type encoder struct {
	buf   []byte
	keys  []string // scratch for sorted keys
	nulls uint64   // values that JSON cannot hold, written as null
}

func (e *encoder) inference(inf *Inference) {
	e.buf = append(e.buf, '{')
	e.field("model")
	e.string(inf.Model)
	e.stringField("service", inf.Service)
	e.stringField("model_version", inf.ModelVersion)
	e.stringField("endpoint", inf.Endpoint)
	e.timeField("timestamp", inf.Timestamp)
	e.stringField("request_id", inf.RequestID)
	if inf.Duration != 0 {
		e.field("duration_seconds")
		e.float(inf.Duration.Seconds(), 64)
	}
	if inf.StatusCode != 0 {
		e.field("status_code")
		e.buf = strconv.AppendInt(e.buf, int64(inf.StatusCode), 10)
	}
	e.stringField("error", inf.Error)
	if inf.Features != nil {
		e.field("features")
		appendMap(e, inf.Features, e.value)
	}
	if inf.Prediction != nil {
		e.field("prediction")
		e.value(inf.Prediction)
	}
	if inf.Probabilities != nil {
		e.field("probabilities")
		appendMap(e, inf.Probabilities, func(p float64) { e.float(p, 64) })
	}
	if inf.Tokens != (Tokens{}) {
		e.field("tokens")
		e.buf = append(e.buf, `{"input":`...)
		e.buf = strconv.AppendInt(e.buf, int64(inf.Tokens.Input), 10)
		e.buf = append(e.buf, `,"output":`...)
		e.buf = strconv.AppendInt(e.buf, int64(inf.Tokens.Output), 10)
		e.buf = append(e.buf, '}')
	}
	if inf.TimeToFirstToken != 0 {
		e.field("time_to_first_token_seconds")
		e.float(inf.TimeToFirstToken.Seconds(), 64)
	}
	if inf.Tags != nil {
		e.field("tags")
		appendMap(e, inf.Tags, e.string)
	}
	e.buf = append(e.buf, '}', '\n')
}

func (e *encoder) label(l *Label) {
	e.buf = append(e.buf, '{')
	e.field("request_id")
	e.string(l.RequestID)
	e.field("label")
	e.value(l.Label)
	e.timeField("timestamp", l.Timestamp)
	e.buf = append(e.buf, '}', '\n')
}

// field opens the next field of the object being written. Its name is one of
// ours and needs no escaping.
func (e *encoder) field(name string) {
	if e.buf[len(e.buf)-1] != '{' {
		e.buf = append(e.buf, ',')
	}
	e.buf = append(e.buf, '"')
	e.buf = append(e.buf, name...)
	e.buf = append(e.buf, '"', ':')
}

func (e *encoder) stringField(name, value string) {
	if value != "" {
		e.field(name)
		e.string(value)
	}
}

func (e *encoder) timeField(name string, t time.Time) {
	if t.IsZero() {
		return
	}
	// Outside these years RFC 3339 has no form; the server then takes the time
	// of arrival.
	t = t.UTC()
	if t.Year() < 0 || t.Year() > 9999 {
		return
	}
	e.field(name)
	e.buf = append(e.buf, '"')
	e.buf = t.AppendFormat(e.buf, time.RFC3339Nano)
	e.buf = append(e.buf, '"')
}

// appendMap writes an object with its keys in order: records alike then look
// alike, which halves what gzip makes of them.
func appendMap[V any](e *encoder, m map[string]V, value func(V)) {
	// Nested maps share the scratch, each above its parent's part.
	base := len(e.keys)
	for key := range m {
		e.keys = append(e.keys, key)
	}
	end := len(e.keys)
	slices.Sort(e.keys[base:end])
	e.buf = append(e.buf, '{')
	for i := base; i < end; i++ {
		if i > base {
			e.buf = append(e.buf, ',')
		}
		key := e.keys[i]
		e.string(key)
		e.buf = append(e.buf, ':')
		value(m[key])
	}
	e.buf = append(e.buf, '}')
	clear(e.keys[base:end])
	e.keys = e.keys[:base]
}

func appendList[V any](e *encoder, list []V, value func(V)) {
	e.buf = append(e.buf, '[')
	for i, v := range list {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		value(v)
	}
	e.buf = append(e.buf, ']')
}

func (e *encoder) int(v int64)   { e.buf = strconv.AppendInt(e.buf, v, 10) }
func (e *encoder) uint(v uint64) { e.buf = strconv.AppendUint(e.buf, v, 10) }

func (e *encoder) value(value any) {
	switch v := value.(type) {
	case nil:
		e.buf = append(e.buf, "null"...)
	case float64:
		e.float(v, 64)
	case string:
		e.string(v)
	case bool:
		e.buf = strconv.AppendBool(e.buf, v)
	case int:
		e.int(int64(v))
	case float32:
		e.float(float64(v), 32)
	case int8:
		e.int(int64(v))
	case int16:
		e.int(int64(v))
	case int32:
		e.int(int64(v))
	case int64:
		e.int(v)
	case uint:
		e.uint(uint64(v))
	case uint8:
		e.uint(uint64(v))
	case uint16:
		e.uint(uint64(v))
	case uint32:
		e.uint(uint64(v))
	case uint64:
		e.uint(v)
	case []float64:
		appendList(e, v, func(x float64) { e.float(x, 64) })
	case []float32:
		appendList(e, v, func(x float32) { e.float(float64(x), 32) })
	case []int:
		appendList(e, v, func(x int) { e.int(int64(x)) })
	case []int64:
		appendList(e, v, e.int)
	case []string:
		appendList(e, v, e.string)
	case []any:
		appendList(e, v, e.value)
	case map[string]any:
		appendMap(e, v, e.value)
	case map[string]float64:
		appendMap(e, v, func(x float64) { e.float(x, 64) })
	default:
		e.other(v)
	}
}

// other writes a value of a type of the caller's own. Its methods are not
// ours: whatever they do, the record goes on without that value.
func (e *encoder) other(value any) {
	text, err := func() (text []byte, err error) {
		defer func() {
			if p := recover(); p != nil {
				err = errNoJSON
			}
		}()
		return json.Marshal(value)
	}()
	if err != nil {
		e.null()
		return
	}
	e.buf = append(e.buf, text...)
}

func (e *encoder) null() {
	e.nulls++
	e.buf = append(e.buf, "null"...)
}

func (e *encoder) float(v float64, bits int) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		e.null()
		return
	}
	e.buf = strconv.AppendFloat(e.buf, v, 'g', -1, bits)
}

const hexDigits = "0123456789abcdef"

// string writes a JSON string; what is not UTF-8 becomes U+FFFD.
func (e *encoder) string(s string) {
	e.buf = append(e.buf, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				e.buf = append(e.buf, s[start:i]...)
				e.buf = append(e.buf, `\ufffd`...)
				start = i + 1
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		e.buf = append(e.buf, s[start:i]...)
		switch c {
		case '"', '\\':
			e.buf = append(e.buf, '\\', c)
		case '\n':
			e.buf = append(e.buf, '\\', 'n')
		case '\r':
			e.buf = append(e.buf, '\\', 'r')
		case '\t':
			e.buf = append(e.buf, '\\', 't')
		default:
			e.buf = append(e.buf, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	e.buf = append(e.buf, s[start:]...)
	e.buf = append(e.buf, '"')
}
