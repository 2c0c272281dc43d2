package config

import (
	"fmt"
	"path/filepath"

	prometheus "github.com/prometheus/prometheus/config"
	"go.yaml.in/yaml/v2"
)

// ScrapeFiles lists the patterns under scrape_config_files in the text of a
// prometheus.yml, with the line of each.
func ScrapeFiles(file string, text []byte) (patterns []string, lines []int) {
	return patternsOf(file, text, "scrape_config_files")
}

// JobNames lists the scrape jobs in the text of a prometheus.yml, or of a file
// that scrape_config_files name, as they follow each other. What cannot be read
// has none.
func JobNames(text []byte) []string {
	var file struct {
		Jobs []struct {
			Name string `yaml:"job_name"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil
	}
	names := make([]string, 0, len(file.Jobs))
	for _, j := range file.Jobs {
		names = append(names, j.Name)
	}
	return names
}

// CheckScrapeFile reports what is wrong with a file that scrape_config_files
// name: it has scrape jobs as a prometheus.yml has them, and nothing else.
func CheckScrapeFile(file string, text []byte) Problems {
	var jobs prometheus.ScrapeConfigs
	err := yaml.UnmarshalStrict(text, &jobs)
	// As a prometheus.yml its problems are told job by job.
	if ps := CheckPrometheus(file, text); len(ps) > 0 || err == nil {
		return ps
	}
	ps := FromYAML(file, err)
	for i := range ps {
		ps[i].Hint = "a file of scrape_config_files has scrape_configs alone; other settings belong into prometheus.yml"
	}
	return ps
}

// ScrapeFilesFrom are the patterns of scrape_config_files with some files read
// from elsewhere.
func ScrapeFilesFrom(patterns []string, from func(file string) string) ([]string, error) {
	var out []string
	moved := false
	for _, p := range patterns {
		files, err := filepath.Glob(p)
		if err != nil {
			return nil, fmt.Errorf("pattern %q of scrape_config_files: %w", p, err)
		}
		for _, f := range files {
			at := from(f)
			moved = moved || at != f
			out = append(out, at)
		}
	}
	if !moved {
		return patterns, nil // What is added later is found at the next reload.
	}
	return out, nil
}
