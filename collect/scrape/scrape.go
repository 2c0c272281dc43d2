// Package scrape pulls samples from targets: Prometheus's service discovery
// and scrape manager behind one adapter. It does not store or judge what it
// pulls.
package scrape

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	commonconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	_ "github.com/prometheus/prometheus/discovery/dns"        // dns_sd_configs
	_ "github.com/prometheus/prometheus/discovery/file"       // file_sd_configs
	_ "github.com/prometheus/prometheus/discovery/http"       // http_sd_configs
	_ "github.com/prometheus/prometheus/discovery/kubernetes" // kubernetes_sd_configs
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/logging"
)

// Options is what a Scraper needs.
type Options struct {
	// Appendable takes the samples.
	Appendable storage.AppendableV2
	// SelfHost is a host:port that is never dialled over the network:
	// connections to it come from SelfDial.
	SelfHost string
	// SelfDial opens a connection to modelwatch's own metrics.
	SelfDial func(ctx context.Context) (net.Conn, error)
	// UserAgent is sent with every scrape.
	UserAgent string

	Discovery  *Discovery
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Discovery holds the parts of service discovery that may exist once in a
// registry only.
type Discovery struct {
	registerer prometheus.Registerer
	metrics    *discovery.SDMetrics
	logger     *slog.Logger
}

// NewDiscovery registers the metrics of service discovery.
func NewDiscovery(logger *slog.Logger, reg prometheus.Registerer) (*Discovery, error) {
	metrics, err := discovery.CreateAndRegisterSDMetrics(reg)
	if err != nil {
		return nil, fmt.Errorf("register service discovery metrics: %w", err)
	}
	return &Discovery{registerer: reg, metrics: metrics, logger: logger}, nil
}

// NewManager returns a discovery manager that runs until ctx ends.
func (d *Discovery) NewManager(ctx context.Context, name string) (*discovery.Manager, error) {
	m := discovery.NewManager(ctx, d.logger.With("component", "discovery", "for", name), d.registerer, d.metrics, discovery.Name(name), discovery.Updatert(500*time.Millisecond))
	if m == nil {
		return nil, fmt.Errorf("start service discovery for %s", name)
	}
	return m, nil
}

// Scraper pulls samples until it is stopped.
type Scraper struct {
	manager   *scrape.Manager
	discovery *discovery.Manager
	cancel    context.CancelFunc
	logger    *slog.Logger

	mu      sync.Mutex
	started bool
	wg      sync.WaitGroup

	// applying guards what was applied last.
	applying sync.Mutex
	config   *config.Config
	jobs     []*config.ScrapeConfig
}

// New makes a Scraper; it pulls nothing before Start.
func New(opts Options) (*Scraper, error) {
	ctx, cancel := context.WithCancel(context.Background())
	dm, err := opts.Discovery.NewManager(ctx, "scrape")
	if err != nil {
		cancel()
		return nil, err
	}
	clientOptions := []commonconfig.HTTPClientOption{}
	if opts.UserAgent != "" {
		clientOptions = append(clientOptions, commonconfig.WithUserAgent(opts.UserAgent))
	}
	if opts.SelfDial != nil {
		dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
		clientOptions = append(clientOptions, commonconfig.WithDialContextFunc(func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == opts.SelfHost {
				return opts.SelfDial(ctx)
			}
			return dialer.DialContext(ctx, network, addr)
		}))
	}
	manager, err := scrape.NewManager(
		&scrape.Options{
			DiscoveryReloadInterval:  model.Duration(time.Second),
			DiscoveryReloadOnStartup: true,
			HTTPClientOptions:        clientOptions,
		},
		opts.Logger.With("component", "scrape"),
		logging.NewJSONFileLogger,
		nil, opts.Appendable,
		opts.Registerer,
	)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("start scraping: %w", err)
	}
	return &Scraper{manager: manager, discovery: dm, cancel: cancel, logger: opts.Logger}, nil
}

// Prepare does all that can fail in Apply without touching what runs: it
// reads the scrape configurations of cfg and builds their HTTP clients.
func Prepare(cfg *config.Config) error {
	jobs, err := cfg.GetScrapeConfigs()
	if err != nil {
		return err
	}
	var errs []error
	for _, job := range jobs {
		client, err := commonconfig.NewClientFromConfig(job.HTTPClientConfig, job.JobName)
		if err != nil {
			errs = append(errs, fmt.Errorf("scrape job %q: %w", job.JobName, err))
			continue
		}
		client.CloseIdleConnections()
	}
	return errors.Join(errs...)
}

// Apply takes over the scrape configurations of cfg.
func (s *Scraper) Apply(cfg *config.Config) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	jobs, err := cfg.GetScrapeConfigs()
	if err != nil {
		return err
	}
	s.config, s.jobs = cfg, jobs
	// The scrape manager must know a job before its targets are found.
	if err := s.manager.ApplyConfig(cfg); err != nil {
		return fmt.Errorf("apply scrape configuration: %w", err)
	}
	targets := make(map[string]discovery.Configs, len(jobs))
	for _, job := range jobs {
		targets[job.JobName] = job.ServiceDiscoveryConfigs
	}
	if err := s.discovery.ApplyConfig(targets); err != nil {
		return fmt.Errorf("apply service discovery: %w", err)
	}
	return nil
}

// Restart begins every target's rhythm anew, with what was applied last. A target is scraped at the times that its first
// scrape set, and samples carry these: after the clock was set back they would be dated ahead, and be refused, until it
// has caught up.
func (s *Scraper) Restart() error {
	s.applying.Lock()
	defer s.applying.Unlock()
	if s.config == nil {
		return nil
	}
	again := *s.config
	again.ScrapeConfigFiles, again.ScrapeConfigs = nil, nil
	for _, job := range s.jobs {
		// A pool starts its loops anew where its job is another. A nanosecond more is: it is none in milliseconds, as
		// which timeouts reach targets.
		changed := *job
		changed.ScrapeTimeout++
		again.ScrapeConfigs = append(again.ScrapeConfigs, &changed)
	}
	s.config, s.jobs = &again, again.ScrapeConfigs
	if err := s.manager.ApplyConfig(&again); err != nil {
		return fmt.Errorf("restart scraping: %w", err)
	}
	return nil
}

// Start begins to find targets and to scrape them.
func (s *Scraper) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started {
		return
	}
	s.started = true
	s.wg.Go(func() {
		if err := s.discovery.Run(); err != nil && !errors.Is(err, context.Canceled) {
			s.logger.Error("Service discovery ended", "err", err)
		}
	})
	s.wg.Go(func() {
		if err := s.manager.Run(s.discovery.SyncCh()); err != nil {
			s.logger.Error("Scraping ended", "err", err)
		}
	})
}

// Stop ends discovery and scraping; samples that are on their way are stored
// first.
func (s *Scraper) Stop() {
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started {
		s.manager.Stop()
		s.wg.Wait()
	}
}

// Manager is the scrape manager, for the HTTP API and for remote write.
func (s *Scraper) Manager() *scrape.Manager { return s.manager }

// Ready hands a scrape manager to remote write, which is made before it.
type Ready struct {
	mu sync.RWMutex
	m  *scrape.Manager
}

// Set makes m known.
func (r *Ready) Set(m *scrape.Manager) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.m = m
}

// Get returns the manager, or an error while there is none.
func (r *Ready) Get() (*scrape.Manager, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.m == nil {
		return nil, errors.New("scraping has not started")
	}
	return r.m, nil
}
