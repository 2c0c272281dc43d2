package rules

import (
	"embed"
	"fmt"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

//go:embed builtin/*.yml
var builtin embed.FS

// builtinPrefix marks rule files that ship inside the binary.
const builtinPrefix = "builtin:"

// Builtin lists the rule files that ship inside the binary, by the names
// under which they are loaded and shown.
func Builtin() []string {
	entries, err := builtin.ReadDir("builtin")
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, builtinPrefix+e.Name())
	}
	return names
}

// loader reads rule files, ours and those on disk, and accepts the extensions
// of Portable.
type loader struct {
	parser  parser.Parser
	logger  *slog.Logger
	written *written
}

// Read returns the text of a rule file.
func Read(name string) ([]byte, error) {
	if rest, ok := strings.CutPrefix(name, builtinPrefix); ok {
		return builtin.ReadFile(path.Join("builtin", rest))
	}
	return os.ReadFile(name)
}

// Load implements the rule manager's GroupLoader.
func (l loader) Load(name string, ignoreUnknownFields bool, scheme model.ValidationScheme) (*rulefmt.RuleGroups, []error) {
	text, err := Read(name)
	if err != nil {
		return nil, []error{fmt.Errorf("read rule file: %w", err)}
	}
	l.written.add(text)
	text, _ = Portable(text)
	groups, errs := rulefmt.Parse(text, ignoreUnknownFields, scheme, l.parser, l.logger)
	for i, err := range errs {
		errs[i] = fmt.Errorf("%s: %w", name, err)
	}
	return groups, errs
}

// Parse implements the rule manager's GroupLoader.
func (l loader) Parse(query string) (parser.Expr, error) { return l.parser.ParseExpr(query) }

// Files expands the patterns of rule_files. A pattern that matches nothing is
// not an error, as in Prometheus; a plain name that is not there is.
func Files(patterns []string) ([]string, error) {
	var files []string
	for _, p := range patterns {
		matches, err := filepath.Glob(p)
		if err != nil {
			return nil, fmt.Errorf("rule file pattern %q: %w", p, err)
		}
		if len(matches) == 0 && !strings.ContainsAny(p, "*?[") {
			return nil, fmt.Errorf("rule file %s does not exist: create it, or take it out of rule_files", p)
		}
		files = append(files, matches...)
	}
	return files, nil
}
