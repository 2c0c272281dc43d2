package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/logs"
	logstore "github.com/modelwatch/modelwatch/store/logs"
	"github.com/modelwatch/modelwatch/store/logs/contract"
	"github.com/modelwatch/modelwatch/store/logs/duck"
)

// lines makes n entries of a stream from a time on, one a millisecond.
func lines(app string, from time.Time, n int) []logs.Stream {
	st := logs.Stream{Labels: labels.FromStrings("app", app)}
	for i := range n {
		st.Entries = append(st.Entries, logs.Entry{Timestamp: from.UnixNano() + int64(i)*int64(time.Millisecond), Line: fmt.Sprintf("%s line %d with some text %x", app, i, i*7919)})
	}
	return []logs.Stream{st}
}

var everything = logs.Selection{
	Matchers: []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, "app", ".+")}, Start: 0, End: 1 << 62, Columns: logs.ColumnLine,
}

// count reads everything and counts it.
func count(t *testing.T, s *Store) int {
	t.Helper()
	return len(contract.Read(t, s, everything, 0))
}

// days returns noon of the day before yesterday, of yesterday and, nearly, now.
func days() (a, b, c time.Time) {
	now := time.Now().UTC()
	noon := now.Truncate(24 * time.Hour).Add(12 * time.Hour)
	return noon.Add(-48 * time.Hour), noon.Add(-24 * time.Hour), now.Add(-time.Minute)
}

// damage overwrites the middle of a file.
func damage(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = f.WriteAt(make([]byte, 4096), at)
	require.NoError(t, errors.Join(err, f.Close()))
}

func TestCorruptAtOpen(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), Options{Dir: dir})
	require.NoError(t, err)
	a, b, _ := days()
	require.NoError(t, s.Append(t.Context(), lines("a", a, 100)))
	require.NoError(t, s.Append(t.Context(), lines("b", b, 50)))
	require.NoError(t, s.Seal(t.Context(), a.Format(time.DateOnly)))
	require.NoError(t, s.Close())
	damage(t, filepath.Join(dir, a.Format(time.DateOnly)+".1.duckdb"), 0)
	reg := prometheus.NewRegistry()
	s = open(t, Options{Dir: dir, Registerer: reg})
	require.Equal(t, 50, count(t, s))
	aside := s.Status().SetAside
	require.Len(t, aside, 1)
	require.Equal(t, a.Format(time.DateOnly), aside[0].Day)
	require.FileExists(t, aside[0].File)
	require.NoError(t, s.Append(t.Context(), lines("a", a, 100)), "the day can be filled again")
	require.Equal(t, 150, count(t, s))
}

func TestCorruptWhenRead(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), Options{Dir: dir})
	require.NoError(t, err)
	a, b, _ := days()
	require.NoError(t, s.Append(t.Context(), lines("a", a, 50_000)))
	require.NoError(t, s.Append(t.Context(), lines("b", b, 50)))
	require.NoError(t, s.Seal(t.Context(), a.Format(time.DateOnly)))
	require.NoError(t, s.Close())
	path := filepath.Join(dir, a.Format(time.DateOnly)+".1.duckdb")
	info, err := os.Stat(path)
	require.NoError(t, err)
	damage(t, path, info.Size()/2)
	s = open(t, Options{Dir: dir})
	var read error
	c, err := s.Select(t.Context(), everything)
	if err == nil {
		for read == nil {
			var b *logs.Batch
			if b, read = c.Next(); read == nil {
				b.Release()
			}
		}
		require.NoError(t, c.Close())
	}
	var damaged *DamagedError
	if !errors.Is(read, io.EOF) {
		require.ErrorAs(t, read, &damaged)
	}
	require.Eventually(t, func() bool { return len(s.Status().SetAside) == 1 }, 10*time.Second, 10*time.Millisecond)
	require.Equal(t, 50, count(t, s), "the other days go on")
	require.NoError(t, s.Append(t.Context(), lines("c", b, 10)))
	require.Equal(t, 60, count(t, s))
}

func TestSecondProcess(t *testing.T) {
	s := open(t, Options{})
	_, err := Open(t.Context(), Options{Dir: s.o.Dir})
	require.ErrorContains(t, err, "in use by another process")
}

func TestClosed(t *testing.T) {
	s, err := Open(t.Context(), Options{Dir: t.TempDir()})
	require.NoError(t, err)
	_, _, now := days()
	require.NoError(t, s.Append(t.Context(), lines("a", now, 1)))
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Append(t.Context(), lines("a", now, 1)), ErrClosed)
	_, err = s.Select(t.Context(), everything)
	require.ErrorIs(t, err, ErrClosed)
}

// TestSealWhileUsed seals and deletes while entries come in and are read.
func TestSealWhileUsed(t *testing.T) {
	s := open(t, Options{})
	_, b, _ := days()
	require.NoError(t, s.Append(t.Context(), lines("seed", b, 1000)))
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	written := 0
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			if err := s.Append(context.Background(), lines(fmt.Sprint("w", i%3), b.Add(time.Duration(i)*time.Second), 20)); err != nil {
				t.Error(err)
				return
			}
			written += 20
		}
	})
	wg.Go(func() {
		for ctx.Err() == nil {
			sel := everything
			sel.Matchers = []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "app", "seed")}
			if n := len(contract.Read(t, s, sel, 0)); n != 1000 {
				t.Errorf("%d of 1000 lines while the day is sealed", n)
				return
			}
		}
	})
	for range 5 {
		time.Sleep(50 * time.Millisecond)
		require.NoError(t, s.Seal(t.Context(), b.Format(time.DateOnly)))
	}
	cancel()
	wg.Wait()
	require.Equal(t, 1000+written, count(t, s))
	require.NoError(t, s.Seal(t.Context(), b.Format(time.DateOnly)))
	require.Equal(t, 1000+written, count(t, s))
	files, err := filepath.Glob(filepath.Join(s.o.Dir, "*.duckdb"))
	require.NoError(t, err)
	require.Len(t, files, 1, "what was replaced is removed")
	require.True(t, s.Status().Days[0].Sealed)
}

func TestRetention(t *testing.T) {
	a, b, _ := days()
	c := b.Add(24 * time.Hour)
	s := open(t, Options{Retention: 30 * time.Hour, MaxAge: -1, Now: func() time.Time { return c.Add(time.Minute) }}) // Whatever the hour is.
	for _, day := range []time.Time{a, b, c} {
		require.NoError(t, s.Append(t.Context(), lines("a", day, 10)))
	}
	require.NoError(t, s.Retain(t.Context()))
	require.Equal(t, []string{b.Format(time.DateOnly), c.UTC().Format(time.DateOnly)}, storedDays(s))
	s.o.Retention, s.o.RetentionBytes = 0, 1
	require.NoError(t, s.Retain(t.Context()))
	require.Equal(t, []string{c.UTC().Format(time.DateOnly)}, storedDays(s), "today stays")
	require.Equal(t, 10, count(t, s))
}

func TestLimits(t *testing.T) {
	begin, later := time.Now(), atomic.Int64{} // The store reads its clock from goroutines of its own.
	now := func() time.Time { return begin.Add(time.Duration(later.Load())) }
	_, _, at := days()
	rejected := func(err error, reason logstore.Reason, status int, text ...string) {
		t.Helper()
		var r *logstore.Rejected
		require.ErrorAs(t, err, &r)
		require.Equal(t, reason, r.Refusals[0].Reason)
		require.Equal(t, status, r.StatusCode())
		for _, want := range text {
			require.ErrorContains(t, err, want)
		}
	}
	s := open(t, Options{Rate: 1000, RateBurst: 2000, Now: now})
	require.NoError(t, s.Append(t.Context(), lines("a", at, 40)))
	rejected(s.Append(t.Context(), lines("b", at, 40)), logstore.RateLimited, 429, "limit of 1000 B a second", "raise logs.rate")
	later.Store(int64(5 * time.Second))
	require.NoError(t, s.Append(t.Context(), lines("b", at, 40)))

	s = open(t, Options{StreamRate: 1000, StreamBurst: 2000, Now: now})
	require.NoError(t, s.Append(t.Context(), lines("a", at, 40)))
	require.NoError(t, s.Append(t.Context(), lines("b", at, 40)))
	rejected(s.Append(t.Context(), append(lines("a", at.Add(time.Second), 40), lines("c", at, 1)...)), logstore.StreamRate, 429, `{app="a"}`, "raise logs.stream_rate")
	require.Equal(t, 81, count(t, s), "streams within their limits are stored")

	s = open(t, Options{MaxStreams: 3, MaxLine: 100, Now: now})
	for _, app := range []string{"a", "b", "c"} {
		require.NoError(t, s.Append(t.Context(), lines(app, at, 1)))
	}
	rejected(s.Append(t.Context(), append(lines("d", at, 2), lines("a", at.Add(time.Second), 1)...)), logstore.TooManyStreams, 400,
		"2 of 3 entries refused", `label "app" (3 values, for example`, "structured metadata", "raise logs.max_streams")
	require.Equal(t, 4, count(t, s))
	rejected(s.Append(t.Context(), []logs.Stream{{Labels: labels.FromStrings("app", "a"), Entries: []logs.Entry{{Timestamp: at.UnixNano(), Line: strings.Repeat("x", 101)}}}}),
		logstore.LineTooLong, 400, "line of 101 bytes", "which is fixed: cut it at the sender")
	rejected(s.Append(t.Context(), lines("a", now().Add(-30*24*time.Hour), 1)), logstore.TooOld, 400, "too old", "which is fixed")

	s = open(t, Options{MaxLabelValues: 2, Now: now})
	require.NoError(t, s.Append(t.Context(), append(lines("a", at, 1), lines("b", at, 1)...)))
	rejected(s.Append(t.Context(), lines("c", at, 1)), logstore.TooManyValues, 400, `label "app" already has 2 values`, `"a" and "b"`, "raise logs.max_label_values")

	s = open(t, Options{Now: now})
	for text, ls := range map[string]labels.Labels{
		"at least one label": labels.EmptyLabels(), "is not a label name": labels.FromStrings("a.b", "c"),
		"not UTF-8": labels.FromStrings("a", "\xff"), "more than 2048": labels.FromStrings("a", strings.Repeat("x", 2049)),
	} {
		rejected(s.Append(t.Context(), []logs.Stream{{Labels: ls, Entries: []logs.Entry{{Timestamp: at.UnixNano()}}}}), logstore.BadLabels, 400, text)
	}
}

func TestDeleteRequests(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), Options{Dir: dir})
	require.NoError(t, err)
	_, b, c := days()
	require.NoError(t, s.Append(t.Context(), append(lines("a", b, 100), lines("b", c, 10)...)))
	id, err := s.RequestDelete(logstore.DeleteRequest{
		Query: `{app="a"} |= "line 1"`, Matchers: []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "app", "a")},
		Filters: []logs.LineFilter{{Op: logs.Contains, Patterns: []string{"line 1"}}}, Start: 0, End: time.Now().UnixNano(),
	})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return s.Deletes()[0].Status == "processed" }, 10*time.Second, 5*time.Millisecond)
	require.Equal(t, 110-11, count(t, s))
	require.ErrorIs(t, s.CancelDelete(id), ErrNoDelete)
	require.NoError(t, s.Close())
	s = open(t, Options{Dir: dir})
	require.Equal(t, `{app="a"} |= "line 1"`, s.Deletes()[0].Query)
	require.Equal(t, 110-11, count(t, s))
	// The text is in no file any more.
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		if f.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		require.NotContains(t, string(text), "a line 11 with some text", f.Name())
	}
}

// TestTooBigAQuery fails a query that needs too much memory and goes on.
func TestTooBigAQuery(t *testing.T) {
	s := open(t, Options{MemoryLimit: 48 << 20, TempLimit: 1 << 20})
	_, _, c := days()
	for i := range 10 {
		var st logs.Stream
		st.Labels = labels.FromStrings("app", "big")
		for j := range 4000 {
			st.Entries = append(st.Entries, logs.Entry{Timestamp: c.UnixNano() - int64(i*4000+j), Line: fmt.Sprintf("%d %s", j, strings.Repeat(fmt.Sprint(i*j), 200))})
		}
		require.NoError(t, s.Append(t.Context(), []logs.Stream{st}))
	}
	conn, err := s.conn(t.Context())
	require.NoError(t, err)
	g := s.days[dayOf(c.UnixNano())].hot()
	err = s.queryError(conn.Exec(t.Context(), "SELECT string_agg(line, '') FROM "+g.catalog+".lines, range(100)"), nil)
	s.putConn(conn)
	var tooBig *logstore.TooBigError
	require.ErrorAs(t, err, &tooBig)
	require.ErrorContains(t, err, "narrow the time range")
	require.NoError(t, s.Append(t.Context(), lines("after", c, 10)))
	require.Equal(t, 40_010, count(t, s))
}

func TestFollow(t *testing.T) {
	s := open(t, Options{})
	_, _, c := days()
	commits, stop := s.Follow(10)
	slow, stopSlow := s.Follow(1)
	defer stopSlow()
	require.NoError(t, s.Append(t.Context(), lines("a", c, 3)))
	require.NoError(t, s.Append(t.Context(), append(lines("a", c, 4), lines("b", c, 1)...)))
	require.Len(t, (<-commits)[0].Entries, 3)
	second := <-commits
	require.Len(t, second[0].Entries, 1, "duplicates are not delivered")
	require.Len(t, second[1].Entries, 1)
	stop()
	stop()
	_, ok := <-commits
	require.False(t, ok)
	<-slow
	_, ok = <-slow
	require.False(t, ok, "who is too slow is cut off")
}

// TestReadableByOthers opens a day's file as anybody with DuckDB would.
func TestReadableByOthers(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), Options{Dir: dir})
	require.NoError(t, err)
	_, b, _ := days()
	require.NoError(t, s.Append(t.Context(), lines("a", b, 100)))
	require.NoError(t, s.Seal(t.Context(), b.Format(time.DateOnly)))
	require.NoError(t, s.Append(t.Context(), lines("b", b, 10)))
	require.NoError(t, s.Close())
	for name, want := range map[string]int{".1.duckdb": 100, ".1.hot.duckdb": 10} {
		path := filepath.Join(dir, b.Format(time.DateOnly)+name)
		for _, mode := range []string{"opened", "attached"} {
			file, from := path, "entries"
			if mode == "attached" {
				file, from = "", "other.entries"
			}
			db, err := duck.Open(file, nil)
			require.NoError(t, err)
			c, err := db.Conn()
			require.NoError(t, err)
			if mode == "attached" {
				require.NoError(t, c.Exec(t.Context(), "ATTACH "+duck.Quote(path)+" AS other (READ_ONLY)"))
			}
			require.NoError(t, c.Exec(t.Context(), fmt.Sprintf("SELECT CASE WHEN count(*) = %d AND min(labels) LIKE '{\"app\"%%' AND min(time) = make_timestamp_ns(%d) THEN 1 ELSE error('wrong') END FROM %s", want, b.UnixNano(), from)), "%s %s", name, mode)
			c.Close()
			db.Close()
		}
	}
}

func storedDays(s *Store) []string {
	var out []string
	for _, d := range s.Status().Days {
		out = append(out, d.Day)
	}
	return out
}
