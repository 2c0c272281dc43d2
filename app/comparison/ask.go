package comparison

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/modelwatch/modelwatch/app/baselines"
	"github.com/modelwatch/modelwatch/app/remote"
)

// Question is what a running modelwatch is asked to compare. Empty fields mean what the
// server takes by itself.
type Question struct {
	baselines.Key
	// BaselineID, or BaselineSince and BaselineUntil, say what one side is, Since and
	// Until what the other is; RFC 3339, or how long ago (24h).
	BaselineID, BaselineSince, BaselineUntil string
	Since, Until                             string
	Presets, Exclude                         []string
	Rows                                     int
	JSON                                     bool
	Out                                      io.Writer
}

// Asked reports whether anything is asked of a running modelwatch.
func (q *Question) Asked() bool {
	return slices.ContainsFunc([]string{
		q.Service, q.Model, q.Version, q.BaselineID, q.BaselineSince, q.BaselineUntil, q.Since, q.Until,
	}, func(s string) bool { return s != "" }) || q.Rows != 0
}

// Ask has a running modelwatch compare what it keeps, prints, and reports whether there
// is drift, as Run does.
func (q *Question) Ask(ctx context.Context, server *remote.Client) (drifted bool, err error) {
	values := url.Values{"preset": q.Presets, "exclude": q.Exclude}
	for name, v := range map[string]string{"service": q.Service, "model": q.Model, "version": q.Version, "baseline": q.BaselineID} {
		if v != "" {
			values.Set(name, v)
		}
	}
	for name, v := range map[string]string{
		"baseline-since": q.BaselineSince, "baseline-until": q.BaselineUntil, "since": q.Since, "until": q.Until,
	} {
		if v == "" {
			continue
		}
		if v, err = baselines.Moment("--"+name, v); err != nil {
			return false, err
		}
		values.Set(strings.ReplaceAll(name, "-", "_"), v)
	}
	if q.Rows != 0 {
		values.Set("rows", strconv.Itoa(q.Rows))
	}
	var raw json.RawMessage
	if err := server.JSON(ctx, remote.Request{Path: "/ai/v1/drift/compare", Query: values}, nil, &raw); err != nil {
		return false, err
	}
	var a Answer
	if err := json.Unmarshal(raw, &a); err != nil {
		return false, fmt.Errorf("read answer: %w", err)
	}
	if q.JSON {
		err = printJSON(q.Out, raw)
	} else {
		err = printAnswer(q.Out, &a)
	}
	if err != nil {
		return false, fmt.Errorf("print: %w", err)
	}
	return outcome(&a.Report)
}

// printAnswer writes what a server says for people.
func printAnswer(out io.Writer, a *Answer) error {
	span := func(s Side) string {
		return s.Since.UTC().Format("2006-01-02 15:04:05") + " to " + s.Until.UTC().Format("2006-01-02 15:04:05")
	}
	name := a.Service + "/" + a.Model
	if a.Version != "" {
		name += "@" + a.Version
	}
	of := ""
	if a.Baseline.BaselineID != "" {
		of = " (" + a.Baseline.BaselineID + ")"
	}
	_, err := fmt.Fprintf(out, "Raw inferences of %s, UTC\nbaseline  %s%s\nnow       %s\n\n", shown(name), span(a.Baseline), of, span(a.Current))
	if err == nil {
		err = print(out, &a.Report)
	}
	for _, n := range a.Notices {
		if err == nil {
			_, err = fmt.Fprintf(out, "\n%s\n", shown(n))
		}
	}
	return err
}

// ErrNothingAsked is returned where neither files nor anything of a server is named.
var ErrNothingAsked = errors.New("say what is to be compared: two files with --baseline and --current, " +
	"or what a running modelwatch keeps with --model and --since (and --baseline-since and --baseline-until, or --baseline-id)")
