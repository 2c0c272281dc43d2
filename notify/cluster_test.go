package notify

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// clustered returns options of a peer that gossips quickly.
func clustered(t *testing.T, cfg string, peers ...string) Options {
	t.Helper()
	opts := testOptions(t, cfg)
	opts.Cluster.ListenAddress = "127.0.0.1:0"
	opts.Cluster.AdvertiseAddress = ""
	opts.Cluster.Peers = peers
	opts.Cluster.GossipInterval = 10 * time.Millisecond
	opts.Cluster.PushPullInterval = 200 * time.Millisecond
	opts.Cluster.SettleTimeout = time.Second
	opts.Cluster.PeerTimeout = 500 * time.Millisecond
	return opts
}

func TestClusterSharesSilencesAndNotifications(t *testing.T) {
	t.Parallel()
	h := newHook(t, nil)
	one := start(t, clustered(t, h.quick("")))
	two := start(t, clustered(t, h.quick(""), one.ClusterAddress()))
	var status struct {
		Cluster struct {
			Status string `json:"status"`
			Peers  []any  `json:"peers"`
		} `json:"cluster"`
	}
	eventually(t, "they find each other", func() bool {
		call(t, one.APIHandler(), "GET", "/api/v2/status", "", &status)
		return status.Cluster.Status == "ready" && len(status.Cluster.Peers) == 2
	})

	var created struct {
		ID string `json:"silenceID"`
	}
	require.Equal(t, http.StatusOK, call(t, one.APIHandler(), "POST", "/api/v2/silences", silenceFor("service", "ranker"), &created))
	eventually(t, "the silence reaches the other", func() bool {
		return call(t, two.APIHandler(), "GET", "/api/v2/silence/"+created.ID, "", nil) == http.StatusOK
	})

	// Both get each alert, and people hear of it once.
	a := firing("alertname", "Slow", "service", "embedder")
	one.Send(a)
	two.Send(a)
	one.Send(firing("alertname", "Muted", "service", "ranker"))
	two.Send(firing("alertname", "Muted", "service", "ranker"))
	require.Equal(t, "Slow", h.next(t).names())
	h.none(t, time.Second)
	require.Empty(t, start(t, testOptions(t, builtinConfig)).ClusterAddress())
}

func TestClusterOptionsThatAreWrong(t *testing.T) {
	t.Parallel()
	opts := clustered(t, builtinConfig)
	opts.Cluster.ListenAddress = "nowhere"
	_, err := New(opts)
	require.ErrorContains(t, err, "set up cluster: invalid listen address")

	opts = clustered(t, builtinConfig)
	opts.Cluster.TLSConfigFile = filepath.Join(t.TempDir(), "tls.yml")
	_, err = New(opts)
	require.ErrorContains(t, err, "load TLS configuration of the cluster")
	require.NoError(t, os.WriteFile(opts.Cluster.TLSConfigFile, []byte("tls_client_config: {}"), 0o600))
	_, err = New(opts)
	require.ErrorContains(t, err, "missing 'tls_server_config'")
}
