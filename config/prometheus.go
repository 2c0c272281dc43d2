package config

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/alecthomas/units"
	commonconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	prometheus "github.com/prometheus/prometheus/config"
)

// SelfJob is the name of the job by which modelwatch scrapes itself.
const SelfJob = "modelwatch"

// Self is how modelwatch scrapes itself.
type Self struct {
	// Host is the address that the scraper serves from within the process.
	Host string
	// Instance is the label by which the series are told from those of other
	// modelwatch processes.
	Instance string
}

// exemplars is how many exemplars are kept in memory where prometheus.yml says
// nothing: they are allocated at once, and an idle process should be small.
const exemplars = 10_000

// Prometheus loads the prometheus.yml that c names, or an empty one where it
// names none, and adds modelwatch's own job and limits.
func (c *Config) Prometheus(self Self, logger *slog.Logger) (*prometheus.Config, error) {
	var cfg *prometheus.Config
	if c.Metrics.ConfigFile == "" {
		var err error
		if cfg, err = prometheus.Load(defaultPrometheus, logger); err != nil {
			return nil, fmt.Errorf("load built-in prometheus configuration: %w", err)
		}
	} else {
		text, err := os.ReadFile(c.Metrics.ConfigFile)
		if err != nil {
			return nil, fmt.Errorf("read prometheus configuration: %w", err)
		}
		if cfg, err = prometheus.Load(string(text), logger); err != nil {
			return nil, FromYAML(c.Metrics.ConfigFile, err).Err()
		}
		cfg.SetDirectory(filepath.Dir(c.Metrics.ConfigFile))
	}
	if cfg.StorageConfig.ExemplarsConfig == nil {
		cfg.StorageConfig.ExemplarsConfig = &prometheus.ExemplarsConfig{MaxExemplars: exemplars}
	}
	if r := cfg.StorageConfig.TSDBConfig.Retention; r.Time == 0 && r.Size == 0 && r.Percentage == 0 {
		r.Time = c.Metrics.Retention
		r.Size = units.Base2Bytes(c.Metrics.RetentionSize)
	}
	for _, w := range cfg.RemoteWriteConfigs {
		hideUser(w.URL, &w.HTTPClientConfig)
	}
	for _, r := range cfg.RemoteReadConfigs {
		hideUser(r.URL, &r.HTTPClientConfig)
	}
	own, err := c.selfJob(cfg, self, logger)
	if err != nil {
		return nil, err
	}
	c.limitGlobal(&cfg.GlobalConfig)
	for _, job := range cfg.ScrapeConfigs {
		if job.JobName == SelfJob {
			return nil, Problem{File: c.Metrics.ConfigFile, Reason: fmt.Sprintf("scrape job %q is modelwatch's own", SelfJob), Hint: "give your job another name; modelwatch scrapes itself without being told to"}
		}
		c.limit(job)
	}
	cfg.ScrapeConfigs = append(cfg.ScrapeConfigs, own)
	return cfg, nil
}

// hideUser takes user and password out of a URL, where logs and metrics would
// show them, and sends them as basic auth instead, which is the same request.
func hideUser(u *commonconfig.URL, client *commonconfig.HTTPClientConfig) {
	if u == nil || u.URL == nil || u.User == nil {
		return
	}
	if client.BasicAuth == nil && client.Authorization == nil && client.OAuth2 == nil {
		password, _ := u.User.Password()
		client.BasicAuth = &commonconfig.BasicAuth{Username: u.User.Username(), Password: commonconfig.Secret(password)}
	}
	bare := *u.URL
	bare.User = nil
	u.URL = &bare
}

// limit sets the limits that a job leaves open.
func (c *Config) limit(job *prometheus.ScrapeConfig) {
	l := c.Metrics.Limits
	set(&job.SampleLimit, *l.Samples)
	set(&job.TargetLimit, *l.Targets)
	set(&job.LabelLimit, *l.Labels)
	set(&job.LabelNameLengthLimit, *l.LabelNameLength)
	set(&job.LabelValueLengthLimit, *l.LabelValueLength)
	set(&job.BodySizeLimit, units.Base2Bytes(*l.BodySize))
}

// limitGlobal sets the limits that jobs of scrape_config_files inherit: these
// files are read again at each reload by Prometheus itself.
func (c *Config) limitGlobal(g *prometheus.GlobalConfig) {
	l := c.Metrics.Limits
	set(&g.SampleLimit, *l.Samples)
	set(&g.TargetLimit, *l.Targets)
	set(&g.LabelLimit, *l.Labels)
	set(&g.LabelNameLengthLimit, *l.LabelNameLength)
	set(&g.LabelValueLengthLimit, *l.LabelValueLength)
	set(&g.BodySizeLimit, units.Base2Bytes(*l.BodySize))
}

const defaultPrometheus = `
global:
  scrape_interval: 15s
  evaluation_interval: 15s
`

// selfJob is the scrape configuration of modelwatch itself. It is loaded from
// text so that it passes the same validation as a user's.
func (c *Config) selfJob(cfg *prometheus.Config, self Self, logger *slog.Logger) (*prometheus.ScrapeConfig, error) {
	interval := time.Duration(c.Collect.Interval)
	timeout := min(interval, 10*time.Second)
	text := fmt.Sprintf(`
scrape_configs:
  - job_name: %s
    scrape_interval: %s
    scrape_timeout: %s
    enable_compression: false
    scrape_native_histograms: true
    always_scrape_classic_histograms: true
    static_configs:
      - targets: [%q]
        labels: {instance: %q}
`, SelfJob, model.Duration(interval), model.Duration(timeout), self.Host, self.Instance)
	loaded, err := prometheus.Load(text, logger)
	if err != nil {
		return nil, fmt.Errorf("load scrape configuration of modelwatch: %w", err)
	}
	job := loaded.ScrapeConfigs[0]
	job.MetricNameValidationScheme = cfg.GlobalConfig.MetricNameValidationScheme
	return job, nil
}
