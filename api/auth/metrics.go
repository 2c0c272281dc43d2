package auth

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	logins  *prometheus.CounterVec
	refused *prometheus.CounterVec
	audit   prometheus.Counter
	dropped prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, sessions func() float64) *metrics {
	m := &metrics{
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "modelwatch_auth_logins_total",
			Help: "Attempts to log in, by method (password, oidc) and result (ok, wrong, limited, error).",
		}, []string{"method", "result"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "modelwatch_auth_refused_total",
			Help: "Requests refused before they reached what they asked for, by reason (credentials, csrf, role, limited, password, audit).",
		}, []string{"reason"}),
		audit: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "modelwatch_auth_audit_errors_total",
			Help: "Events that the audit log could not take.",
		}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "modelwatch_auth_audit_dropped_total",
			Help: "Refused attempts left out of the audit log, since there were too many.",
		}),
	}
	for _, method := range []string{"password", "oidc"} {
		for _, result := range []string{"ok", "wrong", "limited", "error"} {
			m.logins.WithLabelValues(method, result)
		}
	}
	for _, reason := range []string{"credentials", "csrf", "role", "limited", "password", "audit"} {
		m.refused.WithLabelValues(reason)
	}
	if reg != nil {
		reg.MustRegister(m.logins, m.refused, m.audit, m.dropped, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "modelwatch_auth_sessions",
			Help: "Sessions of browsers that are kept.",
		}, sessions))
	}
	return m
}
