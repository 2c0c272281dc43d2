// Package performance measures how well a model version serves, and judges it.
//
// It holds three kinds of things, all of them values:
//
//   - Accumulators that take one inference or one label at a time and merge by
//     addition: Service (rate, errors, latency, tokens), Predictions (what the
//     model said, without labels), Classification and Regression (what it said
//     beside the truth). A Window joins them.
//   - Measures read from accumulators, each with a sample size and a confidence
//     interval: Service.Summary, Classification.Report, Regression.Report, and
//     Reference.Estimate, which estimates performance without labels.
//   - Judgements: Judge compares a window with a Reference (the baseline's side)
//     check by check, one catalogue line each, and Compare sets a newer version
//     against an older one.
//
// It is not a store, a clock or a scheduler: windows are made and kept by the
// caller, time is passed in, and nothing here does input or output. Nor does it
// look at features; ai/drift and ai/quality do.
package performance
