package notify

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// TestScripts runs testdata/scripts; run it with -rewrite to accept what it
// finds. The commands are:
//
//	config             load the configuration that follows; print warnings or the error
//	shown              print the configuration as the API shows it
//	secrets            print the texts that follow as they appear in errors
//	route [time=...]   print where an alert with the labels that follow goes
func TestScripts(t *testing.T) {
	t.Parallel()
	datadriven.Walk(t, filepath.Join("testdata", "scripts"), func(t *testing.T, path string) {
		var m *Manager
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "config":
				// Paths in messages are those of the test's directory.
				src := Source{Data: []byte(d.Input)}
				if d.HasArg("file") {
					src = Source{File: filepath.Join(t.TempDir(), "alertmanager.yml")}
					require.NoError(t, os.WriteFile(src.File, []byte(d.Input), 0o600))
				}
				opts := testOptions(t, "")
				opts.Config = src
				warnings, err := Check(src)
				local := func(s string) string { return strings.ReplaceAll(s, filepath.Dir(src.File)+"/", "") + "\n" }
				if err != nil {
					return local(err.Error())
				}
				m = start(t, opts)
				return local(strings.Join(append(warnings, "ok"), "\n"))
			case "shown":
				return m.live.Load().prepared.shown
			case "secrets":
				return m.live.Load().prepared.redact.text(d.Input) + "\n"
			case "route":
				return routeScript(t, m, d)
			default:
				d.Fatalf(t, "no command %q", d.Cmd)
				return ""
			}
		})
	})
}

func routeScript(t *testing.T, m *Manager, d *datadriven.TestData) string {
	set := map[string]string{}
	for field := range strings.FieldsSeq(d.Input) {
		name, value, _ := strings.Cut(field, "=")
		set[name] = value
	}
	body := map[string]any{"labels": set}
	if d.HasArg("time") {
		var at string
		d.ScanArgs(t, "time", &at)
		body["time"] = at
	}
	in, err := json.Marshal(body)
	require.NoError(t, err)
	var out struct {
		RouteTest
		Error string `json:"error"`
	}
	if status := call(t, m.Handler(), "POST", "/ai/v1/alerting/routes/test", string(in), &out); status != 200 {
		return fmt.Sprintf("%d %s\n", status, out.Error)
	}
	var b strings.Builder
	for _, r := range out.Routes {
		fmt.Fprintf(&b, "%s group=%s wait=%s interval=%s repeat=%s", r.Receiver, labelText(r.GroupLabels), r.GroupWait, r.GroupInterval, r.RepeatInterval)
		if r.Muted {
			fmt.Fprintf(&b, " muted by %s", strings.Join(r.MutedBy, ","))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "=> %s\n", strings.Join(out.Receivers, ", "))
	return b.String()
}

func labelText(m map[string]string) string {
	set := model.LabelSet{}
	for k, v := range m {
		set[model.LabelName(k)] = model.LabelValue(v)
	}
	return strings.ReplaceAll(set.String(), " ", "")
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"", "2026-03-02T15:04:05Z", "1772463845.5", "-1", "NaN", "1e300", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, err := parseTime(s)
		if err == nil {
			_, err = json.Marshal(at)
			require.NoErrorf(t, err, "%q is %s", s, at.Format(time.RFC3339))
		}
	})
}

// Whatever the configuration is, showing it neither fails nor shows its secrets.
func FuzzShownConfig(f *testing.F) {
	seed, err := os.ReadFile("testdata/alertmanager.yml")
	require.NoError(f, err)
	f.Add(string(seed))
	f.Add(builtinConfig)
	f.Add("route: {receiver: a}\nreceivers:\n- name: a\n  webhook_configs:\n  - &x {url: 'http://u:swordfish@h/swordfish'}\n  - *x\n")
	f.Fuzz(func(t *testing.T, cfg string) {
		p := &Prepared{Source: Source{Data: []byte(cfg)}}
		if len(cfg) == 0 || p.load() != nil {
			return
		}
		again := &Prepared{Source: Source{Data: []byte(p.shown)}}
		if strings.Contains(p.cfg.String(), "swordfish") {
			return // Written where no secret belongs.
		}
		require.NotContains(t, p.shown, "swordfish")
		_ = again.load()
		_ = newRedactor(p.cfg).text(cfg)
	})
}
