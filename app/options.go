package app

import (
	"io"
	"os"
	"time"
)

// Options is what the command line decides. Flags win over modelwatch.yml: a
// field left empty here takes the file's value.
type Options struct {
	// ConfigFile is modelwatch.yml; empty means the defaults.
	ConfigFile string
	// StoragePath is the data directory.
	StoragePath string
	// ListenAddress is host:port; port 0 takes any free one.
	ListenAddress string
	// WebConfigFile is an exporter-toolkit web config: TLS, basic auth.
	WebConfigFile string
	// ExternalURL is where people reach modelwatch.
	ExternalURL string

	PrometheusConfig   string
	AlertmanagerConfig string
	PromtailConfig     string

	// ResetAdmin gives the user admin a new password.
	ResetAdmin bool

	// CompatPorts also listens on the ports of Alertmanager and Loki.
	CompatPorts bool

	LogLevel  string
	LogFormat string

	// Cluster flags are Alertmanager's own.
	Cluster Cluster

	// Stdout takes what is told to people, Stderr the log.
	Stdout, Stderr io.Writer
	// Flags are shown by /api/v1/status/flags.
	Flags map[string]string
	// Reload asks for a reload with each value; main sends SIGHUP here.
	Reload <-chan os.Signal
	// Quiet leaves out the greeting at start.
	Quiet bool
}

// stopTimeout bounds a clean stop as a whole; each part has less.
const stopTimeout = 10 * time.Second
