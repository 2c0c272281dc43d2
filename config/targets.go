package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"go.yaml.in/yaml/v2"
)

// CheckTargets reports what is wrong with a file that file_sd_configs name. A
// wrong one is passed over when it is read, and the targets that were known
// stay.
func CheckTargets(file string, text []byte) Problems {
	if strings.EqualFold(filepath.Ext(file), ".json") {
		return checkTargetsJSON(file, text)
	}
	var groups []*targetgroup.Group
	if err := yaml.UnmarshalStrict(text, &groups); err != nil {
		return FromYAML(file, err)
	}
	return checkGroups(file, text, groups)
}

func checkTargetsJSON(file string, text []byte) Problems {
	var groups []*targetgroup.Group
	dec := json.NewDecoder(bytes.NewReader(text))
	err := dec.Decode(&groups)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is something after the list")
		}
	}
	if err != nil {
		p := Problem{File: file, Reason: "not a list of groups of targets in JSON: " + err.Error(), Hint: `write [{"targets": ["host:port"], "labels": {"name": "value"}}]`}
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			p.Line = 1 + bytes.Count(text[:min(int(syntax.Offset), len(text))], []byte("\n"))
		}
		return Problems{p}
	}
	return checkGroups(file, text, groups)
}

func checkGroups(file string, text []byte, groups []*targetgroup.Group) Problems {
	var ps Problems
	for i, g := range groups {
		if g == nil {
			ps = append(ps, Problem{File: file, Reason: fmt.Sprintf("group %d is empty", i+1), Hint: "take it out, or give it targets"})
			continue
		}
		for _, t := range g.Targets {
			address := string(t[model.AddressLabel])
			if strings.Contains(address, "/") {
				ps = append(ps, Problem{
					File: file, Line: lineWith(text, address), Reason: fmt.Sprintf("%q is not a host with a port", address),
					Hint: "write host:port; scheme and path are settings of the scrape job: scheme and metrics_path",
				})
			}
		}
		for name := range g.Labels {
			if !model.UTF8Validation.IsValidLabelName(string(name)) {
				ps = append(ps, Problem{File: file, Line: lineWith(text, string(name)), Reason: fmt.Sprintf("%q is not the name of a label", name)})
			}
		}
	}
	return ps
}

// lineWith is the first line that has a text.
func lineWith(text []byte, part string) int {
	before, _, found := bytes.Cut(text, []byte(part))
	if !found {
		return 0
	}
	return 1 + bytes.Count(before, []byte("\n"))
}
