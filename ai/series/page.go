package series

import (
	"fmt"
	"strings"
)

// Page returns the documentation page of the catalogue, in Markdown.
func Page() string {
	var b strings.Builder
	b.WriteString(`# Metrics

<!-- Made from the catalogue in ai/series by "go generate ./ai/series"; do not edit. -->

What modelwatch knows about AI models, as series. They come through the ordinary
scrape of the job ` + "`modelwatch`" + `, so rules, dashboards and other Prometheus servers see
them like any other. Gauges are about the last complete window (one minute by
default); what is not known has no sample, and never a zero. Every metric of a
model carries the labels ` + "`service`, `model` and `model_version`" + `.

The metrics under "Common names" are those that hand-written exporters of AI
services use, so that existing rules work unchanged. This one, for instance,
alerts where a mean moved by more than a fifth of the baseline's:

` + "```promql\n(input_data_mean{feature_name=\"age\"} - input_data_mean_offset{feature_name=\"age\"})\n  / input_data_mean_offset{feature_name=\"age\"} > 0.2\n```\n")
	group := ""
	for _, m := range catalogue {
		if m.Group != group {
			group = m.Group
			fmt.Fprintf(&b, "\n## %s\n\n| metric | type | unit | labels | meaning |\n|---|---|---|---|---|\n", group)
		}
		labels := make([]string, len(m.Labels))
		for i, l := range m.Labels {
			labels[i] = "`" + l + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Name, m.Type, m.Unit, strings.Join(labels, ", "), m.Help)
	}
	return b.String()
}
