package inferences

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/modelwatch/modelwatch/collect/receive/inferences/decode"
)

type metrics struct {
	requests *prometheus.CounterVec
	accepted *prometheus.CounterVec
	rejected *prometheus.CounterVec
	bytes    prometheus.Counter
}

func newMetrics(r *Receiver, reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "modelwatch_receive_inference_requests_total", Help: "Requests with inferences or labels, by the status of the answer.",
		}, []string{"code"}),
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "modelwatch_receive_inference_records_total", Help: "Inferences and labels accepted over HTTP, repetitions among them.",
		}, []string{"kind"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "modelwatch_receive_inference_rejected_total", Help: "Records rejected over HTTP, by reason.",
		}, []string{"reason"}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "modelwatch_receive_inference_bytes_total", Help: "Bytes of inferences and labels received over HTTP, before decompression.",
		}),
	}
	for _, reason := range []decode.Reason{decode.ReasonSyntax, decode.ReasonField, decode.ReasonFuture, decode.ReasonOld} {
		m.rejected.WithLabelValues(string(reason))
	}
	m.accepted.WithLabelValues("inference")
	m.accepted.WithLabelValues("label")
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		m.requests, m.accepted, m.rejected, m.bytes,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "modelwatch_receive_inference_in_flight_bytes", Help: "Memory held by requests with inferences being received.",
		}, func() float64 { return float64(r.flight.held()) }),
	} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) count(kind decode.Kind, o *outcome) {
	name := "inference"
	if kind == decode.Labels {
		name = "label"
	}
	m.accepted.WithLabelValues(name).Add(float64(o.accepted))
	for i := range o.rejected {
		m.rejected.WithLabelValues(string(o.rejected[i].Reason)).Inc()
	}
}
