package loki

import (
	"errors"
	"net/http"
	"time"
)

var errNoDeletes = statusError{http.StatusNotImplemented, errors.New("this log store keeps no delete requests")}

// requestDelete writes a delete request down. Only a selector and line filters can say what to delete.
func (a *API) requestDelete(w http.ResponseWriter, r *http.Request) error {
	d, ok := a.o.Store.(Deleter)
	if !ok {
		return errNoDeletes
	}
	text, err := queryParam(r)
	if err != nil {
		return err
	}
	p, err := a.o.Queries.Parse(text)
	if err != nil {
		return err
	}
	if p.Metric || !p.Simple {
		return bad(errors.New("only a selector with line filters (|=, !=, |~, !~) can say what to delete"))
	}
	if r.FormValue("start") == "" {
		return bad(errors.New("start time not set"))
	}
	start, err := timeParam(r, "start", time.Time{})
	if err != nil {
		return err
	}
	end, err := timeParam(r, "end", a.o.Now())
	if err != nil {
		return err
	}
	if !start.Before(end) {
		return bad(errors.New("start time must be before end time"))
	}
	// Loki's end is inclusive to the second.
	if _, err := d.RequestDelete(text, p.Matchers, p.Filters, start.UnixNano(), end.UnixNano()+1); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *API) listDeletes(w http.ResponseWriter, _ *http.Request) error {
	d, ok := a.o.Store.(Deleter)
	if !ok {
		return errNoDeletes
	}
	type deletion struct {
		ID      string  `json:"request_id"`
		Start   float64 `json:"start_time"`
		End     float64 `json:"end_time"`
		Query   string  `json:"query"`
		Status  string  `json:"status"`
		Created float64 `json:"created_at"`
	}
	out := []deletion{}
	for _, x := range d.Deletes() {
		out = append(out, deletion{x.ID, float64(x.Start/1e6) / 1e3, float64(x.End/1e6) / 1e3, x.Query, x.Status, float64(x.Created.UnixMilli()) / 1e3})
	}
	return answer(w, out)
}

func (a *API) cancelDelete(w http.ResponseWriter, r *http.Request) error {
	d, ok := a.o.Store.(Deleter)
	if !ok {
		return errNoDeletes
	}
	id := r.FormValue("request_id")
	if id == "" {
		return bad(errors.New("request_id not set"))
	}
	found, err := d.CancelDelete(id)
	if err != nil {
		return err
	}
	if !found {
		return statusError{http.StatusNotFound, errors.New("could not find delete request with given id that is still waiting")}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
