// Package drain finds the templates of log lines as they come: "took <_> ms for <_>".
//
// It is the method of He, Zhu, Zheng and Lyu, "Drain: An Online Log Parsing Approach with Fixed Depth Tree" (ICWS 2017): a
// tree of fixed depth, by the number of tokens and the first ones, leads a line to a few templates, of which the most
// similar takes it and gives up the words in which they differ. Beyond the paper, memory is bounded (templates that were
// not seen for longest go), separators are tokens of their own, so that a template can be written out as it was, and what
// is plainly a value (a number, an address, an identifier) never is part of a template.
//
// It is not safe for concurrent use, knows nothing of streams, counts nothing and stores nothing.
package drain

import (
	"cmp"
	"container/list"
	"slices"
	"strings"
)

// Wildcard stands in a template for text that differs. A template is a pattern of LogQL's line filter |> .
const Wildcard = "<_>"

// Options bound and tune a Miner. Zero values stand for the defaults.
type Options struct {
	// Similarity is the part of equal words from which a line belongs to a template. Default 0.4.
	Similarity float64
	// Depth is the number of first words by which templates are told apart. Default 3.
	Depth int
	// MaxChildren is the number of different words at a place of the tree; others share one branch. Default 64.
	MaxChildren int
	// MaxTemplates is the number of templates kept. Default 300.
	MaxTemplates int
	// MaxTokens is the number of tokens of a line that are looked at. Default 160.
	MaxTokens int
}

func (o Options) withDefaults() Options {
	o.Similarity = cmp.Or(o.Similarity, 0.4)
	o.Depth = cmp.Or(o.Depth, 3)
	o.MaxChildren = cmp.Or(o.MaxChildren, 64)
	o.MaxTemplates = cmp.Or(o.MaxTemplates, 300)
	o.MaxTokens = cmp.Or(o.MaxTokens, 160)
	return o
}

// cluster is a template in the tree.
type cluster struct {
	tokens  []string
	cut     bool   // the lines are longer than what was looked at
	written string // the text; empty after a change
	leaf    *node
	element *list.Element
}

type node struct {
	children map[string]*node
	clusters []*cluster
	parent   *node
	key      string
}

// Miner finds templates.
type Miner struct {
	opts   Options
	root   *node
	recent *list.List // of *cluster, the one seen last in front
	tokens []string
}

// New makes a miner.
func New(opts Options) *Miner {
	return &Miner{opts: opts.withDefaults(), root: &node{}, recent: list.New()}
}

// Add takes a line. It gives the text of the line's template, empty for a line without text, and whether that is one
// that was not there before.
func (m *Miner) Add(line string) (template string, created bool) {
	m.tokens = tokenize(m.tokens[:0], line, m.opts.MaxTokens)
	cut := len(m.tokens) > m.opts.MaxTokens
	tokens := m.tokens[:min(len(m.tokens), m.opts.MaxTokens)]
	if len(tokens) == 0 {
		return "", false
	}
	leaf := m.leaf(tokens)
	c := m.match(leaf, tokens)
	if c == nil {
		created = true
		c = m.create(leaf, tokens, cut)
	} else {
		c.generalize(tokens)
		m.recent.MoveToFront(c.element)
	}
	if cut && !c.cut {
		c.cut, c.written = true, ""
	}
	return c.text(), created
}

// Len is the number of templates.
func (m *Miner) Len() int { return m.recent.Len() }

// Templates are the texts of all templates, the one that had a line last first. Adding them to a new miner makes it know
// what this one knows.
func (m *Miner) Templates() []string {
	out := make([]string, 0, m.Len())
	for e := m.recent.Front(); e != nil; e = e.Next() {
		out = append(out, e.Value.(*cluster).text())
	}
	return out
}

// Covers tells whether a line, which may be a template itself, is one of a template's.
func Covers(template, line string) bool {
	a, b := tokenize(nil, template, len(template)), tokenize(nil, line, len(line))
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && (a[i] != Wildcard || separator(b[i])) {
			return false
		}
	}
	return true
}

// leaf finds or makes the leaf for lines like this one.
func (m *Miner) leaf(tokens []string) *node {
	n := m.root.child(length(len(tokens)), 0)
	depth := 0
	for _, t := range tokens {
		if depth == m.opts.Depth {
			break
		}
		if separator(t) {
			continue
		}
		depth++
		key := t
		if value(t) || strings.ContainsAny(t, "0123456789") {
			key = Wildcard
		}
		n = n.child(key, m.opts.MaxChildren)
	}
	return n
}

// length is the key for a number of tokens.
func length(n int) string { return string(rune('0' + n)) }

// child finds or makes the child for a key; once there are so many of them, others share one. 0 is no bound.
func (n *node) child(key string, bound int) *node {
	if c := n.children[key]; c != nil {
		return c
	}
	if bound > 0 && len(n.children) >= bound-1 && key != Wildcard {
		return n.child(Wildcard, bound)
	}
	if n.children == nil {
		n.children = map[string]*node{}
	}
	c := &node{parent: n, key: strings.Clone(key)}
	n.children[c.key] = c
	return c
}

// match is the most similar template of a leaf, or nil if none is similar enough.
func (m *Miner) match(leaf *node, tokens []string) *cluster {
	var best *cluster
	most, fixed := -1.0, 0
	for _, c := range leaf.clusters {
		if len(c.tokens) != len(tokens) {
			continue
		}
		sim, fix := c.similarity(tokens)
		if sim > most || sim == most && fix > fixed {
			best, most, fixed = c, sim, fix
		}
	}
	if most < m.opts.Similarity {
		return nil
	}
	return best
}

// similarity is the part of the words that are equal, and how many of the template are fixed. Separators must all be
// equal; what is a value on both sides counts as equal.
func (c *cluster) similarity(tokens []string) (float64, int) {
	words, equal, fixed := 0, 0, 0
	for i, t := range tokens {
		mine := c.tokens[i]
		if separator(mine) || separator(t) {
			if mine != t {
				return -1, 0
			}
			continue
		}
		words++
		switch {
		case mine == Wildcard:
			if value(t) {
				equal++
			}
		case mine == t:
			equal++
			fixed++
		default:
			fixed++
		}
	}
	if words == 0 {
		return 1, 0
	}
	return float64(equal) / float64(words), fixed
}

// generalize gives up the words in which the template and a line differ.
func (c *cluster) generalize(tokens []string) {
	for i, t := range tokens {
		if c.tokens[i] != t && c.tokens[i] != Wildcard {
			c.tokens[i] = Wildcard
			c.written = ""
		}
	}
}

func (m *Miner) create(leaf *node, tokens []string, cut bool) *cluster {
	for m.recent.Len() >= m.opts.MaxTemplates {
		m.evict(m.recent.Back().Value.(*cluster))
	}
	c := &cluster{tokens: make([]string, len(tokens)), leaf: leaf, cut: cut}
	for i, t := range tokens {
		if !separator(t) && value(t) {
			c.tokens[i] = Wildcard
		} else {
			c.tokens[i] = strings.Clone(t)
		}
	}
	leaf.clusters = append(leaf.clusters, c)
	leaf.attach()
	c.element = m.recent.PushFront(c)
	return c
}

// attach puts a leaf back whose branch went while it was empty.
func (n *node) attach() {
	for ; n.parent != nil; n = n.parent {
		if n.parent.children == nil {
			n.parent.children = map[string]*node{}
		}
		n.parent.children[n.key] = n
	}
}

// evict forgets a template and the branches that led only to it.
func (m *Miner) evict(c *cluster) {
	m.recent.Remove(c.element)
	c.leaf.clusters = slices.DeleteFunc(c.leaf.clusters, func(x *cluster) bool { return x == c })
	for n := c.leaf; n.parent != nil && len(n.clusters) == 0 && len(n.children) == 0; n = n.parent {
		delete(n.parent.children, n.key)
	}
}

// text writes the template out.
func (c *cluster) text() string {
	if c.written != "" {
		return c.written
	}
	var b strings.Builder
	wild := false
	for _, t := range c.tokens {
		if t == Wildcard {
			if !wild {
				b.WriteString(t)
			}
			wild = true
			continue
		}
		b.WriteString(t)
		wild = false
	}
	if c.cut && !wild {
		b.WriteString(Wildcard)
	}
	c.written = b.String()
	return c.written
}
