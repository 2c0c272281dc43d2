package performance

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/modelwatch/modelwatch/ai"
)

// Class says how a request ended.
type Class uint8

// The classes of outcomes. Failures are those that the caller did not cause.
const (
	ClassOK        Class = iota // An answer.
	ClassClient                 // 4xx but those below: the request was refused as wrong.
	ClassCancelled              // 499, or an error that says so: the caller went away.
	ClassOverload               // 429: the service could not take it.
	ClassTimeout                // 408, 504, or an error that says so.
	ClassServer                 // 5xx.
	ClassOther                  // An error without a status.
	numClasses
)

var classNames = [numClasses]string{"ok", "client", "cancelled", "overload", "timeout", "server", "other"}

// Classes lists all classes in order.
func Classes() []Class {
	return []Class{ClassOK, ClassClient, ClassCancelled, ClassOverload, ClassTimeout, ClassServer, ClassOther}
}

// String returns the class's name, as the label error_class has it.
func (c Class) String() string {
	if c < numClasses {
		return classNames[c]
	}
	return "unknown"
}

// words says by what a request failed, for messages.
func (c Class) words() string {
	switch c {
	case ClassServer:
		return "server error"
	case ClassOther:
		return "another error"
	default:
		return c.String()
	}
}

// Failure reports whether the class counts against the service: overload,
// timeout, server and other do; client and cancelled are the caller's.
func (c Class) Failure() bool { return c >= ClassOverload && c < numClasses }

// Classify returns the class of an outcome from its status code (0: not
// reported) and error text (empty: none). The status code decides where it says
// more than success; a success with an error text is an error.
func Classify(status int, err string) Class {
	switch {
	case status == 429:
		return ClassOverload
	case status == 408 || status == 504:
		return ClassTimeout
	case status == 499:
		return ClassCancelled
	case status >= 400 && status < 500:
		return ClassClient
	case status >= 500:
		if err != "" && saysTimeout(err) {
			return ClassTimeout
		}
		return ClassServer
	case err == "":
		return ClassOK
	case saysTimeout(err):
		return ClassTimeout
	case containsFold(err, "cancel"):
		return ClassCancelled
	default:
		return ClassOther
	}
}

func saysTimeout(err string) bool {
	return containsFold(err, "timeout") || containsFold(err, "timed out") || containsFold(err, "deadline exceeded")
}

// containsFold reports whether s holds the lower-case ASCII text sub, in any
// case, looking at the first 256 bytes only.
func containsFold(s, sub string) bool {
	s = s[:min(len(s), 256)]
	for i := 0; i+len(sub) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(sub)], sub) {
			return true
		}
	}
	return false
}

const (
	// MaxErrorNames is the number of different error texts that one Service counts;
	// further ones go to OtherErrors.
	MaxErrorNames = 20
	// OtherErrors is the name under which errors past MaxErrorNames are counted.
	OtherErrors = "(other)"

	maxErrorName = 64
)

// errorName returns the short text under which an error is counted: what stands
// before the first colon or line end, so that ids and addresses that follow
// it do not make each error its own kind.
func errorName(err string) string {
	if i := strings.IndexAny(err, ":\n\r"); i > 0 {
		err = err[:i]
	}
	if len(err) > maxErrorName {
		err = strings.ToValidUTF8(err[:maxErrorName], "")
	}
	return strings.TrimSpace(err)
}

// Service counts what one span of time looked like from the caller's side. The
// zero Service is empty and ready; it is not safe for concurrent use. Merging is
// addition, but for Errors: past MaxErrorNames, which names are kept depends on
// the order, and their total does not.
type Service struct {
	Requests uint64
	Outcomes [numClasses]uint64
	// Errors counts failed requests by a short form of their error text.
	Errors map[string]uint64

	// Duration of successful and failed requests, in seconds. Failures are kept
	// apart: a fast refusal must not make a service look fast.
	Duration       Sketch
	FailedDuration Sketch

	// TokensInput and TokensOutput are totals; TokenRequests counts requests that
	// reported any.
	TokensInput, TokensOutput uint64
	TokenRequests             uint64
	// FirstToken is the time to the first token, in seconds.
	FirstToken Sketch
	// TokenRate is the generation speed of each request that wrote two tokens or
	// more, in tokens per second: output tokens after the first over the time after
	// it, or all output tokens over the whole duration where the time to the
	// first token is not known.
	TokenRate Sketch

	// First and Last are the times of the oldest and the newest request.
	First, Last time.Time
}

// Observe counts one inference. It does not allocate, but for a new error text
// and for a duration outside the span seen so far.
func (s *Service) Observe(inf *ai.Inference) {
	class := Classify(inf.StatusCode, inf.Error)
	s.Requests++
	s.Outcomes[class]++
	if inf.Error != "" && class != ClassOK {
		s.countError(errorName(inf.Error), 1)
	}
	if t := inf.Timestamp; !t.IsZero() {
		s.span(t, t)
	}
	d := inf.DurationSeconds
	if inf.HasDuration() {
		if class == ClassOK {
			s.Duration.Add(d)
		} else {
			s.FailedDuration.Add(d)
		}
	}
	if inf.TimeToFirstTokenSeconds > 0 {
		s.FirstToken.Add(inf.TimeToFirstTokenSeconds)
	}
	if tok := inf.Tokens; tok.Input != 0 || tok.Output != 0 {
		s.TokenRequests++
		s.TokensInput += tok.Input
		s.TokensOutput += tok.Output
		if tok.Output >= 2 && d > 0 && class == ClassOK {
			if first := inf.TimeToFirstTokenSeconds; first > 0 && first < d {
				s.TokenRate.Add(float64(tok.Output-1) / (d - first))
			} else {
				s.TokenRate.Add(float64(tok.Output) / d)
			}
		}
	}
}

func (s *Service) countError(name string, n uint64) {
	if name == "" {
		name = OtherErrors
	}
	if _, ok := s.Errors[name]; !ok {
		if len(s.Errors) >= MaxErrorNames {
			name = OtherErrors
		} else {
			name = strings.Clone(name) // The text may be part of a whole request's buffer.
		}
	}
	if s.Errors == nil {
		s.Errors = make(map[string]uint64)
	}
	s.Errors[name] += n
}

func (s *Service) span(first, last time.Time) {
	if s.First.IsZero() || first.Before(s.First) {
		s.First = first
	}
	if last.After(s.Last) {
		s.Last = last
	}
}

// Merge adds what o counted; o is not changed.
func (s *Service) Merge(o *Service) {
	s.Requests += o.Requests
	for i := range s.Outcomes {
		s.Outcomes[i] += o.Outcomes[i]
	}
	for _, name := range slices.Sorted(maps.Keys(o.Errors)) {
		s.countError(name, o.Errors[name])
	}
	s.Duration.Merge(&o.Duration)
	s.FailedDuration.Merge(&o.FailedDuration)
	s.TokensInput += o.TokensInput
	s.TokensOutput += o.TokensOutput
	s.TokenRequests += o.TokenRequests
	s.FirstToken.Merge(&o.FirstToken)
	s.TokenRate.Merge(&o.TokenRate)
	if !o.First.IsZero() {
		s.span(o.First, o.Last)
	}
}

// Reset empties the accumulator and keeps its memory.
func (s *Service) Reset() {
	s.Duration.Reset()
	s.FailedDuration.Reset()
	s.FirstToken.Reset()
	s.TokenRate.Reset()
	*s = Service{
		Duration: s.Duration, FailedDuration: s.FailedDuration,
		FirstToken: s.FirstToken, TokenRate: s.TokenRate,
	}
}

// Failures returns the number of requests that failed by the service's fault.
func (s *Service) Failures() uint64 {
	var n uint64
	for c := range numClasses {
		if c.Failure() {
			n += s.Outcomes[c]
		}
	}
	return n
}

// answerable is the number of requests that the service could have answered:
// all but those that the caller took back.
func (s *Service) answerable() uint64 { return s.Requests - s.Outcomes[ClassCancelled] }

// Summary is what a span of time looked like, in figures.
type Summary struct {
	Requests uint64 `json:"requests"`
	// Rate is in requests per second.
	Rate Measure `json:"rate"`
	// ErrorRatio is failures over the requests that were not cancelled.
	ErrorRatio Measure `json:"error_ratio"`
	// ClientErrorRatio is refused requests over the requests that were not cancelled.
	ClientErrorRatio Measure `json:"client_error_ratio"`
	// LatencyMean, LatencyP50, LatencyP95 and LatencyP99 are of successful
	// requests, in seconds.
	LatencyMean Measure `json:"latency_mean_seconds"`
	LatencyP50  Measure `json:"latency_p50_seconds"`
	LatencyP95  Measure `json:"latency_p95_seconds"`
	LatencyP99  Measure `json:"latency_p99_seconds"`
	// FirstTokenP50 and FirstTokenP95 are in seconds.
	FirstTokenP50 Measure `json:"first_token_p50_seconds"`
	FirstTokenP95 Measure `json:"first_token_p95_seconds"`
	// TokenRateP50 is the median generation speed of one request, in tokens per second.
	TokenRateP50 Measure `json:"token_rate_p50"`
	// TokenThroughput is all output tokens over the span, in tokens per second.
	TokenThroughput Measure `json:"token_throughput"`
}

// Summary reads the figures of a span of that length.
func (s *Service) Summary(length time.Duration) Summary {
	const noAnswer = "no successful request reported a duration"
	sum := Summary{
		Requests:         s.Requests,
		Rate:             unknown(0, "the span has no length"),
		TokenThroughput:  unknown(0, "no request reported tokens"),
		ErrorRatio:       proportion(s.Failures(), s.answerable(), "no request"),
		ClientErrorRatio: proportion(s.Outcomes[ClassClient], s.answerable(), "no request"),
		LatencyMean:      s.Duration.meanMeasure(noAnswer),
		LatencyP50:       s.Duration.quantileMeasure(0.5, noAnswer),
		LatencyP95:       s.Duration.quantileMeasure(0.95, noAnswer),
		LatencyP99:       s.Duration.quantileMeasure(0.99, noAnswer),
		FirstTokenP50:    s.FirstToken.quantileMeasure(0.5, "no request reported the time to its first token"),
		FirstTokenP95:    s.FirstToken.quantileMeasure(0.95, "no request reported the time to its first token"),
		TokenRateP50:     s.TokenRate.quantileMeasure(0.5, "no request reported output tokens and a duration"),
	}
	if seconds := length.Seconds(); seconds > 0 {
		iv := poissonInterval(s.Requests)
		sum.Rate = measured(float64(s.Requests)/seconds, Interval{iv.Low / seconds, iv.High / seconds}, s.Requests)
		if s.TokenRequests > 0 {
			sum.TokenThroughput = measured(float64(s.TokensOutput)/seconds, everything(), s.TokenRequests)
		}
	}
	return sum
}

func (s *Sketch) meanMeasure(none string) Measure {
	mean, ok := s.Mean()
	if !ok {
		return unknown(0, none)
	}
	// The variance is read from the buckets' middles; the mean is exact.
	var squares float64
	squares += float64(s.zero) * mean * mean
	for i, c := range s.counts {
		if c != 0 {
			d := bucketMiddle(s.low+i) - mean
			squares += float64(c) * d * d
		}
	}
	n := float64(s.count)
	iv := meanInterval(mean, squares/max(n-1, 1), n)
	iv.Low = max(iv.Low, 0)
	return measured(mean, iv, s.count)
}

func (s *Sketch) quantileMeasure(q float64, none string) Measure {
	v, ok := s.Quantile(q)
	if !ok {
		return unknown(0, none)
	}
	iv := s.QuantileInterval(q)
	iv.Low = max(iv.Low, 0)
	return measured(v, iv, s.count)
}
