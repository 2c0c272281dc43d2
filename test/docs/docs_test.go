// Package docs holds no code: its tests keep the written pages true. What a page
// names must exist, and the defaults it states must be those of the program.
// Whether a page is good to read, it cannot tell.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// root is the repository.
const root = "../.."

// elsewhere are folders whose pages are not ours, or are made anew by each build.
var elsewhere = []string{".git", ".tools", ".venv", "bin", "dist", "node_modules", "testdata"}

// page is one Markdown file.
type page struct {
	name string // below root
	text string
}

func readPage(t *testing.T, name string) page {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	return page{name: name, text: string(text)}
}

// readPages reads every Markdown file of the repository.
func readPages(t *testing.T) []page {
	t.Helper()
	var pages []page
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains(elsewhere, d.Name()):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".md":
			return nil
		}
		name, err := filepath.Rel(root, path)
		pages = append(pages, readPage(t, name))
		return err
	}))
	require.Greater(t, len(pages), 10, "is the test looking at the repository?")
	return pages
}

// prose is the page without its blocks of code, with line numbers kept.
func (p page) prose() string { return p.part(false) }

// blocks is the page without anything but its blocks of code.
func (p page) blocks() string { return p.part(true) }

func (p page) part(code bool) string {
	var b strings.Builder
	inside := false
	for line := range strings.Lines(p.text) {
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		if fence {
			inside = !inside
		}
		if !fence && inside == code {
			b.WriteString(line)
		} else {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

var (
	span    = regexp.MustCompile("`([^`\n]+)`")
	link    = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)(?:\s+"[^"]*")?\)`)
	heading = regexp.MustCompile(`(?m)^(#{1,6})\s+(.+?)\s*$`)
	scheme  = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:`)
)

// spans are what stands in backticks in the prose.
func (p page) spans() []string {
	var out []string
	for _, m := range span.FindAllStringSubmatch(p.prose(), -1) {
		out = append(out, m[1])
	}
	return out
}

// anchors are the names under which the page's headings can be linked to.
func (p page) anchors() map[string]bool {
	out := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(p.prose(), -1) {
		out[anchor(m[2])] = true
	}
	return out
}

// anchor is how GitHub names a heading.
func anchor(title string) string {
	title = link.ReplaceAllStringFunc(title, func(l string) string { return l[1:strings.Index(l, "]")] })
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		case r == ' ':
			return '-'
		}
		return -1
	}, title)
}

func TestLinksPointAtWhatExists(t *testing.T) {
	t.Parallel()
	pages := readPages(t)
	byName := map[string]page{}
	for _, p := range pages {
		byName[p.name] = p
	}
	for _, p := range pages {
		for _, m := range link.FindAllStringSubmatch(span.ReplaceAllString(p.prose(), ""), -1) {
			target := m[1]
			if scheme.MatchString(target) {
				continue
			}
			file, fragment, _ := strings.Cut(target, "#")
			name := p.name
			if file != "" {
				name = filepath.Join(filepath.Dir(p.name), file)
				if _, err := os.Stat(filepath.Join(root, name)); err != nil {
					t.Errorf("%s links to %s, which does not exist", p.name, target)
					continue
				}
			}
			if to, ok := byName[name]; ok && fragment != "" && !to.anchors()[fragment] {
				t.Errorf("%s links to %s, but %s has no such heading", p.name, target, name)
			}
		}
	}
}

var (
	ruler   = regexp.MustCompile(`^\s*\|(\s*:?-+:?\s*\|)+\s*$`)
	escaped = strings.NewReplacer(`\|`, "")
)

// A row over a table's ruler that has another number of cells makes plain text
// of the table.
func TestTablesHaveAHead(t *testing.T) {
	t.Parallel()
	cells := func(line string) int { return strings.Count(escaped.Replace(strings.TrimSpace(line)), "|") }
	found := 0
	for _, p := range readPages(t) {
		lines := strings.Split(p.prose(), "\n")
		for i, line := range lines[1:] {
			if !ruler.MatchString(line) {
				continue
			}
			found++
			head := lines[i]
			if !strings.HasPrefix(strings.TrimSpace(head), "|") || strings.Contains(head, "---") || cells(head) != cells(line) {
				t.Errorf("%s:%d: the table has no head with as many cells as its ruler: %q", p.name, i+2, head)
			}
		}
	}
	require.Greater(t, found, 20)
}

// flanks tells whether asterisks between two texts can begin (or, mirrored, end)
// bold text: not before a space, and before a mark only behind a space or mark.
func flanks(outside, inside rune) bool {
	isMark := func(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) }
	return !unicode.IsSpace(inside) && (!isMark(inside) || unicode.IsSpace(outside) || isMark(outside))
}

// Chinese has no spaces, so that a full stop within bold text keeps it from
// ending, and the asterisks are shown as they are.
func TestBoldTextEnds(t *testing.T) {
	t.Parallel()
	found := 0
	for _, p := range readPages(t) {
		for paragraph := range strings.SplitSeq(span.ReplaceAllString(p.prose(), "`code`"), "\n\n") {
			parts := strings.Split("\n"+paragraph+"\n", "**")
			for i := 1; i+1 < len(parts); i += 2 {
				found++
				before, _ := utf8.DecodeLastRuneInString(parts[i-1])
				first, _ := utf8.DecodeRuneInString(parts[i])
				last, _ := utf8.DecodeLastRuneInString(parts[i])
				after, _ := utf8.DecodeRuneInString(parts[i+1])
				if !flanks(before, first) || !flanks(after, last) {
					t.Errorf("%s: this is not shown in bold: write marks outside of the asterisks, or a space: %c**%s**%c", p.name, before, parts[i], after)
				}
			}
		}
	}
	require.Greater(t, found, 100)
}

// fragmentName is the kind of a change, and what it is about.
var fragmentName = regexp.MustCompile(`^(added|changed|fixed|removed|security)-[a-z0-9-]+\.md$`)

func TestChangelogFragments(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(filepath.Join(root, "changelog.d"))
	require.NoError(t, err)
	for _, e := range entries {
		if e.Name() == "README.md" {
			continue
		}
		require.Regexp(t, fragmentName, e.Name())
		text := readPage(t, "changelog.d/"+e.Name()).text
		require.True(t, strings.HasPrefix(text, "- "), "%s: begin with \"- \"", e.Name())
		require.NotContains(t, strings.TrimSpace(text), "\n- ", "%s: one change a fragment", e.Name())
	}
}

func TestAnchor(t *testing.T) {
	t.Parallel()
	for title, want := range map[string]string{
		"Quick start":                "quick-start",
		"What it isn't":              "what-it-isnt",
		"`make demo`, in [words](x)": "make-demo-in-words",
		"快速开始":                       "快速开始",
	} {
		require.Equal(t, want, anchor(title))
	}
}
