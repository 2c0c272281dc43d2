package app

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	commonconfig "github.com/prometheus/common/config"

	"github.com/modelwatch/modelwatch/app/logsearch"
	"github.com/modelwatch/modelwatch/collect/receive/loki"
	"github.com/modelwatch/modelwatch/config"
	"github.com/modelwatch/modelwatch/store/logs/remote"
)

// lokiTransport is how the Loki of the configuration is reached. It reads
// certificates and keys, so that a file that is missing is told at once.
func lokiTransport(l config.Loki) (http.RoundTripper, error) {
	client := commonconfig.DefaultHTTPClientConfig
	if l.HTTP != nil {
		client = l.HTTP.HTTPClientConfig
	}
	t, err := commonconfig.NewRoundTripperFromConfig(client, "loki", commonconfig.WithUserAgent(userAgent()))
	if err != nil {
		return nil, fmt.Errorf("logs.loki.http_config: %w", err)
	}
	return t, nil
}

// setUpRemoteLogs has lines kept and questions answered by a Loki elsewhere.
func (a *App) setUpRemoteLogs() error {
	c := a.config.Logs.Loki
	transport, err := lokiTransport(c)
	if err != nil {
		return err
	}
	store, err := remote.New(remote.Options{
		URL:        c.URL,
		Tenant:     c.Tenant,
		Transport:  transport,
		Timeout:    time.Duration(c.Timeout),
		Encode:     loki.EncodeProtobuf,
		Registerer: a.registry,
	})
	if err != nil {
		return err
	}
	a.cleanups.add("close connections to Loki", store.Close)
	a.logs.appender, a.logs.lines, a.logs.rules = store, store, logsearch.RemoteRules{Store: store}
	proxy := store.Proxy()
	a.logs.route = func(mux *http.ServeMux) {
		for _, path := range []string{"/loki/api/v1/", "/api/prom/push"} {
			mux.Handle(path, proxy)
		}
		// Rules are evaluated here, and no others are to be set there from here.
		mux.HandleFunc("/loki/api/v1/rules", notFound)
		mux.HandleFunc("/loki/api/v1/rules/", notFound)
	}
	address := c.URL
	if u, err := url.Parse(c.URL); err == nil {
		address = u.Redacted()
	}
	a.logger.Info("Log lines are kept and searched by a Loki elsewhere", "url", address, "tenant", c.Tenant)
	if old, err := os.ReadDir(filepath.Join(a.config.Storage.Path, "logs")); err == nil && len(old) > 0 {
		a.logger.Warn("Lines that were stored here before are not searched while logs.loki is set; they stay where they are", "directory", filepath.Join(a.config.Storage.Path, "logs"))
	}
	return nil
}
