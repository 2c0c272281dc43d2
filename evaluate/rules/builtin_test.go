package rules

import (
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	engine "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/stretchr/testify/require"
)

// builtinCase is one incident: series as of promtool's rule tests, a sample each 15
// seconds. Its alert is the only one that may fire once it has lasted, and says what
// is in says.
type builtinCase struct {
	alert, severity string
	series          []string
	lasts           time.Duration // Zero means three minutes.
	says            []string
}

const (
	// version are the labels of a model version as modelwatch's own job has them.
	version = `job="modelwatch",instance="i",service="shop",model="ranker",model_version="v2"`
	host    = `job="modelwatch",instance="gpu-1"`
)

// finding is a finding of that score, and what is around it.
func finding(layer, kind, severity, feature, score string) []string {
	l := fmt.Sprintf(`{%s,feature_name=%q,kind=%q,layer=%q`, version, feature, kind, layer)
	return []string{"modelwatch_finding_score" + l + fmt.Sprintf(`,severity=%q} %s`, severity, score), "modelwatch_finding_threshold" + l + fmt.Sprintf(`,severity=%q} 0.25`, severity)}
}

// bothSeverities is an incident of a finding, once as a warning and once critical.
func bothSeverities(alert, layer, kind, feature, score string, around []string, says ...string) []builtinCase {
	var out []builtinCase
	for _, severity := range []string{"warning", "critical"} {
		out = append(out, builtinCase{alert: alert, severity: severity, series: slices.Concat(finding(layer, kind, severity, feature, score), around), says: says})
	}
	return out
}

// of are series of the version.
func of(pairs ...string) []string {
	var out []string
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, fmt.Sprintf("%s{%s} %s", pairs[i], version, pairs[i+1]))
	}
	return out
}

func builtinCases() []builtinCase {
	self := func(name, more, values string) string {
		return fmt.Sprintf(`%s{job="modelwatch",instance="i"%s} %s`, name, more, values)
	}
	accuracy := of("modelwatch_accuracy", "0.71", "modelwatch_labelled_records", "900", "modelwatch_accuracy_estimate", "0.64")
	features := of("modelwatch_features", "200", "modelwatch_baseline_features", "100")
	cases := slices.Concat(
		bothSeverities("AIServiceErrors", "service", "error_ratio", "", "0.4", of("http_requests_error_rate", "0.12"),
			"shop fails more: ranker v2", "12% of the requests to ranker v2 fail now", "/models/ranker/versions/v2 says"),
		bothSeverities("AIServiceErrors", "service", "error_limit", "", "0.4", of("http_requests_error_rate", "0.12"), "12% of the requests"),
		bothSeverities("AIServiceSlow", "service", "latency_limit", "", "2.5", nil, "shop is slower than its limit: ranker v2", "is 2.5s in the last window"),
		bothSeverities("AIServiceFinding", "service", "client_error_ratio", "", "0.4", nil, "client_error_ratio of ranker v2 (shop)", "client_error_ratio is 0.4, the threshold is 0.25"),
		bothSeverities("AIModelSlower", "model", "latency_p95", "", "2.26", of("model_inference_latency_seconds", "1.5"),
			"ranker v2 of shop takes 2.3 times as long as in its baseline", "is 1.5s now"),
		bothSeverities("AIModelSlower", "model", "latency_p50", "", "2.26", nil, "takes 2.3 times as long"),
		bothSeverities("AIModelLessAccurate", "model", "f1", "", "0.2", accuracy,
			"ranker v2 of shop is right less often, by its labels (f1)", "f1 is off by 0.2; accuracy is 71%, measured on 900 labelled inferences"),
		bothSeverities("AIModelLessAccurateByEstimate", "model", "accuracy_estimate", "", "0.2", accuracy,
			"ranker v2 of shop is probably right less often", "estimated at 64%"),
		bothSeverities("AIModelVersionWorse", "model", "version", "", "3.4", nil, "ranker v2 of shop does worse than the version before it", "3.4 times what matters"),
		bothSeverities("AIModelFinding", "model", "calibration", "", "0.4", nil, "calibration of ranker v2 (shop)", "the threshold is 0.25"),
		bothSeverities("AIDataSchemaChanged", "data", "feature_count", "", "2", features,
			"The input of ranker v2 (shop) changed its form: feature_count", "records have 200 features now, in the baseline 100"),
		bothSeverities("AIDataSchemaChanged", "data", "type_mismatch", "age", "0.5", features, "type_mismatch of age"),
		bothSeverities("AIDataMissing", "data", "missing_ratio", "age", "0.3", nil, "age of ranker v2 (shop) is missing in 30% of records"),
		bothSeverities("AIDataFinding", "data", "constant_input", "city", "1", nil, "constant_input is 1 values, the threshold is 0.25."),
		bothSeverities("AIDataFinding", "data", "out_of_range", "age", "0.4", nil, "out_of_range of ranker v2 (shop), feature age", "out_of_range is 40%, the threshold is 25%."),
	)
	return append(cases,
		builtinCase{
			alert: "AIServiceNotAnswering", severity: "critical", series: finding("service", "no_success", "critical", "", "1"),
			says: []string{"shop answers nothing: ranker v2", "100% of the requests to ranker v2"},
		},
		// Other kinds of finding have a warning of their own; this one has no other.
		builtinCase{alert: "AIServiceFinding", severity: "warning", series: finding("service", "no_success", "warning", "", "0.9"), says: []string{"no_success of ranker v2 (shop)"}},
		builtinCase{
			alert: "AITrafficStopped", severity: "warning", lasts: 20 * time.Minute,
			series: append(of("model_qps", "5x40 0x200"), `modelwatch_status{job="modelwatch",instance="i",service="shop",layer="service"} 0x40 1x200`),
			says:   []string{"No inference of shop any more", "inferences a second in the last hour and has none now"},
		},
		builtinCase{
			alert: "AIServiceDown", severity: "critical", series: []string{`modelwatch_status{job="modelwatch",instance="i",service="shop",layer="service"} 3`},
			says: []string{"shop is down", "None of its targets has answered"},
		},
		builtinCase{
			alert: "AIDataDrift", severity: "warning",
			series: slices.Concat(finding("data", "drift", "warning", "age", "0.31"), []string{
				`input_data_mean{` + version + `,feature_name="age"} 52.4`, `input_data_mean_offset{` + version + `,feature_name="age"} 40`,
			}),
			says: []string{"age of ranker v2 (shop) drifted", "effect size is 0.31 (threshold 0.25); its mean is 52.4, in the baseline 40."},
		},
		builtinCase{
			alert: "AIDataDriftWidespread", severity: "critical",
			series: slices.Concat(of("modelwatch_drifted_features", "6", "modelwatch_judged_features", "10"), finding("data", "drift", "info", "age", "0.31")),
			says:   []string{"6 features of ranker v2 (shop) drifted", "Most of all: age (0.31)."},
		},
		builtinCase{alert: "AIProcessDown", severity: "critical", series: []string{`modelwatch_process_up{job="modelwatch",instance="i",service="shop"} 0`}, says: []string{"No process of shop runs"}},
		builtinCase{alert: "AIProcessUnknown", severity: "warning", series: []string{`modelwatch_process_lookup_success{job="modelwatch",instance="i",service="shop"} 0`}, says: []string{"Whether shop runs is not known"}},
		builtinCase{
			alert: "AIGPUMissing", severity: "critical", series: []string{`modelwatch_gpu_count{` + host + `} 7`, `modelwatch_gpu_expected_count{` + host + `} 8`},
			says: []string{"A GPU is gone at gpu-1: 7 of 8 answer"},
		},
		builtinCase{
			alert: "AIHostMemoryFull", severity: "critical", series: []string{`node_memory_usage_bytes{` + host + `} 97`, `node_memory_MemTotal_bytes{` + host + `} 100`},
			says: []string{"97% of the memory of gpu-1 is in use"},
		},
		builtinCase{
			alert: "AIHostMemoryFull", severity: "warning", series: []string{`node_memory_usage_bytes{` + host + `} 85`, `node_memory_MemTotal_bytes{` + host + `} 100`},
			says: []string{"85% of the memory of gpu-1 is in use"},
		},
		builtinCase{
			alert: "AIHostCPUBusy", severity: "critical", lasts: 6 * time.Minute, series: []string{`node_cpu_seconds_total{` + host + `,cpu="0",mode="idle"} 0+0.15x200`},
			says: []string{"The CPUs of gpu-1 are 99% busy"},
		},
		builtinCase{
			alert: "AIHostCPUBusy", severity: "warning", lasts: 9 * time.Minute, series: []string{`node_cpu_seconds_total{` + host + `,cpu="0",mode="idle"} 0+0.75x200`},
			says: []string{"The CPUs of gpu-1 are 95% busy"},
		},

		builtinCase{alert: "AILogErrors", severity: "warning", series: []string{`service:log_error_lines:count1m{service="shop"} 40`}, says: []string{"shop logs errors: 40 lines a minute"}},
		builtinCase{
			alert: "AILogNewErrors", severity: "warning", series: []string{self("modelwatch_log_new_error_lines", `,service="shop",template="no backend <_>"`, "5")},
			says: []string{"shop logs an error that is new: no backend <_>", "logged 5 error lines"},
		},
		builtinCase{alert: "ModelwatchLogStoreFailing", severity: "critical", series: []string{self("modelwatch_logs_commit_failures_total", "", "0+3x100")}, says: []string{"Log lines cannot be kept"}},
		builtinCase{alert: "ModelwatchLogFileSetAside", severity: "warning", series: []string{self("modelwatch_logs_files_set_aside", "", "1")}, says: []string{"1 damaged files"}},

		builtinCase{
			alert: "ModelwatchIngestionStalled", severity: "critical",
			series: []string{self("modelwatch_storage_batches_total", `,result="failed"`, "0+30x100"), self("modelwatch_storage_batches_total", `,result="stored"`, "0+15x100")},
			says:   []string{"stores too little of what arrives", "2 batches of samples a second fail"},
		},
		builtinCase{alert: "ModelwatchStorageFailing", severity: "critical", series: []string{self("prometheus_tsdb_compactions_failed_total", "", "0+1x100")}, says: []string{"fails to write"}},
		builtinCase{
			alert: "ModelwatchNotificationsFailing", severity: "critical", series: []string{self("alertmanager_notifications_failed_total", `,integration="email"`, "0+1x100")},
			says: []string{"Notifications by email fail"},
		},
		builtinCase{alert: "ModelwatchNotificationStateNotSaved", severity: "warning", series: []string{self("modelwatch_notify_snapshot_failures_total", "", "0+1x100")}, says: []string{"cannot be written"}},
		builtinCase{
			alert: "ModelwatchDiskFilling", severity: "warning", series: []string{self("modelwatch_storage_free_bytes", "", "1073741824"), self("modelwatch_storage_reserve_bytes", "", "1073741824")},
			says: []string{"1GiB are free"},
		},
		builtinCase{
			alert: "ModelwatchRuleEvaluationLate", severity: "warning",
			series: []string{self("prometheus_rule_group_last_duration_seconds", `,rule_group="g"`, "20"), self("prometheus_rule_group_interval_seconds", `,rule_group="g"`, "15")},
			says:   []string{"Rules of g are evaluated late"},
		},
		builtinCase{alert: "ModelwatchRuleFailing", severity: "critical", series: []string{self("prometheus_rule_evaluation_failures_total", `,rule_group="g"`, "0+1x100")}, says: []string{"Rules of g cannot be evaluated"}},
		builtinCase{alert: "ModelwatchOwnMetricsMissing", severity: "critical", says: []string{"stores no metrics of its own", "the clock of the machine"}},
		builtinCase{alert: "ModelwatchConfigurationRefused", severity: "warning", series: []string{self("modelwatch_config_last_reload_successful", "", "0")}, says: []string{"runs on an old configuration"}},
	)
}

// healthy are the series of all of that while all is well.
func healthy() []string {
	out := of(
		"http_requests_error_rate", "0.001", "model_inference_latency_seconds", "0.2", "model_qps", "5", "modelwatch_accuracy", "0.9", "modelwatch_accuracy_estimate", "0.9",
		"modelwatch_labelled_records", "900", "modelwatch_features", "100", "modelwatch_baseline_features", "100", "modelwatch_drifted_features", "0", "modelwatch_judged_features", "10",
	)
	for _, name := range []string{
		"modelwatch_storage_batches_total{result=\"stored\",", "alertmanager_notifications_total{",
		`node_cpu_seconds_total{cpu="0",mode="idle",`,
	} {
		out = append(out, name+host+"} 0+12x400")
	}
	for name, value := range map[string]string{
		`modelwatch_status{service="shop",layer="service",`: "0", `modelwatch_process_up{service="shop",`: "1", `modelwatch_process_lookup_success{service="shop",`: "1",
		"modelwatch_gpu_count{": "8", "modelwatch_gpu_expected_count{": "8", "node_memory_usage_bytes{": "50", "node_memory_MemTotal_bytes{": "100",
		"modelwatch_logs_commit_failures_total{": "0", "modelwatch_logs_files_set_aside{": "0", `modelwatch_storage_batches_total{result="failed",`: "0",
		"prometheus_tsdb_wal_writes_failed_total{": "0", "prometheus_tsdb_compactions_failed_total{": "0", `alertmanager_notifications_failed_total{integration="email",`: "0",
		"modelwatch_notify_snapshot_failures_total{": "0", "modelwatch_storage_free_bytes{": "100", "modelwatch_storage_reserve_bytes{": "1",
		`prometheus_rule_group_last_duration_seconds{rule_group="g",`: "0.1", `prometheus_rule_group_interval_seconds{rule_group="g",`: "15",
		`prometheus_rule_evaluation_failures_total{rule_group="g",`: "0", "modelwatch_config_last_reload_successful{": "1",
	} {
		out = append(out, name+host+"} "+value)
	}
	return append(out, `service:log_error_lines:count1m{service="shop"} 2`, itself)
}

// alerting returns the alert rules that ship inside the binary, ready to be evaluated.
func alerting(t *testing.T) []*engine.AlertingRule {
	t.Helper()
	l := loader{parser: bothParser{parser.NewParser(parser.Options{}), &fakeLogs{}}, logger: slog.New(slog.DiscardHandler), written: new(written)}
	var out []*engine.AlertingRule
	for _, name := range Builtin() {
		groups, errs := l.Load(name, false, model.UTF8Validation)
		require.Empty(t, errs, name)
		for _, g := range groups.Groups {
			for _, r := range g.Rules {
				if r.Alert == "" {
					continue // Log lines are counted by LogQL.
				}
				expr, err := l.Parse(r.Expr)
				require.NoError(t, err)
				out = append(out, engine.NewAlertingRule(r.Alert, expr, time.Duration(r.For), time.Duration(r.KeepFiringFor),
					labels.FromMap(r.Labels), labels.FromMap(r.Annotations), labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler)))
			}
		}
	}
	require.Greater(t, len(out), 30)
	return out
}

// What is usual for a service is a mean over all evaluations of a day, of which those without error lines leave no sample.
func TestEvaluationsOfADay(t *testing.T) {
	l := loader{parser: bothParser{parser.NewParser(parser.Options{}), &fakeLogs{}}, logger: slog.New(slog.DiscardHandler), written: new(written)}
	mean := regexp.MustCompile(`sum_over_time\(\S+\[1d\] offset 10m\) / (\d+)`)
	found := 0
	for _, name := range Builtin() {
		groups, errs := l.Load(name, false, model.UTF8Validation)
		require.Empty(t, errs, name)
		for _, g := range groups.Groups {
			for _, r := range g.Rules {
				for _, m := range mean.FindAllStringSubmatch(r.Expr, -1) {
					found++
					require.Equal(t, strconv.Itoa(int(24*time.Hour/time.Duration(g.Interval))), m[1], "evaluations of %s a day", g.Name)
				}
			}
		}
	}
	require.Equal(t, 1, found)
}

// evaluateEach is how often rules are evaluated.
const evaluateEach = 30 * time.Second

// evaluated plays rules over series for a while and returns what fires at its end, each
// as "Alert/severity".
func evaluated(t *testing.T, all []*engine.AlertingRule, store storage.Queryable, from, to time.Duration) map[string]*engine.Alert {
	t.Helper()
	e := promqltest.NewTestEngine(t, false, 0, 1_000_000)
	query := engine.EngineQueryFunc(e, store)
	firing := map[string]*engine.Alert{}
	for at := from; at <= to; at += evaluateEach {
		clear(firing)
		for _, r := range all {
			_, err := r.Eval(t.Context(), 0, time.Unix(0, 0).Add(at), query, &url.URL{}, 0)
			require.NoError(t, err, r.Name())
			for _, a := range r.ActiveAlerts() {
				if a.State == engine.StateFiring {
					firing[r.Name()+"/"+a.Labels.Get("severity")] = a
				}
			}
		}
	}
	return firing
}

// itself is that modelwatch's own figures are stored, as they are but in the incident that they are not.
const itself = "up{" + host + "} 1"

func stored(t *testing.T, series ...string) storage.Queryable {
	t.Helper()
	var b strings.Builder
	b.WriteString("load 15s\n")
	for _, s := range series {
		if head, values, _ := strings.Cut(s, "} "); !strings.ContainsAny(values, "x") {
			s = head + "} " + values + "x200" // As long as need be.
		}
		b.WriteString("  " + s + "\n")
	}
	s := promqltest.LoadedStorage(t, b.String())
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// Each alert fires on what it is for, alone, says what it must, and resolves.
func TestBuiltinAlertsFire(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range builtinCases() {
		seen[c.alert+"/"+c.severity] = true
		t.Run(c.alert+"/"+c.severity, func(t *testing.T) {
			t.Parallel()
			lasts := c.lasts
			if lasts == 0 {
				lasts = 3 * time.Minute
			}
			series := c.series
			if c.alert != "ModelwatchOwnMetricsMissing" {
				series = append(series, itself)
			}
			rules, incident := alerting(t), stored(t, series...)
			firing := evaluated(t, rules, incident, 0, lasts)
			a := firing[c.alert+"/"+c.severity]
			require.NotNil(t, a, "fires: %v", firing)
			require.Len(t, firing, 1, "others fire too: %v", firing)
			text := a.Annotations.Get("summary") + "\n" + a.Annotations.Get("description")
			for _, want := range c.says {
				require.Contains(t, text, want)
			}
			require.NotContains(t, text, "no value")
			require.NotContains(t, text, "error expanding")
			// Recovery, and that what it is about is gone, both resolve it.
			require.Empty(t, evaluated(t, rules, stored(t, healthy()...), lasts+evaluateEach, lasts+2*evaluateEach))
			again := slices.DeleteFunc(alerting(t), func(r *engine.AlertingRule) bool { return r.Name() != c.alert })
			require.NotEmpty(t, evaluated(t, again, incident, 0, lasts))
			require.Empty(t, evaluated(t, again, stored(t, itself), lasts+evaluateEach, lasts+2*evaluateEach))
		})
	}
	for _, r := range alerting(t) {
		require.True(t, seen[r.Name()+"/"+r.Labels().Get("severity")], "no case for %s %s", r.Name(), r.Labels().Get("severity"))
	}
}

// Nothing fires while all is well, nor where nothing is known.
func TestBuiltinAlertsAreSilent(t *testing.T) {
	t.Parallel()
	for name, series := range map[string][]string{"healthy": healthy(), "absent": {itself}} {
		require.Empty(t, evaluated(t, alerting(t), stored(t, series...), 0, 15*time.Minute), name)
	}
}
