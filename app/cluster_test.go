package app

import (
	"reflect"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/config"
	"github.com/modelwatch/modelwatch/notify"
)

func TestClusterFlagsWinOverTheFile(t *testing.T) {
	t.Parallel()
	settle := model.Duration(0)
	file := config.Cluster{Name: "file", Label: "kept", ProbeTimeout: model.Duration(time.Second), Peers: []string{"a:1"}}
	overrideCluster(&file, Cluster{Name: "flag", Peers: []string{"b:2", "c:3"}, SettleTimeout: &settle})
	o := notify.DefaultOptions()
	gossip := o.Cluster.GossipInterval
	setCluster(&o.Cluster, file)
	require.Equal(t, "flag", o.Cluster.PeerName)
	require.Equal(t, "kept", o.Cluster.Label)
	require.Equal(t, []string{"b:2", "c:3"}, o.Cluster.Peers)
	require.Equal(t, time.Second, o.Cluster.ProbeTimeout)
	require.Zero(t, o.Cluster.SettleTimeout, "0 is a value: do not wait")
	require.Equal(t, gossip, o.Cluster.GossipInterval, "what nobody set keeps Alertmanager's default")
}

// Every setting must arrive: one that is decoded and then forgotten would be
// ignored in silence.
func TestEveryClusterSettingArrives(t *testing.T) {
	t.Parallel()
	d := model.Duration(1234 * time.Millisecond)
	c := reflect.ValueOf(&config.Cluster{}).Elem()
	for i := range c.NumField() {
		before := notify.DefaultOptions().Cluster
		after := before
		one := reflect.New(c.Type()).Elem()
		switch f := one.Field(i); f.Interface().(type) {
		case string:
			f.SetString("x")
		case []string:
			f.Set(reflect.ValueOf([]string{"x"}))
		case bool:
			f.SetBool(true)
		case model.Duration:
			f.Set(reflect.ValueOf(d))
		case *model.Duration:
			f.Set(reflect.ValueOf(&d))
		default:
			t.Fatalf("no value for %s", c.Type().Field(i).Name)
		}
		setCluster(&after, one.Interface().(config.Cluster))
		require.NotEqual(t, before, after, c.Type().Field(i).Name)
	}
}
