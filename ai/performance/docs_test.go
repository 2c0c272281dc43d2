package performance

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDocsHaveTheCatalogue keeps the table of checks in docs/performance.md what
// the catalogue says. Run with -rewrite to write it.
func TestDocsHaveTheCatalogue(t *testing.T) {
	const path, begin, end = "../../docs/performance.md", "<!-- checks -->\n", "<!-- /checks -->\n"
	var b strings.Builder
	b.WriteString("| check | what it judges | layer | warning | critical | needs |\n|---|---|---|---|---|---|\n")
	for _, k := range Kinds() {
		sign := ">"
		if k.Direction == "below" {
			sign = "<"
		}
		unit := map[string]string{"seconds": " s"}[k.Unit]
		var needs []string
		if k.OptIn {
			needs = append(needs, "a configured limit")
		}
		if k.Baseline {
			needs = append(needs, "a baseline")
		}
		if k.Fatal {
			needs = append(needs, "(critical means down)")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s %v%s | %s %v%s | %s |\n",
			k.ID, k.Title, k.Layer, sign, k.Threshold, unit, sign, *k.Critical, unit, strings.Join(needs, " "))
	}
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(data), begin)
	require.True(t, ok, "the page has lost its mark %q", begin)
	table, after, ok := strings.Cut(rest, end)
	require.True(t, ok, "the page has lost its mark %q", end)
	if f := flag.Lookup("rewrite"); f != nil && f.Value.String() == "true" {
		require.NoError(t, os.WriteFile(path, []byte(before+begin+b.String()+end+after), 0o644))
		return
	}
	require.Equal(t, b.String(), table, "run the tests of ai/performance with -rewrite")
}
