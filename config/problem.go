package config

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Problem is one thing wrong in one file, said so that it can be mended.
type Problem struct {
	File string
	// Line counts from 1; 0 means that the whole file is meant.
	Line   int
	Reason string
	// Hint is the way out; it may be empty.
	Hint string
	// Warning marks what is accepted but should be known.
	Warning bool
}

// String is the problem on one line: file:line: reason (hint).
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	if p.Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(p.Reason)
	if p.Hint != "" {
		fmt.Fprintf(&b, " (hint: %s)", p.Hint)
	}
	return b.String()
}

// Error makes a problem usable as an error.
func (p Problem) Error() string { return p.String() }

// Problems is all that is wrong.
type Problems []Problem

// Err joins the problems that are not warnings; nil where there is none.
func (ps Problems) Err() error {
	var errs []error
	for _, p := range ps {
		if !p.Warning {
			errs = append(errs, p)
		}
	}
	return errors.Join(errs...)
}

// yamlLine finds the place in messages of both YAML libraries.
var yamlLine = regexp.MustCompile(`(?:yaml: )?line (\d+):? `)

// goTypes matches the Go types that YAML libraries put into messages.
var goTypes = regexp.MustCompile(` in type [\w.*]+`)

// FromYAML splits an error of a YAML library into its problems.
func FromYAML(file string, err error) Problems {
	var ps Problems
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasSuffix(line, "unmarshal errors:") {
			continue
		}
		ps = append(ps, yamlProblem(file, line))
	}
	return ps
}

func yamlProblem(file, message string) Problem {
	p := Problem{File: file, Reason: message}
	if at := yamlLine.FindStringSubmatchIndex(message); at != nil {
		p.Line, _ = strconv.Atoi(message[at[2]:at[3]])
		p.Reason = message[:at[0]] + message[at[1]:]
	}
	p.Reason = goTypes.ReplaceAllString(strings.TrimPrefix(p.Reason, "yaml: "), "")
	p.Hint = HintFor(p.Reason)
	return p
}

// HintFor gives the way out of common mistakes.
func HintFor(reason string) string {
	switch {
	case strings.Contains(reason, "found character that cannot start any token"):
		return "YAML is indented by spaces, not by tabs"
	case strings.HasPrefix(reason, "field ") && strings.Contains(reason, "not found"):
		return "no such setting here: check its spelling and indentation"
	case strings.Contains(reason, "did not find expected"), strings.Contains(reason, "mapping values are not allowed"):
		return "check the indentation and the quotes of this line and the one before it"
	case strings.Contains(reason, "cannot unmarshal"):
		return "the value is of another kind than this setting takes"
	case strings.Contains(reason, "not a valid duration string"), strings.Contains(reason, "in duration"):
		return "write durations such as 15s, 5m or 1h30m"
	case strings.Contains(reason, "scrape timeout greater than scrape interval"):
		return "lower scrape_timeout or raise scrape_interval"
	case strings.Contains(reason, "multiple scrape configs with job name"):
		return "give each job a name of its own"
	case strings.Contains(reason, "undefined receiver"):
		return "add a receiver of this name under receivers, or mend the name in the route"
	case strings.Contains(reason, "no such file or directory"):
		return "check the path; relative paths are taken from the directory of the file that names them"
	case strings.Contains(reason, "function ") && strings.Contains(reason, "not defined"):
		return "templates know Prometheus's functions, such as humanize, printf or query, and round"
	case strings.Contains(reason, "invalid label name"):
		return "a label's name has letters, digits and _, and does not begin with a digit"
	case strings.Contains(reason, "no global SMTP smarthost set"):
		return "set smtp_smarthost under global, or smarthost in the receiver"
	case strings.Contains(reason, "parse error"), strings.Contains(reason, "could not parse expression"):
		return "try the expression at /api/v1/parse_query"
	}
	return ""
}

// lineOf is the line of the node at path below root, or of the nearest node
// above it that exists.
func lineOf(root *yaml.Node, path ...string) int {
	n := root
	if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	line := n.Line
	for _, step := range path {
		var next *yaml.Node
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == step {
					line, next = n.Content[i].Line, n.Content[i+1]
				}
			}
		case yaml.SequenceNode:
			if i, err := strconv.Atoi(step); err == nil && i < len(n.Content) {
				next = n.Content[i]
				line = next.Line
			}
		default:
		}
		if next == nil {
			return line
		}
		n = next
	}
	return line
}

// splitAddress checks host:port and returns its port.
func splitAddress(a string) (int, error) {
	_, port, err := net.SplitHostPort(a)
	if err != nil {
		return 0, fmt.Errorf("%q is not host:port", a)
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 0 || n > 65535 {
		return 0, fmt.Errorf("port %q is not a number from 0 to 65535", port)
	}
	return n, nil
}
