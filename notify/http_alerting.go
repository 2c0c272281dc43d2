package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
)

// maxHistoryAnswer bounds the notifications in one answer.
const maxHistoryAnswer = 5000

// Handler serves what is modelwatch's own, as JSON:
//
//	GET  /ai/v1/notifications                        history: receiver, since, until, failed, limit
//	GET  /ai/v1/alerting/routes                      routing tree, receivers, time intervals, inhibition
//	POST /ai/v1/alerting/routes/test                 {labels, time?}: where such an alert goes
//	POST /ai/v1/alerting/receivers/{name}/test       {labels?, annotations?, resolve?}: a test notification
//
// It expects the whole path, and leaves other paths and methods to whoever has
// the mux. Errors are {"error": "..."}.
func (m *Manager) Handler() *http.ServeMux {
	mux := http.NewServeMux()
	handle := func(method, path string, serve http.HandlerFunc) {
		mux.Handle(method+" "+path, m.limitBody(m.metrics.instrument(path, serve)))
	}
	handle("GET", "/ai/v1/notifications", m.serveHistory)
	handle("GET", "/ai/v1/alerting/routes", m.serveRoutes)
	handle("POST", "/ai/v1/alerting/routes/test", m.serveRouteTest)
	handle("POST", "/ai/v1/alerting/receivers/{name}/test", m.serveReceiverTest)
	return mux
}

func (m *Manager) serveHistory(w http.ResponseWriter, r *http.Request) {
	q, err := parseQuery(r)
	if err != nil {
		writeError(w, http.StatusBadRequest, err)
		return
	}
	found, err := m.History(r.Context(), q)
	if err != nil {
		writeError(w, http.StatusInternalServerError, err)
		return
	}
	if found == nil {
		found = []Notification{}
	}
	writeJSON(w, map[string]any{"notifications": found})
}

// parseQuery reads the parameters of a query of the history.
func parseQuery(r *http.Request) (q Query, err error) {
	values := r.URL.Query()
	q.Receiver = values.Get("receiver")
	if q.Since, err = parseTime(values.Get("since")); err != nil {
		return q, fmt.Errorf("parameter since: %w", err)
	}
	if q.Until, err = parseTime(values.Get("until")); err != nil {
		return q, fmt.Errorf("parameter until: %w", err)
	}
	if s := values.Get("failed"); s != "" {
		if q.Failed, err = strconv.ParseBool(s); err != nil {
			return q, fmt.Errorf("parameter failed: %q is neither true nor false", s)
		}
	}
	if s := values.Get("limit"); s != "" {
		if q.Limit, err = strconv.Atoi(s); err != nil || q.Limit < 1 || q.Limit > maxHistoryAnswer {
			return q, fmt.Errorf("parameter limit: %q is not a number from 1 to %d", s, maxHistoryAnswer)
		}
	}
	return q, nil
}

// parseTime reads a time as RFC 3339 or as seconds since 1970. Nothing is the
// zero time.
func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	// The bound keeps milliseconds within 64 bits and years within four digits.
	if f, err := strconv.ParseFloat(s, 64); err == nil && f > -6e10 && f < 2.5e11 {
		return time.UnixMilli(int64(f * 1000)).UTC(), nil
	}
	return time.Time{}, fmt.Errorf("%q is neither RFC 3339, such as 2026-03-02T15:04:05Z, nor seconds since 1970", s)
}

func (m *Manager) serveRoutes(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, m.Routing())
}

func (m *Manager) serveRouteTest(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Labels map[string]string `json:"labels"`
		Time   string            `json:"time"`
	}
	if err := decodeBody(r, &in); err != nil {
		writeError(w, http.StatusBadRequest, err)
		return
	}
	at, err := parseTime(in.Time)
	if err != nil {
		writeError(w, http.StatusBadRequest, fmt.Errorf("time: %w", err))
		return
	}
	if at.IsZero() {
		at = time.Now()
	}
	set, err := readLabels(in.Labels)
	if err != nil {
		writeError(w, http.StatusBadRequest, err)
		return
	}
	if len(set) == 0 {
		writeError(w, http.StatusBadRequest, errors.New(`labels: there are none; give for instance {"labels": {"alertname": "HighLatency", "severity": "critical"}}`))
		return
	}
	result, err := m.TestRoute(r.Context(), set, at)
	if err != nil {
		writeError(w, http.StatusInternalServerError, err)
		return
	}
	writeJSON(w, result)
}

func (m *Manager) serveReceiverTest(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
		Resolve     bool              `json:"resolve"`
	}
	if err := decodeBody(r, &in); err != nil {
		writeError(w, http.StatusBadRequest, err)
		return
	}
	set, err := readLabels(in.Labels)
	if err != nil {
		writeError(w, http.StatusBadRequest, err)
		return
	}
	annotations := make(model.LabelSet, len(in.Annotations))
	for k, v := range in.Annotations {
		annotations[model.LabelName(k)] = model.LabelValue(v)
	}
	result, err := m.TestReceiver(r.Context(), r.PathValue("name"), TestAlert{Labels: set, Annotations: annotations, Resolve: in.Resolve})
	switch {
	case errors.Is(err, ErrNoReceiver):
		writeError(w, http.StatusNotFound, err)
	case err != nil:
		writeError(w, http.StatusInternalServerError, err)
	default:
		writeJSON(w, result)
	}
}

// readLabels returns the labels that have a value.
func readLabels(in map[string]string) (model.LabelSet, error) {
	set := make(model.LabelSet, len(in))
	for k, v := range in {
		if v == "" {
			continue
		}
		if !model.UTF8Validation.IsValidLabelName(k) || !model.LabelValue(v).IsValid() {
			return nil, fmt.Errorf("labels: %q: %q is not a valid label", k, v)
		}
		set[model.LabelName(k)] = model.LabelValue(v)
	}
	return set, nil
}

// decodeBody reads a body of JSON. An empty body leaves v as it is.
func decodeBody(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read request: %w", err)
	}
	return nil
}
