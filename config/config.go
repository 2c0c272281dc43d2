// Package config is what users write: modelwatch.yml and the files of
// Prometheus, Alertmanager and Promtail that it points at. It decodes,
// defaults and checks; it starts nothing.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/units"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// Config is modelwatch.yml. All of it is optional.
type Config struct {
	Web        Web        `yaml:"web,omitempty"`
	Storage    Storage    `yaml:"storage,omitempty"`
	Metrics    Metrics    `yaml:"metrics,omitempty"`
	Alerting   Alerting   `yaml:"alerting,omitempty"`
	Logs       Logs       `yaml:"logs,omitempty"`
	Inferences Inferences `yaml:"inferences,omitempty"`
	Collect    Collect    `yaml:"collect,omitempty"`
}

// Web is how modelwatch is reached.
type Web struct {
	// ListenAddress is host:port; port 0 takes any free one.
	ListenAddress string `yaml:"listen_address,omitempty"`
	// ConfigFile is a web config file of Prometheus's exporter-toolkit: TLS,
	// basic auth and headers.
	ConfigFile string `yaml:"config_file,omitempty"`
	// ExternalURL is where people reach modelwatch, for links in alerts.
	ExternalURL string `yaml:"external_url,omitempty"`
	// MaxConnections bounds the connections served at once.
	MaxConnections int `yaml:"max_connections,omitempty"`
	// MaxRequestBytes bounds the body of one request, compressed.
	MaxRequestBytes Size `yaml:"max_request_bytes,omitempty"`
	// ReadTimeout bounds reading one request.
	ReadTimeout model.Duration `yaml:"read_timeout,omitempty"`
	// CompatPorts also listens on Alertmanager's and Loki's own ports.
	CompatPorts bool `yaml:"compat_ports,omitempty"`
	// Auth is users, roles, tokens and log-in.
	Auth Auth `yaml:"auth,omitempty"`
	// Editing lets the page change configuration files; false turns it off.
	Editing *bool `yaml:"editing,omitempty"`
}

// Storage is where data lies.
type Storage struct {
	// Path is the data directory.
	Path string `yaml:"path,omitempty"`
	// Reserve is the free space below which writes are refused; zero means
	// the smaller of 64 MiB and 5 % of the file system.
	Reserve Size `yaml:"reserve,omitempty"`
}

// Metrics is what concerns samples.
type Metrics struct {
	// ConfigFile is a prometheus.yml.
	ConfigFile string `yaml:"config_file,omitempty"`
	// Retention and RetentionSize hold where prometheus.yml says nothing.
	Retention     model.Duration `yaml:"retention,omitempty"`
	RetentionSize Size           `yaml:"retention_size,omitempty"`
	// AdminAPI allows deleting series and snapshots over HTTP.
	AdminAPI bool `yaml:"admin_api,omitempty"`
	// BuiltinRules evaluates the rules that ship with modelwatch.
	BuiltinRules *bool  `yaml:"builtin_rules,omitempty"`
	Limits       Limits `yaml:"limits,omitempty"`
	Query        Query  `yaml:"query,omitempty"`
}

// Limits guards against too many series. They hold for every scrape job that
// sets none of its own; 0 means no limit.
type Limits struct {
	// Samples is how many samples one scrape may give.
	Samples *uint `yaml:"samples_per_scrape,omitempty"`
	// Targets is how many targets one job may have.
	Targets *uint `yaml:"targets_per_job,omitempty"`
	// Labels is how many labels a series may have.
	Labels *uint `yaml:"labels_per_series,omitempty"`
	// LabelNameLength and LabelValueLength are in bytes.
	LabelNameLength  *uint `yaml:"label_name_length,omitempty"`
	LabelValueLength *uint `yaml:"label_value_length,omitempty"`
	// BodySize is how large the answer to one scrape may be.
	BodySize *Size `yaml:"body_size,omitempty"`
}

// Query bounds what queries may take.
type Query struct {
	Timeout        model.Duration `yaml:"timeout,omitempty"`
	MaxSamples     int            `yaml:"max_samples,omitempty"`
	MaxConcurrency int            `yaml:"max_concurrency,omitempty"`
	LookbackDelta  model.Duration `yaml:"lookback_delta,omitempty"`
	// Experimental accepts the parts of PromQL that Prometheus keeps behind
	// feature flags.
	Experimental bool `yaml:"experimental,omitempty"`
}

// Alerting is what concerns notifications.
type Alerting struct {
	// ConfigFile is an alertmanager.yml.
	ConfigFile string `yaml:"config_file,omitempty"`
	// Retention is how long silences and the notification log are kept.
	Retention model.Duration `yaml:"retention,omitempty"`
	// ResendDelay is the least time between two hand-overs of one alert.
	ResendDelay model.Duration `yaml:"resend_delay,omitempty"`
	// ForOutageTolerance and ForGracePeriod restore the state of "for" after
	// a restart, as Prometheus's flags of these names do.
	ForOutageTolerance model.Duration `yaml:"for_outage_tolerance,omitempty"`
	ForGracePeriod     model.Duration `yaml:"for_grace_period,omitempty"`
	Cluster            Cluster        `yaml:"cluster,omitempty"`
}

// Cluster joins several modelwatch or Alertmanager processes, by
// Alertmanager's own gossip. The fields are its flags.
type Cluster struct {
	ListenAddress       string         `yaml:"listen_address,omitempty"`
	AdvertiseAddress    string         `yaml:"advertise_address,omitempty"`
	Name                string         `yaml:"name,omitempty"`
	Peers               []string       `yaml:"peers,omitempty"`
	PeerTimeout         model.Duration `yaml:"peer_timeout,omitempty"`
	PeersResolveTimeout model.Duration `yaml:"peers_resolve_timeout,omitempty"`
	GossipInterval      model.Duration `yaml:"gossip_interval,omitempty"`
	PushPullInterval    model.Duration `yaml:"pushpull_interval,omitempty"`
	TCPTimeout          model.Duration `yaml:"tcp_timeout,omitempty"`
	ProbeTimeout        model.Duration `yaml:"probe_timeout,omitempty"`
	ProbeInterval       model.Duration `yaml:"probe_interval,omitempty"`
	// SettleTimeout of 0 does not wait for the cluster to settle.
	SettleTimeout     *model.Duration `yaml:"settle_timeout,omitempty"`
	ReconnectInterval model.Duration  `yaml:"reconnect_interval,omitempty"`
	ReconnectTimeout  model.Duration  `yaml:"reconnect_timeout,omitempty"`
	TLSConfig         string          `yaml:"tls_config,omitempty"`
	Label             string          `yaml:"label,omitempty"`
	// AllowInsecureAdvertise lets a public IP address be found and advertised.
	AllowInsecureAdvertise bool `yaml:"allow_insecure_public_advertise_address_discovery,omitempty"`
}

// Logs is what concerns log lines.
type Logs struct {
	Collect LogCollect `yaml:"collect,omitempty"`
	// Loki keeps the lines if it is set; then the settings below do nothing.
	Loki Loki `yaml:"loki,omitempty"`
	// TenantLabel is the label under which the tenant of a request, or of a stage
	// of a promtail.yml, is stored; empty leaves it out.
	TenantLabel string `yaml:"tenant_label,omitempty"`
	// DiscoverServiceName lists labels of which the first that a stream has is
	// stored as service_name too, as Loki's setting of this name does; none
	// stores streams as they were sent.
	DiscoverServiceName []string `yaml:"discover_service_name,omitempty"`
	// Retention is how long lines are kept; zero keeps them for ever.
	Retention *model.Duration `yaml:"retention,omitempty"`
	// RetentionSize is the size on disk above which the oldest days go; zero
	// is no bound.
	RetentionSize Size `yaml:"retention_size,omitempty"`
	// MemoryLimit bounds what all log queries and writes together may take.
	MemoryLimit Size `yaml:"memory_limit,omitempty"`
	// MaxStreams and MaxLabelValues guard, per day, against labels with too
	// many values.
	MaxStreams     int `yaml:"max_streams,omitempty"`
	MaxLabelValues int `yaml:"max_label_values,omitempty"`
	// Rate and StreamRate bound what is accepted a second, over all streams and
	// for each; zero is no bound.
	Rate       Size `yaml:"rate,omitempty"`
	StreamRate Size `yaml:"stream_rate,omitempty"`
	// QueryTimeout ends a log query that takes longer.
	QueryTimeout model.Duration `yaml:"query_timeout,omitempty"`
	// MaxEntries and MaxSeries bound the answer to one query.
	MaxEntries int `yaml:"max_entries,omitempty"`
	MaxSeries  int `yaml:"max_series,omitempty"`
}

// LogCollect says which files are tailed.
type LogCollect struct {
	// ConfigFile is a promtail.yml.
	ConfigFile string `yaml:"config_file,omitempty"`
	// OwnAddresses are host:port pairs by which its clients mean modelwatch.
	OwnAddresses []string `yaml:"own_addresses,omitempty"`
}

// Collect is what modelwatch measures by itself.
type Collect struct {
	// Host turns the host's metrics off when false.
	Host *bool `yaml:"host,omitempty"`
	// Paths are where the host's file systems are. They cannot change while the
	// program runs.
	Paths HostPaths `yaml:"paths,omitempty"`
	// Interval is how often modelwatch scrapes itself, its host and what it
	// knows of models. It does not follow prometheus.yml: reading a whole host
	// every second costs more than scraping a thousand series.
	Interval  model.Duration `yaml:"interval,omitempty"`
	Processes []Process      `yaml:"processes,omitempty"`
	GPU       GPU            `yaml:"gpu,omitempty"`
}

// Process names the processes of one service. One of PIDFile, Port and
// Command is set.
type Process struct {
	Service string `yaml:"service"`
	PIDFile string `yaml:"pid_file,omitempty"`
	Port    int    `yaml:"port,omitempty"`
	// Command is a regular expression on the command line.
	Command string `yaml:"command,omitempty"`
}

// GPU is what concerns GPUs.
type GPU struct {
	// ExpectedCount is how many GPUs this host should have; zero means the
	// most that were ever seen.
	ExpectedCount int `yaml:"expected_count,omitempty"`
	// NvidiaSMI is the path of nvidia-smi; empty means by PATH.
	NvidiaSMI string `yaml:"nvidia_smi,omitempty"`
	// Enabled turns GPUs off when false.
	Enabled *bool `yaml:"enabled,omitempty"`
}

// Size is a number of bytes, written as 512MB or 10GiB.
type Size uint64

// UnmarshalYAML reads a number of bytes or a number with a unit.
func (s *Size) UnmarshalYAML(n *yaml.Node) error {
	if v, err := strconv.ParseUint(n.Value, 10, 64); err == nil {
		*s = Size(v)
		return nil
	}
	v, err := units.ParseBase2Bytes(n.Value)
	if err != nil || v < 0 {
		return fmt.Errorf("line %d: %q is not a size: write a number of bytes, or one with a unit such as 512MB", n.Line, n.Value)
	}
	*s = Size(v)
	return nil
}

// MarshalYAML writes the size with its unit.
func (s Size) MarshalYAML() (any, error) { return units.Base2Bytes(s).String(), nil }

// Default values, in one place so that the documentation can name them.
const (
	DefaultListenAddress    = "127.0.0.1:9090"
	DefaultStoragePath      = "data"
	DefaultMaxConnections   = 512
	DefaultMaxRequestBytes  = 64 << 20
	DefaultReadTimeout      = 5 * time.Minute
	DefaultRetention        = 15 * 24 * time.Hour
	DefaultQueryTimeout     = 2 * time.Minute
	DefaultQuerySamples     = 50_000_000
	DefaultQueryConcurrency = 20
	DefaultLookbackDelta    = 5 * time.Minute
	DefaultAlertRetention   = 120 * time.Hour
	DefaultSamplesPerScrape = 200_000
	DefaultTargetsPerJob    = 5_000
	DefaultLabelsPerSeries  = 64
	DefaultLabelNameLength  = 512
	DefaultLabelValueLength = 8192
	DefaultBodySize         = 256 << 20
	DefaultSelfInterval     = 15 * time.Second
	DefaultLogRetention     = 15 * 24 * time.Hour
	DefaultLogMemory        = 384 << 20
	DefaultMaxStreams       = 100_000
	DefaultMaxLabelValues   = 50_000
	DefaultLogQueryTimeout  = time.Minute
	DefaultMaxLogEntries    = 5_000
	DefaultMaxLogSeries     = 500
)

// Default is the configuration when nothing is written.
func Default() *Config {
	c := &Config{}
	c.setDefaults()
	return c
}

func set[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

func setPointer[T any](p **T, v T) {
	if *p == nil {
		*p = &v
	}
}

func (c *Config) setDefaults() {
	set(&c.Web.ListenAddress, DefaultListenAddress)
	set(&c.Web.MaxConnections, DefaultMaxConnections)
	set(&c.Web.MaxRequestBytes, DefaultMaxRequestBytes)
	set(&c.Web.ReadTimeout, model.Duration(DefaultReadTimeout))
	c.Web.Auth.setDefaults()
	setPointer(&c.Web.Editing, true)
	set(&c.Storage.Path, DefaultStoragePath)
	set(&c.Metrics.Retention, model.Duration(DefaultRetention))
	set(&c.Metrics.Query.Timeout, model.Duration(DefaultQueryTimeout))
	set(&c.Metrics.Query.MaxSamples, DefaultQuerySamples)
	set(&c.Metrics.Query.MaxConcurrency, DefaultQueryConcurrency)
	set(&c.Metrics.Query.LookbackDelta, model.Duration(DefaultLookbackDelta))
	setPointer(&c.Metrics.BuiltinRules, true)
	setPointer(&c.Metrics.Limits.Samples, DefaultSamplesPerScrape)
	setPointer(&c.Metrics.Limits.Targets, DefaultTargetsPerJob)
	setPointer(&c.Metrics.Limits.Labels, DefaultLabelsPerSeries)
	setPointer(&c.Metrics.Limits.LabelNameLength, DefaultLabelNameLength)
	setPointer(&c.Metrics.Limits.LabelValueLength, DefaultLabelValueLength)
	setPointer(&c.Metrics.Limits.BodySize, DefaultBodySize)
	set(&c.Alerting.Retention, model.Duration(DefaultAlertRetention))
	c.Logs.Loki.setDefaults()
	setPointer(&c.Logs.Retention, model.Duration(DefaultLogRetention))
	set(&c.Logs.MemoryLimit, DefaultLogMemory)
	set(&c.Logs.MaxStreams, DefaultMaxStreams)
	set(&c.Logs.MaxLabelValues, DefaultMaxLabelValues)
	set(&c.Logs.QueryTimeout, model.Duration(DefaultLogQueryTimeout))
	set(&c.Logs.MaxEntries, DefaultMaxLogEntries)
	set(&c.Logs.MaxSeries, DefaultMaxLogSeries)
	setPointer(&c.Collect.Host, true)
	c.Collect.Paths.setDefaults()
	c.Inferences.setDefaults()
	set(&c.Collect.Interval, model.Duration(DefaultSelfInterval))
	setPointer(&c.Collect.GPU.Enabled, true)
}

// Load reads a modelwatch.yml, with relative paths taken from its directory.
// The error, if any, joins every problem of the file.
func Load(file string) (*Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	c, problems := Parse(file, text)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// Parse decodes and checks the text of a modelwatch.yml.
func Parse(file string, text []byte) (*Config, Problems) {
	c := &Config{}
	var problems Problems
	if err := decode(text, c); err != nil {
		load := func(t []byte) error { return decode(t, &Config{}) }
		ps := dissect(file, text, load, func(f fragment) []byte { return f.with() })
		ps = orWhole(file, ps, err)
		var root yaml.Node
		// Errors of types leave all the rest decoded, which may be wrong as well;
		// others end the decoding.
		if _, typed := errors.AsType[*yaml.TypeError](err); typed && yaml.Unmarshal(text, &root) == nil {
			ps = append(ps, c.validate(file, &root)...)
		}
		slices.SortStableFunc(ps, func(a, b Problem) int { return a.Line - b.Line })
		return c, ps
	}
	var root yaml.Node
	_ = yaml.Unmarshal(text, &root) // It has just been decoded.
	problems = append(problems, c.validate(file, &root)...)
	c.setDefaults()
	c.resolve(filepath.Dir(file))
	return c, problems
}

// decode reads YAML strictly: a setting that does not exist is an error. An
// empty file is right.
func decode(text []byte, c *Config) error {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func (c *Config) resolve(dir string) {
	files := []*string{&c.Web.ConfigFile, &c.Metrics.ConfigFile, &c.Alerting.ConfigFile, &c.Alerting.Cluster.TLSConfig, &c.Logs.Collect.ConfigFile}
	files = append(files, &c.Collect.Paths.Procfs, &c.Collect.Paths.Sysfs, &c.Collect.Paths.Rootfs)
	for _, p := range append(files, c.Web.Auth.paths()...) {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	if c.Logs.Loki.HTTP != nil {
		c.Logs.Loki.HTTP.SetDirectory(dir)
	}
}

// validate reports every problem and changes nothing.
func (c *Config) validate(file string, root *yaml.Node) Problems {
	var ps Problems
	add := func(reason, hint string, path ...string) {
		ps = append(ps, Problem{File: file, Line: lineOf(root, path...), Reason: strings.Join(path, ".") + ": " + reason, Hint: hint})
	}
	if a := c.Web.ListenAddress; a != "" {
		if _, err := splitAddress(a); err != nil {
			add(err.Error(), "write host:port, for example 127.0.0.1:9090", "web", "listen_address")
		}
	}
	if u := c.Web.ExternalURL; u != "" && !strings.HasPrefix(u, "http://") && !strings.HasPrefix(u, "https://") {
		add(fmt.Sprintf("%q is not a URL", u), "write it with its scheme, for example https://modelwatch.example.org/", "web", "external_url")
	}
	for name, v := range map[string]int{"max_samples": c.Metrics.Query.MaxSamples, "max_concurrency": c.Metrics.Query.MaxConcurrency} {
		if v < 0 {
			add(fmt.Sprintf("%d is less than zero", v), "leave it out for the default", "metrics", "query", name)
		}
	}
	if c.Web.MaxConnections < 0 {
		add(fmt.Sprintf("%d is less than zero", c.Web.MaxConnections), "leave it out for the default", "web", "max_connections")
	}
	for i, p := range c.Collect.Processes {
		path := []string{"collect", "processes", strconv.Itoa(i)}
		if p.Service == "" {
			add("service is missing", "name the service that these processes belong to", path...)
		}
		ways := 0
		for _, set := range []bool{p.PIDFile != "", p.Port != 0, p.Command != ""} {
			if set {
				ways++
			}
		}
		if ways != 1 {
			add(fmt.Sprintf("%d of pid_file, port and command are set", ways), "set exactly one of them", path...)
		}
		if p.Port < 0 || p.Port > 65535 {
			add(fmt.Sprintf("port %d does not exist", p.Port), "use 1 to 65535", path...)
		}
		if _, err := regexp.Compile(p.Command); err != nil {
			add(fmt.Sprintf("command: %v", err), "command is a regular expression in RE2 syntax", path...)
		}
	}
	c.Collect.Paths.validate(filepath.Dir(file), add)
	c.Web.Auth.validate(add)
	c.Inferences.validate(add)
	c.Logs.validate(add, func(reason, hint string, path ...string) {
		add(reason, hint, path...)
		ps[len(ps)-1].Warning = true
	})
	if c.Collect.GPU.ExpectedCount < 0 {
		add("less than zero", "leave it out to take the most GPUs ever seen", "collect", "gpu", "expected_count")
	}
	return ps
}
