// Package logexport writes log lines of a running modelwatch, of any Loki, or of a data directory that no process uses, into
// a Parquet file. It joins the query language and a store to the file; it decides nothing about them.
package logexport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/app/logsearch"
	"github.com/modelwatch/modelwatch/collect/receive/loki"
	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/query/logql"
	"github.com/modelwatch/modelwatch/store/logs/local"
	"github.com/modelwatch/modelwatch/store/logs/parquet"
	"github.com/modelwatch/modelwatch/store/logs/remote"
)

// Options says what to write where.
type Options struct {
	// Query is a LogQL log query: a selector, and stages if there are any.
	Query string
	// From and To bound the time: From <= t < To.
	From, To time.Time
	// File is the Parquet file. One that is there is replaced if Replace is set.
	File    string
	Replace bool

	// Dir is the data directory of a modelwatch that does not run. If it is empty, URL is asked.
	Dir string
	// URL is the address of a modelwatch or a Loki, Tenant is sent as X-Scope-OrgID, and Transport adds credentials.
	URL, Tenant string
	Transport   http.RoundTripper
	// Lock takes the data directory for this process.
	Lock func(dir string) (unlock func() error, err error)
}

type store interface {
	Select(ctx context.Context, sel logs.Selection) (logs.Cursor, error)
	Close() error
}

// Export writes the file and returns the number of lines in it.
func Export(ctx context.Context, o Options) (n int64, err error) {
	parsed, err := (&logsearch.Queries{Engine: logql.New(nil, logql.Options{})}).Parse(o.Query)
	if err != nil {
		return 0, fmt.Errorf("query: %w", err)
	}
	if parsed.Metric {
		return 0, errors.New("query: it gives numbers, and an export has lines: write a selector such as {job=\"ai_service\"}, with filters if you like")
	}
	if !o.From.Before(o.To) {
		return 0, fmt.Errorf("there is no time between %s and %s", o.From.Format(time.RFC3339), o.To.Format(time.RFC3339))
	}
	if _, err := os.Stat(o.File); err == nil && !o.Replace {
		return 0, fmt.Errorf("%s exists: choose another name, or replace it with --force", o.File)
	}
	s, closeStore, err := o.open(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	sel := logs.Selection{Matchers: parsed.Matchers, Start: o.From.UnixNano(), End: o.To.UnixNano(), Columns: logs.AllColumns, Order: logs.Forward}
	run := parsed.Run()
	if parsed.Simple {
		sel.Filters, run = parsed.Filters, nil
	}
	cursor, err := s.Select(ctx, sel)
	if err != nil {
		return 0, err
	}
	r := &reader{cursor: cursor, run: run}
	defer func() { err = errors.Join(err, r.close()) }()
	n, err = parquet.Write(ctx, o.File, r.next)
	if errors.Is(err, parquet.ErrNothing) {
		return 0, fmt.Errorf("nothing was written: no line matches %s from %s to %s", o.Query, o.From.UTC().Format(time.RFC3339), o.To.UTC().Format(time.RFC3339))
	}
	return n, err
}

func (o *Options) open(ctx context.Context) (store, func() error, error) {
	if o.Dir == "" {
		s, err := remote.New(remote.Options{URL: o.URL, Tenant: o.Tenant, Transport: o.Transport, Encode: loki.EncodeProtobuf})
		if err != nil {
			return nil, nil, err
		}
		return s, s.Close, nil
	}
	dir := filepath.Join(o.Dir, "logs")
	if _, err := os.Stat(dir); err != nil {
		return nil, nil, fmt.Errorf("there are no log lines in %s: %w", o.Dir, err)
	}
	unlock, err := o.Lock(o.Dir)
	if err != nil {
		return nil, nil, fmt.Errorf("%w; a modelwatch that runs is asked with --url", err)
	}
	s, err := local.Open(ctx, local.Options{Dir: dir})
	if err != nil {
		return nil, nil, errors.Join(err, unlock())
	}
	return s, func() error { return errors.Join(s.Close(), unlock()) }, nil
}

// reader gives the entries of a cursor one by one, through the stages of the query if there are any.
type reader struct {
	cursor logs.Cursor
	run    func(labels.Labels, logs.Entry) (labels.Labels, string, bool)
	batch  *logs.Batch
	at     int
}

func (r *reader) next() (parquet.Row, error) {
	for {
		if r.batch == nil || r.at == r.batch.Len() {
			if err := r.more(); err != nil {
				return parquet.Row{}, err
			}
		}
		row := parquet.Row{Labels: r.batch.Streams[r.batch.Stream[r.at]], Entry: r.batch.Entry(r.at)}
		r.at++
		if r.run == nil {
			return row, nil
		}
		// Labels that stages make are shown by queries; a file has the stream's own, and the line as the stages made it.
		if _, line, ok := r.run(row.Labels, row.Entry); ok {
			row.Entry.Line = line
			return row, nil
		}
	}
}

func (r *reader) more() error {
	if r.batch != nil {
		r.batch.Release()
		r.batch = nil
	}
	b, err := r.cursor.Next()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		return fmt.Errorf("read lines: %w", err)
	}
	r.batch, r.at = b, 0
	return nil
}

func (r *reader) close() error {
	if r.batch != nil {
		r.batch.Release()
	}
	return r.cursor.Close()
}

// ParseTime reads a point of time as people write it: RFC 3339, a date (its beginning in UTC), seconds since 1970, or how
// long ago, such as 6h or 7d.
func ParseTime(text string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	if text == "now" {
		return now, nil
	}
	if d, err := model.ParseDuration(text); err == nil {
		return now.Add(-time.Duration(d)), nil
	}
	var seconds int64
	if n, err := fmt.Sscanf(text, "%d", &seconds); err == nil && n == 1 && fmt.Sprint(seconds) == text {
		return time.Unix(seconds, 0), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time: write it as 2026-11-28T15:04:05Z, as a date, or as how long ago, such as 6h", text)
}
