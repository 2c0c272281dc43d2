// Package models watches AI models while they work: it takes inferences and
// labels as they come, profiles them in windows, judges every window against the
// version's baseline, and keeps the state of each service and layer.
//
// The mathematics is not here: ai/profile sums up, ai/drift, ai/quality and
// ai/performance judge, ai/status decides, ai/series names the metrics. This
// package is what they need around them: windows and their lateness, baselines
// and their store, guards, longer windows, a checkpoint, and answers for the
// HTTP API. It receives nothing itself, stores through small interfaces, and
// sends no alert: rules do, on the series it exposes.
//
// One goroutine calls Consume and ConsumeLabels in the order of the log, and
// Checkpoint between them. Run closes windows and judges them. Everything else
// may be called from anywhere.
package models
