package state

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAccessRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	d := open(t, path)
	a := d.Access()
	require.NoError(t, a.SaveRecords(t.Context(), nil))
	require.NoError(t, a.SaveRecords(t.Context(), map[string][]byte{"user/1": []byte("ann"), "user/2": []byte("bob"), "token/1": []byte("{}")}))
	require.NoError(t, a.SaveRecords(t.Context(), map[string][]byte{"user/1": []byte("eve"), "user/2": nil, "user/3": nil}))
	require.NoError(t, d.Close())

	got, err := open(t, path).Access().Records(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string][]byte{"user/1": []byte("eve"), "token/1": []byte("{}")}, got)
}

func TestAccessEvents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	d := open(t, path)
	a := d.Access()
	for i := range 5 {
		seq, err := a.AppendEvent(t.Context(), noon.Add(time.Duration(i)*time.Hour), []byte{byte('a' + i)})
		require.NoError(t, err)
		require.EqualValues(t, i+1, seq)
	}
	require.NoError(t, a.UpdateEvent(t.Context(), 5, []byte("E")))
	require.NoError(t, a.UpdateEvent(t.Context(), 99, []byte("gone")))

	read := func(before int64, limit int) (out string) {
		seqs, data, err := a.Events(t.Context(), before, limit)
		require.NoError(t, err)
		require.Len(t, data, len(seqs))
		for i := range seqs {
			require.True(t, i == 0 || seqs[i] < seqs[i-1], "newest first")
			out += string(data[i])
		}
		return out
	}
	require.Equal(t, "Edcba", read(0, 10))
	require.Equal(t, "Ed", read(0, 2))
	require.Equal(t, "cb", read(4, 2))
	require.NoError(t, a.TrimEvents(t.Context(), 10, noon.Add(time.Hour)))
	require.Equal(t, "Edcb", read(0, 10))
	require.NoError(t, a.TrimEvents(t.Context(), 2, time.Time{}))
	require.Equal(t, "Ed", read(0, 10))
	require.NoError(t, a.TrimEvents(t.Context(), 0, noon))
	require.Empty(t, read(0, 10))
	require.NoError(t, d.Close())

	// A number that was given once is not given to another event.
	d = open(t, path)
	seq, err := d.Access().AppendEvent(t.Context(), noon, []byte("f"))
	require.NoError(t, err)
	require.EqualValues(t, 6, seq)
}
