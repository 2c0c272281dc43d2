package ai

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Key names one version of one model of one service: the unit that is profiled,
// compared and judged.
type Key struct {
	Service string `json:"service"`
	Model   string `json:"model"`
	Version string `json:"model_version"`
}

// String returns the key for messages: "service/model@version".
func (k Key) String() string {
	var b strings.Builder
	if k.Service != "" {
		b.WriteString(k.Service)
		b.WriteByte('/')
	}
	b.WriteString(k.Model)
	if k.Version != "" {
		b.WriteByte('@')
		b.WriteString(k.Version)
	}
	return b.String()
}

// Compare orders keys by service, model and version.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Service, o.Service), cmp.Compare(k.Model, o.Model), cmp.Compare(k.Version, o.Version))
}

// Label is the ground truth of one inference, known minutes or days after it.
type Label struct {
	RequestID string    `json:"request_id"`
	Label     Value     `json:"label"`
	Timestamp time.Time `json:"timestamp"`
}

// Validate reports what is wrong with the label as a *FieldError, or nil.
func (l *Label) Validate() error {
	if l.RequestID == "" {
		return &FieldError{"request_id", "is required"}
	}
	if err := checkText("request_id", l.RequestID, MaxRequestIDLength); err != nil {
		return err
	}
	if l.Label.IsMissing() {
		return &FieldError{"label", "is required"}
	}
	return checkValue("label", l.Label)
}

// Window is a half-open span of time: Start is in it, Start+Length is not.
type Window struct {
	Start  time.Time     `json:"start"`
	Length time.Duration `json:"length"` // In nanoseconds, as Go has it.
}

// WindowAt returns the window of that length which holds t. Windows are aligned
// to the Unix epoch in UTC, so a day starts at midnight UTC and each window
// holds a whole number of shorter ones where the lengths divide.
func WindowAt(t time.Time, length time.Duration) Window {
	if length <= 0 {
		return Window{Start: t.UTC()}
	}
	ns := t.UnixNano()
	start := ns - ns%int64(length)
	if ns < 0 && start > ns {
		start -= int64(length)
	}
	return Window{Start: time.Unix(0, start).UTC(), Length: length}
}

// End returns the first instant after the window.
func (w Window) End() time.Time { return w.Start.Add(w.Length) }

// Contains reports whether t is in the window.
func (w Window) Contains(t time.Time) bool { return !t.Before(w.Start) && t.Before(w.End()) }

// String returns the window for messages.
func (w Window) String() string {
	return fmt.Sprintf("%s+%s", w.Start.UTC().Format(time.RFC3339), w.Length)
}
