package tail

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// seed is a file as users have it.
const seed = `server:
  http_listen_port: 9080
  grpc_listen_port: 0

positions:
  filename: /tmp/positions.yaml

clients:
  - url: http://loki:3100/loki/api/v1/push

scrape_configs:
  - job_name: 'ai_service_logs'
    static_configs:
      - targets: ['localhost']
        labels:
          job: 'ai_service'
          __path__: /var/log/ai_service.log
`

func TestSeed(t *testing.T) {
	c, problems := Read([]byte(seed))
	require.Empty(t, problems)
	require.Equal(t, "/tmp/positions.yaml", c.Positions)
	require.Equal(t, "http://loki:3100/loki/api/v1/push", c.Clients[0].URL)
	require.Equal(t, "ai_service_logs", c.Jobs[0].Name)
	require.Equal(t, map[string]string{"job": "ai_service", "__path__": "/var/log/ai_service.log"}, c.Jobs[0].Static[0].Labels)
}

// TestMistakes checks what is said of each mistake.
func TestMistakes(t *testing.T) {
	job := "scrape_configs:\n- job_name: a\n  static_configs: [{labels: {__path__: /a}}]\n"
	for text, want := range map[string][]string{
		"":                               nil,
		"a: [":                           {"line 1: not valid YAML: did not find expected node content"},
		"scrape_config: []":              {`line 1: the file has no field "scrape_config" (did you mean "scrape_configs"?)`},
		"positions: 3":                   {`line 1: positions must have fields, found "3"`},
		"positions: {filenam: x}":        {`line 1: positions has no field "filenam" (did you mean "filename"?)`},
		"clients: [{url: loki}]":         {`line 1: clients[0].url "loki" is not the address of a push API (like http://loki:3100/loki/api/v1/push)`},
		"scrape_configs: [{}]":           {"line 1: scrape_configs[0] says nothing of where lines come from (add static_configs with a __path__)"},
		"scrape_configs:\n- kafka: {}\n": {"line 2: scrape_configs[0].kafka cannot be honoured (list the files in static_configs or file_sd_configs)"},
		"scrape_configs:\n- job_name: a\n  static_configs: [{labels: {job: x}}]\n": {
			"line 3: scrape_configs[0].static_configs[0] has no __path__ (add __path__: /var/log/*.log to its labels)",
		},
		"scrape_configs:\n- static_configs: [{labels: {1a: x, __path__: 'a['}}]\n": {
			`line 2: scrape_configs[0].static_configs[0].labels: "1a" is not a label name (letters, digits and underscores only, and no digit first)`,
			`line 2: scrape_configs[0].static_configs[0].labels.__path__: "a[" is not a pattern for files`,
		},
		job + "- job_name: a\n  static_configs: [{labels: {__path__: /a}}]\n": {`line 4: scrape_configs[1]: there is another job named "a" (give each its own)`},
		job + "  pipeline_stages:\n  - regex: {expression: '('}\n":            {"line 5: scrape_configs[0].pipeline_stages[0].regex.expression is no regular expression"},
		job + "  relabel_configs: [{action: sing}]\n":                         {`line 4: scrape_configs[0].relabel_configs[0]: unknown relabel action "sing"`},
		job + "  relabel_configs: [{actoin: keep}]\n":                         {"field actoin not found"},
		job + "  encoding: klingon\n":                                         {`line 4: scrape_configs[0].encoding "klingon" is not known`},
		job + "  decompression: {enabled: true, format: rar}\n":               {`scrape_configs[0].decompression.format cannot be "rar"`},
		job + "  syslog: {listen_protocol: sctp}\n":                           {"needs a listen_address", `cannot be "sctp"`},
		job + "limits_config: {max_line_size: big}\n":                         {`line 4: limits_config.max_line_size must be a size such as 256KB, found "big"`},
		job + "target_config: {sync_period: soon}\n":                          {`line 4: target_config.sync_period must be a duration such as 10s or 1h, found "soon"`},
	} {
		problems := Check([]byte(text))
		var got []string
		for _, p := range problems {
			if !p.Warning {
				got = append(got, p.String())
			}
		}
		require.Len(t, got, len(want), "%s: %v", text, got)
		for i := range want {
			require.Contains(t, got[i], want[i], text)
		}
	}
}

func TestWarnings(t *testing.T) {
	problems := Check([]byte("limits_config: {max_streams: 5}\nclients: [{url: 'http://x:1/', backoff_config: {max_retries: 3}}]\n"))
	var got []string
	for _, p := range problems {
		require.True(t, p.Warning)
		got = append(got, p.Reason)
	}
	require.Equal(t, "limits_config.max_streams has no effect; there are no scrape_configs, so nothing is collected; clients[0].backoff_config.max_retries has no effect", strings.Join(got, "; "))
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(seed))
	f.Add([]byte("a: &x {b: *x}\n<<: *x\nscrape_configs: [1, {pipeline_stages: [cri, {match: {selector: '{a=\"b\"}', stages: [json]}}]}]"))
	f.Fuzz(func(t *testing.T, file []byte) {
		c, problems := Read(file)
		if c == nil {
			require.NotEmpty(t, problems)
		}
	})
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte("a\nbb\n\nccc"), 2, 3)
	f.Fuzz(func(t *testing.T, text []byte, limit, step int) {
		limit, step = max(1, min(limit, 100)), max(1, min(step, 100))
		s := newSplitter(0, []byte("\n"), limit)
		var end int64
		lines := 0
		emit := func(l raw) {
			require.Equal(t, end, l.start)
			require.LessOrEqual(t, len(l.text), limit)
			line := strings.TrimSuffix(string(text[l.start:l.end]), "\n")
			require.Equal(t, len(line) > limit, l.cut)
			require.Equal(t, line[:min(len(line), limit)], string(l.text))
			end = l.end
			lines++
		}
		for i := 0; i < len(text); i += step {
			s.feed(text[i:min(i+step, len(text))], emit)
		}
		s.end(emit)
		require.EqualValues(t, len(text), end)
	})
}
