package files_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/api"
	"github.com/modelwatch/modelwatch/api/files"
	"github.com/modelwatch/modelwatch/config"
	"github.com/modelwatch/modelwatch/config/edit"
)

// memory is a history.
type memory struct{ versions []edit.Version }

func (m *memory) List(_ context.Context, path string) (out []edit.Version, err error) {
	for _, v := range slices.Backward(m.versions) {
		if v.Path == path {
			v.Text = nil
			out = append(out, v)
		}
	}
	return out, nil
}

func (m *memory) Ending(_ context.Context, kinds ...edit.VersionKind) (out []string, err error) {
	last := map[string]edit.VersionKind{}
	for _, v := range m.versions {
		last[v.Path] = v.Kind
	}
	for path, kind := range last {
		if slices.Contains(kinds, kind) {
			out = append(out, path)
		}
	}
	return out, nil
}

func (m *memory) Get(_ context.Context, path string, id int64) (edit.Version, bool, error) {
	for _, v := range slices.Backward(m.versions) {
		if v.Path == path && (id == 0 || v.ID == id) {
			return v, true, nil
		}
	}
	return edit.Version{}, false, nil
}

func (m *memory) Add(_ context.Context, v edit.Version) (int64, error) {
	v.ID, v.Size = int64(len(m.versions)+1), len(v.Text)
	m.versions = append(m.versions, v)
	return v.ID, nil
}

func (m *memory) SetKind(_ context.Context, id int64, kind edit.VersionKind) error {
	for i := range m.versions {
		if m.versions[i].ID == id {
			m.versions[i].Kind = kind
		}
	}
	return nil
}

func (m *memory) Delete(_ context.Context, id int64) error {
	m.versions = slices.DeleteFunc(m.versions, func(v edit.Version) bool { return v.ID == id })
	return nil
}

// owner names files and can refuse to take a change over.
type owner struct {
	files  []edit.File
	places []edit.Place
	reload error
	loaded int
}

// Files are those named one by one, and what lies in places.
func (o *owner) Files() []edit.File {
	out := slices.Clone(o.files)
	for _, p := range o.places {
		for _, pattern := range p.Patterns {
			found, _ := filepath.Glob(filepath.Join(p.Dir, pattern))
			for _, f := range found {
				out = append(out, edit.File{Kind: edit.Rules, Path: f})
			}
		}
	}
	return out
}

func (o *owner) Places() []edit.Place { return o.places }
func (o *owner) Never() []string {
	return []string{filepath.Join(filepath.Dir(o.files[0].Path), "web.yml")}
}

func (o *owner) Check(f edit.File, text []byte) config.Problems {
	if f.Kind == edit.Alertmanager {
		return config.CheckAlertmanager(f.Path, text)
	}
	return config.CheckSyntax(f.Path, text)
}
func (o *owner) Try(edit.File, string) error { return nil }
func (o *owner) Reload() error {
	o.loaded++
	err := o.reload
	o.reload = nil
	return err
}

const receiver = `global: {smtp_smarthost: 'mail:25', smtp_from: a@example.org, smtp_auth_password: hunter2-hunter2}
route: {receiver: mail}
receivers: [{name: mail, email_configs: [{to: a@example.org}]}]
`

type served struct {
	t      *testing.T
	dir    string
	owner  *owner
	memory *memory
	may    bool
	check  func(r *http.Request, body string, w *httptest.ResponseRecorder)
	http.Handler
}

func serve(t *testing.T) *served {
	dir := t.TempDir()
	put := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.NoError(t, os.Chmod(path, mode))
		return path
	}
	outside := filepath.Join(t.TempDir(), "outside.yml")
	require.NoError(t, os.WriteFile(outside, []byte("password: hunter2-hunter2\n"), 0o600))
	o := &owner{files: []edit.File{
		{Kind: edit.Alertmanager, Path: put("alertmanager.yml", receiver, 0o640)},
		{Kind: edit.Rules, Path: put("rules.yml", "groups: []\n", 0o600)},
		{Kind: edit.Rules, Path: put("managed.yml", "# Managed by Ansible\ngroups: []\n", 0o600)},
		{Kind: edit.Rules, Path: put("locked.yml", "groups: []\n", 0o440)},
		{Kind: edit.Rules, Path: outside},
		{Kind: edit.Rules, Path: put("web.yml", "basic_auth_users: {a: hunter2-hunter2}\n", 0o600)},
		{Kind: edit.Template, Path: put("password", "hunter2-hunter2", 0o600)},
		{Kind: edit.Rules, Path: put("unclear.yml", "password: hunter2-hunter2\n  over lines\n", 0o600)},
		{Kind: edit.Rules, Path: put("..data/map.yml", "groups: []\n", 0o600)},
		{Kind: edit.Rules, Path: "builtin:a.yml", Builtin: []byte("groups: []\n")},
		{Kind: edit.Rules, Path: filepath.Join(dir, "gone.yml")},
	}}
	m := &memory{}
	e, err := edit.New(edit.Options{Owner: o, History: m, Roots: []string{dir}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	require.NoError(t, err)
	doc.Servers = nil
	s := &served{t: t, dir: dir, owner: o, memory: m, may: true}
	s.Handler = files.New(files.Options{
		Editor: e, Who: func(*http.Request) string { return "ada" }, Logger: slog.New(slog.DiscardHandler),
		May: func(*http.Request, edit.Kind) bool { return s.may },
	})
	s.check = func(r *http.Request, body string, w *httptest.ResponseRecorder) {
		route, params := find(doc, r)
		require.NotNil(t, route, "%s %s is not in openapi.yaml", r.Method, r.URL)
		in := &openapi3filter.ResponseValidationInput{
			RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
			Status:                 w.Code, Header: w.Header(), Body: io.NopCloser(strings.NewReader(body)),
			Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
		}
		require.NoError(t, openapi3filter.ValidateResponse(t.Context(), in), "%s %s: %s", r.Method, r.URL, body)
	}
	return s
}

// find returns the operation that a request is for, nil where there is none.
func find(doc *openapi3.T, r *http.Request) (*routers.Route, map[string]string) {
	parts := strings.Split(r.URL.EscapedPath(), "/")
	for path, item := range doc.Paths.Map() {
		names := strings.Split(path, "/")
		op := item.GetOperation(r.Method)
		if op == nil || len(names) != len(parts) {
			continue
		}
		params := map[string]string{}
		same := true
		for i, name := range names {
			if strings.HasPrefix(name, "{") {
				params[strings.Trim(name, "{}")] = parts[i]
			} else if name != parts[i] {
				same = false
			}
		}
		if same {
			return &routers.Route{Spec: doc, Path: path, PathItem: item, Method: r.Method, Operation: op}, params
		}
	}
	return nil, nil
}

// ask sends a request, holds its answer against openapi.yaml, and fails if it
// has a secret.
func (s *served) ask(method, path string, body any) (int, map[string]any) {
	s.t.Helper()
	var text []byte
	if body != nil {
		text, _ = json.Marshal(body)
	}
	r := httptest.NewRequest(method, "/ai/v1/config"+path, strings.NewReader(string(text)))
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	require.NotContains(s.t, w.Body.String(), "hunter2", "%s %s", method, path)
	s.check(r, w.Body.String(), w)
	out := map[string]any{}
	require.NoError(s.t, json.Unmarshal(w.Body.Bytes(), &out))
	return w.Code, out
}

func (s *served) id(name string) string {
	_, list := s.ask("GET", "/files", nil)
	for _, f := range list["files"].([]any) {
		if path := f.(map[string]any)["path"].(string); path == name || filepath.Base(path) == name {
			return f.(map[string]any)["id"].(string)
		}
	}
	s.t.Fatalf("no file %s", name)
	return ""
}

func (s *served) disk(name string) string {
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	require.NoError(s.t, err)
	return string(text)
}

type body = map[string]any

func TestReasons(t *testing.T) {
	t.Parallel()
	s := serve(t)
	_, list := s.ask("GET", "/files", nil)
	got := map[string]string{}
	for _, f := range list["files"].([]any) {
		f := f.(map[string]any)
		code := ""
		if r, ok := f["reason"].(map[string]any); ok {
			code = r["code"].(string)
		}
		got[filepath.Base(f["path"].(string))] = fmt.Sprint(code, f["shown"])
	}
	require.Equal(t, map[string]string{
		"alertmanager.yml": "true", "rules.yml": "true", "managed.yml": "managedtrue", "locked.yml": "unwritabletrue", "outside.yml": "outsidefalse",
		"password": "outsidefalse", "unclear.yml": "unclearfalse", "map.yml": "kubernetestrue", "builtin:a.yml": "builtintrue", "gone.yml": "missingfalse",
	}, got, "the web config is in no list")
	for name := range got {
		status, f := s.ask("GET", "/files/"+s.id(name), nil)
		require.Equal(t, 200, status)
		if f["editable"] == true {
			continue
		}
		status, _ = s.ask("PUT", "/files/"+s.id(name), body{"text": "groups: []\n# mine\n", "tag": "x"})
		require.Equal(t, 403, status, name)
	}
}

func TestOnlyNamedFilesAreReached(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, id := range []string{"..%2Fweb.yml", "%2Fetc%2Fpasswd", edit.IDOf("/etc/passwd"), edit.IDOf(filepath.Join(s.dir, "web.yml")), "x"} {
		for _, ask := range []struct{ method, path string }{{"GET", ""}, {"PUT", ""}, {"POST", "/check"}, {"GET", "/versions"}, {"GET", "/versions/1"}, {"POST", "/versions/1/restore"}} {
			r := httptest.NewRequest(ask.method, "/ai/v1/config/files/"+id+ask.path, strings.NewReader(`{"text":"x","tag":"x"}`))
			if ask.path == "/check" {
				r.Body = io.NopCloser(strings.NewReader(`{"text":"x"}`))
			} else if strings.HasSuffix(ask.path, "restore") {
				r.Body = io.NopCloser(strings.NewReader(`{"tag":"x"}`))
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			require.Equal(t, 404, w.Code, "%s %s%s: %s", ask.method, id, ask.path, w.Body)
		}
	}
}

func TestSaveKeepsSecretsModeAndHistory(t *testing.T) {
	t.Parallel()
	s := serve(t)
	id := s.id("alertmanager.yml")
	_, f := s.ask("GET", "/files/"+id, nil)
	require.EqualValues(t, 1, f["secrets"])
	text := f["text"].(string)
	require.Contains(t, text, "smtp_auth_password: <secret>")
	next := strings.Replace(text, "to: a@example.org", "to: b@example.org", 1)
	status, saved := s.ask("PUT", "/files/"+id, body{"text": next, "tag": f["tag"], "comment": "to b"})
	require.Equal(t, 200, status, saved)
	require.Equal(t, strings.Replace(receiver, "to: a@example.org", "to: b@example.org", 1), s.disk("alertmanager.yml"))
	require.Equal(t, 1, s.owner.loaded)
	info, err := os.Stat(filepath.Join(s.dir, "alertmanager.yml"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), info.Mode().Perm())
	_, list := s.ask("GET", "/files/"+id+"/versions", nil)
	versions := list["versions"].([]any)
	require.Len(t, versions, 2)
	newest := versions[0].(map[string]any)
	require.Equal(t, []any{"saved", "ada", "to b"}, []any{newest["kind"], newest["who"], newest["comment"]})
	require.Equal(t, "found", versions[1].(map[string]any)["kind"])

	// Back to what it was, secret and all.
	first := fmt.Sprint(versions[1].(map[string]any)["id"])
	status, v := s.ask("GET", "/files/"+id+"/versions/"+first, nil)
	require.Equal(t, 200, status)
	require.Equal(t, text, v["text"])
	status, _ = s.ask("POST", "/files/"+id+"/versions/"+first+"/restore", body{"tag": saved["tag"]})
	require.Equal(t, 200, status)
	require.Equal(t, receiver, s.disk("alertmanager.yml"))

	// A change that was not made here is noted.
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "alertmanager.yml"), []byte(receiver+"# by hand\n"), 0o600))
	_, list = s.ask("GET", "/files/"+id+"/versions", nil)
	require.Equal(t, "outside", list["versions"].([]any)[0].(map[string]any)["kind"])
	entries, err := os.ReadDir(s.dir)
	require.NoError(t, err)
	for _, e := range entries {
		require.NotContains(t, e.Name(), "draft")
	}
}

func TestConflict(t *testing.T) {
	t.Parallel()
	s := serve(t)
	id := s.id("rules.yml")
	_, f := s.ask("GET", "/files/"+id, nil)
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "rules.yml"), []byte("groups: [] # theirs\n"), 0o600))
	status, answer := s.ask("PUT", "/files/"+id, body{"text": "groups: [] # mine\n", "tag": f["tag"]})
	require.Equal(t, 409, status)
	current := answer["current"].(map[string]any)
	require.Equal(t, "groups: [] # theirs\n", current["text"])
	require.Equal(t, "groups: [] # theirs\n", s.disk("rules.yml"))
	status, _ = s.ask("PUT", "/files/"+id, body{"text": "groups: [] # mine\n", "tag": current["tag"]})
	require.Equal(t, 200, status)
}

func TestRefusedTextIsNotWritten(t *testing.T) {
	t.Parallel()
	s := serve(t)
	id := s.id("alertmanager.yml")
	_, f := s.ask("GET", "/files/"+id, nil)
	bad := strings.Replace(f["text"].(string), "route: {receiver: mail}", "route: {receiver: nobody}", 1)
	_, checked := s.ask("POST", "/files/"+id+"/check", body{"text": bad})
	require.Equal(t, false, checked["ok"])
	require.EqualValues(t, 2, checked["problems"].([]any)[0].(map[string]any)["line"])
	status, answer := s.ask("PUT", "/files/"+id, body{"text": bad, "tag": f["tag"]})
	require.Equal(t, 422, status)
	require.Contains(t, answer["error"], "undefined receiver")
	require.Equal(t, receiver, s.disk("alertmanager.yml"))

	// What only taking it over finds out is taken back.
	s.owner.reload = errors.New("the port of hunter2-hunter2 is taken")
	good := strings.Replace(f["text"].(string), "mail:25", "mail:26", 1)
	status, answer = s.ask("PUT", "/files/"+id, body{"text": good, "tag": f["tag"]})
	require.Equal(t, 422, status)
	require.Contains(t, answer["error"], "the port of <secret> is taken")
	require.Equal(t, receiver, s.disk("alertmanager.yml"))
	require.Equal(t, 2, s.owner.loaded, "what is on disk again was taken over again")
	_, list := s.ask("GET", "/files/"+id+"/versions", nil)
	require.Len(t, list["versions"], 1, "the former state alone")

	for name, c := range map[string]struct {
		body   body
		status int
	}{
		"no tag":    {body{"text": "x"}, 400},
		"no text":   {body{"tag": "x"}, 400},
		"unknown":   {body{"text": "x", "tag": "x", "force": true}, 400},
		"too large": {body{"text": strings.Repeat("#\n", edit.MaxBytes), "tag": f["tag"]}, 422},
		"NUL":       {body{"text": "a\x00", "tag": f["tag"]}, 422},
		"comment":   {body{"text": good, "tag": f["tag"], "comment": strings.Repeat("x", 2000)}, 422},
	} {
		status, _ := s.ask("PUT", "/files/"+id, c.body)
		require.Equal(t, c.status, status, name)
	}
	status, _ = s.ask("GET", "/files/"+id+"/versions/0", nil)
	require.Equal(t, 400, status)
	status, _ = s.ask("GET", "/files/"+id+"/versions/99", nil)
	require.Equal(t, 404, status)
}

// A crash between the parts of saving leaves a history that says the truth.
func TestHistoryAfterACrash(t *testing.T) {
	t.Parallel()
	s := serve(t)
	path := filepath.Join(s.dir, "rules.yml")
	for _, c := range []struct {
		text string
		want []string
	}{
		{"groups: []\n# new\n", []string{"found"}},   // Written down, not yet in the file.
		{"groups: []\n", []string{"saved", "found"}}, // In the file.
	} {
		s.memory.versions = []edit.Version{
			{ID: 1, Path: path, Kind: edit.Found, Text: []byte("groups: []\n")},
			{ID: 2, Path: path, Kind: "saving", Text: []byte(c.text)},
		}
		_, list := s.ask("GET", "/files/"+s.id("rules.yml")+"/versions", nil)
		var kinds []string
		for _, v := range list["versions"].([]any) {
			kinds = append(kinds, v.(map[string]any)["kind"].(string))
		}
		require.Equal(t, c.want, kinds)
	}
}

func TestSchema(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for kind, settings := range map[string][]string{
		"prometheus":   {"config.ScrapeConfig.file_sd_configs", "config.ScrapeConfig.job_name", "config.GlobalConfig.scrape_interval"},
		"alertmanager": {"config.Route.group_wait", "config.Receiver.email_configs"},
		"rules":        {"rulefmt.Rule.keep_firing_for", "rulefmt.RuleGroup.limit"},
		"modelwatch":   {"config.Web.editing"},
		"targets":      {"edit.targets.labels"},
		"scrape":       {"config.ScrapeConfigs.scrape_configs", "config.ScrapeConfig.file_sd_configs"},
		"promtail":     {"edit.promtail.scrape_configs"},
	} {
		status, schema := s.ask("GET", "/schema/"+kind, nil)
		require.Equal(t, 200, status)
		for _, setting := range settings {
			at := strings.LastIndex(setting, ".")
			require.Contains(t, schema["types"].(map[string]any)[setting[:at]], setting[at+1:], kind)
		}
	}
	status, _ := s.ask("GET", "/schema/template", nil)
	require.Equal(t, 404, status)
}

func TestWhoMayNotIsRefused(t *testing.T) {
	t.Parallel()
	s := serve(t)
	id := s.id("rules.yml")
	_, f := s.ask("GET", "/files/"+id, nil)
	s.may = false
	for _, ask := range []struct{ method, path string }{{"PUT", ""}, {"POST", "/versions/1/restore"}} {
		in := body{"tag": f["tag"]}
		if ask.path == "" {
			in["text"] = "groups: [] # mine\n"
		}
		status, answer := s.ask(ask.method, "/files/"+id+ask.path, in)
		require.Equal(t, 403, status)
		require.Contains(t, answer["error"], "admin")
	}
	require.Equal(t, "groups: []\n", s.disk("rules.yml"))
}

func jsonText(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}
