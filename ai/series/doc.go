// Package series says which metrics modelwatch makes of what it knows about AI
// models, and turns that knowledge into their samples.
//
// Catalogue is the one list of metrics: the exporter, the rule pack and the page
// docs/metrics.md all come from it. Of and OfStatus are pure: a snapshot in,
// samples out. The package does not export anything; an adapter hands its
// samples to a scrape.
package series

//go:generate go test . -run TestDocsPage -rewrite
