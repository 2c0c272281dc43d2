package notify

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"time"

	"github.com/prometheus/alertmanager/cluster"
	"github.com/prometheus/client_golang/prometheus"
)

// Source says where a configuration in Alertmanager's format comes from: a file,
// or bytes. The zero Source is the built-in configuration, whose only receiver,
// "default", delivers nowhere but keeps every notification in the history.
type Source struct {
	// File is the path of alertmanager.yml. Relative paths inside the file are
	// relative to its folder.
	File string
	// Data is used when File is empty. Relative paths inside it are relative to
	// the working directory.
	Data []byte
}

// String names the source in messages.
func (s Source) String() string {
	switch {
	case s.File != "":
		return s.File
	case len(s.Data) > 0:
		return "alertmanager configuration"
	default:
		return "built-in alertmanager configuration"
	}
}

// builtinConfig is used when there is no configuration.
const builtinConfig = `route:
  receiver: default
  group_by: [alertname, service, job]
receivers:
  - name: default
`

// Options configures a Manager. Take DefaultOptions and set what differs; a
// duration or limit of zero where Alertmanager's flag has another default means
// that default.
type Options struct {
	// Config is the configuration to start with.
	Config Source
	// DataDir is the directory of silences, notification log, alerts and history.
	// It is created when absent, and must belong to one process.
	DataDir string
	// ExternalURL is where people reach this process; links in notifications
	// start with it. Nil means http://<host name>:9090.
	ExternalURL *url.URL

	// Retention is how long ended silences and the notification log are kept
	// (Alertmanager's --data.retention).
	Retention time.Duration
	// MaintenanceInterval is the time between garbage collections of silences and
	// the notification log (--data.maintenance-interval).
	MaintenanceInterval time.Duration
	// AlertGCInterval is the time between removals of resolved alerts
	// (--alerts.gc-interval).
	AlertGCInterval time.Duration
	// DispatchMaintenanceInterval is the time between removals of empty groups
	// (--dispatch.maintenance-interval).
	DispatchMaintenanceInterval time.Duration
	// DispatchStartDelay is the least time after the start before a group is
	// notified about (--dispatch.start-delay). Alerts survive restarts here, so
	// there is rarely a need for it.
	DispatchStartDelay time.Duration
	// DrainTimeout is how long notifications that are under way may take to end
	// when the configuration is swapped or the manager stops. Default 3 s.
	DrainTimeout time.Duration
	// AttemptTimeout bounds one attempt of one integration, whatever the group's
	// interval. Default 1 min.
	AttemptTimeout time.Duration

	Limits  Limits
	Cluster ClusterOptions

	// SilenceLogging logs each change of a silence (--silences.logging).
	SilenceLogging bool
	// EnableFeatures lists experimental features, separated by commas
	// (--enable-feature). How matchers are parsed is a property of the whole
	// process: the first Manager or Check decides it.
	EnableFeatures string

	// Logger and Registerer are required.
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Limits bounds what a Manager holds and serves. Zero means no limit, unless
// said otherwise.
type Limits struct {
	// MaxSilences counts expired silences that are still kept, too.
	MaxSilences int
	// MaxSilenceSizeBytes bounds one silence.
	MaxSilenceSizeBytes int
	// PerAlertNameLimit bounds active alerts of one name.
	PerAlertNameLimit int
	// MaxAggregationGroups bounds groups of alerts.
	MaxAggregationGroups int
	// MaxHistory is the number of finished notifications kept: at least half of
	// it, at most all of it. Default 20,000.
	MaxHistory int
	// MaxRequestBytes bounds the body of a request. Default 16 MiB.
	MaxRequestBytes int64
	// GetConcurrency bounds concurrent GET requests below /api/v2. Default:
	// GOMAXPROCS, at least 8.
	GetConcurrency int
	// HTTPTimeout bounds a request below /api/v2. Default 30 s.
	HTTPTimeout time.Duration
}

// ClusterOptions carries Alertmanager's cluster flags under their names. A
// cluster is joined only if ListenAddress is set.
type ClusterOptions struct {
	ListenAddress          string        // --cluster.listen-address
	AdvertiseAddress       string        // --cluster.advertise-address
	PeerName               string        // --cluster.peer-name
	Peers                  []string      // --cluster.peer
	PeerTimeout            time.Duration // --cluster.peer-timeout
	PeersResolveTimeout    time.Duration // --cluster.peers-resolve-timeout
	GossipInterval         time.Duration // --cluster.gossip-interval
	PushPullInterval       time.Duration // --cluster.pushpull-interval
	TCPTimeout             time.Duration // --cluster.tcp-timeout
	ProbeTimeout           time.Duration // --cluster.probe-timeout
	ProbeInterval          time.Duration // --cluster.probe-interval
	SettleTimeout          time.Duration // --cluster.settle-timeout; 0 does not wait
	ReconnectInterval      time.Duration // --cluster.reconnect-interval
	ReconnectTimeout       time.Duration // --cluster.reconnect-timeout
	TLSConfigFile          string        // --cluster.tls-config
	AllowInsecureAdvertise bool          // --cluster.allow-insecure-public-advertise-address-discovery
	Label                  string        // --cluster.label
}

// DefaultOptions returns Options with the defaults of Alertmanager's flags and no
// cluster. DataDir, Logger and Registerer are still to be set.
func DefaultOptions() Options {
	return Options{
		Retention:                   120 * time.Hour,
		MaintenanceInterval:         15 * time.Minute,
		AlertGCInterval:             30 * time.Minute,
		DispatchMaintenanceInterval: 30 * time.Second,
		DrainTimeout:                3 * time.Second,
		AttemptTimeout:              time.Minute,
		Limits: Limits{
			MaxHistory:      20_000,
			MaxRequestBytes: 16 << 20,
			HTTPTimeout:     30 * time.Second,
		},
		Cluster: ClusterOptions{
			PeerTimeout:         15 * time.Second,
			PeersResolveTimeout: cluster.DefaultResolvePeersTimeout,
			GossipInterval:      cluster.DefaultGossipInterval,
			PushPullInterval:    cluster.DefaultPushPullInterval,
			TCPTimeout:          cluster.DefaultTCPTimeout,
			ProbeTimeout:        cluster.DefaultProbeTimeout,
			ProbeInterval:       cluster.DefaultProbeInterval,
			SettleTimeout:       cluster.DefaultPushPullInterval,
			ReconnectInterval:   cluster.DefaultReconnectInterval,
			ReconnectTimeout:    cluster.DefaultReconnectTimeout,
		},
	}
}

// withDefaults fills what was left at zero.
func (o Options) withDefaults() Options {
	d := DefaultOptions()
	for _, f := range []struct {
		value *time.Duration
		byDef time.Duration
	}{
		{&o.Retention, d.Retention},
		{&o.MaintenanceInterval, d.MaintenanceInterval},
		{&o.AlertGCInterval, d.AlertGCInterval},
		{&o.DispatchMaintenanceInterval, d.DispatchMaintenanceInterval},
		{&o.DrainTimeout, d.DrainTimeout},
		{&o.AttemptTimeout, d.AttemptTimeout},
		{&o.Limits.HTTPTimeout, d.Limits.HTTPTimeout},
		{&o.Cluster.PeerTimeout, d.Cluster.PeerTimeout},
		{&o.Cluster.PeersResolveTimeout, d.Cluster.PeersResolveTimeout},
		{&o.Cluster.GossipInterval, d.Cluster.GossipInterval},
		{&o.Cluster.PushPullInterval, d.Cluster.PushPullInterval},
		{&o.Cluster.TCPTimeout, d.Cluster.TCPTimeout},
		{&o.Cluster.ProbeTimeout, d.Cluster.ProbeTimeout},
		{&o.Cluster.ProbeInterval, d.Cluster.ProbeInterval},
		{&o.Cluster.ReconnectInterval, d.Cluster.ReconnectInterval},
		{&o.Cluster.ReconnectTimeout, d.Cluster.ReconnectTimeout},
	} {
		if *f.value == 0 {
			*f.value = f.byDef
		}
	}
	if o.Limits.MaxHistory == 0 {
		o.Limits.MaxHistory = d.Limits.MaxHistory
	}
	if o.Limits.MaxRequestBytes == 0 {
		o.Limits.MaxRequestBytes = d.Limits.MaxRequestBytes
	}
	if o.ExternalURL == nil {
		host, err := os.Hostname()
		if err != nil {
			host = "localhost"
		}
		o.ExternalURL = &url.URL{Scheme: "http", Host: host + ":9090"}
	}
	return o
}

// validate reports every option that cannot work.
func (o Options) validate() error {
	var errs []error
	if o.Logger == nil {
		errs = append(errs, errors.New("option Logger is required"))
	}
	if o.Registerer == nil {
		errs = append(errs, errors.New("option Registerer is required"))
	}
	if o.DataDir == "" {
		errs = append(errs, errors.New("DataDir is required"))
	}
	for _, f := range []struct {
		name  string
		value time.Duration
	}{
		{"Retention", o.Retention},
		{"MaintenanceInterval", o.MaintenanceInterval},
		{"AlertGCInterval", o.AlertGCInterval},
		{"DispatchMaintenanceInterval", o.DispatchMaintenanceInterval},
		{"DrainTimeout", o.DrainTimeout},
		{"AttemptTimeout", o.AttemptTimeout},
		{"Limits.HTTPTimeout", o.Limits.HTTPTimeout},
		{"Cluster.PeerTimeout", o.Cluster.PeerTimeout},
		{"Cluster.PeersResolveTimeout", o.Cluster.PeersResolveTimeout},
		{"Cluster.GossipInterval", o.Cluster.GossipInterval},
		{"Cluster.PushPullInterval", o.Cluster.PushPullInterval},
		{"Cluster.TCPTimeout", o.Cluster.TCPTimeout},
		{"Cluster.ProbeTimeout", o.Cluster.ProbeTimeout},
		{"Cluster.ProbeInterval", o.Cluster.ProbeInterval},
		{"Cluster.ReconnectInterval", o.Cluster.ReconnectInterval},
		{"Cluster.ReconnectTimeout", o.Cluster.ReconnectTimeout},
	} {
		if f.value <= 0 {
			errs = append(errs, fmt.Errorf("%s is %s, but must be positive", f.name, f.value))
		}
	}
	if o.DispatchStartDelay < 0 {
		errs = append(errs, fmt.Errorf("DispatchStartDelay is %s, but must not be negative", o.DispatchStartDelay))
	}
	if o.Limits.MaxHistory < 2 {
		errs = append(errs, fmt.Errorf("Limits.MaxHistory is %d, but must be at least 2", o.Limits.MaxHistory))
	}
	if o.Limits.MaxRequestBytes < 0 {
		errs = append(errs, fmt.Errorf("Limits.MaxRequestBytes is %d, but must not be negative", o.Limits.MaxRequestBytes))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("options of notify: %w", err)
	}
	return nil
}
