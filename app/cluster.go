package app

import (
	"reflect"
	"time"

	"github.com/prometheus/common/model"

	"github.com/modelwatch/modelwatch/config"
	"github.com/modelwatch/modelwatch/notify"
)

// Cluster is what Alertmanager's flags say of its gossip cluster. What is left
// at zero takes the value of modelwatch.yml, and then Alertmanager's default.
type Cluster = config.Cluster

// overrideCluster lets each flag that was set win over the file.
func overrideCluster(file *config.Cluster, flags Cluster) {
	to, from := reflect.ValueOf(file).Elem(), reflect.ValueOf(flags)
	for i := range from.NumField() {
		if f := from.Field(i); !f.IsZero() {
			to.Field(i).Set(f)
		}
	}
}

// setCluster puts the settings into options that hold Alertmanager's defaults.
func setCluster(o *notify.ClusterOptions, c config.Cluster) {
	o.ListenAddress = c.ListenAddress
	o.AdvertiseAddress = c.AdvertiseAddress
	o.PeerName = c.Name
	o.Peers = c.Peers
	o.TLSConfigFile = c.TLSConfig
	o.Label = c.Label
	o.AllowInsecureAdvertise = c.AllowInsecureAdvertise
	for _, d := range []struct {
		to   *time.Duration
		from model.Duration
	}{
		{&o.PeerTimeout, c.PeerTimeout},
		{&o.PeersResolveTimeout, c.PeersResolveTimeout},
		{&o.GossipInterval, c.GossipInterval},
		{&o.PushPullInterval, c.PushPullInterval},
		{&o.TCPTimeout, c.TCPTimeout},
		{&o.ProbeTimeout, c.ProbeTimeout},
		{&o.ProbeInterval, c.ProbeInterval},
		{&o.ReconnectInterval, c.ReconnectInterval},
		{&o.ReconnectTimeout, c.ReconnectTimeout},
	} {
		if d.from != 0 {
			*d.to = time.Duration(d.from)
		}
	}
	if c.SettleTimeout != nil {
		o.SettleTimeout = time.Duration(*c.SettleTimeout)
	}
}
