package duck

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func connect(t *testing.T, settings map[string]string) *Conn {
	t.Helper()
	db, err := Open("", settings)
	require.NoError(t, err)
	c, err := db.Conn()
	require.NoError(t, err)
	t.Cleanup(func() {
		c.Close()
		db.Close()
	})
	return c
}

// TestThereAndBack appends text of all lengths, more than fits into the arena at once, and reads it again.
func TestThereAndBack(t *testing.T) {
	c := connect(t, nil)
	arena, err := NewArena(4096)
	require.NoError(t, err)
	defer func() { require.NoError(t, arena.Close()) }()
	require.NoError(t, c.Exec(t.Context(), "CREATE TABLE x (a UINTEGER, b BIGINT, c VARCHAR, d VARCHAR, e VARCHAR, f BOOLEAN)"))
	const n = 5000
	cols := make([]Column, 6)
	cols[3].NullIfEmpty = true
	for i := range n {
		cols[0].Uint32s = append(cols[0].Uint32s, uint32(i))
		cols[1].Int64s = append(cols[1].Int64s, -int64(i))
		cols[2].Strings = append(cols[2].Strings, strings.Repeat("é", i%40)+"\x00")
		cols[3].Strings = append(cols[3].Strings, strings.Repeat("x", i%14))
		cols[4].Strings = append(cols[4].Strings, fmt.Sprint(i))
		cols[4].Null = append(cols[4].Null, i%3 == 0)
		cols[5].Bools = append(cols[5].Bools, i%5 == 0)
	}
	cols[2].Strings[7] = strings.Repeat("large ", 10_000)
	app, err := c.Appender("memory", "x", []Type{UInteger, BigInt, Varchar, Varchar, Varchar, Boolean}, arena)
	require.NoError(t, err)
	require.NoError(t, app.Append(cols, n))
	require.NoError(t, app.Close())
	rows, err := c.Query(t.Context(), "SELECT * FROM x ORDER BY a")
	require.NoError(t, err)
	defer rows.Close()
	i := 0
	for {
		k, err := rows.Next()
		require.NoError(t, err)
		if k == nil {
			break
		}
		a, b := Fixed[uint32](k, 0), Fixed[int64](k, 1)
		text, maybe, marked := k.Strings(2), k.Strings(3), k.Strings(4)
		for row := range k.Len() {
			require.Equal(t, uint32(i), a[row])
			require.Equal(t, -int64(i), b[row])
			require.Equal(t, cols[2].Strings[i], text.At(row))
			require.Equal(t, i%14 != 0, k.Valid(3).Valid(row))
			if i%14 != 0 {
				require.Equal(t, cols[3].Strings[i], maybe.At(row))
			}
			require.Equal(t, i%3 != 0, k.Valid(4).Valid(row))
			if i%3 != 0 {
				require.Equal(t, fmt.Sprint(i), marked.At(row))
			}
			require.Equal(t, i%5 == 0, Fixed[bool](k, 5)[row])
			i++
		}
		k.Close()
	}
	require.Equal(t, n, i)
}

func TestErrors(t *testing.T) {
	c := connect(t, map[string]string{"memory_limit": "20MB", "max_temp_directory_size": "0B"})
	require.ErrorContains(t, c.Exec(t.Context(), "SELEKT"), "syntax error")
	_, err := c.Query(t.Context(), "SELECT nosuch")
	require.Error(t, err)
	err = c.Exec(t.Context(), "SELECT string_agg(repeat('x', 1000), '') FROM range(1000000)")
	require.True(t, IsMemory(err), "%v", err)
	require.False(t, IsFatal(err))
	_, err = Open("", map[string]string{"nosuch": "1"})
	require.ErrorContains(t, err, "nosuch")
	_, err = c.Appender("memory", "nosuch", nil, nil)
	require.Error(t, err)
	require.NoError(t, c.Exec(t.Context(), "SELECT 1"), "the connection goes on")
}

// TestCancel interrupts a statement, and only that one.
func TestCancel(t *testing.T) {
	c := connect(t, nil)
	const endless = "SELECT count(*) FROM range(10000000000) a WHERE hash(a.range) = 1"
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, c.Exec(ctx, endless), context.DeadlineExceeded)
	ctx, cancel = context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	rows, err := c.Query(ctx, endless)
	if err == nil {
		_, err = rows.Next()
		rows.Close()
	}
	require.ErrorIs(t, err, context.DeadlineExceeded, "%v", err)
	rows, err = c.Query(t.Context(), "SELECT 42::BIGINT")
	require.NoError(t, err)
	k, err := rows.Next()
	require.NoError(t, err)
	require.Equal(t, []int64{42}, Fixed[int64](k, 0))
	k.Close()
	rows.Close()
}

func FuzzQuote(f *testing.F) {
	f.Add("it's \x00 é")
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "")
		c := connect(t, nil)
		rows, err := c.Query(t.Context(), "SELECT "+Quote(s))
		require.NoError(t, err)
		defer rows.Close()
		k, err := rows.Next()
		require.NoError(t, err)
		defer k.Close()
		require.Equal(t, s, k.Strings(0).At(0))
	})
}
