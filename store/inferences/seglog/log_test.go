package seglog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, dir string, change func(*Options)) *Log {
	t.Helper()
	o := Options{Dir: dir}
	if change != nil {
		change(&o)
	}
	l, err := Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

func put(t *testing.T, l *Log, id, payload string) bool {
	t.Helper()
	duplicate, _, err := l.Append(t.Context(), Frame{ID: id, Arrival: noon, Kind: 1, Count: 1, Payload: []byte(payload)}, nil, nil)
	require.NoError(t, err)
	return duplicate
}

func payloads(t *testing.T, l *Log, from Position) []string {
	t.Helper()
	out := []string{}
	last := from
	require.NoError(t, l.Read(from, l.Synced(), func(end Position, f Frame) error {
		require.Greater(t, end, last)
		last = end
		require.Equal(t, noon, f.Arrival)
		out = append(out, string(f.Payload))
		return nil
	}))
	return out
}

func segments(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"+segmentExt))
	require.NoError(t, err)
	return files
}

func TestAppendReadReopen(t *testing.T) {
	dir := t.TempDir()
	var ends []Position
	l := open(t, dir, func(o *Options) {
		o.SegmentBytes = 100
		o.Synced = func(end Position, value any) { ends = append(ends, end); require.Nil(t, value) }
	})
	for i := range 10 {
		require.False(t, put(t, l, fmt.Sprint("id", i), fmt.Sprint("payload ", i)))
	}
	require.True(t, put(t, l, "id4", "again"))
	require.Greater(t, len(segments(t, dir)), 2)
	want := payloads(t, l, 0)
	require.Len(t, want, 10)
	require.Equal(t, want[4:], payloads(t, l, ends[3]), "from behind a frame on")
	require.NoError(t, l.Close())
	_, _, err := l.Append(t.Context(), Frame{}, nil, nil)
	require.ErrorIs(t, err, ErrClosed)

	l = open(t, dir, nil)
	require.Equal(t, want, payloads(t, l, 0))
	require.Equal(t, Recovery{Frames: 10}, l.Recovery())
	require.True(t, put(t, l, "id9", "again"))
	require.False(t, put(t, l, "id10", "payload 10"))
	require.Equal(t, append(want, "payload 10"), payloads(t, l, 0))

	// Segments go, and what they held is still known.
	require.NoError(t, l.Release(ends[7]))
	require.NotContains(t, payloads(t, l, 0), "payload 0")
	require.Contains(t, payloads(t, l, 0), "payload 8")
	require.NoError(t, l.Close())
	l = open(t, dir, nil)
	require.True(t, put(t, l, "id0", "again"))
	require.NoError(t, l.Release(l.Synced()))
	require.Len(t, segments(t, dir), 1, "one stays, to know where the log is")
	at := l.Synced()
	require.NoError(t, l.Close())
	require.Equal(t, at, open(t, dir, nil).Synced())
}

func TestHorizonOfIdentifiers(t *testing.T) {
	dir := t.TempDir()
	small := func(o *Options) { o.IDHorizon, o.MaxIDs, o.SegmentBytes = time.Hour, 3, 64 }
	l := open(t, dir, small)
	add := func(id string, at time.Time) bool {
		duplicate, _, err := l.Append(t.Context(), Frame{ID: id, Arrival: at}, nil, nil)
		require.NoError(t, err)
		return duplicate
	}
	require.False(t, add("a", noon))
	require.True(t, add("a", noon.Add(50*time.Minute)))
	require.False(t, add("b", noon.Add(2*time.Hour)))
	require.False(t, add("a", noon.Add(2*time.Hour)), "forgotten after the horizon")
	require.False(t, add("c", noon.Add(2*time.Hour)))
	require.False(t, add("d", noon.Add(2*time.Hour)))
	require.False(t, add("b", noon.Add(2*time.Hour)), "only so many are remembered")
	require.True(t, add("d", noon.Add(2*time.Hour)))
	require.NoError(t, l.Release(l.Synced()))
	require.NoError(t, l.Close())
	l = open(t, dir, small)
	require.True(t, add("d", noon.Add(30*time.Hour)), "the time between does not count")
	require.False(t, add("e", noon.Add(30*time.Hour)))
	require.False(t, add("d", noon.Add(30*time.Hour)))
}

func TestTornTailIsCutOff(t *testing.T) {
	for cut := 1; cut < 60; cut += 7 {
		dir := t.TempDir()
		l := open(t, dir, nil)
		put(t, l, "a", "first")
		put(t, l, "b", "second, and long enough to be cut in many places")
		require.NoError(t, l.Close())
		file := segments(t, dir)[0]
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.NoError(t, os.Truncate(file, info.Size()-int64(cut)))
		l = open(t, dir, nil)
		require.Equal(t, []string{"first"}, payloads(t, l, 0))
		require.Positive(t, l.Recovery().TornBytes)
		require.False(t, put(t, l, "b", "second"), "it was never acknowledged")
		require.NoError(t, l.Close())
		require.Equal(t, []string{"first", "second"}, payloads(t, open(t, dir, nil), 0))
	}
}

func TestDamageInTheMiddleIsSkipped(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, nil)
	for i := range 5 {
		put(t, l, fmt.Sprint("id", i), fmt.Sprint("payload ", i))
	}
	require.NoError(t, l.Close())
	file := segments(t, dir)[0]
	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	for at := range whole {
		data := slices.Clone(whole)
		data[at] ^= 0x40
		require.NoError(t, os.WriteFile(file, data, 0o600))
		l, err := Open(Options{Dir: dir})
		require.NoError(t, err)
		got := payloads(t, l, 0)
		require.GreaterOrEqual(t, len(got), 4, "byte %d", at)
		for _, p := range got {
			require.Contains(t, p, "payload ")
		}
		require.NoError(t, l.Close())
	}
}

func TestAFrameInsideAPayloadIsNoFrame(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, nil)
	put(t, l, "a", "inner")
	require.NoError(t, l.Close())
	inner, err := os.ReadFile(segments(t, dir)[0])
	require.NoError(t, err)
	dir = t.TempDir()
	l = open(t, dir, nil)
	put(t, l, "b", string(inner))
	put(t, l, "c", "after")
	require.NoError(t, l.Close())
	file := segments(t, dir)[0]
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	data[segmentHead+4] ^= 1 // The outer frame is damaged.
	require.NoError(t, os.WriteFile(file, data, 0o600))
	require.Equal(t, []string{"after"}, payloads(t, open(t, dir, nil), 0))
}

// full is a file on a disk that has room for a number of bytes.
type full struct {
	*os.File
	mu   *sync.Mutex
	room *int
	sync *error
}

func (f full) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := min(len(b), *f.room)
	*f.room -= n
	m, err := f.File.Write(b[:n])
	if err == nil && n < len(b) {
		err = syscall.ENOSPC
	}
	return m, err
}

func (f full) Sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if *f.sync != nil {
		return *f.sync
	}
	return f.File.Sync()
}

func TestDiskFullRefusesAndRecovers(t *testing.T) {
	dir := t.TempDir()
	var mu sync.Mutex
	room, syncErr := 1000, error(nil)
	l := open(t, dir, func(o *Options) {
		o.create = func(path string) (file, error) {
			f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
			return full{f, &mu, &room, &syncErr}, err
		}
	})
	set := func(n int, err error) {
		mu.Lock()
		defer mu.Unlock()
		room, syncErr = n, err
	}
	var want []string
	refused := 0
	for i := range 30 {
		text := fmt.Sprintf("payload %d that takes some room", i)
		_, started, err := l.Append(t.Context(), Frame{ID: fmt.Sprint(i), Arrival: noon, Payload: []byte(text)}, nil, nil)
		require.True(t, started)
		if err != nil {
			require.ErrorIs(t, err, syscall.ENOSPC)
			refused++
			continue
		}
		want = append(want, text)
	}
	require.Greater(t, refused, 5)
	require.Equal(t, want, payloads(t, l, 0), "nothing of what was refused, all of what was accepted")
	set(1<<20, nil)
	require.False(t, put(t, l, "29", "at last"), "what was refused may come again")
	want = append(want, "at last")
	set(1<<20, errors.New("I/O error"))
	_, _, err := l.Append(t.Context(), Frame{ID: "bad", Arrival: noon, Payload: []byte("x")}, nil, nil)
	require.ErrorContains(t, err, "I/O error")
	set(1<<20, nil)
	require.False(t, put(t, l, "bad", "good"))
	want = append(want, "good")
	require.Equal(t, want, payloads(t, l, 0))
	require.NoError(t, l.Close())
	require.Equal(t, want, payloads(t, open(t, dir, nil), 0))
}

func TestCancelledAppendIsStillAnswered(t *testing.T) {
	synced := make(chan any, 1)
	l := open(t, t.TempDir(), func(o *Options) { o.Synced = func(_ Position, v any) { synced <- v } })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, started, _ := l.Append(ctx, Frame{ID: "a", Arrival: noon}, "value", nil)
	require.True(t, started)
	require.Equal(t, "value", <-synced)
	require.True(t, put(t, l, "a", ""))
}

func TestGroupsShareASync(t *testing.T) {
	var mu sync.Mutex
	syncs, frames := 0, 0
	l := open(t, t.TempDir(), func(o *Options) {
		o.Observe = func(_ time.Duration, n int) { mu.Lock(); defer mu.Unlock(); syncs++; frames += n }
	})
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if _, _, err := l.Append(context.Background(), Frame{ID: fmt.Sprint(i), Arrival: noon}, nil, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, 200, frames)
	require.Less(t, syncs, 150)
}

func TestTooLong(t *testing.T) {
	l := open(t, t.TempDir(), nil)
	_, _, err := l.Append(t.Context(), Frame{ID: string(make([]byte, MaxIDLength+1))}, nil, nil)
	require.ErrorContains(t, err, "201 bytes")
}

// FuzzRead reads segments of any bytes: it must not fail, loop, or give frames
// that were not written.
func FuzzRead(f *testing.F) {
	dir := f.TempDir()
	l, err := Open(Options{Dir: dir})
	if err != nil {
		f.Fatal(err)
	}
	for i := range 3 {
		if _, _, err := l.Append(context.Background(), Frame{ID: "a", Arrival: noon, Payload: fmt.Append(nil, "payload", i)}, nil, nil); err != nil {
			f.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		f.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"+segmentExt))
	if err != nil || len(files) != 1 {
		f.Fatal(files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-5])
	f.Add([]byte(segmentMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(segmentPath(dir, 0), data, 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			l, err := Open(Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			before := l.Synced()
			if _, _, err := l.Append(t.Context(), Frame{Arrival: noon, Payload: []byte("new")}, nil, nil); err != nil {
				t.Fatal(err)
			}
			got := 0
			if err := l.Read(before, l.Synced(), func(Position, Frame) error { got++; return nil }); err != nil || got != 1 {
				t.Fatalf("%d new frames, %v", got, err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
