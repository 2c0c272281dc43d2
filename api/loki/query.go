package loki

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

func (a *API) query(w http.ResponseWriter, r *http.Request) error {
	text, err := queryParam(r)
	if err != nil {
		return err
	}
	if done, err := a.explain(w, r, text); done {
		return err
	}
	at, err := timeParam(r, "time", a.o.Now())
	if err != nil {
		return err
	}
	if _, err := limitParam(r); err != nil {
		return err
	}
	if _, err := forward(r); err != nil {
		return err
	}
	parsed, err := a.o.Queries.Parse(text)
	if err != nil {
		return err
	}
	if !parsed.Metric {
		return bad(errors.New("log queries are not supported as an instant query type, please change your query to a range query type"))
	}
	res, err := a.o.Queries.Instant(r.Context(), text, at)
	if err != nil {
		return err
	}
	e := &encoder{}
	e.result(res, false)
	e.send(w)
	return nil
}

func (a *API) queryRange(w http.ResponseWriter, r *http.Request) error {
	text, err := queryParam(r)
	if err != nil {
		return err
	}
	if done, err := a.explain(w, r, text); done {
		return err
	}
	q := Query{Text: text}
	if q.Start, q.End, err = a.span(r, time.Hour); err != nil {
		return err
	}
	if q.Step, err = durationParam(r, "step", defaultStep(q.Start, q.End)); err != nil {
		return err
	}
	if err := checkStep(q.Start, q.End, q.Step); err != nil {
		return err
	}
	if q.Interval, err = durationParam(r, "interval", 0); err != nil {
		return err
	}
	if q.Limit, err = limitParam(r); err != nil {
		return err
	}
	if q.Forward, err = forward(r); err != nil {
		return err
	}
	parsed, err := a.o.Queries.Parse(text)
	if err != nil {
		return err
	}
	if parsed.Metric {
		q.Start, q.End = align(q.Start, q.End, q.Step)
	}
	q.Categorize = slices.Contains(strings.FieldsFunc(r.Header.Get("X-Loki-Response-Encoding-Flags"), func(c rune) bool { return c == ',' || c == ' ' }), categorize)
	res, err := a.o.Queries.Range(r.Context(), q)
	if err != nil {
		return err
	}
	e := &encoder{}
	e.result(res, q.Categorize && res.Type == "streams")
	e.send(w)
	return nil
}

// maxPoints is how many steps a range of time may have.
const maxPoints = 11000

func checkStep(start, end time.Time, step time.Duration) error {
	if step <= 0 {
		return bad(errors.New("step: zero or negative query resolution step widths are not accepted. Try a positive integer"))
	}
	if end.Sub(start)/step > maxPoints {
		return bad(errors.New("exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter"))
	}
	return nil
}

// align widens the time of a metric query to whole steps since 1970, as Loki does: whoever asks again a little later gets
// points at the same times.
func align(start, end time.Time, step time.Duration) (alignedStart, alignedEnd time.Time) {
	ns := step.Truncate(time.Millisecond).Nanoseconds()
	if ns <= 0 || !start.Before(end) {
		return start, end
	}
	from, to := start.UnixNano(), end.UnixNano()
	from -= (from%ns + ns) % ns
	if over := (to%ns + ns) % ns; over > 0 {
		to += ns - over
	}
	return time.Unix(0, from).UTC(), time.Unix(0, to).UTC()
}

// defaultStep is the step when none is given: about 250 points, at least a second apart.
func defaultStep(start, end time.Time) time.Duration {
	return max(time.Second, (end.Sub(start) / 250).Truncate(time.Second))
}

func queryParam(r *http.Request) (string, error) {
	if err := r.ParseForm(); err != nil {
		return "", bad(fmt.Errorf("read parameters: %w", err))
	}
	text := r.FormValue("query")
	if strings.TrimSpace(text) == "" {
		return "", bad(errors.New("parse error : syntax error: unexpected $end: the parameter query is missing"))
	}
	return text, nil
}

// explain answers with the plan of a query instead of its result if explain=1 was asked for.
func (a *API) explain(w http.ResponseWriter, r *http.Request, text string) (bool, error) {
	if v := r.FormValue("explain"); v == "" || v == "0" || v == "false" {
		return false, nil
	}
	parsed, err := a.o.Queries.Parse(text)
	if err != nil {
		return true, err
	}
	return true, answer(w, success{"success", map[string]any{"resultType": "explain", "query": parsed.Pretty, "plan": parsed.Plan}})
}

func (a *API) formatQuery(w http.ResponseWriter, r *http.Request) error {
	text, err := queryParam(r)
	if err != nil {
		return err
	}
	parsed, err := a.o.Queries.Parse(text)
	if err != nil {
		return err
	}
	return answer(w, success{"success", parsed.Pretty})
}

// selector reads a stream selector; none selects every stream.
func (a *API) selector(text string) ([]*labels.Matcher, error) {
	if text = strings.TrimSpace(text); text == "" || text == "{}" {
		return nil, nil
	}
	return a.o.Queries.Selector(text)
}

// selection reads the parameter query as a log query of which only selector and line filters count; none selects all.
func (a *API) selection(r *http.Request) (*Parsed, error) {
	text := strings.TrimSpace(r.FormValue("query"))
	if text == "" || text == "{}" {
		return &Parsed{Simple: true}, nil
	}
	p, err := a.o.Queries.Parse(text)
	if err != nil {
		return nil, err
	}
	if p.Metric {
		return nil, bad(errors.New("only label matchers and line filters are supported here, not a metric query"))
	}
	return p, nil
}

// labelRange is how far back labels and series are looked for when no time is given.
const labelRange = 6 * time.Hour

func (a *API) seriesOf(r *http.Request) ([]labels.Labels, error) {
	start, end, err := a.span(r, labelRange)
	if err != nil {
		return nil, err
	}
	matchers, err := a.selector(r.FormValue("query"))
	if err != nil {
		return nil, err
	}
	var groups [][]*labels.Matcher
	if matchers != nil {
		groups = append(groups, matchers)
	}
	return a.o.Store.Series(r.Context(), groups, start.UnixNano(), end.UnixNano())
}

func (a *API) labelNames(w http.ResponseWriter, r *http.Request) error {
	series, err := a.seriesOf(r)
	if err != nil {
		return err
	}
	names := map[string]struct{}{}
	for _, ls := range series {
		ls.Range(func(l labels.Label) { names[l.Name] = struct{}{} })
	}
	return answerNames(w, names)
}

func (a *API) labelValues(w http.ResponseWriter, r *http.Request) error {
	series, err := a.seriesOf(r)
	if err != nil {
		return err
	}
	values := map[string]struct{}{}
	for _, ls := range series {
		if v := ls.Get(r.PathValue("name")); v != "" {
			values[v] = struct{}{}
		}
	}
	return answerNames(w, values)
}

// answerNames answers with names of labels or their values; none is no data at all, as in Loki.
func answerNames(w http.ResponseWriter, names map[string]struct{}) error {
	return answer(w, struct {
		Status string   `json:"status"`
		Data   []string `json:"data,omitempty"`
	}{"success", sortedKeys(names)})
}

func sortedKeys(m map[string]struct{}) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func (a *API) series(w http.ResponseWriter, r *http.Request) error {
	start, end, err := a.span(r, labelRange)
	if err != nil {
		return err
	}
	var groups [][]*labels.Matcher
	for _, text := range append(slices.Clone(r.Form["match[]"]), r.Form["match"]...) {
		matchers, err := a.selector(text)
		if err != nil {
			return err
		}
		if matchers == nil {
			groups = nil
			break
		}
		groups = append(groups, matchers)
	}
	series, err := a.o.Store.Series(r.Context(), groups, start.UnixNano(), end.UnixNano())
	if err != nil {
		return err
	}
	out := make([]map[string]string, len(series))
	for i, ls := range series {
		out[i] = ls.Map()
	}
	return answer(w, success{"success", out})
}

func (a *API) buildInfo(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, map[string]string{
		"version": a.o.Version, "revision": a.o.Revision, "branch": "modelwatch", "buildUser": "", "buildDate": "", "goVersion": "",
	})
}

// limits tells Logs Drilldown what it may ask for.
func (a *API) limits(w http.ResponseWriter, _ *http.Request) error {
	_, patterns := a.o.Store.(Patterns)
	return answer(w, map[string]any{
		"limits": map[string]any{
			"discover_log_levels": false, "discover_service_name": append([]string{}, a.o.ServiceName...), "log_level_fields": []string{"level", "LEVEL", "Level", "severity", "SEVERITY", "lvl"},
			"max_entries_limit_per_query": a.o.MaxEntries, "max_line_size_truncate": false, "max_query_bytes_read": "0B",
			"max_query_length": "0s", "max_query_lookback": "0s", "max_query_range": "0s", "max_query_series": 500,
			"metric_aggregation_enabled": false, "otlp_config": map[string]any{}, "pattern_persistence_enabled": patterns,
			"query_timeout": a.o.Timeout.String(), "retention_period": "0s", "retention_stream": []string{},
			"volume_enabled": true, "volume_max_series": 1000,
		},
		"pattern_ingester_enabled": patterns,
		"version":                  a.o.Version,
		"maxDetectedFields":        1000, "maxDetectedValues": 1000, "maxLabelValues": 0, "maxLines": a.o.MaxEntries,
	})
}
