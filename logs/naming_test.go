package logs

import (
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
)

func TestNaming(t *testing.T) {
	t.Parallel()
	sent := labels.FromStrings("app", "shop", "job", "ai")
	for name, c := range map[string]struct {
		naming Naming
		ls     labels.Labels
		tenant string
		want   string
	}{
		"as sent":            {Naming{}, sent, "team-a", `{app="shop", job="ai"}`},
		"tenant":             {Naming{TenantLabel: "team"}, sent, "team-a", `{app="shop", job="ai", team="team-a"}`},
		"no tenant":          {Naming{TenantLabel: "app"}, sent, "", `{app="shop", job="ai"}`},
		"the header wins":    {Naming{TenantLabel: "app"}, sent, "team-a", `{app="team-a", job="ai"}`},
		"first of the list":  {Naming{ServiceName: []string{"service", "job", "app"}}, sent, "", `{app="shop", job="ai", service_name="ai"}`},
		"as Loki":            {Naming{ServiceName: ServiceNameLabels}, sent, "", `{app="shop", job="ai", service_name="shop"}`},
		"kept":               {Naming{ServiceName: []string{"job"}}, labels.FromStrings("job", "ai", "service_name", "s"), "", `{job="ai", service_name="s"}`},
		"none of the list":   {Naming{ServiceName: []string{"service"}}, sent, "", `{app="shop", job="ai", service_name="unknown_service"}`},
		"tenant and service": {Naming{TenantLabel: "team", ServiceName: []string{"job"}}, sent, "a", `{app="shop", job="ai", service_name="ai", team="a"}`},
	} {
		require.Equal(t, c.want, c.naming.Labels(c.ls, c.tenant).String(), name)
	}
}
