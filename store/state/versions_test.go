package state

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFileVersions(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	db, err := Open(Options{Path: path})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "it holds secrets of files")
	f := db.FileVersions()
	_, ok, err := f.Get(t.Context(), "a", 0)
	require.NoError(t, err)
	require.False(t, ok)
	var ids []int64
	for i := range 5 {
		id, err := f.Add(t.Context(), FileVersion{Path: "a", At: time.Unix(int64(i), 0), Kind: "saved", Who: "ada", Comment: "c", Text: fmt.Appendf(nil, "text %d", i)}, 3, 1<<20)
		require.NoError(t, err)
		ids = append(ids, id)
	}
	list, err := f.List(t.Context(), "a")
	require.NoError(t, err)
	require.Len(t, list, 3, "the newest three are kept")
	require.Equal(t, ids[4], list[0].ID)
	require.Equal(t, 6, list[0].Size)
	require.Nil(t, list[0].Text)
	v, ok, err := f.Get(t.Context(), "a", ids[3])
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, []any{"text 3", "ada", int64(3)}, []any{string(v.Text), v.Who, v.At.Unix()})
	_, ok, err = f.Get(t.Context(), "b", ids[3])
	require.NoError(t, err)
	require.False(t, ok, "it belongs to another file")

	// All files together have a bound, but the newest of each stays.
	_, err = f.Add(t.Context(), FileVersion{Path: "b", At: time.Unix(9, 0), Kind: "saved", Text: []byte("long enough")}, 3, 20)
	require.NoError(t, err)
	for path, want := range map[string]int{"a": 1, "b": 1} {
		list, err := f.List(t.Context(), path)
		require.NoError(t, err)
		require.Len(t, list, want)
	}
	require.NoError(t, f.SetKind(t.Context(), ids[4], "restored"))
	for _, c := range []struct{ kinds, want []string }{
		{[]string{"saved"}, []string{"b"}}, {[]string{"restored", "saved"}, []string{"b", "a"}}, {[]string{"removed"}, nil},
	} {
		paths, err := f.Ending(t.Context(), c.kinds...)
		require.NoError(t, err)
		require.Equal(t, c.want, paths)
	}
	v, _, err = f.Get(t.Context(), "a", 0)
	require.NoError(t, err)
	require.Equal(t, "restored", v.Kind)
	require.NoError(t, f.Delete(t.Context(), ids[4]))
	list, err = f.List(t.Context(), "a")
	require.NoError(t, err)
	require.Empty(t, list)
}
