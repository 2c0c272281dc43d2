package stage

import (
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/modelwatch/modelwatch/collect/tail/node"
)

func setRFC3339(e *Entry, text string) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		e.Time = t
	}
}

// cri is the stage cri: lines of Kubernetes' container runtimes, "<time> <stream> <flags> <text>". Long lines come in
// parts with the flag P, which are joined until one with the flag F.
type cri struct {
	maxLines, maxSize int
	cut               bool
	parts             map[string]*partial
}

type partial struct {
	first *Entry
	text  []string
	size  int
}

func readCRI(r *node.Reader, n *yaml.Node, where string, _ *yaml.Node) maker {
	maxLines, size, cut := 100, int64(0), false
	r.Map(n, where, node.Fields{
		"max_partial_lines":              r.Int(&maxLines, where+".max_partial_lines"),
		"max_partial_line_size":          r.Bytes(&size, where+".max_partial_line_size"),
		"max_partial_line_size_truncate": r.Bool(&cut, where+".max_partial_line_size_truncate"),
	})
	return func(*Env) stage {
		return &cri{maxLines: max(maxLines, 1), maxSize: int(size), cut: cut, parts: map[string]*partial{}}
	}
}

func (c *cri) process(e *Entry, next next) {
	at, rest, ok1 := strings.Cut(e.Line, " ")
	stream, rest, ok2 := strings.Cut(rest, " ")
	flags, text, ok3 := strings.Cut(rest, " ")
	if !ok3 {
		flags, text, ok3 = rest, "", ok2 && rest != ""
	}
	if !ok1 || !ok2 || !ok3 || stream != "stdout" && stream != "stderr" {
		next(e)
		return
	}
	e.Extracted["timestamp"], e.Extracted["stream"], e.Extracted["flags"], e.Extracted["content"] = at, stream, flags, text
	e.Labels["stream"] = stream
	setRFC3339(e, at)
	e.Line = text
	p := c.parts[stream]
	part := strings.HasPrefix(flags, "P")
	if p == nil && !part {
		next(e)
		return
	}
	if p == nil {
		p = &partial{first: e}
		c.parts[stream] = p
	}
	if c.cut && c.maxSize > 0 && p.size+len(text) > c.maxSize {
		text = text[:max(0, c.maxSize-p.size)]
		for !utf8.ValidString(text) && text != "" {
			text = text[:len(text)-1]
		}
	}
	p.text = append(p.text, text)
	p.size += len(text)
	if part && len(p.text) < c.maxLines {
		return
	}
	delete(c.parts, stream)
	e.Line = strings.Join(p.text, "")
	e.Extracted["content"] = e.Line
	e.Start = p.first.Start
	next(e)
}

// due is never: a part waits for its end as long as the source is read.
func (c *cri) due() time.Time { return time.Time{} }

func (c *cri) flush(now time.Time, next next) {
	if now.Year() < 2038 {
		return
	}
	for stream, p := range c.parts {
		delete(c.parts, stream)
		p.first.Line = strings.Join(p.text, "")
		next(p.first)
	}
}

func (c *cri) held() (int64, bool) {
	at, found := int64(0), false
	for _, p := range c.parts {
		if !found || p.first.Start < at {
			at, found = p.first.Start, true
		}
	}
	return at, found
}
