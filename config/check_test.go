package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every mistake has a file in testdata; here is what people are told of it.
func TestMistakes(t *testing.T) {
	t.Parallel()
	for file, want := range map[string][]string{
		"prometheus_two_mistakes.yml": {
			`:7: scrape_config "slow": scrape timeout greater than scrape interval for scrape config with job name "slow"`,
			`:13: scrape_config "typo": field static_config not found (hint: no such setting here: check its spelling and indentation)`,
			`:17: remote_write "nourl": url for remote_write is empty`,
		},
		"prometheus_tab.yml": {
			`:2: found character that cannot start any token (hint: YAML is indented by spaces, not by tabs)`,
		},
		"alertmanager_mistakes.yml": {
			`:2: `, `:4: undefined receiver "nobody" used in route`, `:7: `, `:15: receiver "hook": field urll not found`,
		},
		"modelwatch_mistakes.yml": {
			`:4: not a valid duration string: "soon"`,
			`:11: field loggs not found`,
		},
		"modelwatch_values.yml": {
			`:2: web.listen_address: "localhost" is not host:port (hint: write host:port, for example 127.0.0.1:9090)`,
			`:3: web.external_url: "example.org" is not a URL`,
			`:6: collect.processes.0: 2 of pid_file, port and command are set (hint: set exactly one of them)`,
			`:9: collect.processes.1: service is missing`,
			`:9: collect.processes.1: command: error parsing regexp: missing closing )`,
		},
		"modelwatch_judging.yml": {
			`:3: inferences.drift.alpha: 5 is no share of false alarms (hint: use a number between 0 and 1`,
			`:4: inferences.drift.method: method "evidently" cannot be chosen, for it judges single values and not windows (hint: use one of ["auto"`,
			`:6: inferences.drift.features.age: method "ksx" cannot be chosen`,
			`:7: inferences.drift.thresholds.nope: `,
			`:7: inferences.drift.thresholds.psi: threshold of psi is -1 (hint: want a number from 0 up)`,
			`:10: inferences.quality.checks.missing: quality check "missing" is not known (hint: use one of missing_ratio`,
			`:15: inferences.models.ranker.performance.checks.latency_limit: performance check "latency_limit": critical (1) must not be below threshold (2)`,
			`:17: inferences.models.ranker.schema.age: min is above max (hint: swap them)`,
			`:18: inferences.models.ranker.schema.city: kind text is not known (hint: use number, string, bool or vector)`,
			`:20: inferences.models.ranker.schema.vip: categories are for texts`,
			`:22: inferences.models.churn.task: task guessing is not known (hint: use classification or regression`,
			`:25: inferences.models.price.positive_class: there are no classes where the task is regression`,
		},
		"modelwatch_loki.yml": {
			`:5: http_config: at most one of basic_auth, oauth2 & authorization must be configured`,
		},
		"modelwatch_loki_values.yml": {
			`:3: logs.loki.url: it has a user name in it, which would be shown with the address (hint: write it as basic_auth into http_config)`,
		},
		"modelwatch_paths.yml": {
			`:4: collect.paths.procfs: testdata is no procfs: there is no stat in it (hint: mount /proc of the host there, for reading only, or leave the setting out for /proc itself)`,
			`:5: collect.paths.sysfs: testdata/modelwatch_paths.yml is not a directory (hint: mount /sys of the host there`,
			`:6: collect.paths.rootfs: /host/nowhere does not exist (hint: mount / of the host there`,
		},
		"modelwatch_labels.yml": {
			`:2: logs.tenant_label: "__tenant_id__" is a label that is not stored (hint: leave names that begin with __ to relabelling)`,
			`:3: logs.discover_service_name.1: "service.name" is not the name of a label (hint: use letters, digits and _, and begin with no digit)`,
			`:3: logs.discover_service_name.2: "" is not the name of a label`,
		},
		"modelwatch_auth.yml": {
			`:6: web.auth.session_idle: longer than session_lifetime`,
			`:7: web.auth.trusted_proxies.1: "proxy.example.org" is neither an address nor a network (hint: write an address such as 10.0.0.7, or a network such as 10.0.0.0/24)`,
			`:7: web.auth.trusted_proxies.2: "0.0.0.0/0" is everybody`,
			`:9: web.auth.oidc.issuer: tokens over http can be read on the way (hint: use https)`,
			`:8: web.auth.oidc: client_id is missing`,
			`:11: web.auth.oidc.roles.ml-oncall: the role "boss" does not exist (hint: choose viewer, editor or admin)`,
			`:12: web.auth.oidc.default_role: the role "root" does not exist`,
			`:13: web.auth.oidc.allowed_emails.0: "example.org" is neither an address nor a domain`,
		},
		"modelwatch_auth_typo.yml": {
			`:3: field enable not found (hint: no such setting here: check its spelling and indentation)`,
			`:4: web.auth.oidc: client_id is missing`,
			`:4: web.auth.oidc: nobody could log in`,
			`:5: web.auth.oidc.issuer: "login.example.org" is not a URL`,
			`:6: field client_secret not found`,
		},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			name := filepath.Join("testdata", file)
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			var ps Problems
			switch kind := Recognise(text); kind {
			case KindPrometheus:
				ps = CheckPrometheus(name, text)
			case KindAlertmanager:
				ps = CheckAlertmanager(name, text)
			case KindModelwatch:
				_, ps = Parse(name, text)
			default:
				t.Fatalf("recognised as %q", kind)
			}
			require.Error(t, ps.Err())
			all := ps.Err().Error()
			for _, w := range want {
				require.Contains(t, all, w)
			}
			require.Len(t, ps, len(want), "%s", all)
		})
	}
}

func TestRecognise(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Kind{
		"groups:\n- name: a\n  rules: []\n":                                         KindRules,
		"scrape_configs:\n- job_name: a\n":                                          KindPrometheus,
		"scrape_configs:\n- job_name: a\n  pipeline_stages: []\n":                   KindPromtail,
		"server: {}\npositions: {filename: p}\nclients: []\nscrape_configs: []\n":   KindPromtail,
		"route: {receiver: a}\nreceivers: [{name: a}]\n":                            KindAlertmanager,
		"global: {resolve_timeout: 5m}\nroute: {receiver: a}\n":                     KindAlertmanager,
		"global: {scrape_interval: 5s}\n":                                           KindPrometheus,
		"basic_auth_users: {a: b}\n":                                                KindWeb,
		"metrics: {config_file: prometheus.yml}\nalerting: {config_file: am.yml}\n": KindModelwatch,
		"storage: {path: data}\nweb: {}\n":                                          KindModelwatch,
		"global:\n\tscrape_interval: 5s\nscrape_configs: []\n":                      KindPrometheus,
		"hello: world\n": KindUnknown,
		"[1, 2]":         KindUnknown,
		"":               KindUnknown,
	} {
		require.Equal(t, want, Recognise([]byte(text)), text)
	}
}

func TestEmptyFileIsTheDefault(t *testing.T) {
	t.Parallel()
	c, ps := Parse("modelwatch.yml", nil)
	require.NoError(t, ps.Err())
	require.Equal(t, DefaultListenAddress, c.Web.ListenAddress)
	require.True(t, *c.Metrics.BuiltinRules)
}

func TestPathsAreTakenFromTheFile(t *testing.T) {
	t.Parallel()
	c, ps := Parse("/etc/mw/modelwatch.yml", []byte("metrics: {config_file: p.yml}\nalerting: {config_file: /a.yml}\n"))
	require.NoError(t, ps.Err())
	require.Equal(t, "/etc/mw/p.yml", c.Metrics.ConfigFile)
	require.Equal(t, "/a.yml", c.Alerting.ConfigFile)
}

func TestHostPaths(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"proc/stat", "sys/class/net"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, name), 0o700))
	}
	file := filepath.Join(dir, "modelwatch.yml")
	c, ps := Parse(file, []byte("collect: {paths: {procfs: proc, sysfs: "+dir+"/sys, rootfs: .}}\n"))
	require.NoError(t, ps.Err())
	require.Equal(t, HostPaths{Procfs: dir + "/proc", Sysfs: dir + "/sys", Rootfs: dir}, c.Collect.Paths)
	c, ps = Parse(file, []byte("collect: {host: true}\n"))
	require.NoError(t, ps.Err())
	require.Equal(t, HostPaths{Procfs: "/proc", Sysfs: "/sys", Rootfs: "/"}, c.Collect.Paths)
	_, ps = Parse(file, []byte("collect: {paths: {procfs: sys}}\n"))
	require.ErrorContains(t, ps.Err(), "sys is no procfs: there is no stat in it")
	_, ps = Parse(file, []byte("collect: {paths: {sysfs: proc}}\n"))
	require.ErrorContains(t, ps.Err(), "proc is no sysfs: there is no class in it")
}

func TestLokiElsewhere(t *testing.T) {
	t.Parallel()
	c, ps := Parse("/etc/mw/modelwatch.yml", []byte("logs:\n  retention: 3d\n  tenant_label: team\n  discover_service_name: [job]\n  loki:\n    url: https://loki\n    http_config: {tls_config: {ca_file: ca.crt}}\n"))
	require.NoError(t, ps.Err())
	var said []string
	for _, p := range ps {
		said = append(said, p.Error())
	}
	require.Len(t, said, 3, "each setting without effect is warned of")
	for _, want := range []string{":2: warning: logs.retention", ":3: warning: logs.tenant_label", ":4: warning: logs.discover_service_name"} {
		require.Contains(t, strings.Join(said, "\n"), want+": it has no effect")
	}
	require.Equal(t, "/etc/mw/ca.crt", c.Logs.Loki.HTTP.TLSConfig.CAFile)
	require.True(t, c.Logs.Loki.HTTP.FollowRedirects, "defaults are those of the format")
	for text, want := range map[string]string{
		"url: loki:3100":                                "this is not an address",
		"url: http://loki:3100/loki/api/v1/push":        "is the path of an endpoint",
		"url: http://loki?a=b":                          "it has parameters",
		"tenant: a":                                     "url is missing",
		"url: http://a\n    http_config: {tls_cfg: {}}": ":4: http_config: field tls_cfg not found",
	} {
		_, ps := Parse("m.yml", []byte("logs:\n  loki:\n    "+text+"\n"))
		require.ErrorContains(t, ps.Err(), want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("web: {listen_address: 'a:1'}\n"))
	f.Add([]byte("collect: {processes: [{service: a, port: 1}]}"))
	f.Add([]byte("route: {receiver: a}\nreceivers:\n- name: b\n"))
	f.Fuzz(func(_ *testing.T, text []byte) {
		_, _ = Parse("f.yml", text)
		_ = Recognise(text)
		CheckAlertmanager("f.yml", text)
		CheckPrometheus("f.yml", text)
	})
}
