package performance

import (
	"encoding/json"
	"math"
)

// Measure is one figure with what it rests on. Where Known is false there is no
// figure, and Reason says why in a sentence; Value is then 0 and means nothing.
type Measure struct {
	Value    float64
	Interval Interval // Of the level Confidence.
	N        uint64   // Records that the figure is made of.
	Known    bool
	Reason   string
}

// measured returns a known measure; a value that is not finite becomes unknown.
func measured(value float64, interval Interval, n uint64) Measure {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return unknown(n, "the figure is not finite")
	}
	if math.IsNaN(interval.Low) {
		interval.Low = math.Inf(-1)
	}
	if math.IsNaN(interval.High) {
		interval.High = math.Inf(1)
	}
	return Measure{Value: value, Interval: interval, N: n, Known: true}
}

// proportion returns k in n with Wilson's interval.
func proportion(k, n uint64, none string) Measure {
	if n == 0 {
		return unknown(0, none)
	}
	return measured(float64(k)/float64(n), Wilson(float64(k), float64(n)), n)
}

func unknown(n uint64, reason string) Measure {
	return Measure{Interval: everything(), N: n, Reason: reason}
}

type measureJSON struct {
	Value  *float64 `json:"value"`
	Low    *float64 `json:"low"`
	High   *float64 `json:"high"`
	N      uint64   `json:"sample_size"`
	Reason string   `json:"reason,omitempty"`
}

// MarshalJSON writes value, low and high as numbers, or null where they are not
// known or have no bound.
func (m Measure) MarshalJSON() ([]byte, error) {
	out := measureJSON{N: m.N, Reason: m.Reason}
	if m.Known {
		out.Value, out.Low, out.High = finitePointer(m.Value), finitePointer(m.Interval.Low), finitePointer(m.Interval.High)
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *Measure) UnmarshalJSON(data []byte) error {
	var in measureJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*m = Measure{Interval: everything(), N: in.N, Reason: in.Reason}
	if in.Value != nil {
		m.Known, m.Value = true, *in.Value
	}
	if in.Low != nil {
		m.Interval.Low = *in.Low
	}
	if in.High != nil {
		m.Interval.High = *in.High
	}
	return nil
}

func finitePointer(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}
