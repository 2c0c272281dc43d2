package docs

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// twins are the pages that there are in both languages: English to Chinese.
func twins(t *testing.T) map[string]string {
	t.Helper()
	chinese, err := filepath.Glob(filepath.Join(root, "docs/zh-CN/*.md"))
	require.NoError(t, err)
	out := map[string]string{"README.md": "README.zh-CN.md"}
	for _, c := range chinese {
		name := filepath.Base(c)
		out["docs/"+name] = "docs/zh-CN/" + name
	}
	return out
}

// The Chinese pages follow the English ones: heading by heading, block by block,
// row by row, link by link.
func TestTranslationsHaveTheSameStructure(t *testing.T) {
	t.Parallel()
	pairs := twins(t)
	require.Greater(t, len(pairs), 10)
	for english, chinese := range pairs {
		t.Run(chinese, func(t *testing.T) {
			t.Parallel()
			require.FileExists(t, filepath.Join(root, english), "%s translates nothing", chinese)
			en, zh := readPage(t, english), readPage(t, chinese)
			require.Equal(t, levels(en), levels(zh), "levels of headings")
			require.Empty(t, differingBlocks(en, zh), "blocks of code")
			require.Empty(t, differingRows(en, zh), "rows of tables")
			require.Equal(t, targets(t, en, pairs), targets(t, zh, pairs), "links, as the English pages would write them")
		})
	}
}

func levels(p page) (out []string) {
	for _, m := range heading.FindAllStringSubmatch(p.prose(), -1) {
		out = append(out, m[1])
	}
	return out
}

// fences are the blocks of code with the line that begins them.
func fences(p page) (out [][]string) {
	inside := false
	for line := range strings.Lines(p.text) {
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		if fence && !inside {
			out = append(out, nil)
		}
		if fence || inside {
			out[len(out)-1] = append(out[len(out)-1], strings.TrimRight(line, "\n"))
		}
		inside = inside != fence
	}
	return out
}

// isChinese tells whether a rune is of a Chinese text.
func isChinese(r rune) bool {
	return unicode.Is(unicode.Han, r) || r >= 0x3000 && r <= 0x303f || r >= 0xff00 && r <= 0xffef
}

// differingBlocks lists lines of code that differ in more than words: comments
// and texts for people are translated, so a line with Chinese words has to agree
// only as far as its first one.
func differingBlocks(en, zh page) (out []string) {
	a, b := fences(en), fences(zh)
	if len(a) != len(b) {
		return []string{"their number differs"}
	}
	for i := range a {
		if len(a[i]) != len(b[i]) {
			out = append(out, "the number of lines after "+strings.Join(a[i][:min(2, len(a[i]))], " "))
			continue
		}
		for k, line := range b[i] {
			words := strings.IndexFunc(line, isChinese)
			if words < 0 && line != a[i][k] || words >= 0 && !strings.HasPrefix(a[i][k], line[:words]) {
				out = append(out, a[i][k]+" | "+line)
			}
		}
	}
	return out
}

var (
	row    = regexp.MustCompile(`(?m)^\s*\|.*\|?$`)
	number = regexp.MustCompile(`\d+(?:[,.]\d+)*`)
)

// differingRows lists rows of tables in which names in backticks or numbers of
// the English page are missing in the Chinese one.
func differingRows(en, zh page) (out []string) {
	a, b := row.FindAllString(en.prose(), -1), row.FindAllString(zh.prose(), -1)
	if len(a) != len(b) {
		return []string{"their number differs"}
	}
	for i := range a {
		for _, part := range []*regexp.Regexp{span, number} {
			have := part.FindAllString(b[i], -1)
			for _, want := range part.FindAllString(a[i], -1) {
				at := slices.Index(have, want)
				if at < 0 {
					out = append(out, want+" is missing in "+b[i])
					continue
				}
				have = slices.Delete(have, at, at+1)
			}
		}
	}
	return out
}

// targets lists where a page links to. What there is in both languages is named
// as the English page and by the number of the heading there.
func targets(t *testing.T, p page, pairs map[string]string) (out []string) {
	t.Helper()
	englishOf := map[string]string{}
	for english, chinese := range pairs {
		englishOf[chinese] = english
	}
	for _, m := range link.FindAllStringSubmatch(span.ReplaceAllString(p.prose(), ""), -1) {
		target := m[1]
		if scheme.MatchString(target) {
			out = append(out, target)
			continue
		}
		file, fragment, _ := strings.Cut(target, "#")
		name := p.name
		if file != "" {
			name = filepath.Join(filepath.Dir(p.name), file)
		}
		_, translated := pairs[name]
		english := strings.Replace(name, "-zh.webp", "-en.webp", 1)
		if e, ok := englishOf[name]; ok {
			english = e
		} else if _, ok := englishOf[p.name]; ok && translated && name != englishOf[p.name] {
			t.Errorf("%s links to %s, of which there is %s", p.name, name, pairs[name])
		}
		if englishOf[p.name] == name || pairs[p.name] == name {
			english = "the other language"
		}
		if fragment != "" {
			for i, m := range heading.FindAllStringSubmatch(readPage(t, name).prose(), -1) {
				if anchor(m[2]) == fragment {
					english += fmt.Sprintf(" heading %d", i)
				}
			}
		}
		out = append(out, english)
	}
	slices.Sort(out)
	return out
}
