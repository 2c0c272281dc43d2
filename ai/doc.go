// Package ai holds the words of the AI layer: Inference, Label, Profile,
// Baseline, Finding and Status.
//
// Everything in it is a value or a pure function over values: no input or
// output, no clock (time is passed in), no goroutine, no engine. It imports the
// standard library and gonum. Decoding of requests, storing, scheduling and
// exporting live in the packages around it; the packages below it build
// profiles (ai/profile), compare them (ai/drift, ai/quality, ai/performance)
// and turn what was found into series (ai/series).
package ai
