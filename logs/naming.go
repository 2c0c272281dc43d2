package logs

import "github.com/prometheus/prometheus/model/labels"

// ServiceName is the label by which Grafana's Logs Drilldown groups streams, and UnknownService what Loki writes there if
// it knows none.
const (
	ServiceName    = "service_name"
	UnknownService = "unknown_service"
)

// ServiceNameLabels are the labels that Loki looks through for the name of a service, unless it is told others.
var ServiceNameLabels = []string{"service", "app", "application", "app_name", "name", "app_kubernetes_io_name", "container", "container_name", "k8s_container_name", "component", "workload", "job", "k8s_job_name"}

// Naming says which labels streams get as they come in, besides those that they were sent with. By default they get none.
type Naming struct {
	// TenantLabel, if set, is the label for the tenant that a stream is sent for.
	TenantLabel string
	// ServiceName, if set, lists labels of which the first that a stream has is stored as service_name too. A stream that
	// has service_name keeps it; one without any of them gets UnknownService.
	ServiceName []string
}

// Labels returns the labels under which a stream of a tenant is stored; tenant may be empty.
func (n Naming) Labels(ls labels.Labels, tenant string) labels.Labels {
	if n.TenantLabel == "" {
		tenant = ""
	}
	service := ""
	if len(n.ServiceName) > 0 && !ls.Has(ServiceName) {
		service = UnknownService
		for _, name := range n.ServiceName {
			if v := ls.Get(name); v != "" {
				service = v
				break
			}
		}
	}
	if tenant == "" && service == "" {
		return ls
	}
	b := labels.NewBuilder(ls)
	if tenant != "" {
		b.Set(n.TenantLabel, tenant)
	}
	if service != "" {
		b.Set(ServiceName, service)
	}
	return b.Labels()
}
