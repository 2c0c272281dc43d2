package models

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/modelwatch/modelwatch/ai"
)

// badRequest is an error of the sender.
type badRequest struct{ error }

// StatusCode implements the interface that fail looks for.
func (badRequest) StatusCode() int { return http.StatusBadRequest }

// Unwrap returns the cause.
func (e badRequest) Unwrap() error { return e.error }

func refuse(format string, args ...any) error { return badRequest{fmt.Errorf(format, args...)} }

type unsupported struct{ error }

// StatusCode implements the interface that fail looks for.
func (unsupported) StatusCode() int { return http.StatusUnsupportedMediaType }

// params reads query parameters.
type params struct{ url.Values }

// optional returns a parameter, nil where it is not given.
func (p params) optional(name string) *string {
	if !p.Has(name) {
		return nil
	}
	s := p.Get(name)
	return &s
}

// time reads RFC 3339 or seconds since 1970; the zero time where it is not given.
func (p params) time(name string) (time.Time, error) {
	t, err := parseTime(p.Get(name))
	if err != nil {
		return t, refuse("parameter %s: %w", name, err)
	}
	return t, nil
}

// moment is a time of a document: a text, or the number of seconds since 1970.
type moment string

// UnmarshalJSON implements json.Unmarshaler.
func (m *moment) UnmarshalJSON(text []byte) error {
	var seconds json.Number
	if json.Unmarshal(text, &seconds) == nil {
		*m = moment(seconds)
		return nil
	}
	return json.Unmarshal(text, (*string)(m))
}

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

// count reads a number from 1 to most; 0 where it is not given.
func (p params) count(name string, most int) (int, error) {
	s := p.Get(name)
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > most {
		return 0, refuse("parameter %s: %q is not a number from 1 to %d", name, s, most)
	}
	return n, nil
}

// flag reads true or false; def where it is not given.
func (p params) flag(name string, def bool) (bool, error) {
	s := p.Get(name)
	if s == "" {
		return def, nil
	}
	b, err := strconv.ParseBool(s)
	if err != nil {
		return false, refuse("parameter %s: %q is neither true nor false", name, s)
	}
	return b, nil
}

func (p params) key() ai.Key {
	return ai.Key{Service: p.Get("service"), Model: p.Get("model"), Version: p.Get("version")}
}

func (h *handler) baselines(r *http.Request) (any, error) {
	return h.Baselines.Baselines(r.Context(), params{r.URL.Query()}.key())
}

func (h *handler) baseline(r *http.Request) (any, error) {
	return h.Baselines.Baseline(r.Context(), r.PathValue("id"))
}

func (h *handler) confirm(r *http.Request) (any, error) {
	return h.Baselines.Confirm(r.Context(), r.PathValue("id"))
}

func (h *handler) activate(r *http.Request) (any, error) {
	return h.Baselines.Activate(r.Context(), r.PathValue("id"))
}

func (h *handler) delete(w http.ResponseWriter, r *http.Request) {
	if err := h.Baselines.Delete(r.Context(), r.PathValue("id")); err != nil {
		h.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h *handler) export(w http.ResponseWriter, r *http.Request) {
	records, err := params{r.URL.Query()}.flag("records", true)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	text, err := h.Baselines.Export(r.Context(), r.PathValue("id"), records)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": exportName(text, r.PathValue("id"))}))
	write(w, http.StatusOK, text)
}

// exportName names the file of an exported baseline by what it is of, so that people
// can tell several apart; by its id where the document does not say.
func exportName(document []byte, id string) string {
	var b struct {
		Key    ai.Key `json:"key"`
		Number int    `json:"number"`
	}
	if err := json.Unmarshal(document, &b); err != nil || b.Key.Model == "" || b.Number == 0 {
		return id + ".json"
	}
	plain := func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._-", r) {
			return r
		}
		return '_'
	}
	name := strings.Map(plain, b.Key.Model)
	if b.Key.Version != "" {
		name += "-" + strings.Map(plain, b.Key.Version)
	}
	return fmt.Sprintf("%s-baseline-%d.json", name, b.Number)
}

// create makes a baseline of the body: rows, a range of time, or an exported document.
func (h *handler) create(r *http.Request) (any, error) {
	p := params{r.URL.Query()}
	activate, err := p.flag("activate", true)
	if err != nil {
		return nil, err
	}
	o := Origin{Key: p.key(), Note: p.Get("note"), Activate: activate}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil && r.Header.Get("Content-Type") != "" {
		return nil, refuse("Content-Type %q cannot be read: %w", r.Header.Get("Content-Type"), err)
	}
	t := Table{Prediction: p.Get("prediction"), Label: p.Get("label")}
	if s := p.Get("exclude"); s != "" {
		t.Exclude = strings.Split(s, ",")
	}
	switch kind {
	case "text/csv":
		t.Format = "csv"
	case "application/x-ndjson", "application/jsonl", "application/x-jsonlines":
		t.Format = "ndjson"
	case "application/vnd.apache.parquet", "application/x-parquet", "application/parquet":
		t.Format = "parquet"
	case "application/json":
		return h.createFromJSON(r, o)
	default:
		return nil, unsupported{fmt.Errorf("Content-Type %q is not known here: send rows as text/csv, application/x-ndjson or application/vnd.apache.parquet, "+
			"a range {\"from\":…,\"to\":…} or an exported baseline as application/json", kind)}
	}
	if o.Key.Model == "" {
		return nil, refuse("parameter model: is required: say which model the rows are of with ?model=&version=&service=")
	}
	return h.Baselines.FromTable(r.Context(), o, t, r.Body)
}

func (h *handler) createFromJSON(r *http.Request, o Origin) (any, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, h.MaxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if int64(len(body)) > h.MaxDocument {
		return nil, fmt.Errorf("read body: %w", &http.MaxBytesError{Limit: h.MaxDocument})
	}
	var look struct {
		Format string `json:"format"`
	}
	if err := json.Unmarshal(body, &look); err != nil {
		return nil, refuse("the body is not JSON: %w", err)
	}
	if look.Format != "" {
		return h.Baselines.Import(r.Context(), body, o.Key, o.Activate)
	}
	var span struct {
		From    moment  `json:"from"`
		To      moment  `json:"to"`
		Service *string `json:"service"`
		Model   *string `json:"model"`
		Version *string `json:"model_version"`
		Note    *string `json:"note"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&span); err != nil {
		return nil, refuse("the body is neither an exported baseline, which has a \"format\", nor a range of time: %w", err)
	}
	override := func(dst, src *string) {
		if src != nil {
			*dst = *src
		}
	}
	override(&o.Key.Service, span.Service)
	override(&o.Key.Model, span.Model)
	override(&o.Key.Version, span.Version)
	override(&o.Note, span.Note)
	from, errFrom := parseTime(string(span.From))
	to, errTo := parseTime(string(span.To))
	if span.From == "" || span.To == "" {
		errFrom = errors.New("from and to are both required, as RFC 3339 or seconds since 1970")
	}
	if err := errors.Join(errFrom, errTo); err != nil {
		return nil, refuse("range: %w", err)
	}
	if o.Key.Model == "" {
		return nil, refuse("model: is required: say which model the range is of")
	}
	return h.Baselines.FromRange(r.Context(), o, from, to)
}
