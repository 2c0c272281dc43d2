// Package status says how each service and each of its four layers is:
// healthy, degraded, down or unknown, with the findings and sentences that say
// so.
//
// It is a pure function of what others found (ai/drift, ai/quality,
// ai/performance), of probes, of resource readings and of the time that is passed
// in. It does not look for anything itself but for saturated resources, keeps no
// state and does no input or output.
//
// The rules, for one layer of one model version, first match wins:
//
//  1. No inference ever, or none for Options.StaleAfter windows: unknown. What an old
//     window said is not shown.
//  2. A critical finding of a fatal kind, or a probe that fails: down.
//  3. Any other warning or critical finding: degraded.
//  4. No check of the layer gave an answer: unknown, with the reasons.
//  5. Otherwise healthy. Checks that gave no answer are named in the reasons.
//
// A service's layer is the worst of its versions' (down, degraded, unknown,
// healthy), but for versions that were replaced; a service is the worst of its
// layers.
package status
