package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a journalctl that prints entries and its arguments, and then waits as the real one does.
func fake(t *testing.T, script string) string {
	path := filepath.Join(t.TempDir(), "journalctl")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755))
	return path
}

const entries = `cat <<'END'
{"__CURSOR":"c1","__REALTIME_TIMESTAMP":"1795341600000123","MESSAGE":"hello","PRIORITY":"3","_SYSTEMD_UNIT":"ai.service"}
{"__CURSOR":"c2","__REALTIME_TIMESTAMP":"1795341601000000","MESSAGE":[104,105,255],"_PID":["1","2"]}
{"__CURSOR":"c3","__REALTIME_TIMESTAMP":"1795341602000000","MESSAGE":null}
{"broken
END
echo "{\"__CURSOR\":\"c4\",\"__REALTIME_TIMESTAMP\":\"1795341603000000\",\"MESSAGE\":\"$*\"}"
`

func TestFollow(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var got []Entry
	err := Follow(ctx, Options{
		Command: fake(t, entries+"exec sleep 60\n"), After: "c0", Path: "/j", Matches: "_A=b  _C=d",
		Handle: func(_ context.Context, e []Entry) error {
			got = append(got, e...)
			if got[len(got)-1].Cursor == "c4" {
				cancel()
			}
			return nil
		},
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, got, 3)
	require.Equal(t, Entry{Line: "hello", Time: time.UnixMicro(1795341600000123), Cursor: "c1", Labels: map[string]string{
		"__journal___cursor": "c1", "__journal___realtime_timestamp": "1795341600000123", "__journal_message": "hello",
		"__journal_priority": "3", "__journal_priority_keyword": "error", "__journal__systemd_unit": "ai.service",
	}}, got[0])
	require.Equal(t, "hi\uFFFD", got[1].Line)
	require.Equal(t, "2", got[1].Labels["__journal__pid"])
	require.Equal(t, "--output=json --follow --no-pager --all --lines=all --quiet --directory=/j --after-cursor=c0 _A=b _C=d", got[2].Line)
}

func TestEnds(t *testing.T) {
	handle := func(context.Context, []Entry) error { return nil }
	err := Follow(t.Context(), Options{Command: fake(t, "echo no journal >&2; exit 1\n"), Handle: handle})
	require.ErrorContains(t, err, "journalctl has ended: exit status 1: no journal")
	require.ErrorIs(t, Follow(t.Context(), Options{Command: "/nosuch/journalctl", Handle: handle}), ErrMissing)
	full := errors.New("full")
	err = Follow(t.Context(), Options{Command: fake(t, entries+"exec sleep 60\n"), Handle: func(context.Context, []Entry) error { return full }})
	require.ErrorIs(t, err, full)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"__CURSOR":"c","__REALTIME_TIMESTAMP":"1","MESSAGE":[1,2],"PRIORITY":"9"}`), true)
	f.Fuzz(func(t *testing.T, line []byte, whole bool) {
		e, ok := parse(line, whole)
		if ok {
			require.NotEmpty(t, fmt.Sprint(e.Line))
		}
	})
}
