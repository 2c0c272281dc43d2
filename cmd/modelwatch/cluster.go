package main

import (
	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"

	"github.com/modelwatch/modelwatch/app"
)

// clusterFlags are Alertmanager's own, by its names.
func clusterFlags(c *kingpin.CmdClause, o *app.Cluster) {
	c.Flag("cluster.listen-address", "host:port for Alertmanager's gossip cluster (default off).").StringVar(&o.ListenAddress)
	c.Flag("cluster.advertise-address", "host:port that cluster peers should use.").StringVar(&o.AdvertiseAddress)
	c.Flag("cluster.peer-name", "Name of this peer (default a random one).").StringVar(&o.Name)
	c.Flag("cluster.peer", "host:port of a cluster peer (repeat for more).").StringsVar(&o.Peers)
	c.Flag("cluster.tls-config", "File that turns on mutual TLS between peers.").StringVar(&o.TLSConfig)
	c.Flag("cluster.label", "Peers with another label are not talked to.").StringVar(&o.Label)
	c.Flag("cluster.allow-insecure-public-advertise-address-discovery", "Allow a public IP address to be found and advertised.").BoolVar(&o.AllowInsecureAdvertise)
	c.Flag("cluster.peer-timeout", "Time to wait between peers to send notifications (default 15s).").SetValue(&o.PeerTimeout)
	c.Flag("cluster.peers-resolve-timeout", "Time to resolve peers (default 15s).").SetValue(&o.PeersResolveTimeout)
	c.Flag("cluster.gossip-interval", "Interval between gossip messages (default 200ms).").SetValue(&o.GossipInterval)
	c.Flag("cluster.pushpull-interval", "Interval between syncs of the whole state (default 1m).").SetValue(&o.PushPullInterval)
	c.Flag("cluster.tcp-timeout", "Time for a stream connection to a peer (default 10s).").SetValue(&o.TCPTimeout)
	c.Flag("cluster.probe-timeout", "Time in which a probed peer must answer (default 500ms).").SetValue(&o.ProbeTimeout)
	c.Flag("cluster.probe-interval", "Interval between probes of peers (default 1s).").SetValue(&o.ProbeInterval)
	c.Flag("cluster.reconnect-interval", "Interval between attempts to reach a lost peer (default 10s).").SetValue(&o.ReconnectInterval)
	c.Flag("cluster.reconnect-timeout", "Time after which a lost peer is given up (default 6h).").SetValue(&o.ReconnectTimeout)
	c.Flag("cluster.settle-timeout", "Most time to wait for the cluster to settle before notifying; 0s does not wait (default 1m).").SetValue(optional{&o.SettleTimeout})
}

// optional is a duration whose zero is a value: it is nil until it is set.
type optional struct{ to **model.Duration }

// Set implements kingpin.Value.
func (o optional) Set(s string) error {
	var d model.Duration
	if err := d.Set(s); err != nil {
		return err
	}
	*o.to = &d
	return nil
}

// String implements kingpin.Value.
func (o optional) String() string {
	if *o.to == nil {
		return ""
	}
	return (*o.to).String()
}
