package stage

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/grafana/regexp"
	"github.com/prometheus/prometheus/model/labels"
	"go.yaml.in/yaml/v3"

	"github.com/modelwatch/modelwatch/collect/tail/node"
)

// match is the stage match: stages of their own for the entries that a selector selects, or their end.
type match struct {
	sel    *selector
	drop   bool
	reason string
	env    *Env
	run    *Running
	after  next
}

func readMatch(r *node.Reader, n *yaml.Node, where string, key *yaml.Node) maker {
	var text, action, reason, name string
	at, actionAt := key, key
	var stages *Pipeline
	r.Map(n, where, node.Fields{
		"selector":            func(v *yaml.Node) { at = v; r.String(&text, where+".selector")(v) },
		"action":              func(v *yaml.Node) { actionAt = v; r.String(&action, where+".action")(v) },
		"pipeline_name":       r.String(&name, where+".pipeline_name"),
		"drop_counter_reason": r.String(&reason, where+".drop_counter_reason"),
		"stages":              func(v *yaml.Node) { stages = Read(r, v, where+".stages") },
	})
	sel, err := parseSelector(text)
	if err != nil {
		r.Fail(at, `a selector is like {app="x"} |= "error"`, "%s.selector: %v", where, err)
		return nil
	}
	switch action {
	case "", "keep":
		if stages == nil {
			r.Fail(key, "", "%s needs stages", where)
			return nil
		}
	case "drop":
		if stages != nil {
			r.Fail(key, "remove the stages, or the action", "%s drops what it selects, so its stages would never run", where)
			return nil
		}
	default:
		r.Fail(actionAt, "known are keep and drop", "%s.action cannot be %q", where, action)
		return nil
	}
	if reason == "" {
		reason = "match_stage"
	}
	return func(env *Env) stage {
		m := &match{sel: sel, drop: action == "drop", reason: reason, env: env}
		if stages != nil {
			m.run = stages.Start(env, func(e *Entry) { m.after(e) })
		}
		return m
	}
}

func (m *match) process(e *Entry, next next) {
	switch {
	case !m.sel.matches(e):
		next(e)
	case m.drop:
		m.env.Metrics.dropped(m.reason)
	default:
		m.after = next
		m.run.Process(e)
	}
}

func (m *match) due() time.Time {
	if m.run == nil {
		return time.Time{}
	}
	return m.run.Due()
}

func (m *match) flush(now time.Time, next next) {
	if m.run != nil {
		m.after = next
		m.run.Flush(now)
	}
}

func (m *match) held() (int64, bool) {
	if m.run == nil {
		return 0, false
	}
	return m.run.Held()
}

// selector is a LogQL stream selector with line filters, which is all of the language that a match stage can use.
type selector struct {
	matchers []*labels.Matcher
	filters  []lineFilter
}

type lineFilter struct {
	text     string
	re       *regexp.Regexp
	negative bool
}

func (s *selector) matches(e *Entry) bool {
	for _, m := range s.matchers {
		if !m.Matches(e.Labels[m.Name]) {
			return false
		}
	}
	for _, f := range s.filters {
		found := false
		if f.re != nil {
			found = f.re.MatchString(e.Line)
		} else {
			found = strings.Contains(e.Line, f.text)
		}
		if found == f.negative {
			return false
		}
	}
	return true
}

// parseSelector reads a selector.
func parseSelector(text string) (*selector, error) {
	s := &selector{}
	rest := strings.TrimSpace(text)
	fail := func(format string, args ...any) (*selector, error) {
		return nil, fmt.Errorf("%s at character %d of %q", fmt.Sprintf(format, args...), len(text)-len(rest)+1, text)
	}
	if !strings.HasPrefix(rest, "{") {
		return fail(`expected "{"`)
	}
	rest = strings.TrimSpace(rest[1:])
	for !strings.HasPrefix(rest, "}") {
		end := 0
		for end < len(rest) && isIdentifier(rest[:end+1]) {
			end++
		}
		if end == 0 {
			return fail("expected a label name")
		}
		name := rest[:end]
		rest = strings.TrimSpace(rest[end:])
		var kind labels.MatchType
		switch {
		case strings.HasPrefix(rest, "=~"):
			kind, rest = labels.MatchRegexp, rest[2:]
		case strings.HasPrefix(rest, "!~"):
			kind, rest = labels.MatchNotRegexp, rest[2:]
		case strings.HasPrefix(rest, "!="):
			kind, rest = labels.MatchNotEqual, rest[2:]
		case strings.HasPrefix(rest, "="):
			kind, rest = labels.MatchEqual, rest[1:]
		default:
			return fail("expected =, !=, =~ or !~")
		}
		value, after, err := quoted(rest)
		if err != nil {
			return fail("expected text in quotes")
		}
		m, err := labels.NewMatcher(kind, name, value)
		if err != nil {
			return fail("%v", err)
		}
		s.matchers = append(s.matchers, m)
		rest = strings.TrimSpace(after)
		if strings.HasPrefix(rest, ",") {
			rest = strings.TrimSpace(rest[1:])
		} else if !strings.HasPrefix(rest, "}") {
			return fail(`expected "," or "}"`)
		}
	}
	rest = strings.TrimSpace(rest[1:])
	for rest != "" {
		var f lineFilter
		isRegexp := false
		switch {
		case strings.HasPrefix(rest, "|="):
		case strings.HasPrefix(rest, "!="):
			f.negative = true
		case strings.HasPrefix(rest, "|~"):
			isRegexp = true
		case strings.HasPrefix(rest, "!~"):
			isRegexp, f.negative = true, true
		default:
			return fail("expected a line filter: |=, !=, |~ or !~; other stages of LogQL cannot stand here")
		}
		value, after, err := quoted(rest[2:])
		if err != nil {
			return fail("expected text in quotes")
		}
		f.text = value
		if isRegexp {
			if f.re, err = regexp.Compile(value); err != nil {
				return fail("%v", err)
			}
		}
		s.filters = append(s.filters, f)
		rest = strings.TrimSpace(after)
	}
	return s, nil
}

func quoted(s string) (value, rest string, err error) {
	s = strings.TrimSpace(s)
	q, err := strconv.QuotedPrefix(s)
	if err != nil || q[0] == '\'' {
		return "", s, strconv.ErrSyntax
	}
	value, err = strconv.Unquote(q)
	return value, s[len(q):], err
}
