package loki

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// Detection looks at a sample of the newest entries, as Loki's does.
const (
	// detectLines is how many entries are looked at unless the request says otherwise.
	detectLines = 1000
	// detectFields is how many fields are told.
	detectFields = 1000
)

func (a *API) detectedLabels(w http.ResponseWriter, r *http.Request) error {
	series, err := a.seriesOf(r)
	if err != nil {
		return err
	}
	values := map[string]map[string]struct{}{}
	for _, ls := range series {
		ls.Range(func(l labels.Label) {
			if values[l.Name] == nil {
				values[l.Name] = map[string]struct{}{}
			}
			values[l.Name][l.Value] = struct{}{}
		})
	}
	type detected struct {
		Label       string `json:"label"`
		Cardinality int    `json:"cardinality"`
	}
	out := []detected{}
	for name, v := range values {
		// A label of identifiers only is no help for finding logs, unless it is one that people look for.
		if !knownLabel(name) && onlyIDs(v) {
			continue
		}
		out = append(out, detected{name, len(v)})
	}
	slices.SortFunc(out, func(a, b detected) int { return strings.Compare(a.Label, b.Label) })
	return answer(w, map[string]any{"detectedLabels": out})
}

func knownLabel(name string) bool {
	return slices.Contains([]string{"cluster", "namespace", "instance", "pod", "service_name", "job", "app"}, name)
}

// onlyIDs tells whether all values are numbers or random identifiers.
func onlyIDs(values map[string]struct{}) bool {
	for v := range values {
		if _, err := strconv.ParseFloat(v, 64); err == nil {
			continue
		}
		if len(v) == 36 && strings.Count(v, "-") == 4 {
			continue
		}
		return false
	}
	return true
}

func (a *API) detectedFields(w http.ResponseWriter, r *http.Request) error {
	q, limit, err := a.detectParams(r)
	if err != nil {
		return err
	}
	fields, err := a.o.Queries.DetectedFields(r.Context(), q, limit)
	if err != nil {
		return err
	}
	if fields == nil {
		fields = []Field{}
	}
	return answer(w, map[string]any{"fields": fields, "limit": limit})
}

func (a *API) detectedValues(w http.ResponseWriter, r *http.Request) error {
	q, limit, err := a.detectParams(r)
	if err != nil {
		return err
	}
	values, err := a.o.Queries.DetectedFieldValues(r.Context(), q, r.PathValue("name"), limit)
	if err != nil {
		return err
	}
	if values == nil {
		values = []string{}
	}
	return answer(w, map[string]any{"values": values, "limit": limit})
}

func (a *API) detectParams(r *http.Request) (q Query, limit int, err error) {
	if q.Text, err = queryParam(r); err != nil {
		return q, 0, err
	}
	if q.Start, q.End, err = a.span(r, time.Hour); err != nil {
		return q, 0, err
	}
	if q.Limit, err = intParam(r, "line_limit", detectLines); err != nil {
		return q, 0, err
	}
	q.Limit = min(max(q.Limit, 1), a.o.MaxEntries)
	name := "limit"
	if r.FormValue(name) == "" {
		name = "field_limit"
	}
	if limit, err = intParam(r, name, detectFields); err != nil {
		return q, 0, err
	}
	return q, max(limit, 1), nil
}
