package local

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	ossignal "os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/logs"
)

// fullDir tells the test binary to be a process in which files cannot grow beyond a few megabytes for a while.
const fullDir = "MODELWATCH_TEST_FULL_DIR"

// fillDisk appends until files cannot grow, then makes room, and appends again. It prints what was acknowledged.
func fillDisk(dir string) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	ossignal.Ignore(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	fail(syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit))
	ctx := context.Background()
	// One day and so one file: an Append over midnight can store one day and refuse the other.
	noon := time.Now().UTC().Truncate(24 * time.Hour).Add(12 * time.Hour)
	s, err := Open(ctx, Options{Dir: dir, Now: func() time.Time { return noon }})
	fail(err)
	fail(syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 6 << 20, Max: limit.Max}))
	r := rand.New(rand.NewPCG(1, 1))
	at := noon.Add(-time.Hour)
	batch := func(i int) []logs.Stream {
		out := lines("full", at.Add(time.Duration(i)*time.Second), 1000)
		for j := range out[0].Entries {
			out[0].Entries[j].Line += fmt.Sprintf(" %x %x %x %x", r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64())
		}
		return out
	}
	stored, refused := 0, 0
	for i := range 200 {
		if err := s.Append(ctx, batch(i)); err != nil {
			if refused++; refused == 1 {
				fmt.Fprintln(os.Stderr, "refused:", err)
			}
			continue
		}
		stored++
	}
	fail(syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))
	recovered := false
	for i := range 100 {
		if err = s.Append(ctx, batch(1000+i)); err == nil {
			stored++
			recovered = true
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	fail(err)
	fmt.Println(stored, refused, recovered)
	fail(s.Close())
}

// TestDiskFull keeps what was acknowledged when the disk is full, says so to who appends more, and goes on when there is
// room again.
func TestDiskFull(t *testing.T) {
	exe, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), fullDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	var stored, refused int
	var recovered bool
	_, err = fmt.Sscan(string(out), &stored, &refused, &recovered)
	require.NoError(t, err)
	require.Positive(t, refused, "the disk was full")
	require.Positive(t, stored)
	require.True(t, recovered)
	s := open(t, Options{Dir: dir})
	require.Empty(t, s.Status().SetAside)
	require.Equal(t, stored*1000, count(t, s))
}
