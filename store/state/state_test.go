package state

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
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

func open(t *testing.T, path string) *DB {
	t.Helper()
	d, err := Open(Options{Path: path, Now: func() time.Time { return noon }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func TestDocuments(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a dir? with #signs%.db")
	d := open(t, path)
	_, ok, err := d.Document(t.Context(), "x")
	require.NoError(t, err)
	require.False(t, ok)
	require.NoError(t, d.SetDocument(t.Context(), "x", []byte("one")))
	require.NoError(t, d.SetDocument(t.Context(), "x", []byte("two")))
	require.NoError(t, d.SetDocument(t.Context(), "empty", []byte{}))
	require.NoError(t, d.Close())
	require.FileExists(t, path)

	d = open(t, path)
	v, ok, err := d.Document(t.Context(), "x")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "two", string(v))
	_, ok, err = d.Document(t.Context(), "empty")
	require.NoError(t, err)
	require.True(t, ok)
	require.NoError(t, d.SetDocument(t.Context(), "x", nil))
	_, ok, err = d.Document(t.Context(), "x")
	require.NoError(t, err)
	require.False(t, ok)
}

func TestProfiles(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "state.db"))
	a, b := ai.Key{Service: "s", Model: "m", Version: "1"}, ai.Key{Service: "s", Model: "m", Version: "2"}
	var rows []Profile
	for i := range 3 {
		for _, f := range []string{"x", "", "y"} {
			for _, k := range []ai.Key{a, b} {
				rows = append(rows, Profile{k, f, noon.Add(time.Duration(i) * time.Minute), time.Minute, fmt.Append(nil, k.Version, f, i)})
			}
		}
	}
	rows = append(rows, Profile{a, "x", noon, time.Hour, []byte("hour")})
	require.NoError(t, d.SaveProfiles(t.Context(), rows))
	require.NoError(t, d.SaveProfiles(t.Context(), []Profile{{a, "x", noon, time.Minute, []byte("new")}}))

	got, err := d.Profiles(t.Context(), ProfileQuery{Key: a, Length: time.Minute, From: noon, To: noon.Add(2 * time.Minute)})
	require.NoError(t, err)
	var texts []string
	for _, p := range got {
		require.Equal(t, a, p.Key)
		texts = append(texts, p.Start.Format("04")+" "+p.Feature+" "+string(p.Data))
	}
	require.Equal(t, []string{"00  10", "00 x new", "00 y 1y0", "01  11", "01 x 1x1", "01 y 1y1"}, texts)

	got, err = d.Profiles(t.Context(), ProfileQuery{Key: a, Length: time.Minute, Features: []string{"", "y"}, From: noon.Add(2 * time.Minute)})
	require.NoError(t, err)
	require.Len(t, got, 2)
	got, err = d.Profiles(t.Context(), ProfileQuery{Key: a, Length: time.Minute, Features: []string{}})
	require.NoError(t, err)
	require.Empty(t, got, "no feature is none")
	got, err = d.Profiles(t.Context(), ProfileQuery{Key: ai.Key{Model: "unknown"}, Length: time.Minute})
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestSaveProfilesIsAllOrNone(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "state.db"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	row := Profile{ai.Key{Model: "m"}, "x", noon, time.Minute, []byte("a")}
	require.ErrorIs(t, d.SaveProfiles(ctx, []Profile{row}), context.Canceled)
	require.NoError(t, d.SaveProfiles(t.Context(), []Profile{row}), "names of a transaction that failed are not known")
	got, err := d.Profiles(t.Context(), ProfileQuery{Key: row.Key, Length: time.Minute})
	require.NoError(t, err)
	require.Len(t, got, 1)
}

func TestRetentionByLength(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "state.db"))
	k := ai.Key{Model: "m"}
	var rows []Profile
	for _, days := range []int{0, 2, 10, 40, 400} {
		for _, length := range []time.Duration{time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute, time.Hour, 24 * time.Hour} {
			rows = append(rows, Profile{k, "x", noon.AddDate(0, 0, -days), length, []byte(strconv.Itoa(days))})
		}
	}
	require.NoError(t, d.SaveProfiles(t.Context(), rows))
	_, err := d.DeleteOldProfiles(t.Context())
	require.NoError(t, err)
	for length, want := range map[time.Duration]int{time.Second: 1, time.Minute: 1, 5 * time.Minute: 1, 10 * time.Minute: 2, time.Hour: 3, 24 * time.Hour: 4} {
		got, err := d.Profiles(t.Context(), ProfileQuery{Key: k, Length: length})
		require.NoError(t, err)
		require.Len(t, got, want, length)
	}
}

func TestBaselines(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "state.db"))
	k := ai.Key{Service: "s", Model: "m", Version: "1"}
	require.NoError(t, d.SaveBaseline(t.Context(), Baseline{"b1", k, 1, true, []byte("i1"), []byte("d1")}))
	require.NoError(t, d.SaveBaseline(t.Context(), Baseline{"b2", k, 2, true, []byte("i2"), []byte("d2")}))
	require.NoError(t, d.SaveBaseline(t.Context(), Baseline{"o", ai.Key{Model: "other"}, 1, true, nil, []byte("d")}))
	require.NoError(t, d.SaveBaseline(t.Context(), Baseline{"b2", k, 2, true, []byte("i3"), nil}))
	list, err := d.Baselines(t.Context())
	require.NoError(t, err)
	require.Equal(t, []Baseline{
		{ID: "o", Key: ai.Key{Model: "other"}, Number: 1, Active: true, Info: []byte{}},
		{ID: "b1", Key: k, Number: 1, Info: []byte("i1")},
		{ID: "b2", Key: k, Number: 2, Active: true, Info: []byte("i3")},
	}, list)
	b, ok, err := d.Baseline(t.Context(), "b2")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "d2", string(b.Data), "nil leaves what is stored")
	require.NoError(t, d.DeleteBaseline(t.Context(), "b2"))
	require.NoError(t, d.DeleteBaseline(t.Context(), "b2"))
	_, ok, err = d.Baseline(t.Context(), "b2")
	require.NoError(t, err)
	require.False(t, ok)
	require.ErrorContains(t, d.SaveBaseline(t.Context(), Baseline{}), "no id")
}

func TestOpenRefusesWhatItDoesNotKnow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db, err := sql.Open("sqlite3", path)
	require.NoError(t, err)
	_, err = db.Exec("PRAGMA user_version = 99")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	_, err = Open(Options{Path: path})
	require.ErrorContains(t, err, "start the release that wrote it")
	require.NoError(t, os.WriteFile(path, []byte("this is no database, whatever its name says......................................................................."), 0o600))
	_, err = Open(Options{Path: path})
	require.ErrorContains(t, err, "put a copy back or move it away")
}

func BenchmarkSaveMinute(b *testing.B) {
	d, err := Open(Options{Path: filepath.Join(b.TempDir(), "state.db")})
	require.NoError(b, err)
	defer func() { require.NoError(b, d.Close()) }()
	data := make([]byte, 700)
	for i := range data {
		data[i] = byte(i * i)
	}
	n := 0
	for b.Loop() {
		n++
		var rows []Profile
		for m := range 10 {
			for f := range 200 {
				rows = append(rows, Profile{ai.Key{Service: "s", Model: strconv.Itoa(m), Version: "1"}, "feature_" + strconv.Itoa(f), noon.Add(time.Duration(n) * time.Minute), time.Minute, data})
			}
		}
		require.NoError(b, d.SaveProfiles(b.Context(), rows))
	}
}
