package loki

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
)

func (a *API) indexStats(w http.ResponseWriter, r *http.Request) error {
	start, end, err := a.span(r, labelRange)
	if err != nil {
		return err
	}
	p, err := a.selection(r)
	if err != nil {
		return err
	}
	out := struct {
		Streams int   `json:"streams"`
		Chunks  int   `json:"chunks"`
		Entries int64 `json:"entries"`
		Bytes   int64 `json:"bytes"`
	}{}
	if sizer, ok := a.o.Store.(Sizer); ok {
		out.Streams, out.Chunks, out.Entries, out.Bytes, err = sizer.Size(r.Context(), p.Matchers, start.UnixNano(), end.UnixNano())
		if err != nil {
			return err
		}
		return answer(w, out)
	}
	volumes, err := a.o.Store.Volume(r.Context(), logs.VolumeRequest{Matchers: p.Matchers, Start: start.UnixNano(), End: end.UnixNano()})
	if err != nil {
		return err
	}
	out.Streams, out.Chunks = len(volumes), len(volumes)
	for _, v := range volumes {
		out.Bytes += v.Bytes
		for _, b := range v.Buckets {
			out.Entries += b.Entries
		}
	}
	return answer(w, out)
}

// volumeLimit is how many volumes are told unless the request says otherwise.
const volumeLimit = 100

// volumes reads the parameters of both volume endpoints and asks the store.
func (a *API) volumes(r *http.Request, start, end time.Time, step time.Duration) ([]logs.Volume, error) {
	p, err := a.selection(r)
	if err != nil {
		return nil, err
	}
	limit, err := intParam(r, "limit", volumeLimit)
	if err != nil {
		return nil, err
	}
	if limit == 0 {
		limit = volumeLimit
	}
	by := r.FormValue("aggregateBy")
	if by != "" && by != "series" && by != "labels" {
		return nil, bad(fmt.Errorf("aggregateBy: %q is neither series nor labels", by))
	}
	var names []string
	for n := range strings.SplitSeq(r.FormValue("targetLabels"), ",") {
		if n = strings.TrimSpace(n); n != "" {
			names = append(names, n)
		}
	}
	if len(names) == 0 && by != "labels" {
		// Without target labels the labels of the selector are those to add up by.
		for _, m := range p.Matchers {
			if !slices.Contains(names, m.Name) {
				names = append(names, m.Name)
			}
		}
	}
	req := logs.VolumeRequest{Matchers: p.Matchers, Start: start.UnixNano(), End: end.UnixNano(), Labels: names, Width: int64(step), Limit: limit}
	if by == "labels" {
		req.Labels, req.Limit = nil, 0
	}
	volumes, err := a.o.Store.Volume(r.Context(), req)
	if err != nil || by != "labels" {
		return volumes, err
	}
	return byLabel(volumes, names, limit), nil
}

// byLabel adds up volumes by the names of labels: how much there is with each label, whatever its value.
func byLabel(volumes []logs.Volume, names []string, limit int) []logs.Volume {
	type sum struct {
		bytes   int64
		buckets map[int64]*logs.Bucket
	}
	sums := map[string]*sum{}
	for _, v := range volumes {
		v.Labels.Range(func(l labels.Label) {
			if len(names) > 0 && !slices.Contains(names, l.Name) {
				return
			}
			s := sums[l.Name]
			if s == nil {
				s = &sum{buckets: map[int64]*logs.Bucket{}}
				sums[l.Name] = s
			}
			s.bytes += v.Bytes
			for _, b := range v.Buckets {
				if s.buckets[b.Index] == nil {
					s.buckets[b.Index] = &logs.Bucket{Index: b.Index}
				}
				s.buckets[b.Index].Bytes += b.Bytes
				s.buckets[b.Index].Entries += b.Entries
			}
		})
	}
	var out []logs.Volume
	for name, s := range sums {
		v := logs.Volume{Labels: labels.New(labels.Label{Name: name}), Bytes: s.bytes}
		for _, b := range s.buckets {
			v.Buckets = append(v.Buckets, *b)
		}
		slices.SortFunc(v.Buckets, func(a, b logs.Bucket) int { return int(a.Index - b.Index) })
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b logs.Volume) int {
		if a.Bytes != b.Bytes {
			return int(b.Bytes - a.Bytes)
		}
		return labels.Compare(a.Labels, b.Labels)
	})
	if limit > 0 && len(out) > limit {
		out = out[:limit]
	}
	return out
}

func (a *API) volume(w http.ResponseWriter, r *http.Request) error {
	start, end, err := a.span(r, labelRange)
	if err != nil {
		return err
	}
	volumes, err := a.volumes(r, start, end, 0)
	if err != nil {
		return err
	}
	res := &Result{Type: "vector"}
	for _, v := range volumes {
		res.Series = append(res.Series, Series{Labels: v.Labels, Points: []Point{{T: end.UnixMilli(), V: float64(v.Bytes)}}})
	}
	e := &encoder{}
	e.result(res, false)
	e.send(w)
	return nil
}

func (a *API) volumeRange(w http.ResponseWriter, r *http.Request) error {
	start, end, err := a.span(r, labelRange)
	if err != nil {
		return err
	}
	step, err := durationParam(r, "step", defaultStep(start, end))
	if err != nil {
		return err
	}
	if step < time.Millisecond {
		return bad(fmt.Errorf("step: %s is less than a millisecond", step))
	}
	if err := checkStep(start, end, step); err != nil {
		return err
	}
	// A point stands for the step that ends with it.
	volumes, err := a.volumes(r, start, end, step)
	if err != nil {
		return err
	}
	res := &Result{Type: "matrix"}
	for _, v := range volumes {
		s := Series{Labels: v.Labels}
		for _, b := range v.Buckets {
			at := min(start.UnixNano()+(b.Index+1)*int64(step), end.UnixNano())
			s.Points = append(s.Points, Point{T: int64(math.Round(float64(at) / 1e6)), V: float64(b.Bytes)})
		}
		res.Series = append(res.Series, s)
	}
	e := &encoder{}
	e.result(res, false)
	e.send(w)
	return nil
}

func (a *API) patterns(w http.ResponseWriter, r *http.Request) error {
	source, ok := a.o.Store.(Patterns)
	if !ok {
		return statusError{http.StatusNotImplemented, fmt.Errorf("this log store mines no patterns")}
	}
	start, end, err := a.span(r, time.Hour)
	if err != nil {
		return err
	}
	step, err := durationParam(r, "step", defaultStep(start, end))
	if err != nil {
		return err
	}
	p, err := a.selection(r)
	if err != nil {
		return err
	}
	found, err := source.Patterns(r.Context(), p.Matchers, start.UnixNano(), end.UnixNano(), int64(max(step, 10*time.Second)))
	if err != nil {
		return err
	}
	type pattern struct {
		Pattern string     `json:"pattern"`
		Level   string     `json:"level,omitempty"`
		Samples [][2]int64 `json:"samples"`
	}
	out := make([]pattern, len(found))
	for i, f := range found {
		out[i] = pattern{f.Text, f.Level, f.Samples}
	}
	return answer(w, success{"success", out})
}
