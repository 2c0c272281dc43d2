package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/store/logs/duck"
)

// errInconsistent is a file whose tables contradict each other.
var errInconsistent = errors.New("file contradicts itself")

// dayLength is a day in nanoseconds.
const dayLength = int64(24 * time.Hour)

// dayOf is the number of the day, counted from the Unix epoch in UTC, in which t lies.
func dayOf(t int64) int64 {
	d := t / dayLength
	if t%dayLength < 0 {
		d--
	}
	return d
}

// dayName is the date of a day.
func dayName(day int64) string { return time.Unix(0, day*dayLength).UTC().Format(time.DateOnly) }

// segment is one file with entries of one day. A hot one takes entries in the order of arrival; a sealed one is sorted,
// compressed and never written again.
//
// Files are named by day and generation. A sealed file of generation g holds everything that files of the day with a
// smaller generation hold, so that these are superfluous from the moment it has its name. This is what makes sealing
// safe against a kill at any point without a second place that says which files count.
type segment struct {
	day     int64
	gen     int
	sealed  bool
	path    string
	catalog string

	// whole is set if the file has the column json, which the first files did not have.
	whole bool

	// What follows is guarded by Store.mu.

	streams []streamInfo
	byHash  map[uint64][]uint32
	// refs is the number of readers; gone is set when the segment has been replaced and goes with the last of them.
	refs int
	gone bool
	// last is when the segment was last written to, on the store's clock.
	last time.Time
}

// streamInfo is a stream of a segment; its index in segment.streams is its number in the file.
type streamInfo struct {
	labels labels.Labels
	// rows and bytes of lines; first and last are timestamps in nanoseconds and mean nothing while rows is 0.
	rows, bytes int64
	first, last int64
	// metadata is set if any entry has some.
	metadata bool
}

var segmentName = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})\.(\d+)(\.hot)?\.duckdb$`)

func newSegment(dir string, day int64, gen int, sealed bool) *segment {
	name, kind := fmt.Sprintf("%s.%d", dayName(day), gen), "s"
	if !sealed {
		name, kind = name+".hot", "h"
	}
	return &segment{
		day: day, gen: gen, sealed: sealed,
		path:    filepath.Join(dir, name+".duckdb"),
		catalog: fmt.Sprintf("d%s_%d%s", strings.ReplaceAll(dayName(day), "-", ""), gen, kind),
		byHash:  map[uint64][]uint32{},
	}
}

// parseSegment returns the segment that a file name stands for.
func parseSegment(dir, name string) (*segment, bool) {
	m := segmentName.FindStringSubmatch(name)
	if m == nil {
		return nil, false
	}
	t, err := time.Parse(time.DateOnly, m[1])
	if err != nil {
		return nil, false
	}
	gen, err := strconv.Atoi(m[2])
	if err != nil {
		return nil, false
	}
	return newSegment(dir, dayOf(t.UnixNano()), gen, m[3] == ""), true
}

// promoted is the field of JSON lines that has a column of its own, because nearly every overview of logs counts by it.
const promoted = "level"

// schema is the same in every file. The text columns are plain, so that any DuckDB can read a day; the view is for people.
// The column level is what scan.JSONLabel makes of the line for that name: "" if it has none, NULL if it is not JSON. The
// column json says whether scan.JSONWhole reads the line to its end; NULL is unknown.
const schema = `
CREATE TABLE IF NOT EXISTS %[1]s.streams (stream UINTEGER, labels VARCHAR);
CREATE TABLE IF NOT EXISTS %[1]s.lines (stream UINTEGER, ts BIGINT, size UINTEGER, line VARCHAR%[2]s, metadata VARCHAR, level VARCHAR, json BOOLEAN);
CREATE TABLE IF NOT EXISTS %[1]s.patterns (labels VARCHAR, ts BIGINT, pattern VARCHAR, entries BIGINT);
CREATE VIEW IF NOT EXISTS %[1]s.entries AS
	SELECT make_timestamp_ns(ts) AS time, labels, level, line, metadata FROM lines JOIN streams USING (stream);`

// attach opens the segment's file, making it if it is hot and not there, and reads its streams.
func (g *segment) attach(ctx context.Context, c *duck.Conn) error {
	options := "READ_ONLY"
	if !g.sealed {
		options = "STORAGE_VERSION 'v1.2.0'"
	}
	if err := c.Exec(ctx, fmt.Sprintf("ATTACH %s AS %s (%s)", duck.Quote(g.path), g.catalog, options)); err != nil {
		return fmt.Errorf("attach %s: %w", filepath.Base(g.path), err)
	}
	if !g.sealed {
		if err := c.Exec(ctx, fmt.Sprintf(schema, g.catalog, "")); err != nil {
			return fmt.Errorf("make tables in %s: %w", filepath.Base(g.path), err)
		}
		if err := c.Exec(ctx, "ALTER TABLE "+g.catalog+".lines ADD COLUMN IF NOT EXISTS json BOOLEAN"); err != nil {
			return fmt.Errorf("make columns in %s: %w", filepath.Base(g.path), err)
		}
	}
	if err := g.load(ctx, c); err != nil {
		return fmt.Errorf("read streams of %s: %w", filepath.Base(g.path), err)
	}
	return nil
}

func (g *segment) detach(ctx context.Context, c *duck.Conn) error {
	return c.Exec(ctx, "DETACH DATABASE IF EXISTS "+g.catalog)
}

func (g *segment) load(ctx context.Context, c *duck.Conn) error {
	g.streams, g.byHash, g.whole = nil, map[uint64][]uint32{}, false
	columns := "SELECT column_name FROM duckdb_columns() WHERE database_name = " + duck.Quote(g.catalog) + " AND table_name = 'lines' AND column_name = 'json'"
	if err := each(ctx, c, columns, func(*duck.Chunk) error {
		g.whole = true
		return nil
	}); err != nil {
		return err
	}
	err := each(ctx, c, "SELECT stream, labels FROM "+g.catalog+".streams ORDER BY stream", func(k *duck.Chunk) error {
		ids, text := duck.Fixed[uint32](k, 0), k.Strings(1)
		for i := range k.Len() {
			if int(ids[i]) != len(g.streams) {
				return fmt.Errorf("%w: stream %d where %d was expected", errInconsistent, ids[i], len(g.streams))
			}
			ls, err := decodeLabels(text.At(i))
			if err != nil {
				return fmt.Errorf("%w: labels of stream %d: %w", errInconsistent, ids[i], err)
			}
			g.addStream(ls)
		}
		return nil
	})
	if err != nil {
		return err
	}
	query := "SELECT stream, entries, bytes, first, last, metadata FROM " + g.catalog + ".stats"
	if !g.sealed {
		query = "SELECT stream, count(*), CAST(sum(size) AS BIGINT), min(ts), max(ts), count(metadata) > 0 FROM " + g.catalog + ".lines GROUP BY stream"
	}
	return each(ctx, c, query, func(k *duck.Chunk) error {
		ids := duck.Fixed[uint32](k, 0)
		rows, bytes := duck.Fixed[int64](k, 1), duck.Fixed[int64](k, 2)
		first, last, meta := duck.Fixed[int64](k, 3), duck.Fixed[int64](k, 4), duck.Fixed[bool](k, 5)
		for i, id := range ids {
			if int(id) >= len(g.streams) {
				return fmt.Errorf("%w: entries of an unknown stream %d", errInconsistent, id)
			}
			st := &g.streams[id]
			st.rows, st.bytes, st.first, st.last, st.metadata = rows[i], bytes[i], first[i], last[i], meta[i]
		}
		return nil
	})
}

// addStream gives a label set the next number.
func (g *segment) addStream(ls labels.Labels) uint32 {
	id := uint32(len(g.streams))
	g.streams = append(g.streams, streamInfo{labels: ls, first: math.MaxInt64, last: math.MinInt64})
	h := ls.Hash()
	g.byHash[h] = append(g.byHash[h], id)
	return id
}

func (g *segment) lookup(ls labels.Labels, hash uint64) (uint32, bool) {
	for _, id := range g.byHash[hash] {
		if labels.Equal(g.streams[id].labels, ls) {
			return id, true
		}
	}
	return 0, false
}

// size is the number of bytes of the segment's files on disk.
func (g *segment) size() int64 {
	var n int64
	for _, p := range g.files() {
		if fi, err := os.Stat(p); err == nil {
			n += fi.Size()
		}
	}
	return n
}

func (g *segment) files() []string { return []string{g.path, g.path + ".wal"} }

// remove deletes the segment's files.
func (g *segment) remove() error {
	for _, p := range g.files() {
		if err := os.Remove(p); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("remove day file: %w", err)
		}
	}
	return nil
}

// each runs a query and calls f for every run of rows.
func each(ctx context.Context, c *duck.Conn, sql string, f func(*duck.Chunk) error) error {
	rows, err := c.Query(ctx, sql)
	if err != nil {
		return err
	}
	defer rows.Close()
	for {
		k, err := rows.Next()
		if err != nil {
			return err
		}
		if k == nil {
			return nil
		}
		err = f(k)
		k.Close()
		if err != nil {
			return err
		}
	}
}

// encodeLabels writes a label set as a JSON object with sorted names; "" for none.
func encodeLabels(ls labels.Labels) string {
	if ls.IsEmpty() {
		return ""
	}
	b := make([]byte, 0, 128)
	ls.Range(func(l labels.Label) {
		sep := byte(',')
		if len(b) == 0 {
			sep = '{'
		}
		b = append(b, sep)
		b = appendJSON(b, l.Name)
		b = append(b, ':')
		b = appendJSON(b, l.Value)
	})
	return string(append(b, '}'))
}

func appendJSON(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x7f {
			text, err := json.Marshal(s)
			if err != nil {
				text = []byte(`""`) // Strings always marshal.
			}
			return append(b, text...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func decodeLabels(text string) (labels.Labels, error) {
	if text == "" {
		return labels.EmptyLabels(), nil
	}
	var m map[string]string
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return labels.EmptyLabels(), err
	}
	return labels.FromMap(m), nil
}
