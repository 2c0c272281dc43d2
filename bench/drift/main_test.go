package main

import (
	"bytes"
	"strings"
	"testing"
)

// The quick plan meets the bar: what the full one measures beside the peers.
func TestQuickPlan(t *testing.T) {
	r, err := measure(quickPlan(1), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if bad := r.misses(); len(bad) > 0 {
		t.Error(strings.Join(bad, "\n"))
	}
	if len(r.Calibration) != 18 || len(r.Power) != 16 {
		t.Errorf("%d false alarm figures and %d of power", len(r.Calibration), len(r.Power))
	}
	var large float64
	for _, l := range r.Power {
		if l.WindowRows == 1000 && l.Practical {
			large += l.Drift / 4
		}
	}
	if large < 0.75 {
		t.Errorf("of the practical shifts %.2f were found in 1,000 rows", large)
	}
	var md bytes.Buffer
	r.write(&md)
	if !strings.Contains(md.String(), "| tied integers | 1,001 | 0.") {
		t.Errorf("the table does not have the figures:\n%s", md.String())
	}
}

func TestFair(t *testing.T) {
	null := make([]float64, 1000)
	for i := range null {
		null[i] = float64(i+1) / 1000 * 4 // p-values four times too large.
	}
	if got := fair(null, 0.01); got != 0.04 {
		t.Errorf("fair(0.01) = %v, want 0.04", got)
	}
	if got := fair(null, 0.001); got < 0.0039 || got > 0.0041 {
		t.Errorf("fair(0.001) = %v, want 0.004", got)
	}
	for i := range null {
		null[i] /= 8
	}
	if got := fair(null, 0.01); got != 0.01 {
		t.Errorf("fair of p-values that are too small = %v, want 0.01", got)
	}
}
