// Package remote is a store of logs elsewhere that speaks Loki's protocol: a Loki cluster, or another modelwatch.
//
// It translates; it keeps nothing, and it does not retry: who appends does. Where a query shall be answered by the other
// side as a whole instead of line by line, Proxy hands requests through.
package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
	logstore "github.com/modelwatch/modelwatch/store/logs"
)

// Options configures a Store.
type Options struct {
	// URL is where the other side's API is, without /loki/api/v1.
	URL string
	// Tenant is sent as X-Scope-OrgID. Without one, requests that are handed through keep theirs.
	Tenant string
	// Transport adds credentials and knows the certificates. Default: a plain one.
	Transport http.RoundTripper
	// Timeout bounds each request, except live tails. Default one minute.
	Timeout time.Duration
	// PageSize is how many entries are asked for at a time; the other side must allow it. Default 5000.
	PageSize int
	// Encode writes streams as a push request.
	Encode func([]logs.Stream) []byte
	// Registerer is for the store's own metrics. Default: none.
	Registerer prometheus.Registerer
}

// Store is a store of logs elsewhere.
type Store struct {
	o    Options
	base *url.URL
	http *http.Client
}

// New returns a Store. Nothing is asked of the other side yet.
func New(o Options) (*Store, error) {
	base, err := url.Parse(strings.TrimSuffix(o.URL, "/"))
	if err != nil || base.Host == "" || base.User != nil || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("log store elsewhere: %q is not an address like http://loki:3100", o.URL)
	}
	if o.Encode == nil {
		return nil, errors.New("log store elsewhere: no encoding for pushes given")
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.PageSize == 0 {
		o.PageSize = 5000
	}
	t := o.Transport
	if t == nil {
		plain := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // It is one.
		plain.MaxIdleConnsPerHost = 16
		t = plain
	}
	counted := &counter{next: t, requests: newRequests()}
	if o.Registerer != nil {
		if err := o.Registerer.Register(counted.requests); err != nil {
			return nil, fmt.Errorf("log store elsewhere: %w", err)
		}
	}
	return &Store{o: o, base: base, http: &http.Client{Transport: counted, Timeout: o.Timeout}}, nil
}

// Close ends idle connections.
func (s *Store) Close() error {
	s.http.CloseIdleConnections()
	return nil
}

// StatusError is an answer that says no.
type StatusError struct {
	Code int
	Text string
}

// Error is what the other side said.
func (e *StatusError) Error() string {
	return fmt.Sprintf("log store elsewhere answered %d: %s", e.Code, e.Text)
}

// StatusCode is the status to hand on: the sender's own mistakes and rate limits as they are, everything else as a bad gateway.
func (e *StatusError) StatusCode() int {
	if e.Code == http.StatusBadRequest || e.Code == http.StatusTooManyRequests || e.Code == http.StatusRequestEntityTooLarge {
		return e.Code
	}
	return http.StatusBadGateway
}

// do sends a request and decodes the answer into out, if that is not nil.
func (s *Store) do(ctx context.Context, method, path string, body io.Reader, header http.Header, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, s.base.String()+path, body)
	if err != nil {
		return fmt.Errorf("ask log store elsewhere: %w", err)
	}
	req.Header = header
	if s.o.Tenant != "" {
		req.Header.Set("X-Scope-OrgID", s.o.Tenant)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask log store elsewhere: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096)) // Only for the message.
		return &StatusError{resp.StatusCode, strings.TrimSpace(string(text))}
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read answer of log store elsewhere: %w", err)
	}
	return nil
}

// form sends parameters as a form, which has no limit of length.
func (s *Store) form(ctx context.Context, path string, params url.Values, header http.Header, out any) error {
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.do(ctx, http.MethodPost, path, strings.NewReader(params.Encode()), header, out)
}

// pushBytes is about how many bytes of lines go into one push.
const pushBytes = 2 << 20

// Append implements logstore.Store. What is too much for one push is sent in several; if one fails, those before it are stored.
func (s *Store) Append(ctx context.Context, streams []logs.Stream) error {
	var batch []logs.Stream
	size := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		body := snappy.Encode(nil, s.o.Encode(batch))
		batch, size = nil, 0
		return s.do(ctx, http.MethodPost, "/loki/api/v1/push", bytes.NewReader(body), http.Header{"Content-Type": {"application/x-protobuf"}}, nil)
	}
	var refused error
	for _, st := range streams {
		from := 0
		for i, e := range st.Entries {
			size += e.Bytes() + 16
			if size < pushBytes && i < len(st.Entries)-1 {
				continue
			}
			batch = append(batch, logs.Stream{Labels: st.Labels, Entries: st.Entries[from : i+1]})
			from = i + 1
			if size < pushBytes {
				continue
			}
			if err := keepRefusal(&refused, flush()); err != nil {
				return err
			}
		}
	}
	if err := keepRefusal(&refused, flush()); err != nil {
		return err
	}
	return refused
}

// keepRefusal puts a refusal aside, so that the pushes after it are sent nevertheless.
func keepRefusal(kept *error, err error) error {
	var e *StatusError
	if errors.As(err, &e) && e.Code == http.StatusBadRequest {
		*kept = err
		return nil
	}
	return err
}

// Series implements logstore.Store.
func (s *Store) Series(ctx context.Context, groups [][]*labels.Matcher, start, end int64) ([]labels.Labels, error) {
	params := url.Values{"start": {fmt.Sprint(start)}, "end": {fmt.Sprint(end)}}
	for _, g := range groups {
		params.Add("match[]", selector(g))
	}
	var out struct{ Data []map[string]string }
	if err := s.form(ctx, "/loki/api/v1/series", params, nil, &out); err != nil {
		return nil, err
	}
	series := make([]labels.Labels, len(out.Data))
	for i, m := range out.Data {
		series[i] = labels.FromMap(m)
	}
	slices.SortFunc(series, labels.Compare)
	return series, nil
}

// Volume implements logstore.Store.
func (s *Store) Volume(ctx context.Context, req logs.VolumeRequest) ([]logs.Volume, error) {
	names := req.Labels
	if len(names) == 0 {
		// Streams apart are volumes by all labels.
		series, err := s.Series(ctx, [][]*labels.Matcher{req.Matchers}, req.Start, req.End)
		if err != nil {
			return nil, err
		}
		seen := map[string]bool{}
		for _, ls := range series {
			ls.Range(func(l labels.Label) {
				if !seen[l.Name] {
					seen[l.Name] = true
					names = append(names, l.Name)
				}
			})
		}
		if len(names) == 0 {
			return nil, nil
		}
	}
	params := url.Values{
		"query": {selector(req.Matchers)}, "start": {fmt.Sprint(req.Start)}, "end": {fmt.Sprint(req.End)},
		"targetLabels": {strings.Join(names, ",")}, "limit": {fmt.Sprint(max(req.Limit, 1000))},
	}
	if req.Limit > 0 {
		params.Set("limit", fmt.Sprint(req.Limit))
	}
	path := "/loki/api/v1/index/volume"
	if req.Width > 0 {
		path += "_range"
		params.Set("step", strconv.FormatFloat(float64(req.Width)/1e9, 'f', -1, 64))
	}
	var out struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  []any
				Values [][]any
			}
		}
	}
	if err := s.form(ctx, path, params, nil, &out); err != nil {
		return nil, err
	}
	var volumes []logs.Volume
	for _, r := range out.Data.Result {
		v := logs.Volume{Labels: labels.FromMap(r.Metric)}
		if r.Value != nil {
			r.Values = [][]any{r.Value}
		}
		for _, p := range r.Values {
			at, bytes, err := point(p)
			if err != nil {
				return nil, err
			}
			b := logs.Bucket{Bytes: bytes}
			if req.Width > 0 {
				// A point stands for the step that ends with it.
				b.Index = (int64(at*1e9) - req.Start - 1) / req.Width
			}
			v.Bytes += bytes
			v.Buckets = append(v.Buckets, b)
		}
		volumes = append(volumes, v)
	}
	slices.SortFunc(volumes, func(a, b logs.Volume) int {
		if a.Bytes != b.Bytes {
			return int(b.Bytes - a.Bytes)
		}
		return labels.Compare(a.Labels, b.Labels)
	})
	return volumes, nil
}

// point reads [seconds, "value"].
func point(p []any) (at float64, value int64, err error) {
	if len(p) == 2 {
		at, ok := p[0].(float64)
		text, isText := p[1].(string)
		v, err := strconv.ParseFloat(text, 64)
		if ok && isText && err == nil {
			return at, int64(v), nil
		}
	}
	return 0, 0, fmt.Errorf("read answer of log store elsewhere: %v is no point", p)
}

// Delete implements logstore.Store. It returns when the other side has written the request down.
func (s *Store) Delete(ctx context.Context, req logstore.DeleteRequest) error {
	query := req.Query
	if query == "" {
		query = selector(req.Matchers) + filters(req.Filters)
	}
	at := func(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }
	// There the end is inclusive.
	return s.form(ctx, "/loki/api/v1/delete", url.Values{"query": {query}, "start": {at(req.Start)}, "end": {at(req.End - 1)}}, nil, nil)
}

// Ready asks whether the other side is ready.
func (s *Store) Ready(ctx context.Context) error {
	return s.do(ctx, http.MethodGet, "/ready", nil, http.Header{}, nil)
}
