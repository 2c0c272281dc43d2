package models

import (
	"slices"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift"
	"github.com/modelwatch/modelwatch/ai/performance"
	"github.com/modelwatch/modelwatch/ai/quality"
	"github.com/modelwatch/modelwatch/ai/series"
	"github.com/modelwatch/modelwatch/ai/status"
)

// CatalogueView lists everything that modelwatch may find or expose.
type CatalogueView struct {
	Metrics []MetricView   `json:"metrics"`
	Checks  []ai.Check     `json:"checks"`
	Methods []drift.Method `json:"methods"`
}

// MetricView is the catalogue line of one metric.
type MetricView struct {
	Name   string   `json:"name"`
	Type   string   `json:"type"`
	Unit   string   `json:"unit"`
	Labels []string `json:"labels"`
	Help   string   `json:"help"`
	Group  string   `json:"group"`
}

// Catalogue returns all metrics, checks and methods.
func Catalogue() *CatalogueView {
	out := &CatalogueView{Metrics: []MetricView{}, Methods: drift.Catalogue()}
	for _, m := range series.Catalogue() {
		out.Metrics = append(out.Metrics, MetricView{m.Name, string(m.Type), m.Unit, m.Labels, m.Help, m.Group})
	}
	out.Checks = slices.Concat([]ai.Check{drift.Check()}, quality.Catalogue(), performance.Catalogue(), status.Catalogue())
	return out
}
