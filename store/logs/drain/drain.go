// Package drain finds the templates of log lines as they come: what is the same in many lines stays, what differs becomes
// "<_>".
//
// The method is that of P. He, J. Zhu, Z. Zheng and M. R. Lyu, "Drain: An Online Log Parsing Approach with Fixed Depth
// Tree" (ICWS 2017): lines are sorted by their number of tokens and their first words, and join the most similar group
// there. The package is pure: it keeps no time and counts nothing.
package drain

import (
	"strings"
	"unicode/utf8"
)

// Wildcard stands for what differs from line to line.
const Wildcard = "<_>"

// Options are the limits of a Miner. Zero values stand for the defaults.
type Options struct {
	// Words is the number of leading words by which lines are told apart before they are compared. Default 2.
	Words int
	// Similarity is the share of equal words from which a line belongs to a group. Default 0.5.
	Similarity float64
	// MaxTemplates is the number of templates that are kept; the one not seen for longest gives way. Default 300.
	MaxTemplates int
	// MaxBytes is how much of a line is looked at. Default 1024.
	MaxBytes int
}

// Miner holds the templates of one stream. It is used by one goroutine.
type Miner struct {
	o      Options
	leaves map[string][]*template
	size   int
	clock  uint64
	tokens []string
}

type template struct {
	leaf   string
	tokens []string
	text   string
	last   uint64
}

// New returns a Miner without templates.
func New(o Options) *Miner {
	if o.Words == 0 {
		o.Words = 2
	}
	if o.Similarity == 0 {
		o.Similarity = 0.5
	}
	if o.MaxTemplates == 0 {
		o.MaxTemplates = 300
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 1024
	}
	return &Miner{o: o, leaves: map[string][]*template{}}
}

// Add takes a line in and returns the template that it belongs to now, and whether no earlier line was like it.
func (m *Miner) Add(line string) (text string, fresh bool) {
	m.clock++
	if len(line) > m.o.MaxBytes {
		line = line[:m.o.MaxBytes]
		for line != "" && !utf8.ValidString(line[max(0, len(line)-utf8.UTFMax):]) {
			line = line[:len(line)-1]
		}
	}
	m.tokens = tokenize(m.tokens[:0], line)
	leaf := m.leaf()
	best, share := (*template)(nil), -1.0
	for _, t := range m.leaves[leaf] {
		if s := similarity(t.tokens, m.tokens); s > share {
			best, share = t, s
		}
	}
	if best == nil || share < m.o.Similarity {
		if m.size >= m.o.MaxTemplates {
			m.forget()
		}
		t := &template{leaf: leaf, tokens: make([]string, len(m.tokens)), last: m.clock}
		for i, token := range m.tokens {
			t.tokens[i] = strings.Clone(token)
		}
		t.text = render(t.tokens)
		m.leaves[leaf] = append(m.leaves[leaf], t)
		m.size++
		return t.text, true
	}
	best.last = m.clock
	changed := false
	for i, token := range m.tokens {
		if best.tokens[i] != token && best.tokens[i] != Wildcard {
			best.tokens[i] = Wildcard
			changed = true
		}
	}
	if changed {
		best.text = render(best.tokens)
	}
	return best.text, false
}

// leaf names the place in the tree: the number of tokens and the first words.
func (m *Miner) leaf() string {
	var b strings.Builder
	n := len(m.tokens)
	b.WriteByte(byte(n))
	b.WriteByte(byte(n >> 8))
	words := 0
	for _, token := range m.tokens {
		if isSeparator(token) {
			continue
		}
		b.WriteByte(0)
		b.WriteString(token)
		if words++; words == m.o.Words {
			break
		}
	}
	return b.String()
}

// forget drops the template that was not seen for longest.
func (m *Miner) forget() {
	var oldest *template
	for _, ts := range m.leaves {
		for _, t := range ts {
			if oldest == nil || t.last < oldest.last {
				oldest = t
			}
		}
	}
	ts := m.leaves[oldest.leaf]
	for i, t := range ts {
		if t == oldest {
			ts = append(ts[:i], ts[i+1:]...)
			break
		}
	}
	if len(ts) == 0 {
		delete(m.leaves, oldest.leaf)
	} else {
		m.leaves[oldest.leaf] = ts
	}
	m.size--
}

// similarity is the share of words that are equal. A wildcard equals nothing, so that templates do not grow to fit all.
func similarity(a, b []string) float64 {
	equal, words := 0, 0
	for i := range a {
		if isSeparator(a[i]) {
			if a[i] != b[i] {
				return -1
			}
			continue
		}
		words++
		if a[i] == b[i] && a[i] != Wildcard || a[i] == Wildcard && b[i] == Wildcard {
			equal++
		}
	}
	if words == 0 {
		return 1
	}
	return float64(equal) / float64(words)
}

// separators end words; each is a token of its own, and runs of white space are one.
const separators = " \t\r\n\"'=,;:{}[]()<>|&?"

func isSeparator(token string) bool {
	return len(token) == 1 && strings.IndexByte(separators, token[0]) >= 0
}

// tokenize cuts a line into words and separators. A word with a digit in it is taken for one that differs.
func tokenize(out []string, line string) []string {
	for line != "" {
		if c := line[0]; strings.IndexByte(separators, c) >= 0 {
			if c == ' ' || c == '\t' || c == '\r' || c == '\n' {
				line = strings.TrimLeft(line, " \t\r\n")
				out = append(out, " ")
				continue
			}
			out = append(out, line[:1])
			line = line[1:]
			continue
		}
		end := strings.IndexAny(line, separators)
		if end < 0 {
			end = len(line)
		}
		word := line[:end]
		if strings.ContainsAny(word, "0123456789") {
			word = Wildcard
		}
		out = append(out, word)
		line = line[end:]
	}
	return out
}

// render writes tokens as text. Neighbouring wildcards with nothing but a colon between, as in times, become one.
func render(tokens []string) string {
	var b strings.Builder
	for i := 0; i < len(tokens); i++ {
		b.WriteString(tokens[i])
		for tokens[i] == Wildcard && i+2 < len(tokens) && tokens[i+1] == ":" && tokens[i+2] == Wildcard {
			i += 2
		}
	}
	return b.String()
}
