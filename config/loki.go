package config

import (
	"bytes"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	commonconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// Loki is a Loki cluster, or another modelwatch, that keeps the lines instead
// of this process.
type Loki struct {
	// URL is its address without /loki/api/v1.
	URL string `yaml:"url,omitempty"`
	// Tenant is sent as X-Scope-OrgID. Without one, that of the request is.
	Tenant string `yaml:"tenant,omitempty"`
	// Timeout bounds each request to it, except live tails.
	Timeout model.Duration `yaml:"timeout,omitempty"`
	// HTTP has its TLS and credentials.
	HTTP *HTTPConfig `yaml:"http_config,omitempty"`
}

// DefaultLokiTimeout bounds a request to a Loki elsewhere.
const DefaultLokiTimeout = time.Minute

// HTTPConfig says how to reach a server over HTTP, in the format of
// Prometheus's and Alertmanager's http_config.
type HTTPConfig struct{ commonconfig.HTTPClientConfig }

var lineInError = regexp.MustCompile(`(?:yaml: )?(?:unmarshal errors:\s*)?line \d+: `)

// UnmarshalYAML reads and checks the section.
func (c *HTTPConfig) UnmarshalYAML(n *yaml.Node) error {
	text, err := yaml.Marshal(n)
	if err != nil {
		return err
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&c.HTTPClientConfig); err != nil {
		reason := lineInError.ReplaceAllString(err.Error(), "")
		reason = strings.TrimSuffix(strings.ReplaceAll(reason, " in type config.plain", ""), "\n")
		return fmt.Errorf("line %d: http_config: %s", n.Line, strings.TrimPrefix(reason, "yaml: "))
	}
	return nil
}

// Set tells whether lines are kept elsewhere.
func (l *Loki) Set() bool { return l.URL != "" }

func (l *Loki) setDefaults() { set(&l.Timeout, model.Duration(DefaultLokiTimeout)) }

// validate reports what is wrong with addresses, labels and the section of a
// Loki, and settings that it makes useless.
func (l *Logs) validate(add, warn func(reason, hint string, path ...string)) {
	for i, a := range l.Collect.OwnAddresses {
		if host, port, err := net.SplitHostPort(a); err != nil || host == "" || port == "" || strings.Contains(a, "/") {
			add(fmt.Sprintf("%q is not host:port", a), "write it as in the address of the client, for example loki:3100", "logs", "collect", "own_addresses", strconv.Itoa(i))
		}
	}
	if l.TenantLabel != "" {
		validateLabel(add, l.TenantLabel, "logs", "tenant_label")
	}
	for i, name := range l.DiscoverServiceName {
		validateLabel(add, name, "logs", "discover_service_name", strconv.Itoa(i))
	}
	loki := &l.Loki
	if !loki.Set() {
		if loki.Tenant != "" || loki.HTTP != nil || loki.Timeout != 0 {
			add("url is missing", "write the address of the Loki, for example http://loki:3100, or leave the section out to keep lines here", "logs", "loki")
		}
		return
	}
	u, err := url.Parse(loki.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		add("this is not an address", "write it with its scheme, for example http://loki:3100", "logs", "loki", "url")
	case u.User != nil:
		add("it has a user name in it, which would be shown with the address", "write it as basic_auth into http_config", "logs", "loki", "url")
	case strings.Contains(u.Path, "/loki/api/"):
		add(fmt.Sprintf("%q is the path of an endpoint", u.Path), "write the address only, without /loki/api/v1/push", "logs", "loki", "url")
	case u.RawQuery != "" || u.Fragment != "":
		add("it has parameters", "write scheme, host and, if there is one, a path prefix", "logs", "loki", "url")
	}
	for _, s := range []struct {
		name string
		set  bool
	}{
		{"tenant_label", l.TenantLabel != ""},
		{"discover_service_name", len(l.DiscoverServiceName) > 0},
		{"retention", l.Retention != nil},
		{"retention_size", l.RetentionSize != 0},
		{"memory_limit", l.MemoryLimit != 0},
		{"max_streams", l.MaxStreams != 0},
		{"max_label_values", l.MaxLabelValues != 0},
		{"rate", l.Rate != 0},
		{"stream_rate", l.StreamRate != 0},
		{"query_timeout", l.QueryTimeout != 0},
		{"max_entries", l.MaxEntries != 0},
		{"max_series", l.MaxSeries != 0},
	} {
		if s.set {
			warn("it has no effect: lines are kept by the Loki at logs.loki.url, which has limits of its own", "leave it out", "logs", s.name)
		}
	}
}

// validateLabel reports what cannot be the label of a stream.
func validateLabel(add func(reason, hint string, path ...string), name string, path ...string) {
	switch {
	case !model.LegacyValidation.IsValidLabelName(name):
		add(fmt.Sprintf("%q is not the name of a label", name), "use letters, digits and _, and begin with no digit", path...)
	case strings.HasPrefix(name, "__"):
		add(fmt.Sprintf("%q is a label that is not stored", name), "leave names that begin with __ to relabelling", path...)
	}
}
