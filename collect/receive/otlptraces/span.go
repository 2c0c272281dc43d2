package otlptraces

import (
	"cmp"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/collect/receive/inferences/decode"
)

// resource is what all spans of a resource have in common.
type resource struct {
	service     string
	environment string
}

func resourceOf(attrs []*commonpb.KeyValue) resource {
	r := resource{service: decode.DefaultService}
	for _, kv := range attrs {
		switch kv.Key {
		case "service.name":
			if s := kv.GetValue().GetStringValue(); s != "" {
				r.service = s
			}
		case "deployment.environment.name", "deployment.environment":
			r.environment = kv.GetValue().GetStringValue()
		}
	}
	return r
}

// calls are the operations in which a model answers. Spans of agents and tools
// hold these within them, and would count twice.
var calls = []string{"", "chat", "generate_content", "text_completion", "embeddings"}

// convert makes an inference of a span; ok is false if it calls no model.
//
// The model is the one that was asked for (gen_ai.request.model) and its version
// the one that answered (gen_ai.response.model), which mostly names a release of
// it. If only one of them is there, it is the model. The timestamp is the span's
// end, when it becomes known. The features are the request's parameters.
func convert(s *tracepb.Span, res *resource, now time.Time) (inf ai.Inference, ok bool) {
	var request, response, operation, system, errorType, address string
	var finish []string
	for _, kv := range s.Attributes {
		v := kv.GetValue()
		switch kv.Key {
		case "gen_ai.request.model":
			request = v.GetStringValue()
		case "gen_ai.response.model":
			response = v.GetStringValue()
		case "gen_ai.operation.name":
			operation = v.GetStringValue()
		case "gen_ai.provider.name":
			system = v.GetStringValue()
		case "gen_ai.system":
			system = cmp.Or(system, v.GetStringValue())
		case "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens":
			inf.Tokens.Input = count(v)
		case "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens":
			inf.Tokens.Output = count(v)
		case "gen_ai.server.time_to_first_token", "gen_ai.response.time_to_first_token", "gen_ai.response.time_to_first_chunk":
			inf.TimeToFirstTokenSeconds, _ = numberOf(v)
		case "gen_ai.response.finish_reasons":
			for _, e := range v.GetArrayValue().GetValues() {
				finish = append(finish, e.GetStringValue())
			}
		case "error.type":
			errorType = v.GetStringValue()
		case "http.response.status_code":
			inf.StatusCode = int(v.GetIntValue())
		case "server.address":
			address = v.GetStringValue()
		default:
			if name, isParameter := strings.CutPrefix(kv.Key, "gen_ai.request."); isParameter && name != "seed" {
				if value, ok := scalar(v); ok {
					inf.Features = append(inf.Features, ai.Feature{Name: name, Value: value})
				}
			}
		}
	}
	if !slices.Contains(calls, operation) || request == "" && response == "" {
		return ai.Inference{}, false
	}
	inf.Service, inf.Endpoint = res.service, operation
	inf.Model = cmp.Or(request, response)
	if request != "" {
		inf.ModelVersion = response
	}
	inf.Timestamp = now
	if s.EndTimeUnixNano > 0 && s.EndTimeUnixNano < 1<<63 {
		inf.Timestamp = time.Unix(0, int64(s.EndTimeUnixNano)).UTC()
	}
	if s.EndTimeUnixNano > s.StartTimeUnixNano && s.StartTimeUnixNano > 0 {
		inf.DurationSeconds = float64(s.EndTimeUnixNano-s.StartTimeUnixNano) / 1e9
	}
	inf.RequestID = hex.EncodeToString(s.TraceId) + "-" + hex.EncodeToString(s.SpanId)
	if inf.RequestID == "-" {
		inf.RequestID = ""
	}
	inf.Error = errorType
	if s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR {
		inf.Error = cmp.Or(errorType, s.GetStatus().GetMessage(), "error")
	}
	if len(finish) > 0 {
		inf.Prediction = ai.String(strings.Join(finish, ","))
	}
	for _, tag := range [...][2]string{{"provider", system}, {"server_address", address}, {"environment", res.environment}} {
		if tag[1] != "" {
			if inf.Tags == nil {
				inf.Tags = map[string]string{}
			}
			inf.Tags[tag[0]] = tag[1]
		}
	}
	// One order for all spans of a model, and a name only once.
	slices.SortStableFunc(inf.Features, func(a, b ai.Feature) int { return cmp.Compare(a.Name, b.Name) })
	inf.Features = slices.CompactFunc(inf.Features, func(a, b ai.Feature) bool { return a.Name == b.Name })
	return inf, true
}

// count is a number of tokens; instrumentations write it as any kind of number.
func count(v *commonpb.AnyValue) uint64 {
	if x, ok := numberOf(v); ok && x > 0 && x < 1<<53 {
		return uint64(x)
	}
	return 0
}

func numberOf(v *commonpb.AnyValue) (float64, bool) {
	switch x := v.GetValue().(type) {
	case *commonpb.AnyValue_IntValue:
		return float64(x.IntValue), true
	case *commonpb.AnyValue_DoubleValue:
		return x.DoubleValue, true
	}
	return 0, false
}

func scalar(v *commonpb.AnyValue) (ai.Value, bool) {
	switch x := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return ai.String(x.StringValue), true
	case *commonpb.AnyValue_BoolValue:
		return ai.Bool(x.BoolValue), true
	}
	x, ok := numberOf(v)
	return ai.Number(x), ok
}
