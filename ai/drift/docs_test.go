package drift_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/modelwatch/modelwatch/ai/drift"
)

// The page that users read has every line of the catalogue, and the defaults.
func TestPageHasTheCatalogue(t *testing.T) {
	data, err := os.ReadFile("../../docs/drift.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	for _, m := range drift.Catalogue() {
		judges := make([]string, len(m.Data))
		for i, d := range m.Data {
			judges[i] = string(d)
		}
		line := fmt.Sprintf("| `%s` | %s | %s | %s | %s |", m.ID, m.Title, strings.Join(judges, ", "), m.Unit, strconv.FormatFloat(m.Threshold, 'g', -1, 64))
		if !strings.Contains(page, line+"\n") {
			t.Errorf("docs/drift.md does not have\n%s", line)
		}
		if !strings.Contains(page, "**`"+m.ID+"`**") {
			t.Errorf("docs/drift.md does not say what %s computes", m.ID)
		}
	}
	for _, want := range []string{
		fmt.Sprintf("p-value of at most %v, after", drift.DefaultAlpha),
		fmt.Sprintf("corrected p-value of at most %v with", drift.DefaultPossibleAlpha),
		fmt.Sprintf("fewer than %d values in the window, fewer than %d in", drift.DefaultMinRows, drift.DefaultMinBaselineRows),
	} {
		if !strings.Contains(strings.Join(strings.Fields(page), " "), want) {
			t.Errorf("docs/drift.md does not say %q", want)
		}
	}
}
