package tail

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/relabel"
	"go.yaml.in/yaml/v3"

	"github.com/modelwatch/modelwatch/collect/tail/forward"
	"github.com/modelwatch/modelwatch/collect/tail/node"
	"github.com/modelwatch/modelwatch/collect/tail/stage"
)

// Problem is something wrong in a promtail.yml.
type Problem = node.Problem

// Config is a promtail.yml that was read.
type Config struct {
	// Positions is the file in which the positions are kept; "" if the config does not say.
	Positions     string
	PositionsSync time.Duration
	Clients       []*forward.Client
	own           []string // further addresses of modelwatch itself
	Jobs          []*Job
	SyncPeriod    time.Duration
	MaxLine       int
	CutLine       bool
	ReadRate      float64
	ReadBurst     int
	RateDrop      bool
}

// Job is one element of scrape_configs.
type Job struct {
	Name        string
	Pipeline    *stage.Pipeline
	Static      []Group
	FileSD      []FileSD
	Relabel     []*relabel.Config
	Compression string
	Delay       time.Duration
	Encoding    string
	Journal     *Journal
	Syslog      *Syslog
	line        int
}

// Group is targets with labels; __path__ among them says which files.
type Group struct {
	Targets []string
	Labels  map[string]string
}

// FileSD is files with groups.
type FileSD struct {
	Files   []string
	Refresh time.Duration
}

// Journal is the settings of a journal target.
type Journal struct {
	JSON    bool
	MaxAge  time.Duration
	Path    string
	Matches string
	Labels  map[string]string
}

// Syslog is the settings of a syslog target.
type Syslog struct {
	Address, Protocol, Format         string
	IdleTimeout                       time.Duration
	LabelStructuredData, UseTimestamp bool
	UseRFC5424, AllowEmpty            bool
	MaxMessage                        int
	CertFile, KeyFile, CAFile         string
	Labels                            map[string]string
}

// Check reports everything that is wrong in a promtail.yml, and as warnings what has no effect here.
func Check(file []byte) []Problem {
	_, problems := Read(file)
	return problems
}

// Read reads a promtail.yml. The config is nil if one of the problems is not a warning.
func Read(file []byte) (*Config, []Problem) {
	r := &node.Reader{}
	c := &reading{Reader: r, config: &Config{SyncPeriod: time.Second, PositionsSync: 10 * time.Second, MaxLine: DefaultMaxLine, CutLine: true}}
	root := r.Parse(file)
	if root != nil {
		c.root(root)
	}
	if r.Failed() {
		return nil, r.Sorted()
	}
	return c.config, r.Sorted()
}

// DefaultMaxLine is the greatest length of a line unless the config says otherwise.
const DefaultMaxLine = 256 << 10

type reading struct {
	*node.Reader
	config *Config
}

func (c *reading) root(n *yaml.Node) {
	c.Map(n, "the file", node.Fields{
		"server": func(*yaml.Node) {}, // modelwatch has a server of its own.
		"client": func(n *yaml.Node) { c.client(n, "client") },
		"clients": func(n *yaml.Node) {
			c.List(n, "clients", func(i int, n *yaml.Node) { c.client(n, fmt.Sprintf("clients[%d]", i)) })
		},
		"positions":      c.positions,
		"scrape_configs": c.jobs,
		"limits_config":  c.limits,
		"target_config": func(n *yaml.Node) {
			c.Map(n, "target_config", node.Fields{"sync_period": c.Duration(&c.config.SyncPeriod, "target_config.sync_period"), "stdin": node.Ignore})
		},
		"options": node.Ignore,
		"tracing": node.Ignore,
		"wal":     func(n *yaml.Node) { c.Warn(n, "lines wait on disk anyway", "wal has no effect") },
	})
	if len(c.config.Jobs) == 0 && !c.Failed() {
		c.Warn(n, "", "there are no scrape_configs, so nothing is collected")
	}
	if c.config.SyncPeriod <= 0 {
		c.config.SyncPeriod = time.Second
	}
}

func (c *reading) positions(n *yaml.Node) {
	c.Map(n, "positions", node.Fields{
		"filename":            c.String(&c.config.Positions, "positions.filename"),
		"sync_period":         c.Duration(&c.config.PositionsSync, "positions.sync_period"),
		"ignore_invalid_yaml": node.Ignore,
	})
}

func (c *reading) limits(n *yaml.Node) {
	var size int64
	var enabled, cut bool
	rate, burst, drop := 10_000.0, 10_000, true
	c.Map(n, "limits_config", node.Fields{
		"readline_rate":         c.Float(&rate, "limits_config.readline_rate"),
		"readline_burst":        c.Int(&burst, "limits_config.readline_burst"),
		"readline_rate_enabled": c.Bool(&enabled, "limits_config.readline_rate_enabled"),
		"readline_rate_drop":    c.Bool(&drop, "limits_config.readline_rate_drop"),
		"max_streams": func(n *yaml.Node) {
			c.Warn(n, "the store's own limit counts", "limits_config.max_streams has no effect")
		},
		"max_line_size":          c.Bytes(&size, "limits_config.max_line_size"),
		"max_line_size_truncate": c.Bool(&cut, "limits_config.max_line_size_truncate"),
	})
	if enabled {
		c.config.ReadRate, c.config.ReadBurst, c.config.RateDrop = rate, burst, drop
	}
	if size > 0 {
		c.config.MaxLine, c.config.CutLine = int(size), cut
	}
}

func (c *reading) client(n *yaml.Node, where string) {
	cl := &forward.Client{Timeout: 10 * time.Second, MinBackoff: 500 * time.Millisecond, MaxBackoff: 5 * time.Minute}
	var text string
	at := n
	auth := node.Fields{
		"username": c.String(&cl.Username, where+".basic_auth.username"), "username_file": node.Ignore,
		"password": c.String(&cl.Password, where+".basic_auth.password"), "password_file": c.String(&cl.PasswordFile, where+".basic_auth.password_file"),
	}
	tls := func(n *yaml.Node) {
		c.Map(n, where+".tls_config", node.Fields{
			"ca_file": c.String(&cl.CAFile, where+".tls_config.ca_file"), "cert_file": c.String(&cl.CertFile, where+".tls_config.cert_file"),
			"key_file": c.String(&cl.KeyFile, where+".tls_config.key_file"), "server_name": c.String(&cl.ServerName, where+".tls_config.server_name"),
			"insecure_skip_verify": c.Bool(&cl.InsecureSkipVerify, where+".tls_config.insecure_skip_verify"),
		})
	}
	ignored := func(what, why string) func(*yaml.Node) {
		return func(n *yaml.Node) { c.Warn(n, why, "%s.%s has no effect", where, what) }
	}
	c.Map(n, where, node.Fields{
		"name":       c.String(&cl.Name, where+".name"),
		"url":        func(v *yaml.Node) { at = v; c.String(&text, where+".url")(v) },
		"headers":    func(v *yaml.Node) { cl.Headers = c.StringMap(v, where+".headers") },
		"tenant_id":  c.String(&cl.Tenant, where+".tenant_id"),
		"batchwait":  node.Ignore,
		"batchsize":  node.Ignore,
		"basic_auth": func(v *yaml.Node) { c.Map(v, where+".basic_auth", auth) },
		"bearer_token": func(v *yaml.Node) {
			c.String(&cl.BearerToken, where+".bearer_token")(v)
		},
		"bearer_token_file": c.String(&cl.BearerTokenFile, where+".bearer_token_file"),
		"authorization": func(v *yaml.Node) {
			c.Map(v, where+".authorization", node.Fields{
				"type": node.Ignore, "credentials": c.String(&cl.BearerToken, where+".authorization.credentials"),
				"credentials_file": c.String(&cl.BearerTokenFile, where+".authorization.credentials_file"),
			})
		},
		"oauth2":     func(v *yaml.Node) { c.Fail(v, "use basic_auth or bearer_token", "%s.oauth2 cannot be honoured", where) },
		"proxy_url":  c.String(&cl.ProxyURL, where+".proxy_url"),
		"tls_config": tls,
		"backoff_config": func(v *yaml.Node) {
			c.Map(v, where+".backoff_config", node.Fields{
				"min_period": c.Duration(&cl.MinBackoff, where+".backoff_config.min_period"),
				"max_period": c.Duration(&cl.MaxBackoff, where+".backoff_config.max_period"),
				"max_retries": func(v *yaml.Node) {
					c.Warn(v, "lines wait on disk until they are taken", "%s.backoff_config.max_retries has no effect", where)
				},
			})
		},
		"external_labels":           func(v *yaml.Node) { cl.ExternalLabels = c.StringMap(v, where+".external_labels") },
		"timeout":                   c.Duration(&cl.Timeout, where+".timeout"),
		"drop_rate_limited_batches": c.Bool(&cl.DropRateLimited, where+".drop_rate_limited_batches"),
		"stream_lag_labels":         ignored("stream_lag_labels", ""),
		"follow_redirects":          node.Ignore,
		"enable_http2":              node.Ignore,
	})
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		c.Fail(at, "like http://loki:3100/loki/api/v1/push", "%s.url %q is not the address of a push API", where, text)
		return
	}
	cl.URL = text
	if cl.Name == "" {
		cl.Name = u.Host
	}
	c.config.Clients = append(c.config.Clients, cl)
}

func (c *reading) jobs(n *yaml.Node) {
	names := map[string]bool{}
	c.List(n, "scrape_configs", func(i int, n *yaml.Node) {
		where := fmt.Sprintf("scrape_configs[%d]", i)
		j := c.job(n, where)
		if j.Name != "" && names[j.Name] {
			c.Fail(n, "give each its own", "%s: there is another job named %q", where, j.Name)
		}
		names[j.Name] = true
		c.config.Jobs = append(c.config.Jobs, j)
	})
}

// otherSources are the ways of finding targets that are known and not there.
var otherSources = []string{
	"kubernetes_sd_configs", "docker_sd_configs", "consul_sd_configs", "consulagent_sd_configs", "dns_sd_configs", "http_sd_configs", "ec2_sd_configs",
	"gce_sd_configs", "azure_sd_configs", "openstack_sd_configs", "marathon_sd_configs", "nerve_sd_configs",
	"serverset_sd_configs", "triton_sd_configs", "digitalocean_sd_configs", "windows_events", "gcplog", "azure_event_hubs",
	"kafka", "gelf", "cloudflare", "heroku_drain", "loki_push_api",
}

func (c *reading) job(n *yaml.Node, where string) *Job {
	j := &Job{Pipeline: &stage.Pipeline{}, line: n.Line}
	static := func(n *yaml.Node) {
		c.List(n, where+".static_configs", func(i int, n *yaml.Node) {
			at := fmt.Sprintf("%s.static_configs[%d]", where, i)
			g := c.group(n, at)
			if g.Labels["__path__"] == "" {
				c.Fail(n, "add __path__: /var/log/*.log to its labels", "%s has no __path__", at)
			}
			j.Static = append(j.Static, g)
		})
	}
	fields := node.Fields{
		"job_name":        c.String(&j.Name, where+".job_name"),
		"pipeline_stages": func(n *yaml.Node) { j.Pipeline = stage.Read(c.Reader, n, where+".pipeline_stages") },
		"static_configs":  static,
		"file_sd_configs": func(n *yaml.Node) {
			c.List(n, where+".file_sd_configs", func(i int, n *yaml.Node) {
				at := fmt.Sprintf("%s.file_sd_configs[%d]", where, i)
				sd := FileSD{Refresh: 5 * time.Minute}
				c.Map(n, at, node.Fields{"files": c.Strings(&sd.Files, at+".files"), "refresh_interval": c.Duration(&sd.Refresh, at+".refresh_interval")})
				if len(sd.Files) == 0 {
					c.Fail(n, "", "%s needs files", at)
				}
				j.FileSD = append(j.FileSD, sd)
			})
		},
		"relabel_configs": func(n *yaml.Node) { j.Relabel = c.relabel(n, where+".relabel_configs") },
		"decompression": func(n *yaml.Node) {
			enabled := false
			c.Map(n, where+".decompression", node.Fields{
				"enabled": c.Bool(&enabled, where+".decompression.enabled"), "format": c.String(&j.Compression, where+".decompression.format"),
				"initial_delay": c.Duration(&j.Delay, where+".decompression.initial_delay"),
			})
			j.Compression = strings.TrimPrefix(j.Compression, ".")
			if !enabled {
				j.Compression = ""
			} else if !slices.Contains([]string{"gz", "z", "bz2", "zst"}, j.Compression) {
				c.Fail(n, "known are gz, z, bz2 and zst", "%s.decompression.format cannot be %q", where, j.Compression)
			}
		},
		"encoding": func(n *yaml.Node) {
			c.String(&j.Encoding, where+".encoding")(n)
			if _, err := decoder(j.Encoding); err != nil {
				c.Fail(n, "use a name of the IANA such as utf-16le or windows-1252", "%s.encoding %q is not known", where, j.Encoding)
			}
		},
		"entry_parser": func(n *yaml.Node) {
			c.Fail(n, "use the stage docker or cri in pipeline_stages", "%s.entry_parser is no longer there", where)
		},
		"journal": func(n *yaml.Node) { j.Journal = c.journal(n, where+".journal") },
		"syslog":  func(n *yaml.Node) { j.Syslog = c.syslog(n, where+".syslog") },
	}
	for _, name := range otherSources {
		hint := "list the files in static_configs or file_sd_configs"
		if name == "loki_push_api" {
			hint = "push to modelwatch's own /loki/api/v1/push; pipeline stages do not apply there"
		}
		fields[name] = func(n *yaml.Node) { c.Fail(n, hint, "%s.%s cannot be honoured", where, name) }
	}
	c.Map(n, where, fields)
	if j.Name == "" {
		j.Name = where
	}
	if len(j.Static)+len(j.FileSD) == 0 && j.Journal == nil && j.Syslog == nil && !c.Failed() {
		c.Fail(n, "add static_configs with a __path__", "%s says nothing of where lines come from", where)
	}
	return j
}

func (c *reading) group(n *yaml.Node, where string) Group {
	g := Group{Labels: map[string]string{}}
	c.Map(n, where, node.Fields{
		"targets": c.Strings(&g.Targets, where+".targets"),
		"labels": func(n *yaml.Node) {
			c.Pairs(n, where+".labels", func(name string, v *yaml.Node) {
				if !model.LegacyValidation.IsValidLabelName(name) {
					c.Fail(v, "letters, digits and underscores only, and no digit first", "%s.labels: %q is not a label name", where, name)
					return
				}
				var text string
				c.String(&text, where+".labels."+name)(v)
				g.Labels[name] = text
				if name == "__path__" || name == "__path_exclude__" {
					if !doublestar.ValidatePathPattern(text) {
						c.Fail(v, "", "%s.labels.%s: %q is not a pattern for files", where, name, text)
					} else if !filepath.IsAbs(text) {
						c.Warn(v, "it is taken from where modelwatch is started", "%s.labels.%s: %q is not an absolute path", where, name, text)
					}
				}
			})
		},
	})
	return g
}

func (c *reading) relabel(n *yaml.Node, where string) []*relabel.Config {
	var out []*relabel.Config
	c.List(n, where, func(i int, n *yaml.Node) {
		at := fmt.Sprintf("%s[%d]", where, i)
		text, err := yaml.Marshal(n)
		if err != nil {
			c.Fail(n, "", "%s: %v", at, err)
			return
		}
		one, err := unmarshalRelabel(text)
		if err != nil {
			c.Fail(n, "", "%s: %v", at, err)
			return
		}
		out = append(out, one)
	})
	return out
}

func (c *reading) journal(n *yaml.Node, where string) *Journal {
	j := &Journal{MaxAge: 7 * time.Hour, Labels: map[string]string{}}
	c.Map(n, where, node.Fields{
		"json": c.Bool(&j.JSON, where+".json"), "max_age": c.Duration(&j.MaxAge, where+".max_age"), "path": c.String(&j.Path, where+".path"),
		"matches": c.String(&j.Matches, where+".matches"), "labels": func(n *yaml.Node) { j.Labels = c.StringMap(n, where+".labels") },
	})
	return j
}

func (c *reading) syslog(n *yaml.Node, where string) *Syslog {
	s := &Syslog{Protocol: "tcp", Format: "rfc5424", IdleTimeout: 2 * time.Minute, MaxMessage: 8192, Labels: map[string]string{}}
	c.Map(n, where, node.Fields{
		"listen_address": c.String(&s.Address, where+".listen_address"), "listen_protocol": c.String(&s.Protocol, where+".listen_protocol"),
		"idle_timeout": c.Duration(&s.IdleTimeout, where+".idle_timeout"), "label_structured_data": c.Bool(&s.LabelStructuredData, where+".label_structured_data"),
		"use_incoming_timestamp": c.Bool(&s.UseTimestamp, where+".use_incoming_timestamp"), "use_rfc5424_message": c.Bool(&s.UseRFC5424, where+".use_rfc5424_message"),
		"max_message_length": c.Int(&s.MaxMessage, where+".max_message_length"), "syslog_format": c.String(&s.Format, where+".syslog_format"),
		"allow_empty_message": c.Bool(&s.AllowEmpty, where+".allow_empty_message"),
		"labels":              func(n *yaml.Node) { s.Labels = c.StringMap(n, where+".labels") },
		"tls_config": func(n *yaml.Node) {
			c.Map(n, where+".tls_config", node.Fields{
				"cert_file": c.String(&s.CertFile, where+".tls_config.cert_file"), "key_file": c.String(&s.KeyFile, where+".tls_config.key_file"),
				"ca_file": c.String(&s.CAFile, where+".tls_config.ca_file"), "server_name": node.Ignore, "insecure_skip_verify": node.Ignore,
			})
		},
	})
	if s.Address == "" {
		c.Fail(n, `like "0.0.0.0:1514"`, "%s needs a listen_address", where)
	}
	if s.Protocol != "tcp" && s.Protocol != "udp" {
		c.Fail(n, "known are tcp and udp", "%s.listen_protocol cannot be %q", where, s.Protocol)
	}
	if s.Format != "rfc5424" && s.Format != "rfc3164" {
		c.Fail(n, "known are rfc5424 and rfc3164", "%s.syslog_format cannot be %q", where, s.Format)
	}
	return s
}

// readGroups reads a file of file_sd_configs, YAML or JSON.
func readGroups(path string) ([]Group, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read target file: %w", err)
	}
	c := &reading{Reader: &node.Reader{}, config: &Config{}}
	var out []Group
	if root := c.Parse(text); root != nil {
		c.List(root, "the file", func(i int, n *yaml.Node) { out = append(out, c.group(n, fmt.Sprintf("[%d]", i))) })
	}
	if c.Failed() {
		return nil, fmt.Errorf("read target file %s: %s", path, c.Problems[0])
	}
	return out, nil
}
