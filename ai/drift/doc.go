// Package drift says whether the values of a feature, a prediction or an
// embedding still look like the baseline's.
//
// Each feature of a window is compared with its baseline over the cells that
// were frozen with the baseline. A verdict needs two things at once: a p-value
// that is calibrated to the size of this window and to the size of the baseline
// (both are samples), after correction for the number of features that were
// judged; and a score, an effect size corrected for what sampling alone makes of
// it, above a threshold. A window too small to say anything is unknown.
//
// Every method is one file and one line of Catalogue. Statistics are exported
// functions of plain counts, so that they can be checked against other
// implementations. Evaluator joins them and keeps what is computed once per
// baseline; the rules of other tools are in the package drift/peer.
//
// The package is pure: no input or output, no clock, no goroutine, no engine. It
// does not say what to do about a verdict, judges neither schema nor quality
// (ai/quality), and knows no model performance (ai/performance).
package drift
