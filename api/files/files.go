// Package files serves the configuration files that are edited in the page, as
// JSON. It decides nothing: config/edit does.
package files

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/modelwatch/modelwatch/config"
	"github.com/modelwatch/modelwatch/config/edit"
)

// Editor is what changes files.
type Editor interface {
	Files(ctx context.Context) ([]edit.State, error)
	Places() []edit.PlaceState
	CheckNew(n edit.NewFile, draft []byte) (config.Problems, error)
	Create(ctx context.Context, n edit.NewFile, c edit.Change) (edit.Text, error)
	Read(ctx context.Context, id string) (edit.Text, error)
	Check(ctx context.Context, id string, draft []byte) (config.Problems, error)
	Save(ctx context.Context, id string, c edit.Change) (edit.Text, error)
	Versions(ctx context.Context, id string) ([]edit.Version, error)
	Version(ctx context.Context, id string, version int64) (v edit.Version, secrets int, err error)
	Restore(ctx context.Context, id string, version int64, c edit.Change) (edit.Text, error)
}

// Options is what the handler needs.
type Options struct {
	Editor Editor
	// Who names who sends a request; empty where nobody knows.
	Who func(*http.Request) string
	// May tells whether who sends a request may change files of a kind; nil
	// allows everybody. What may be read and who may come here at all is
	// decided before.
	May    func(*http.Request, edit.Kind) bool
	Logger *slog.Logger
}

type handler struct{ Options }

// New serves:
//
//	GET  /ai/v1/config/files                             the files in use, and where new ones can be made
//	POST /ai/v1/config/files                             {directory, name, text, comment}: make a rule file
//	POST /ai/v1/config/files/check                       {directory, name, text}: what is wrong with it
//	GET  /ai/v1/config/files/{id}                        one, with its text
//	PUT  /ai/v1/config/files/{id}                        {text, tag, comment}: write it
//	POST /ai/v1/config/files/{id}/check                  {text}: what is wrong with a draft
//	GET  /ai/v1/config/files/{id}/versions               what it said before
//	GET  /ai/v1/config/files/{id}/versions/{version}     one of these, with its text
//	POST /ai/v1/config/files/{id}/versions/{version}/restore   {tag, comment}: write it again
//	GET  /ai/v1/config/schema/{kind}                     the settings of a kind of file
//
// It leaves other paths and methods to whoever has the mux.
func New(o Options) *http.ServeMux {
	h := &handler{o}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ai/v1/config/files", h.list)
	mux.HandleFunc("POST /ai/v1/config/files", h.create)
	mux.HandleFunc("POST /ai/v1/config/files/check", h.checkNew)
	mux.HandleFunc("GET /ai/v1/config/files/{id}", h.read)
	mux.HandleFunc("PUT /ai/v1/config/files/{id}", h.save)
	mux.HandleFunc("POST /ai/v1/config/files/{id}/check", h.check)
	mux.HandleFunc("GET /ai/v1/config/files/{id}/versions", h.versions)
	mux.HandleFunc("GET /ai/v1/config/files/{id}/versions/{version}", h.version)
	mux.HandleFunc("POST /ai/v1/config/files/{id}/versions/{version}/restore", h.restore)
	mux.HandleFunc("GET /ai/v1/config/schema/{kind}", h.schema)
	return mux
}

type reason struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

type version struct {
	ID      int64     `json:"id"`
	Time    time.Time `json:"time"`
	Kind    string    `json:"kind"`
	Who     string    `json:"who"`
	Comment string    `json:"comment"`
	Bytes   int       `json:"bytes"`
	Text    *string   `json:"text,omitempty"`
	Secrets *int      `json:"secrets,omitempty"`
}

type file struct {
	ID       string     `json:"id"`
	Kind     string     `json:"kind"`
	Path     string     `json:"path"`
	As       string     `json:"as"`
	Jobs     []string   `json:"jobs"`
	NamedBy  *string    `json:"namedBy"`
	Editable bool       `json:"editable"`
	Reason   *reason    `json:"reason"`
	Shown    bool       `json:"shown"`
	Bytes    int64      `json:"bytes"`
	Modified *time.Time `json:"modified"`
	Versions int        `json:"versions"`
	Last     *version   `json:"last"`
}

type fileText struct {
	file
	// Text is null where it is not shown.
	Text    *string `json:"text"`
	Tag     *string `json:"tag"`
	Secrets int     `json:"secrets"`
}

type problem struct {
	File    string `json:"file"`
	Line    *int   `json:"line"`
	Reason  string `json:"reason"`
	Hint    string `json:"hint"`
	Warning bool   `json:"warning"`
}

type failure struct {
	Error    string    `json:"error"`
	Problems []problem `json:"problems,omitempty"`
	// Current is the file as it is, where it is not what was read.
	Current *fileText `json:"current,omitempty"`
}

func versionOf(v edit.Version) version {
	return version{ID: v.ID, Time: v.At.UTC(), Kind: string(v.Kind), Who: v.Who, Comment: v.Comment, Bytes: v.Size}
}

func fileOf(s edit.State) file {
	f := file{ID: s.ID, Kind: string(s.Kind), Path: s.Path, As: cmp.Or(s.As, s.Path), Jobs: s.Jobs, Editable: s.Reason == nil, Shown: s.Shown, Bytes: s.Size, Versions: s.Versions}
	if f.Jobs == nil {
		f.Jobs = []string{}
	}
	if s.NamedBy != "" {
		f.NamedBy = &s.NamedBy
	}
	if s.Reason != nil {
		f.Reason = &reason{s.Reason.Code, s.Reason.Text}
	}
	if !s.Modified.IsZero() {
		at := s.Modified.UTC()
		f.Modified = &at
	}
	if s.Last != nil {
		v := versionOf(*s.Last)
		f.Last = &v
	}
	return f
}

func textOf(t edit.Text) fileText {
	out := fileText{file: fileOf(t.State), Secrets: t.Secrets}
	if t.Shown {
		text := string(t.Text)
		out.Text, out.Tag = &text, &t.Tag
	}
	return out
}

func problemsOf(ps config.Problems) []problem {
	out := make([]problem, 0, len(ps))
	for _, p := range ps {
		q := problem{File: p.File, Reason: p.Reason, Hint: p.Hint, Warning: p.Warning}
		if p.Line > 0 {
			q.Line = &p.Line
		}
		out = append(out, q)
	}
	return out
}

func (h *handler) list(w http.ResponseWriter, r *http.Request) {
	states, err := h.Editor.Files(r.Context())
	if err != nil {
		h.fail(w, r, err)
		return
	}
	out := make([]file, 0, len(states))
	for _, s := range states {
		out = append(out, fileOf(s))
	}
	answer(w, http.StatusOK, map[string]any{"files": out, "places": h.places()})
}

func (h *handler) read(w http.ResponseWriter, r *http.Request) {
	t, err := h.Editor.Read(r.Context(), r.PathValue("id"))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, textOf(t))
}

func (h *handler) check(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Text *string `json:"text"`
	}
	if !h.decode(w, r, &in) {
		return
	}
	if in.Text == nil {
		answer(w, http.StatusBadRequest, failure{Error: noText})
		return
	}
	ps, err := h.Editor.Check(r.Context(), r.PathValue("id"), []byte(*in.Text))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, map[string]any{"ok": ps.Err() == nil, "problems": problemsOf(ps)})
}

func (h *handler) save(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Text    *string `json:"text"`
		Tag     string  `json:"tag"`
		Comment string  `json:"comment"`
	}
	if !h.decode(w, r, &in) {
		return
	}
	if in.Text == nil || in.Tag == "" {
		answer(w, http.StatusBadRequest, failure{Error: "text or tag is missing: give the whole file, and the tag with which it was read"})
		return
	}
	if !h.may(w, r) {
		return
	}
	t, err := h.Editor.Save(r.Context(), r.PathValue("id"), edit.Change{Text: []byte(*in.Text), Tag: in.Tag, Who: h.Who(r), Comment: in.Comment})
	if err != nil {
		h.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, textOf(t))
}

func (h *handler) versions(w http.ResponseWriter, r *http.Request) {
	vs, err := h.Editor.Versions(r.Context(), r.PathValue("id"))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	out := make([]version, 0, len(vs))
	for _, v := range vs {
		out = append(out, versionOf(v))
	}
	answer(w, http.StatusOK, map[string]any{"versions": out})
}

func (h *handler) number(w http.ResponseWriter, r *http.Request) (int64, bool) {
	n, err := strconv.ParseInt(r.PathValue("version"), 10, 64)
	if err != nil || n < 1 {
		answer(w, http.StatusBadRequest, failure{Error: fmt.Sprintf("%q is not the number of a version", r.PathValue("version"))})
		return 0, false
	}
	return n, true
}

func (h *handler) version(w http.ResponseWriter, r *http.Request) {
	n, ok := h.number(w, r)
	if !ok {
		return
	}
	v, secrets, err := h.Editor.Version(r.Context(), r.PathValue("id"), n)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	out, text := versionOf(v), string(v.Text)
	out.Text, out.Secrets = &text, &secrets
	answer(w, http.StatusOK, out)
}

func (h *handler) restore(w http.ResponseWriter, r *http.Request) {
	n, ok := h.number(w, r)
	if !ok {
		return
	}
	var in struct {
		Tag     string `json:"tag"`
		Comment string `json:"comment"`
	}
	if !h.decode(w, r, &in) {
		return
	}
	if in.Tag == "" {
		answer(w, http.StatusBadRequest, failure{Error: "tag is missing: give the one with which the file was read"})
		return
	}
	if !h.may(w, r) {
		return
	}
	t, err := h.Editor.Restore(r.Context(), r.PathValue("id"), n, edit.Change{Tag: in.Tag, Who: h.Who(r), Comment: in.Comment})
	if err != nil {
		h.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, textOf(t))
}

func (h *handler) schema(w http.ResponseWriter, r *http.Request) {
	s := edit.SchemaOf(edit.Kind(r.PathValue("kind")))
	if s.Root == "" {
		answer(w, http.StatusNotFound, failure{Error: fmt.Sprintf("no settings are known of files of the kind %q", r.PathValue("kind"))})
		return
	}
	answer(w, http.StatusOK, s)
}

// may answers where who asks may not change the file.
func (h *handler) may(w http.ResponseWriter, r *http.Request) bool {
	if h.May == nil {
		return true
	}
	t, err := h.Editor.Read(r.Context(), r.PathValue("id"))
	if err != nil {
		h.fail(w, r, err)
		return false
	}
	return h.mayKind(w, r, t.Path, t.Kind)
}

// mayKind answers where who asks may not change files of a kind.
func (h *handler) mayKind(w http.ResponseWriter, r *http.Request, path string, kind edit.Kind) bool {
	if h.May != nil && !h.May(r, kind) {
		why := "it says who may log in and where data lies"
		if kind == edit.Promtail {
			why = "it can make any file of the host readable as a log"
		}
		answer(w, http.StatusForbidden, failure{Error: path + ": changing it takes the role admin, since " + why})
		return false
	}
	return true
}

// decode reads a body of JSON, and answers where that fails.
func (h *handler) decode(w http.ResponseWriter, r *http.Request, v any) bool {
	// Escapes make JSON longer than the text in it.
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 6*edit.MaxBytes+64<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		status := http.StatusBadRequest
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			status = http.StatusRequestEntityTooLarge
		}
		answer(w, status, failure{Error: "read request: " + err.Error()})
		return false
	}
	return true
}

func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	var (
		conflict *edit.ConflictError
		refused  *edit.ProblemsError
		readOnly *edit.ReadOnlyError
		name     *edit.NameError
	)
	switch {
	case errors.Is(err, edit.ErrNoFile), errors.Is(err, edit.ErrNoVersion):
		answer(w, http.StatusNotFound, failure{Error: err.Error()})
	case errors.As(err, &conflict):
		current := textOf(conflict.Current)
		answer(w, http.StatusConflict, failure{Error: conflict.Error(), Current: &current})
	case errors.As(err, &refused):
		answer(w, http.StatusUnprocessableEntity, failure{Error: refused.Error(), Problems: problemsOf(refused.Problems)})
	case errors.As(err, &name):
		answer(w, http.StatusUnprocessableEntity, failure{Error: name.Error(), Problems: problemsOf(config.Problems{name.Problem})})
	case errors.Is(err, edit.ErrExists):
		answer(w, http.StatusConflict, failure{Error: err.Error()})
	case errors.As(err, &readOnly):
		answer(w, http.StatusForbidden, failure{Error: readOnly.Error()})
	case r.Context().Err() != nil:
		answer(w, http.StatusServiceUnavailable, failure{Error: "nobody waits for the answer any more"})
	default:
		h.Logger.Error("Cannot serve configuration files", "path", r.URL.Path, "err", err)
		answer(w, http.StatusInternalServerError, failure{Error: err.Error()})
	}
}

func answer(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil { // Values of this package always can be.
		status, text = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}
