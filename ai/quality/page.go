package quality

import (
	"fmt"
	"strings"

	"github.com/modelwatch/modelwatch/ai"
)

// Page returns the documentation page of the catalogue, in Markdown.
func Page() string {
	var b strings.Builder
	b.WriteString(`# Data quality checks

[简体中文](zh-CN/data-quality.md)

<!-- Made from the catalogue in ai/quality by "go generate ./ai/quality"; do not edit. -->

What each window of a model version is checked for, against its baseline or a
schema that you configure. A check against a baseline needs the score beyond the
threshold and, but for counts, an exact test that rules out chance at one in a
thousand windows; a broken schema needs neither. Where the baseline has some of the
score itself (2 % missing, say), thresholds count from there. How profiles and
baselines are made is in [profiles](profiles.md).

| check | what | unit | threshold | severity | critical from | meaning |
|---|---|---|---|---|---|---|
`)
	for _, c := range Catalogue() {
		critical := "never"
		switch {
		case c.Severity == ai.SeverityCritical:
			critical = "always"
		case c.Critical != nil:
			critical = fmt.Sprint(*c.Critical)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s %v | %s | %s | %s |\n", c.ID, c.Title, c.Unit, c.Direction, c.Threshold, c.Severity, critical, c.Message)
	}
	return b.String()
}
