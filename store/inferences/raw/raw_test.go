package raw

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/modelwatch/modelwatch/ai"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, change func(*Options)) *Store {
	t.Helper()
	o := Options{Dir: t.TempDir(), Now: func() time.Time { return noon }}
	if change != nil {
		change(&o)
	}
	s, err := Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// add appends a batch of n records of a time, of which the first failed.
func add(t *testing.T, s *Store, position uint64, at time.Time, n int) {
	t.Helper()
	var records []Record
	for i := range n {
		inf := &ai.Inference{Service: "s", Model: "m", Timestamp: at.Add(time.Duration(i) * time.Millisecond), RequestID: fmt.Sprint(position, "-", i)}
		if i == 0 {
			inf.Error = "timeout"
		}
		records = append(records, Record{inf, position, i})
	}
	require.NoError(t, s.Append(t.Context(), position, records))
}

func list(t *testing.T, s *Store, f Filter) []Row {
	t.Helper()
	rows, err := s.List(t.Context(), f)
	require.NoError(t, err)
	return rows
}

func TestAFullDayIsSampled(t *testing.T) {
	s := open(t, func(o *Options) { o.DayBytes, o.SampleRate = 100_000, .1 })
	require.False(t, s.Status().Sampling)
	add(t, s, 1, noon, 1000)
	require.Len(t, list(t, s, Filter{Limit: MaxLimit}), 1000)
	require.False(t, s.Status().Sampling)
	for p := range 10 {
		add(t, s, uint64(p+2), noon, 1000)
	}
	st := s.Status()
	require.True(t, st.Sampling)
	require.Contains(t, st.Reason, "all errors and 10% of the rest are kept")
	rows := list(t, s, Filter{Limit: MaxLimit})
	errors, weight := 0, 0.0
	for _, r := range rows {
		weight += r.Weight
		if r.Failed {
			errors++
			require.Equal(t, 1.0, r.Weight)
		}
	}
	require.Equal(t, 11, errors, "all errors are kept")
	require.InDelta(t, 11_000, weight, 2500, "the weights make up for what was left out")
	require.Equal(t, uint64(11_000), s.Stats().Rows+s.Stats().LeftOut)

	// The next day begins anew, and what is there already is not taken again.
	add(t, s, 20, noon.Add(13*time.Hour), 5)
	add(t, s, 20, noon.Add(13*time.Hour), 5)
	require.Len(t, list(t, s, Filter{Since: noon.Add(12 * time.Hour)}), 5)
}

func TestRetentionByTimeAndSize(t *testing.T) {
	now := noon
	s := open(t, func(o *Options) { o.Now = func() time.Time { return now }; o.Retention = 72 * time.Hour })
	for d := range 3 {
		add(t, s, uint64(d+1), noon.Add(-time.Duration(d)*24*time.Hour), 10)
	}
	add(t, s, 9, noon.Add(-100*time.Hour), 10)
	require.Equal(t, uint64(10), s.Stats().TooOld)
	days, err := s.Days()
	require.NoError(t, err)
	require.Equal(t, []string{"2026-02-27", "2026-02-28", "2026-03-01"}, days)
	now = noon.Add(48 * time.Hour)
	require.NoError(t, s.Tidy())
	days, err = s.Days()
	require.NoError(t, err)
	require.Equal(t, []string{"2026-02-28", "2026-03-01"}, days)
	s.o.MaxBytes = 1
	now = now.Add(2 * time.Minute)
	require.NoError(t, s.Tidy())
	days, err = s.Days()
	require.NoError(t, err)
	require.Equal(t, []string{"2026-03-01"}, days, "the newest stays")
	now = now.Add(time.Hour)
	require.NoError(t, s.Tidy())
	require.Nil(t, s.conn, "DuckDB is closed when it is idle")
	require.Len(t, list(t, s, Filter{}), 10, "and opened again")
}

func TestADamagedDayIsSetAside(t *testing.T) {
	for name, damage := range map[string]func(file string) error{
		"no database": func(file string) error { return os.WriteFile(file, make([]byte, 20_000), 0o600) },
		"cut":         func(file string) error { return os.Truncate(file, 5000) },
		"half zero": func(file string) error {
			f, err := os.OpenFile(file, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			if _, err := f.WriteAt(make([]byte, 12_288), 4096); err != nil {
				return err
			}
			return f.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			same := func(o *Options) { o.Dir = dir }
			s := open(t, same)
			add(t, s, 1, noon.Add(-24*time.Hour), 10)
			add(t, s, 2, noon, 10)
			require.NoError(t, s.Close())
			require.NoError(t, damage(filepath.Join(dir, "raw-2026-03-01.duckdb")))
			s = open(t, same)
			require.Len(t, list(t, s, Filter{}), 10, "the other day is still there")
			require.Equal(t, uint64(1), s.Stats().Corrupt)
			aside, err := filepath.Glob(filepath.Join(dir, "*.corrupt-*"))
			require.NoError(t, err)
			require.NotEmpty(t, aside)
			add(t, s, 3, noon, 5)
			require.Len(t, list(t, s, Filter{}), 15)
		})
	}
}

func TestManyDaysAtOnce(t *testing.T) {
	s := open(t, nil)
	for d := range 10 {
		add(t, s, uint64(d+1), noon.Add(-time.Duration(d)*24*time.Hour), 2)
	}
	require.LessOrEqual(t, len(s.attached), maxAttached)
	rows := list(t, s, Filter{Limit: 7, Oldest: true})
	require.Len(t, rows, 7)
	for i := 1; i < len(rows); i++ {
		require.True(t, rows[i].Timestamp.After(rows[i-1].Timestamp))
	}
}

// The rows are read back by DuckDB, from files that it wrote.
func TestExport(t *testing.T) {
	s := open(t, nil)
	for d := range 3 {
		add(t, s, uint64(d+1), noon.Add(-time.Duration(d)*24*time.Hour), 20_000)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "it's all.parquet")
	count := func(what string) (n int) {
		require.NoError(t, s.conn.QueryRowContext(t.Context(), "SELECT "+what+" FROM read_parquet("+quote(file)+")").Scan(&n))
		return n
	}
	n, err := s.Export(t.Context(), Filter{}, file)
	require.NoError(t, err)
	require.Equal(t, int64(60_000), n)
	require.Equal(t, 60_000, count("count(DISTINCT request_id)"))
	require.Zero(t, count("(SELECT count(*) FROM (SELECT timestamp < lag(timestamp) OVER () AS back FROM read_parquet("+quote(file)+")) WHERE back)::INT"), "by time")
	for want, f := range map[int64]Filter{
		3: {Errors: true}, 1: {RequestID: "2-7"}, 10_000: {Since: noon.Add(-24 * time.Hour), Until: noon.Add(-24*time.Hour + 10*time.Second)},
	} {
		n, err := s.Export(t.Context(), f, file)
		require.NoError(t, err)
		require.Equal(t, want, n)
		require.Equal(t, int(want), count("count(*)"))
	}
	_, err = s.Export(t.Context(), Filter{Service: "x"}, file)
	require.ErrorIs(t, err, ErrNothing)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing else is left there")
}

func TestOptions(t *testing.T) {
	_, err := Open(Options{Dir: t.TempDir(), Exclude: []string{"[x"}})
	require.ErrorContains(t, err, `pattern of features "[x"`)
	_, err = Open(Options{Dir: t.TempDir(), SampleRate: 2})
	require.ErrorContains(t, err, "above 1")
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "hash.key"), []byte("short"), 0o600))
	_, err = Open(Options{Dir: dir, Hash: []string{"*"}})
	require.ErrorContains(t, err, "5 bytes instead of 32")
}

func TestJSONOfValues(t *testing.T) {
	for want, v := range map[string]ai.Value{
		`"a\"\\\u000aäö"`: ai.String("a\"\\\näö"), `1e+300`: ai.Number(1e300), `"Infinity"`: ai.Number(1 / zero), `true`: ai.Bool(true),
		`[1,0.1]`: ai.Vector32([]float32{1, .1}), `[]`: ai.Vector(nil), `null`: {},
	} {
		require.Equal(t, want, string(appendValue(nil, v)))
	}
}

var zero float64

// The longest lists, from anywhere in a long day, and the reading of all of it do with
// the memory that DuckDB may have.
func TestALongDayIsRead(t *testing.T) {
	s := open(t, func(o *Options) { o.MemoryLimit = "32MB" })
	begin := time.Now().UTC().Truncate(24 * time.Hour)
	const batches, size = 60, 2000
	for b := range uint64(batches) {
		records := make([]Record, size)
		for i := range records {
			records[i] = Record{Inference: &ai.Inference{
				Timestamp: begin.Add(time.Duration(b)*time.Second + time.Duration(i)*time.Microsecond), Service: "shop", Model: "ranker",
				RequestID: fmt.Sprintf("%d-%d", b, i), Features: []ai.Feature{{Name: "x", Value: ai.Number(float64(i))}, {Name: "city", Value: ai.String("Klagenfurt am Wörthersee")}},
			}, Position: b + 1, Index: i}
		}
		require.NoError(t, s.Append(t.Context(), b+1, records))
	}
	seen, last := map[string]bool{}, time.Time{}
	for {
		rows := list(t, s, Filter{Since: last, Limit: MaxLimit, Oldest: true})
		for i := range rows {
			require.False(t, rows[i].Timestamp.Before(last), "by timestamp")
			last = rows[i].Timestamp
			seen[rows[i].RequestID] = true
		}
		if len(rows) < MaxLimit {
			break
		}
	}
	require.Len(t, seen, batches*size)
	of := Selection{Key: ai.Key{Service: "shop", Model: "ranker"}}
	there, err := s.Extent(t.Context(), of)
	require.NoError(t, err)
	require.Equal(t, Extent{Rows: batches * size, Inferences: batches * size}, there)
	n := 0
	require.NoError(t, s.Scan(t.Context(), of, func(features, _ []byte) error {
		require.Contains(t, string(features), fmt.Sprintf(`{"x":%d,`, n%size), "by timestamp")
		n++
		return nil
	}))
	require.Equal(t, batches*size, n)
	enough := errors.New("enough")
	require.ErrorIs(t, s.Scan(t.Context(), of, func(_, _ []byte) error { return enough }), enough)
}
