package app

import (
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/modelwatch/modelwatch/app/logsearch"
	"github.com/modelwatch/modelwatch/collect/tail"
	"github.com/modelwatch/modelwatch/config"
	"github.com/modelwatch/modelwatch/evaluate/rules"
	"github.com/modelwatch/modelwatch/query/promql"
)

// Check examines configuration files of every kind, and those that they name,
// prints what it finds to w, and returns an error if anything would be
// refused.
func Check(w io.Writer, files []string) error {
	c := &checker{w: w, seen: map[string]bool{}, read: config.ReadFile}
	for _, f := range files {
		c.file(f, "")
	}
	switch {
	case c.errors > 0:
		return fmt.Errorf("problems found: %d", c.errors)
	case c.warnings > 0:
		fmt.Fprintf(w, "No errors; warnings: %d.\n", c.warnings)
	}
	return nil
}

type checker struct {
	w    io.Writer
	seen map[string]bool
	// read gives the text of a file.
	read             func(name string) ([]byte, config.Problems)
	found            config.Problems
	errors, warnings int
	// loki and own are what a modelwatch.yml says of addresses in a promtail.yml.
	loki config.Loki
	own  []string
}

// file checks one file. want is the kind that it must be; empty means any.
func (c *checker) file(name string, want config.Kind) {
	if abs, err := filepath.Abs(name); err == nil {
		if c.seen[abs] {
			return
		}
		c.seen[abs] = true
	}
	text, problems := c.read(name)
	if len(problems) > 0 {
		c.report(problems)
		return
	}
	kind := want
	if kind == config.KindUnknown {
		kind = config.Recognise(text)
	}
	if kind == config.KindUnknown {
		syntax := config.CheckSyntax(name, text)
		if len(syntax) == 0 {
			syntax = config.Problems{{File: name, Reason: config.ErrUnknownKind.Error(), Hint: "check the settings at the top of the file"}}
		}
		c.report(syntax)
		return
	}
	c.kind(name, text, kind)
}

func (c *checker) kind(name string, text []byte, kind config.Kind) {
	var problems config.Problems
	var follow func()
	switch kind {
	case config.KindModelwatch:
		var cfg *config.Config
		cfg, problems = config.Parse(name, text)
		if cfg.Logs.Loki.Set() && problems.Err() == nil {
			if _, err := lokiTransport(cfg.Logs.Loki); err != nil {
				problems = append(problems, config.Problem{File: name, Reason: err.Error(), Hint: "relative paths are taken from the directory of this file"})
			}
		}
		c.loki, c.own = cfg.Logs.Loki, cfg.Logs.Collect.OwnAddresses
		follow = func() {
			c.named(cfg.Metrics.ConfigFile, config.KindPrometheus)
			c.named(cfg.Alerting.ConfigFile, config.KindAlertmanager)
			c.named(cfg.Logs.Collect.ConfigFile, config.KindPromtail)
			c.named(cfg.Web.ConfigFile, config.KindWeb)
			c.auth(name, cfg)
		}
	case config.KindPrometheus:
		problems = config.CheckPrometheus(name, text)
		follow = func() {
			patterns, lines := config.ScrapeFiles(name, text)
			for i, p := range patterns {
				files, _ := filepath.Glob(p) // A bad pattern is among the problems.
				c.matched(name, lines[i], p, files, config.KindScrape)
			}
			c.ruleFiles(name, text)
		}
	case config.KindScrape:
		problems = config.CheckScrapeFile(name, text)
	case config.KindRules:
		problems = rules.Check(name, text, promql.NewParser(true), logsearch.Rules{})
	case config.KindAlertmanager:
		problems = config.CheckAlertmanager(name, text)
	case config.KindPromtail:
		problems = checkPromtail(name, text)
		follow = func() { c.destinations(text) }
	case config.KindWeb:
		problems = config.CheckWeb(name)
	case config.KindUnknown:
	}
	c.report(problems)
	if problems.Err() == nil {
		fmt.Fprintf(c.w, "%s: %s: ok\n", name, kind.Describe())
	}
	if follow != nil {
		follow()
	}
}

// named checks a file that another names, if it names one.
func (c *checker) named(file string, kind config.Kind) {
	if file != "" {
		c.file(file, kind)
	}
}

// auth checks what only a file and those that it names show together.
func (c *checker) auth(name string, cfg *config.Config) {
	var ps config.Problems
	if err := checkAuth(cfg); err != nil {
		ps = append(ps, config.Problem{File: name, Reason: err.Error()})
	}
	if _, err := oidcOptions(cfg.Web.Auth.OIDC); err != nil {
		ps = append(ps, config.Problem{File: name, Reason: err.Error(), Hint: config.HintFor(err.Error())})
	}
	c.report(ps)
}

func (c *checker) ruleFiles(name string, text []byte) {
	patterns, lines := config.RuleFiles(name, text)
	for i, p := range patterns {
		files, err := rules.Files([]string{p})
		if err != nil {
			c.report(config.Problems{{File: name, Line: lines[i], Reason: err.Error(), Hint: "relative paths are taken from the directory of this file"}})
			continue
		}
		c.matched(name, lines[i], p, files, config.KindRules)
	}
}

// matched checks the files that a pattern at a line of a file matches.
func (c *checker) matched(name string, line int, pattern string, files []string, kind config.Kind) {
	if len(files) == 0 {
		what := "rules"
		if kind == config.KindScrape {
			what = "scrape jobs"
		}
		c.report(config.Problems{{File: name, Line: line, Warning: true, Reason: pattern + " matches no file", Hint: what + " that are added there later are taken over at the next reload"}})
	}
	for _, f := range files {
		c.file(f, kind)
	}
}

func (c *checker) report(ps config.Problems) {
	slices.SortStableFunc(ps, func(a, b config.Problem) int { return a.Line - b.Line })
	for _, p := range ps {
		fmt.Fprintln(c.w, p)
		c.found = append(c.found, p)
		if p.Warning {
			c.warnings++
		} else {
			c.errors++
		}
	}
}

// destinations says where the lines of a promtail.yml go.
func (c *checker) destinations(text []byte) {
	own := ownAddresses(c.loki, config.DefaultListenAddress, 9090, 3100)
	own.Addresses = append(own.Addresses, c.own...)
	for _, d := range tail.Destinations(text, own) {
		fmt.Fprintln(c.w, "  "+d.String())
	}
}

// checkPromtail examines a promtail.yml.
func checkPromtail(name string, text []byte) config.Problems {
	var ps config.Problems
	for _, p := range tail.Check(text) {
		ps = append(ps, config.Problem{File: name, Line: p.Line, Reason: p.Reason, Hint: p.Hint, Warning: p.Warning})
	}
	return ps
}

// templatePlace finds the line in an error of Go's template parser.
var templatePlace = regexp.MustCompile(`^template: [^:]*:(\d+):(?:\d+:)? `)

func templateProblem(file string, err error) config.Problems {
	p := config.Problem{File: file, Reason: err.Error(), Hint: "templates are written in Go's template language"}
	if m := templatePlace.FindStringSubmatch(p.Reason); m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		p.Reason = p.Reason[len(m[0]):]
	}
	return config.Problems{p}
}
