package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// editor asks the API by which files are edited.
type editor struct {
	*server
	dir string
	// asked is everything that was answered.
	asked strings.Builder
}

type fileAnswer struct {
	ID, Path, Kind, Text, Tag, Error string
	Jobs                             []string
	Editable                         bool
	Reason                           *struct{ Code string }
	Problems                         []struct {
		File, Reason string
		Line         int
		Warning      bool
	}
	Current *struct{ Text, Tag string }
	OK      bool
}

func (e *editor) ask(method, path string, body any) (int, fileAnswer) {
	e.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(e.t, err)
	req, err := http.NewRequestWithContext(e.t.Context(), method, e.url+"/ai/v1/config"+path, strings.NewReader(string(text)))
	require.NoError(e.t, err)
	resp, err := web.Do(req)
	require.NoError(e.t, err)
	status, answer := read(e.t, resp)
	e.asked.WriteString(answer)
	var out fileAnswer
	require.NoError(e.t, json.Unmarshal([]byte(answer), &out), "%s", answer)
	return status, out
}

func (e *editor) file(name string) fileAnswer {
	e.t.Helper()
	_, text := e.get("/ai/v1/config/files")
	var list struct{ Files []fileAnswer }
	require.NoError(e.t, json.Unmarshal([]byte(text), &list))
	for _, f := range list.Files {
		if filepath.Base(f.Path) == name {
			status, f := e.ask("GET", "/files/"+f.ID, nil)
			require.Equal(e.t, http.StatusOK, status)
			return f
		}
	}
	e.t.Fatalf("%s is not in use: %s", name, text)
	return fileAnswer{}
}

func (e *editor) save(f fileAnswer, text string) (int, fileAnswer) {
	return e.ask("PUT", "/files/"+f.ID, map[string]string{"text": text, "tag": f.Tag, "comment": "by a test"})
}

func (e *editor) disk(name string) string {
	text, err := os.ReadFile(filepath.Join(e.dir, name))
	require.NoError(e.t, err)
	return string(text)
}

const editedAlertmanager = `global:
  smtp_smarthost: 127.0.0.1:1
  smtp_from: a@example.org
  smtp_auth_username: me
  smtp_auth_password: "mail-s3cret"
route: {receiver: mail}
receivers:
  - name: mail
    email_configs: [{to: a@example.org}]
    webhook_configs: [{url: 'http://127.0.0.1:1/hook-s3cret'}]
`

func startEditor(t *testing.T, more ...string) *editor {
	e := &editor{dir: t.TempDir()}
	prometheus := write(t, e.dir, "prometheus.yml", `global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules/*.yml]
scrape_configs:
  - job_name: gone
    basic_auth: {username: me, password: scrape-s3cret}
    static_configs: [{targets: ['127.0.0.1:1']}]
  - job_name: found
    file_sd_configs: [{files: [targets.yml], refresh_interval: 1s}]
`)
	write(t, e.dir, "rules/a.yml", "groups:\n  - name: a\n    rules:\n      - {alert: First, expr: up == 0}\n")
	write(t, e.dir, "targets.yml", "- targets: ['127.0.0.1:2']\n")
	alertmanager := write(t, e.dir, "alertmanager.yml", editedAlertmanager)
	e.server = start(t, options{args: append([]string{"--prometheus.config=" + prometheus, "--alertmanager.config=" + alertmanager, "--storage.path=" + filepath.Join(e.dir, "data")}, more...)})
	return e
}

// Rules, targets and receivers are changed by their files, take effect, and go
// back; what is wrong changes nothing; no secret is ever told.
func TestEditing(t *testing.T) {
	t.Parallel()
	e := startEditor(t)

	rules := e.file("a.yml")
	status, saved := e.save(rules, rules.Text+"      - {alert: Second, expr: up == 0}\n")
	require.Equal(t, http.StatusOK, status, saved.Error)
	e.waitAlert("Second", "firing", 10*time.Second)

	bad := strings.Replace(saved.Text, "expr: up == 0", "expr: up ==", 1)
	status, checked := e.ask("POST", "/files/"+rules.ID+"/check", map[string]string{"text": bad})
	require.Equal(t, http.StatusOK, status)
	require.False(t, checked.OK)
	require.Equal(t, 4, checked.Problems[0].Line)
	before := e.disk("rules/a.yml")
	status, refused := e.save(saved, bad)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, refused.Error, "parse error")
	require.Equal(t, before, e.disk("rules/a.yml"))
	e.waitAlert("Second", "firing", time.Second)

	status, conflict := e.save(rules, rules.Text+"# from an old text\n")
	require.Equal(t, http.StatusConflict, status)
	require.Equal(t, before, conflict.Current.Text)

	status, back := e.ask("POST", "/files/"+rules.ID+"/versions/1/restore", map[string]string{"tag": saved.Tag})
	require.Equal(t, http.StatusOK, status, back.Error)
	_, err := e.alertState("Second")
	require.ErrorContains(t, err, "no rule")

	targets := e.file("targets.yml")
	status, saved = e.save(targets, "- targets: ['127.0.0.1:3']\n")
	require.Equal(t, http.StatusOK, status, saved.Error)
	e.waitQuery(`up{job="found",instance="127.0.0.1:3"}`, 15*time.Second)
	status, refused = e.save(saved, "- targets: ['http://127.0.0.1:3/metrics']\n")
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, refused.Error, "not a host with a port")

	// A receiver is changed beside its secrets.
	am := e.file("alertmanager.yml")
	status, saved = e.save(am, strings.Replace(am.Text, "to: a@example.org", "to: b@example.org", 1))
	require.Equal(t, http.StatusOK, status, saved.Error)
	require.Equal(t, strings.Replace(editedAlertmanager, "to: a@example.org", "to: b@example.org", 1), e.disk("alertmanager.yml"))
	_, routing := e.get("/api/v2/status")
	require.Contains(t, routing, "to: b@example.org")
	status, refused = e.save(saved, strings.Replace(saved.Text, "smtp_auth_username: me", "smtp_auth_username: <secret>", 1))
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, refused.Error, "no hidden value")

	// What only taking over finds out.
	prom := e.file("prometheus.yml")
	status, refused = e.save(prom, strings.Replace(prom.Text, "job_name: gone", "job_name: modelwatch", 1))
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, refused.Error, "modelwatch's own")
	status, refused = e.save(prom, strings.Replace(prom.Text, "rule_files: [rules/*.yml]", "rule_files: [rules/*.yml, none.yml]", 1))
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, refused.Error, "none.yml")

	require.NotContains(t, e.asked.String(), "s3cret")
	require.NotContains(t, e.out.String(), "s3cret")
	drafts, err := filepath.Glob(filepath.Join(e.dir, ".*draft*"))
	require.NoError(t, err)
	require.Empty(t, drafts)
}

// The files of scrape_config_files are edited as the jobs of prometheus.yml are.
func TestEditingScrapeConfigFiles(t *testing.T) {
	t.Parallel()
	e := startEditor(t)
	const jobs = "scrape_configs:\n  - job_name: apart\n    basic_auth: {username: me, password: file-s3cret}\n    static_configs: [{targets: ['127.0.0.1:4']}]\n"
	write(t, e.dir, "jobs/a.yml", jobs)
	prom := e.file("prometheus.yml")
	status, saved := e.save(prom, prom.Text+"scrape_config_files: [jobs/*.yml]\n")
	require.Equal(t, http.StatusOK, status, saved.Error)
	e.waitQuery(`up{job="apart",instance="127.0.0.1:4"}`, 15*time.Second)
	f := e.file("a.yml")
	if f.Kind != "scrape" { // rules/a.yml has the same name.
		_, text := e.get("/ai/v1/config/files")
		var list struct{ Files []fileAnswer }
		require.NoError(t, json.Unmarshal([]byte(text), &list))
		i := slices.IndexFunc(list.Files, func(f fileAnswer) bool { return f.Kind == "scrape" })
		require.GreaterOrEqual(t, i, 0, text)
		_, f = e.ask("GET", "/files/"+list.Files[i].ID, nil)
	}
	require.True(t, f.Editable)
	require.Equal(t, []string{"apart"}, f.Jobs)
	require.Equal(t, []string{"gone", "found"}, e.file("prometheus.yml").Jobs)
	require.Contains(t, f.Text, "password: <secret>")

	status, saved = e.save(f, strings.Replace(f.Text, "127.0.0.1:4", "127.0.0.1:5", 1))
	require.Equal(t, http.StatusOK, status, saved.Error)
	require.Equal(t, strings.Replace(jobs, "127.0.0.1:4", "127.0.0.1:5", 1), e.disk("jobs/a.yml"))
	e.waitQuery(`up{job="apart",instance="127.0.0.1:5"}`, 15*time.Second)

	before := e.disk("jobs/a.yml")
	for text, says := range map[string]string{
		strings.Replace(saved.Text, "job_name: apart", "job_name: gone", 1):       "gone",       // A job of prometheus.yml.
		strings.Replace(saved.Text, "job_name: apart", "job_name: modelwatch", 1): "modelwatch", // Ours.
		saved.Text + "    scrape_interval: soon\n":                                "soon",       // Not a duration.
		saved.Text + "rule_files: [a.yml]\n":                                      "rule_files", // Not of this kind of file.
		saved.Text + "    bogus: 1\n":                                             "bogus",      // No such setting.
	} {
		status, refused := e.save(saved, text)
		require.Equal(t, http.StatusUnprocessableEntity, status, says)
		require.Contains(t, refused.Error, says)
		require.NotContains(t, refused.Error, "draft")
	}
	require.Equal(t, before, e.disk("jobs/a.yml"))
	out := tool(t, binary, "check", filepath.Join(e.dir, "prometheus.yml"))
	require.Contains(t, out, "jobs/a.yml: file of scrape jobs: ok")
	require.NotContains(t, e.asked.String(), "s3cret")
}

// A rule file is made, evaluated, taken back and brought back.
func TestCreatingARuleFile(t *testing.T) {
	t.Parallel()
	e := startEditor(t)
	dir := filepath.Join(e.dir, "rules")
	text := "groups:\n  - name: new\n    rules:\n      - {alert: Made, expr: up == 0}\n"
	in := map[string]string{"directory": dir, "name": "made.yml", "text": strings.Replace(text, "up == 0", "up ==", 1)}
	status, refused := e.ask("POST", "/files", in)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, refused.Error, "parse error")
	require.Equal(t, 4, refused.Problems[0].Line)
	require.NoFileExists(t, filepath.Join(dir, "made.yml"))
	for name, status := range map[string]int{"../made.yml": 422, "/tmp/made.yml": 422, "made.txt": 422, "a.yml": 409} {
		got, answer := e.ask("POST", "/files", map[string]string{"directory": dir, "name": name, "text": text})
		require.Equal(t, status, got, "%s: %s", name, answer.Error)
	}
	in["text"] = text
	status, made := e.ask("POST", "/files", in)
	require.Equal(t, http.StatusCreated, status, made.Error)
	require.Equal(t, text, e.disk("rules/made.yml"))
	e.waitAlert("Made", "firing", 10*time.Second)

	_, list := e.get("/ai/v1/config/files/" + made.ID + "/versions")
	var versions struct {
		Versions []struct {
			ID   int64
			Kind string
		}
	}
	require.NoError(t, json.Unmarshal([]byte(list), &versions))
	require.Len(t, versions.Versions, 2)
	restore := func(i int, tag string) (int, fileAnswer) {
		return e.ask("POST", "/files/"+made.ID+"/versions/"+jsonNumber(versions.Versions[i].ID)+"/restore", map[string]string{"tag": tag})
	}
	status, gone := restore(1, made.Tag)
	require.Equal(t, http.StatusOK, status, gone.Error)
	require.Equal(t, "removed", gone.Reason.Code)
	require.NoFileExists(t, filepath.Join(dir, "made.yml"))
	_, err := e.alertState("Made")
	require.ErrorContains(t, err, "no rule")
	require.Equal(t, made.ID, e.file("made.yml").ID)

	status, back := restore(0, gone.Tag)
	require.Equal(t, http.StatusOK, status, back.Error)
	require.Equal(t, text, e.disk("rules/made.yml"))
	e.waitAlert("Made", "firing", 10*time.Second)
}

// A file that no pattern covers is not made; the pattern is added first, and
// its directory comes with the first file.
func TestCreatingNeedsAPattern(t *testing.T) {
	t.Parallel()
	e := startEditor(t)
	in := map[string]string{"directory": filepath.Join(e.dir, "more"), "name": "b.yml", "text": "groups: []\n"}
	status, refused := e.ask("POST", "/files", in)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, refused.Error, "rule_files")
	prom := e.file("prometheus.yml")
	status, saved := e.save(prom, strings.Replace(prom.Text, "[rules/*.yml]", "[rules/*.yml, more/*.yml]", 1))
	require.Equal(t, http.StatusOK, status, saved.Error)
	require.NoDirExists(t, filepath.Join(e.dir, "more"))
	status, made := e.ask("POST", "/files", in)
	require.Equal(t, http.StatusCreated, status, made.Error)
	require.Equal(t, "groups: []\n", e.disk("more/b.yml"))
}

// An edit cannot make other files readable.
func TestEditingReachesNoOtherFile(t *testing.T) {
	t.Parallel()
	e := startEditor(t)
	secret := write(t, t.TempDir(), "other.tmpl", "other-s3cret")
	write(t, e.dir, "password", "pass-s3cret")
	am := e.file("alertmanager.yml")
	status, saved := e.save(am, am.Text+"templates: ['"+secret+"', password]\n")
	require.Equal(t, http.StatusOK, status, saved.Error)
	for _, name := range []string{"other.tmpl", "password"} {
		f := e.file(name)
		require.Equal(t, "outside", f.Reason.Code)
		status, _ = e.save(fileAnswer{ID: f.ID, Tag: "x"}, "changed")
		require.Equal(t, http.StatusForbidden, status)
	}
	for _, id := range []string{"..%2f..%2fetc%2fpasswd", "%2Fetc%2Fpasswd", "alertmanager.yml"} {
		status, _ := e.get("/ai/v1/config/files/" + id)
		require.Equal(t, http.StatusNotFound, status)
	}
	require.NotContains(t, e.asked.String(), "s3cret")
}

func TestEditingTurnedOff(t *testing.T) {
	t.Parallel()
	config := write(t, t.TempDir(), "modelwatch.yml", "web: {editing: false}\n")
	e := startEditor(t, "--config.file="+config)
	f := e.file("a.yml")
	require.Equal(t, "off", f.Reason.Code)
	status, answer := e.save(f, "groups: []\n")
	require.Equal(t, http.StatusForbidden, status)
	require.Contains(t, answer.Error, "web.editing")
}

// Whenever the process is killed, the file is whole: one text or the other.
func TestKillWhileSaving(t *testing.T) {
	t.Parallel()
	e := startEditor(t)
	one, two := "groups: []\n"+strings.Repeat("# one\n", 50_000), "groups: []\n"+strings.Repeat("# two\n", 50_000)
	f := e.file("a.yml")
	status, f := e.save(f, one)
	require.Equal(t, http.StatusOK, status, f.Error)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for text := two; ; {
			body, _ := json.Marshal(map[string]string{"text": text, "tag": f.Tag})
			req, _ := http.NewRequest(http.MethodPut, e.url+"/ai/v1/config/files/"+f.ID, strings.NewReader(string(body)))
			resp, err := web.Do(req)
			if err != nil {
				return // Killed.
			}
			err = json.NewDecoder(resp.Body).Decode(&f)
			_ = resp.Body.Close()
			if err != nil {
				return
			}
			if text == one {
				text = two
			} else {
				text = one
			}
		}
	}()
	time.Sleep(700 * time.Millisecond)
	e.kill()
	<-done
	text := e.disk("rules/a.yml")
	require.True(t, text == one || text == two, "%d bytes", len(text))
	again := start(t, options{args: e.cmd.Args[3:]})
	_, versions := again.get("/ai/v1/config/files/" + f.ID + "/versions")
	require.NotContains(t, versions, `"saving"`)
	require.NotContains(t, versions, `"outside"`)
}

func TestPreview(t *testing.T) {
	t.Parallel()
	e := startEditor(t)
	e.waitQuery(`count_over_time(up{job="gone"}[1m]) > 3`, 15*time.Second)
	status, text := e.post("/ai/v1/alerting/preview", "application/json", `{"expr": "up{job=\"gone\"} == 0", "for": "1s", "range": "5m"}`)
	require.Equal(t, http.StatusOK, status, text)
	var p struct {
		Fired, FiringNow int
		Data             []struct{ Share float64 }
		StepSeconds      float64
	}
	require.NoError(t, json.Unmarshal([]byte(text), &p))
	require.Equal(t, 1, p.Fired, text)
	require.Equal(t, 1, p.FiringNow)
	require.Equal(t, 1., p.StepSeconds)
	require.Less(t, p.Data[0].Share, 0.5, "it has only just begun")

	// LogQL: two errors in a minute.
	now := time.Now().UnixNano()
	lines, _ := json.Marshal(map[string]any{"streams": []any{map[string]any{"stream": map[string]string{"app": "shop"}, "values": [][2]string{
		{jsonNumber(now - 60e9), "ERROR one"}, {jsonNumber(now - 59e9), "ERROR two"},
	}}}})
	status, text = e.post("/loki/api/v1/push", "application/json", string(lines))
	require.Equal(t, http.StatusNoContent, status, text)
	status, text = e.post("/ai/v1/alerting/preview", "application/json", `{"expr": "sum(count_over_time({app=\"shop\"} |= \"ERROR\" [30s])) > 1", "range": "5m"}`)
	require.Equal(t, http.StatusOK, status, text)
	p.Data = nil
	require.NoError(t, json.Unmarshal([]byte(text), &p))
	require.Equal(t, 1, p.Fired, text)
	require.Empty(t, p.Data)

	status, text = e.post("/ai/v1/alerting/preview", "application/json", `{"expr": "up{"}`)
	require.Equal(t, http.StatusUnprocessableEntity, status, text)
}

func jsonNumber(n int64) string { b, _ := json.Marshal(n); return string(b) }

// With users and roles, viewers read, editors edit, and modelwatch.yml and
// promtail.yml are the admin's; the history has their names.
func TestEditingObeysRoles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "rules.yml", "groups: []\n")
	write(t, dir, "jobs.yml", "scrape_configs: []\n")
	prometheus := write(t, dir, "prometheus.yml", "rule_files: [rules.yml]\nscrape_config_files: [jobs.yml]\n")
	promtail := write(t, dir, "promtail.yml", "scrape_configs: []\n")
	_, admin, _, _ := startWithAuth(t, authOn, "--prometheus.config="+prometheus, "--promtail.config="+promtail)
	viewer, editor := admin.user("vera", "viewer"), admin.user("edda", "editor")
	ids := map[string]string{}
	for _, f := range viewer.want(http.StatusOK, "GET", "/ai/v1/config/files", "")["files"].([]any) {
		f := f.(map[string]any)
		ids[f["kind"].(string)+filepath.Ext(f["path"].(string))] = f["id"].(string)
		if f["kind"] == "rules" && f["editable"] == true {
			ids["mine"] = f["id"].(string)
		}
	}
	save := func(w *who, status int, id, text string) {
		t.Helper()
		f := w.want(http.StatusOK, "GET", "/ai/v1/config/files/"+id, "")
		if text == "" {
			text = f["text"].(string) + "# more\n"
		}
		body, _ := json.Marshal(map[string]any{"text": text, "tag": f["tag"]})
		w.want(status, "PUT", "/ai/v1/config/files/"+id, string(body))
	}
	save(viewer, http.StatusForbidden, ids["mine"], "")
	viewer.want(http.StatusOK, "POST", "/ai/v1/alerting/preview", `{"expr": "up == 0", "range": "5m"}`)
	save(editor, http.StatusOK, ids["mine"], "")
	save(viewer, http.StatusForbidden, ids["scrape.yml"], "")
	save(editor, http.StatusOK, ids["scrape.yml"], "")
	save(editor, http.StatusForbidden, ids["modelwatch.yml"], "")
	save(admin, http.StatusOK, ids["modelwatch.yml"], "")
	save(editor, http.StatusForbidden, ids["promtail.yml"], "")
	save(admin, http.StatusOK, ids["promtail.yml"], "")
	versions := viewer.want(http.StatusOK, "GET", "/ai/v1/config/files/"+ids["mine"]+"/versions", "")["versions"].([]any)
	require.Equal(t, "edda", versions[0].(map[string]any)["who"])
}
