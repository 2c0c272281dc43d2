package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// watcher asks the platform over its public interfaces, as any user's tools
// would.
type watcher struct {
	base string
	http *http.Client
}

func newWatcher(base string) *watcher {
	return &watcher{base: strings.TrimRight(base, "/"), http: &http.Client{Transport: &http.Transport{}, Timeout: 5 * time.Second}}
}

func (w *watcher) close() { w.http.CloseIdleConnections() }

// errAbsent means that the platform does not have this interface.
var errAbsent = errors.New("not there")

func (w *watcher) get(ctx context.Context, path string, params url.Values, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base+path+"?"+params.Encode(), nil)
	if err != nil {
		return err
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	switch {
	case err != nil:
		return fmt.Errorf("read %s: %w", path, err)
	case resp.StatusCode == http.StatusNotFound, resp.StatusCode == http.StatusNotImplemented,
		// The page answers for paths that nothing else does.
		into != nil && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html"):
		return fmt.Errorf("%s: status %d: %w", path, resp.StatusCode, errAbsent)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: status %d: %.200s", path, resp.StatusCode, text)
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// value evaluates PromQL that gives at most one series now. It reports false
// if there is none.
func (w *watcher) value(ctx context.Context, query string) (float64, bool, error) {
	var answer struct {
		Data struct {
			Result []struct {
				Value [2]any `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := w.get(ctx, "/api/v1/query", url.Values{"query": {query}}, &answer); err != nil {
		return 0, false, err
	}
	if len(answer.Data.Result) == 0 {
		return 0, false, nil
	}
	text, _ := answer.Data.Result[0].Value[1].(string)
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, false, fmt.Errorf("read answer to %s: %w", query, err)
	}
	return v, true, nil
}

// alertState gives the state of an alert: "pending", "firing", or "inactive".
func (w *watcher) alertState(ctx context.Context, name string) (string, error) {
	var answer struct {
		Data struct {
			Alerts []struct {
				Labels map[string]string `json:"labels"`
				State  string            `json:"state"`
			} `json:"alerts"`
		} `json:"data"`
	}
	if err := w.get(ctx, "/api/v1/alerts", nil, &answer); err != nil {
		return "", err
	}
	state := "inactive"
	for _, a := range answer.Data.Alerts {
		if a.Labels["alertname"] == name && (state == "inactive" || a.State == "firing") {
			state = a.State
		}
	}
	return state, nil
}

// lines gives the newest log lines that a LogQL query finds.
func (w *watcher) lines(ctx context.Context, query string, limit int) ([]string, error) {
	var answer struct {
		Data struct {
			Result []struct {
				Values [][]json.RawMessage `json:"values"`
			} `json:"result"`
		} `json:"data"`
	}
	params := url.Values{"query": {query}, "limit": {strconv.Itoa(limit)}, "direction": {"backward"}}
	if err := w.get(ctx, "/loki/api/v1/query_range", params, &answer); err != nil {
		return nil, err
	}
	var lines []string
	for _, stream := range answer.Data.Result {
		for _, entry := range stream.Values {
			var line string
			if len(entry) < 2 || json.Unmarshal(entry[1], &line) != nil {
				return nil, fmt.Errorf("read answer to %s: entry %s is no log line", query, entry)
			}
			lines = append(lines, line)
		}
	}
	return lines[:min(len(lines), limit)], nil
}
