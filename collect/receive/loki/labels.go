package loki

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/prometheus/model/labels"
)

// ParseLabels reads a stream's labels as they are pushed: {name="value", other="value"}. Values are quoted as in Go. Labels
// with an empty value are left out. The error says at which byte of the text something is wrong.
func ParseLabels(text string) (labels.Labels, error) {
	b := labels.NewScratchBuilder(4)
	pos := 0
	space := func() {
		for pos < len(text) && (text[pos] == ' ' || text[pos] == '\t' || text[pos] == '\n' || text[pos] == '\r') {
			pos++
		}
	}
	fail := func(what string) (labels.Labels, error) {
		return labels.EmptyLabels(), fmt.Errorf("labels %s: %s at byte %d", shorten(text), what, pos+1)
	}
	space()
	if pos >= len(text) || text[pos] != '{' {
		return fail(`expected "{"`)
	}
	pos++
	seen := map[string]bool{}
	for {
		space()
		if pos < len(text) && text[pos] == '}' {
			pos++
			break
		}
		start := pos
		for pos < len(text) && nameByte(text[pos], pos == start) {
			pos++
		}
		name := text[start:pos]
		if name == "" {
			return fail("expected a label name")
		}
		if seen[name] {
			return fail(fmt.Sprintf("label %q is there twice", name))
		}
		seen[name] = true
		space()
		if pos >= len(text) || text[pos] != '=' {
			return fail(fmt.Sprintf(`expected "=" after %q`, name))
		}
		pos++
		space()
		quoted, err := strconv.QuotedPrefix(text[pos:])
		if err != nil || quoted[0] == '\'' {
			return fail(fmt.Sprintf("expected the value of %q in double quotes", name))
		}
		value, err := strconv.Unquote(quoted)
		if err != nil {
			return fail(fmt.Sprintf("the value of %q is not quoted well", name))
		}
		pos += len(quoted)
		if value != "" {
			b.Add(strings.Clone(name), strings.Clone(value))
		}
		space()
		if pos < len(text) && text[pos] == ',' {
			pos++
			continue
		}
		if pos >= len(text) || text[pos] != '}' {
			return fail(`expected "," or "}"`)
		}
	}
	space()
	if pos != len(text) {
		return fail(`unexpected text after "}"`)
	}
	b.Sort()
	return b.Labels(), nil
}

func nameByte(c byte, first bool) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || !first && c >= '0' && c <= '9'
}

func shorten(s string) string {
	if len(s) > 120 {
		s = s[:120] + "..."
	}
	return s
}

// parsed remembers label sets by their text: senders push the same few streams over and over.
type parsed struct {
	mu   sync.Mutex
	sets map[string]labels.Labels
}

const maxParsed = 16384

func (p *parsed) get(text string) (labels.Labels, error) {
	p.mu.Lock()
	ls, ok := p.sets[text]
	p.mu.Unlock()
	if ok {
		return ls, nil
	}
	ls, err := ParseLabels(text)
	if err != nil {
		return ls, err
	}
	p.mu.Lock()
	if p.sets == nil || len(p.sets) >= maxParsed {
		p.sets = map[string]labels.Labels{}
	}
	p.sets[strings.Clone(text)] = ls
	p.mu.Unlock()
	return ls, nil
}
