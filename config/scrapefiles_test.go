package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/config"
)

func TestCheckScrapeFile(t *testing.T) {
	t.Parallel()
	const good = "scrape_configs:\n  - job_name: a\n    static_configs: [{targets: ['h:1']}]\n"
	require.Empty(t, config.CheckScrapeFile("a.yml", []byte(good)))
	for text, want := range map[string]struct {
		line int
		says string
	}{
		good + "    bogus: 1\n":              {4, "bogus"},
		good + "  - job_name: a\n":           {0, "a"},
		good + "    scrape_interval: soon\n": {4, "soon"},
		good + "global: {}\n":                {4, "global"},
		"- a\n":                              {0, "cannot unmarshal"},
	} {
		ps := config.CheckScrapeFile("a.yml", []byte(text))
		require.NotEmpty(t, ps, text)
		require.Contains(t, ps[0].Reason, want.says, text)
		if want.line > 0 {
			require.Equal(t, want.line, ps[0].Line, text)
		}
	}
}

func TestJobNames(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"scrape_configs:\n  - job_name: a\n    bogus: 1\n  - {job_name: \"b c\"}\n  - job_name: 7\n": {"a", "b c", "7"},
		"x: &x {job_name: merged}\nscrape_configs: [{<<: *x, scheme: https}]\n":                      {"merged"},
		"global: {}\n":                    {},
		"scrape_configs: {job_name: a}\n": nil,
		"scrape_configs: [\n":             nil,
	} {
		require.Equal(t, want, config.JobNames([]byte(text)), text)
	}
}

func TestScrapeFilesFrom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"a.yml", "b.yml"} {
		require.NoError(t, os.WriteFile(at(name), nil, 0o600))
	}
	patterns := []string{at("*.yml"), at("none/*.yml")}
	got, err := config.ScrapeFilesFrom(patterns, func(f string) string { return f })
	require.NoError(t, err)
	require.Equal(t, patterns, got)
	got, err = config.ScrapeFilesFrom(patterns, func(f string) string {
		if f == at("b.yml") {
			return at("draft")
		}
		return f
	})
	require.NoError(t, err)
	require.Equal(t, []string{at("a.yml"), at("draft")}, got)
	_, err = config.ScrapeFilesFrom([]string{"[bad"}, func(f string) string { return f })
	require.ErrorContains(t, err, "scrape_config_files")
}
