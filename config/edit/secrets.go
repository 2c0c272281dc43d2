package edit

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/modelwatch/modelwatch/config"
)

// Hidden stands for a secret wherever a text leaves the process.
const Hidden = "<secret>"

// secretName finds settings whose value is a secret by their name. A name that
// says where a secret lies is none itself.
var (
	secretName = regexp.MustCompile(`(?i)(passw(or)?d|secrets?|token|credentials|api_?key|access_?key|private_?key|service_?key|routing_?key|auth_?key|user_?key|authorization|cookie|key_?inline|x-[\w-]*key|^key|^cert)$`)
	notSecret  = regexp.MustCompile(`(?i)(_file|_files|_ref|_url_template)$`)
)

// secretSettings are the names of settings that the libraries themselves
// decode into types of secrets.
var secretSettings = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	for _, k := range []Kind{Prometheus, Alertmanager} {
		for _, keys := range SchemaOf(k).Types {
			for name, s := range keys {
				if s.Value == "secret" {
					names[name] = true
				}
			}
		}
	}
	// Names that are secrets in one place and harmless in all others.
	for _, harmless := range []string{"url", "to", "chat_id"} {
		delete(names, harmless)
	}
	return names
})

// secretURLs are the lists of receivers whose "url" is a secret as a whole,
// since a webhook carries its token there.
var secretURLs = regexp.MustCompile(`^(webhook|msteams|msteamsv2|discord|slack|mattermost|incidentio|rocketchat|jira|webex|wechat|pushover|telegram|victorops|opsgenie|sns)_configs?$`)

func isSecret(key, above string) bool {
	if notSecret.MatchString(key) {
		return false
	}
	return secretName.MatchString(key) || secretSettings()[key] || key == "url" && secretURLs.MatchString(above)
}

// hasUser tells whether a plain value is a URL with a password in it, or with a
// parameter whose name is that of a secret.
func hasUser(value string) bool {
	if !strings.Contains(value, "://") || !strings.ContainsAny(value, "@?") {
		return false
	}
	u, err := url.Parse(value)
	if err != nil {
		return passwordInURL.MatchString(value)
	}
	for name := range u.Query() {
		if isSecret(name, "") {
			return true
		}
	}
	_, has := u.User.Password()
	return has
}

var passwordInURL = regexp.MustCompile(`://[^/\s:@]*:[^/\s@]+@`)

// errUnclear is a text whose secrets cannot be told from the rest.
var errUnclear = errors.New("what is secret in this file cannot be told from the rest")

// span is a part of a text, in bytes.
type span struct{ from, to int }

// parsed is a text of YAML with the places of its values.
type parsed struct {
	text []byte
	root *yaml.Node // The value of the document; nil where it is empty.
	// lines are where lines begin.
	lines []int
	// secrets are the scalars that must not be shown.
	secrets map[*yaml.Node]bool
}

func parse(text []byte) (*parsed, error) {
	p := &parsed{text: text, lines: []int{0}, secrets: map[*yaml.Node]bool{}}
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&doc); err != nil {
		if len(bytes.TrimSpace(uncommented(text))) == 0 {
			return p, nil
		}
		return nil, err
	}
	var second yaml.Node
	if err := dec.Decode(&second); err == nil {
		return nil, errors.New("the file holds more than one YAML document")
	}
	if len(doc.Content) > 0 {
		p.root = doc.Content[0]
	}
	for i, b := range text {
		if b == '\n' {
			p.lines = append(p.lines, i+1)
		}
	}
	p.mark(p.root, "", false, 0)
	return p, nil
}

var commentLines = regexp.MustCompile(`(?m)^[ \t]*#.*$`)

func uncommented(text []byte) []byte {
	return bytes.ReplaceAll(commentLines.ReplaceAll(text, nil), []byte("---"), nil)
}

// mark finds the secrets below n. above is the name of the setting that holds
// n, or of the list that holds it.
func (p *parsed) mark(n *yaml.Node, above string, secret bool, depth int) {
	if n == nil || depth > 100 {
		return
	}
	switch n.Kind {
	case yaml.ScalarNode:
		if n.Value != "" && (secret || hasUser(n.Value)) {
			p.secrets[n] = true
		}
	case yaml.AliasNode:
		if secret {
			p.mark(n.Alias, above, true, depth+1)
		}
	case yaml.SequenceNode:
		for _, c := range n.Content {
			p.mark(c, above, secret, depth+1)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			inner := isSecret(key, above)
			// A mapping is not secret by its name: its own settings decide.
			if inner && resolve(n.Content[i+1]).Kind == yaml.MappingNode {
				inner = false
			}
			p.mark(n.Content[i+1], key, inner, depth+1)
		}
	}
}

func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

var properties = regexp.MustCompile(`^(?:[&!]\S*\s+)+`)

// place finds the text of a scalar, without its anchor and tag.
func (p *parsed) place(n *yaml.Node) (span, error) {
	if n.Line < 1 || n.Line > len(p.lines) {
		return span{}, errUnclear
	}
	at := p.lines[n.Line-1]
	if n.Line == 1 {
		at += len(p.text) - len(bytes.TrimPrefix(p.text, []byte("\ufeff")))
	}
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(p.text[at:])
		at += size
	}
	at += len(properties.Find(p.text[at:]))
	rest := p.text[at:]
	if len(rest) == 0 {
		return span{}, errUnclear
	}
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0 && rest[0] == '"':
		for i := 1; i < len(rest); i++ {
			switch rest[i] {
			case '\\':
				i++
			case '"':
				return span{at, at + i + 1}, nil
			}
		}
	case n.Style&yaml.SingleQuotedStyle != 0 && rest[0] == '\'':
		for i := 1; i < len(rest); i++ {
			if rest[i] != '\'' {
				continue
			}
			if i+1 < len(rest) && rest[i+1] == '\'' {
				i++
				continue
			}
			return span{at, at + i + 1}, nil
		}
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 && (rest[0] == '|' || rest[0] == '>'):
		return span{at, at + blockEnd(rest)}, nil
	case bytes.HasPrefix(rest, []byte(n.Value)):
		return span{at, at + len(n.Value)}, nil
	}
	return span{}, errUnclear
}

// blockEnd is where a block scalar ends, without its last line break.
func blockEnd(rest []byte) int {
	end, indent := 0, -1
	for at := 0; at < len(rest); {
		line, _, found := bytes.Cut(rest[at:], []byte("\n"))
		stop := at + len(line)
		text := bytes.TrimRight(line, "\r")
		blank := len(bytes.TrimSpace(text)) == 0
		spaces := len(text) - len(bytes.TrimLeft(text, " "))
		switch {
		case at == 0:
			end = len(text)
		case blank:
		case indent < 0:
			indent = spaces
			end = at + len(text)
		case spaces < indent:
			return end
		default:
			end = at + len(text)
		}
		if !found {
			break
		}
		at = stop + 1
	}
	return end
}

// change is a part of a text with what stands there instead.
type change struct {
	span
	with []byte
}

func apply(text []byte, changes []change) []byte {
	slices.SortFunc(changes, func(a, b change) int { return a.from - b.from })
	var out bytes.Buffer
	at := 0
	for _, c := range changes {
		if c.from < at {
			continue // One scalar, reached by two ways.
		}
		out.Write(text[at:c.from])
		out.Write(c.with)
		at = c.to
	}
	out.Write(text[at:])
	return out.Bytes()
}

// hiddenAs is how a hidden value is written in the style of the value.
func hiddenAs(raw []byte) []byte {
	switch raw[0] {
	case '"':
		return []byte(`"` + Hidden + `"`)
	case '\'':
		return []byte(`'` + Hidden + `'`)
	default:
		return []byte(Hidden)
	}
}

// secretComment finds settings that are commented out.
var secretComment = regexp.MustCompile(`(?m)^([ \t]*#.*?([\w-]+)["']?[ \t]*[:=][ \t]*)(\S[^\n\r]*)$`)

// Hide returns a text of YAML with a placeholder for each secret, and how many
// there are. It fails rather than show one.
func Hide(text []byte) (shown []byte, secrets int, err error) {
	p, err := parse(text)
	if err != nil {
		return nil, 0, err
	}
	changes := make([]change, 0, len(p.secrets))
	for n := range p.secrets {
		at, err := p.place(n)
		if err != nil {
			return nil, 0, err
		}
		changes = append(changes, change{at, hiddenAs(text[at.from:at.to])})
	}
	secrets = len(p.secrets)
	shown = apply(text, changes)
	shown = secretComment.ReplaceAllFunc(shown, func(line []byte) []byte {
		m := secretComment.FindSubmatch(line)
		if !isSecret(string(m[2]), "") && !hasUser(string(m[3])) {
			return line
		}
		secrets++
		return append(slices.Clone(m[1]), Hidden...)
	})
	// What is shown must be the same file but for the secrets, and hold none.
	q, err := parse(shown)
	if err != nil || !same(p.root, q.root, func(a, b *yaml.Node) bool { return p.secrets[a] && b.Value == Hidden }) {
		return nil, 0, errUnclear
	}
	for n := range q.secrets {
		if n.Value != Hidden {
			return nil, 0, errUnclear
		}
	}
	return shown, secrets, nil
}

// same compares two trees. exempt accepts scalars that differ.
func same(a, b *yaml.Node, exempt func(a, b *yaml.Node) bool) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Kind != b.Kind || len(a.Content) != len(b.Content) || a.Anchor != b.Anchor {
		return false
	}
	switch a.Kind {
	case yaml.ScalarNode:
		return exempt != nil && exempt(a, b) || a.Value == b.Value && a.Tag == b.Tag
	case yaml.AliasNode:
		return a.Value == b.Value
	}
	for i := range a.Content {
		if !same(a.Content[i], b.Content[i], exempt) {
			return false
		}
	}
	return true
}

// Restore puts the secrets of current back into a draft that was made from what
// Hide showed of it. A placeholder for which current has no secret at the same
// place is a problem, and so is one that cannot be told from others.
func Restore(file string, draft, current []byte) (full []byte, problems config.Problems) {
	d, err := parse(draft)
	if err != nil {
		return nil, config.FromYAML(file, err)
	}
	if !bytes.Contains(draft, []byte(Hidden)) {
		return draft, nil
	}
	c, err := parse(current)
	if err != nil {
		return nil, config.Problems{{File: file, Reason: "the file on disk is not YAML, so its secrets cannot be put back: " + err.Error(), Hint: "write the secrets themselves"}}
	}
	r := &restorer{file: file, draft: d, current: c, back: map[*yaml.Node]*yaml.Node{}}
	r.walk(d.root, c.root, 0)
	r.comments()
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	full = apply(draft, r.changes)
	f, err := parse(full)
	if err != nil || !same(d.root, f.root, func(a, b *yaml.Node) bool { return r.back[a] != nil && r.back[a].Value == b.Value }) {
		return nil, config.Problems{{File: file, Reason: "the hidden values cannot be put back into this text", Hint: "write the secrets themselves"}}
	}
	return full, nil
}

type restorer struct {
	file           string
	draft, current *parsed
	changes        []change
	// back has the secret of current for each placeholder of the draft.
	back     map[*yaml.Node]*yaml.Node
	problems config.Problems
}

func (r *restorer) problem(line int, reason, hint string) {
	r.problems = append(r.problems, config.Problem{File: r.file, Line: line, Reason: reason, Hint: hint})
}

func (r *restorer) walk(d, c *yaml.Node, depth int) {
	if d == nil || depth > 100 {
		return
	}
	switch d.Kind {
	case yaml.ScalarNode:
		r.scalar(d, c)
	case yaml.SequenceNode:
		var with []*yaml.Node
		if c != nil && c.Kind == yaml.SequenceNode {
			with = r.pair(d, c)
		}
		for i, item := range d.Content {
			if with == nil {
				r.walk(item, nil, depth+1)
			} else {
				r.walk(item, with[i], depth+1)
			}
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(d.Content); i += 2 {
			r.walk(d.Content[i+1], valueOf(c, d.Content[i].Value), depth+1)
		}
	}
}

func valueOf(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func (r *restorer) scalar(d, c *yaml.Node) {
	if d.Value != Hidden {
		if strings.Contains(d.Value, Hidden) && (c == nil || c.Value != d.Value) && r.draft.secrets[d] {
			r.problem(d.Line, Hidden+" is only a part of this value", "write the whole value, or leave "+Hidden+" alone")
		}
		return
	}
	switch {
	case c != nil && r.current.secrets[c]:
	case c != nil && c.Value == Hidden:
		return // The file itself says so.
	default:
		r.problem(d.Line, Hidden+" stands where the file has no hidden value", "write the value itself; a hidden value stays only where it was")
		return
	}
	at, err := r.draft.place(d)
	if err != nil {
		r.problem(d.Line, Hidden+" cannot be replaced in this notation", "write "+Hidden+" on one line")
		return
	}
	from, err := r.current.place(c)
	if err != nil {
		r.problem(d.Line, "the hidden value cannot be read", "write the value itself")
		return
	}
	raw := r.current.text[from.from:from.to]
	if !bytes.Equal(r.draft.text[at.from:at.to], hiddenAs(raw)) || bytes.ContainsAny(raw, "\n") && d.Column != c.Column {
		raw = []byte(strconv.Quote(c.Value))
	}
	r.back[d] = c
	r.changes = append(r.changes, change{at, raw})
}

// pair finds the item of c that each item of d was, nil where that is not sure:
// by name, by being the same but for its name, or by place where none came or
// went.
func (r *restorer) pair(d, c *yaml.Node) []*yaml.Node {
	out := make([]*yaml.Node, len(d.Content))
	taken := map[*yaml.Node]bool{}
	take := func(i int, n *yaml.Node) { out[i], taken[n] = n, true }
	names := func(s *yaml.Node) map[string]int {
		m := map[string]int{}
		for _, n := range s.Content {
			m[nameOf(n)]++
		}
		return m
	}
	dn, cn := names(d), names(c)
	for i, item := range d.Content {
		name := nameOf(item)
		if name == "" || dn[name] != 1 || cn[name] != 1 {
			continue
		}
		for _, old := range c.Content {
			if nameOf(old) == name {
				take(i, old)
			}
		}
	}
	for _, likeness := range []func(a, b *yaml.Node) bool{r.alike, r.renamed} {
		for i, item := range d.Content {
			if out[i] != nil {
				continue
			}
			var found []*yaml.Node
			for _, old := range c.Content {
				if !taken[old] && likeness(old, item) {
					found = append(found, old)
				}
			}
			// Equal ones are told apart by their order alone.
			if len(found) == 1 || len(found) > 1 && len(d.Content) == len(c.Content) && !taken[c.Content[i]] && slices.Contains(found, c.Content[i]) {
				old := found[0]
				if len(found) > 1 {
					old = c.Content[i]
				}
				take(i, old)
			}
		}
	}
	if len(d.Content) == len(c.Content) {
		for i, item := range d.Content {
			if old := c.Content[i]; out[i] == nil && !taken[old] && nameOf(item) == "" && nameOf(old) == "" {
				take(i, old)
			}
		}
	}
	return out
}

// alike tells whether an item of the draft is one of current but for what is
// hidden.
func (r *restorer) alike(old, item *yaml.Node) bool {
	return same(old, item, func(a, b *yaml.Node) bool { return r.current.secrets[a] && b.Value == Hidden })
}

// renamed is alike for items whose names differ.
func (r *restorer) renamed(old, item *yaml.Node) bool {
	a, b := nameNode(old), nameNode(item)
	if a == nil || b == nil {
		return false
	}
	return same(old, item, func(x, y *yaml.Node) bool { return x == a && y == b || r.current.secrets[x] && y.Value == Hidden })
}

func nameNode(n *yaml.Node) *yaml.Node {
	for _, key := range []string{"name", "job_name"} {
		if v := valueOf(n, key); v != nil && v.Kind == yaml.ScalarNode && v.Value != "" {
			return v
		}
	}
	return nil
}

func nameOf(n *yaml.Node) string {
	if v := nameNode(n); v != nil {
		return v.Value
	}
	return ""
}

// hiddenComment finds commented-out settings whose value is hidden.
var hiddenComment = regexp.MustCompile(`(?m)^[ \t]*#.*` + Hidden + `[ \t\r]*$`)

// comments puts hidden values of commented-out settings back, by the text
// before them.
func (r *restorer) comments() {
	known := map[string][][]byte{}
	for _, m := range secretComment.FindAllSubmatch(r.current.text, -1) {
		if isSecret(string(m[2]), "") || hasUser(string(m[3])) {
			key := strings.TrimSpace(string(m[1]))
			known[key] = append(known[key], m[3])
		}
	}
	for _, at := range hiddenComment.FindAllIndex(r.draft.text, -1) {
		line := bytes.TrimRight(r.draft.text[at[0]:at[1]], " \t\r")
		key := strings.TrimSpace(string(bytes.TrimSuffix(line, []byte(Hidden))))
		values := known[key]
		if len(values) == 0 {
			if bytes.Contains(r.current.text, line) {
				continue
			}
			r.problem(1+bytes.Count(r.draft.text[:at[0]], []byte("\n")), Hidden+" stands in a comment where the file has no hidden value", "take the comment out, or write the value itself")
			continue
		}
		known[key] = values[1:]
		end := at[0] + len(line)
		r.changes = append(r.changes, change{span{end - len(Hidden), end}, values[0]})
	}
}

// Redact takes the secrets of texts out of a message.
func Redact(message string, texts ...[]byte) string {
	var pairs []string
	for _, text := range texts {
		p, err := parse(text)
		if err != nil {
			continue
		}
		for n := range p.secrets {
			v := n.Value
			if v == Hidden || len(v) < 3 {
				continue
			}
			pairs = append(pairs, v, Hidden)
			if q := fmt.Sprintf("%q", v); q[1:len(q)-1] != v {
				pairs = append(pairs, q[1:len(q)-1], Hidden)
			}
			if len(v) > 10 { // The YAML library cuts what it quotes.
				pairs = append(pairs, v[:7]+"...", Hidden)
			}
		}
	}
	return strings.NewReplacer(pairs...).Replace(message)
}
