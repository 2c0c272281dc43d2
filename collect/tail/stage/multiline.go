package stage

import (
	"slices"
	"strings"
	"time"

	"github.com/grafana/regexp"
	"go.yaml.in/yaml/v3"

	"github.com/modelwatch/modelwatch/collect/tail/node"
)

// multiline is the stage multiline: it joins lines until one that looks like a first line, the block has too many, or
// nothing came for a while. Lines with different labels are joined apart.
type multiline struct {
	env      *Env
	first    *regexp.Regexp
	wait     time.Duration
	maxLines int
	trim     bool
	blocks   map[string]*block
}

type block struct {
	entry *Entry
	lines []string
	last  time.Time
}

func readMultiline(r *node.Reader, n *yaml.Node, where string, key *yaml.Node) maker {
	var text string
	wait, maxLines, trim := 3*time.Second, 128, true
	at := key
	r.Map(n, where, node.Fields{
		"firstline":     func(v *yaml.Node) { at = v; r.String(&text, where+".firstline")(v) },
		"max_wait_time": r.Duration(&wait, where+".max_wait_time"),
		"max_lines":     r.Int(&maxLines, where+".max_lines"),
		"trim_newlines": r.Bool(&trim, where+".trim_newlines"),
	})
	first := readExpression(r, at, text, where+".firstline")
	if first == nil {
		return nil
	}
	return func(env *Env) stage {
		return &multiline{env: env, first: first, wait: wait, maxLines: max(maxLines, 1), trim: trim, blocks: map[string]*block{}}
	}
}

func (m *multiline) process(e *Entry, next next) {
	key := labelKey(e.Labels)
	b := m.blocks[key]
	first := m.first.MatchString(e.Line)
	if b == nil && !first {
		// Lines before the first beginning of a block stand alone.
		next(e)
		return
	}
	if b != nil && first {
		m.end(key, b, next)
		b = nil
	}
	if b == nil {
		b = &block{entry: e}
		m.blocks[key] = b
	}
	line := e.Line
	if m.trim {
		line = strings.TrimRight(line, "\r\n")
	}
	b.lines = append(b.lines, line)
	b.last = m.env.Now()
	b.entry.End = e.End
	if len(b.lines) >= m.maxLines {
		m.end(key, b, next)
	}
}

func (m *multiline) end(key string, b *block, next next) {
	delete(m.blocks, key)
	b.entry.Line = strings.Join(b.lines, "\n")
	next(b.entry)
}

func (m *multiline) due() time.Time {
	var first time.Time
	for _, b := range m.blocks {
		if t := b.last.Add(m.wait); first.IsZero() || t.Before(first) {
			first = t
		}
	}
	return first
}

func (m *multiline) flush(now time.Time, next next) {
	for key, b := range m.blocks {
		if !b.last.Add(m.wait).After(now) {
			m.end(key, b, next)
		}
	}
}

func (m *multiline) held() (int64, bool) {
	at, found := int64(0), false
	for _, b := range m.blocks {
		if !found || b.entry.Start < at {
			at, found = b.entry.Start, true
		}
	}
	return at, found
}

// labelKey is a label set as text.
func labelKey(labels map[string]string) string {
	names := make([]string, 0, len(labels))
	for name := range labels {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		b.WriteString(name)
		b.WriteByte(0)
		b.WriteString(labels[name])
		b.WriteByte(0)
	}
	return b.String()
}
