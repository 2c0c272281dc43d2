package join

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/store/inferences/seglog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func inference(id, version string) ai.Inference {
	return ai.Inference{
		Service: "s", Model: "m", ModelVersion: version, RequestID: id, Timestamp: noon, Prediction: ai.String("p" + id),
		Probabilities: []ai.ClassProbability{{Class: "a", P: .25}, {Class: "b", P: .75}},
	}
}

func label(id string) ai.Label {
	return ai.Label{RequestID: id, Label: ai.String("l" + id), Timestamp: noon.Add(time.Hour)}
}

// joiner feeds a Joiner, one batch a call.
type joiner struct {
	*Joiner
	t  *testing.T
	at seglog.Position
}

func open(t *testing.T, dir string, change func(*Options)) *joiner {
	t.Helper()
	o := Options{Dir: dir}
	if change != nil {
		change(&o)
	}
	j, err := Open(o, 1<<40)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, j.Close()) })
	return &joiner{j, t, j.Position()}
}

func (j *joiner) infer(ids ...string) []string {
	j.at += 1000
	var in []ai.Inference
	for _, id := range ids {
		in = append(in, inference(id, "v1"))
	}
	return j.show(j.Add(j.at, in, nil))
}

func (j *joiner) label(ids ...string) []string {
	j.at += 1000
	var in []ai.Label
	for _, id := range ids {
		in = append(in, label(id))
	}
	return j.show(j.Add(j.at, nil, in))
}

func (j *joiner) show(joined []Joined) []string {
	out := []string{}
	for _, x := range joined {
		require.Equal(j.t, "s/m", x.Key.Service+"/"+x.Key.Model)
		require.Equal(j.t, "p"+x.RequestID, x.Prediction.Category())
		require.Equal(j.t, "l"+x.RequestID, x.Label.Category())
		require.Equal(j.t, []ai.ClassProbability{{Class: "a", P: .25}, {Class: "b", P: .75}}, x.Probabilities)
		require.True(j.t, x.PredictedAt.Equal(noon))
		require.True(j.t, x.LabelledAt.Equal(noon.Add(time.Hour)))
		out = append(out, x.RequestID+"@"+x.Key.Version)
	}
	return out
}

func TestJoin(t *testing.T) {
	j := open(t, t.TempDir(), nil)
	require.Empty(t, j.infer("a", "b", ""))
	require.Equal(t, []string{"b@v1"}, j.label("b"))
	require.Empty(t, j.label("b"), "a second label changes nothing")
	require.Empty(t, j.label("c", "c", "d"), "labels may come first")
	require.Equal(t, []string{"d@v1"}, j.infer("d"))
	require.Empty(t, j.infer("d"))
	require.Empty(t, j.label("d"))
	require.Equal(t, Stats{Joined: 2, Repeated: 3, Waiting: 1}, j.Stats())

	j.at += 1000
	require.Empty(t, j.Add(j.at, []ai.Inference{inference("x", "v1"), inference("x", "v2"), inference("x", "v1")}, nil))
	require.ElementsMatch(t, []string{"x@v1", "x@v2"}, j.label("x"), "a request may ask several models")
}

func TestWaitingIsBounded(t *testing.T) {
	j := open(t, t.TempDir(), func(o *Options) { o.MaxWaiting, o.Horizon = 2, time.Hour })
	now := noon
	j.now = func() time.Time { return now }
	j.label("a", "b", "c")
	require.Equal(t, uint64(1), j.Stats().Unmatched)
	require.Empty(t, j.infer("a"))
	require.Equal(t, []string{"b@v1"}, j.infer("b"))
	now = now.Add(2 * time.Hour)
	require.Empty(t, j.infer("z"))
	require.Equal(t, Stats{Joined: 1, Unmatched: 2}, j.Stats())
	require.Empty(t, j.infer("c"))
}

// settle waits for files being written.
func (j *joiner) settle() {
	j.t.Helper()
	require.Eventually(j.t, func() bool {
		j.mu.Lock()
		defer j.mu.Unlock()
		for _, f := range j.frozen {
			if f.run == nil {
				return false
			}
		}
		return !j.merging
	}, 10*time.Second, time.Millisecond)
}

func TestFilesMergeExpireAndSurvive(t *testing.T) {
	dir := t.TempDir()
	small := func(o *Options) { o.MaxMemory = 1 }
	j := open(t, dir, small)
	n := 0
	for range 40 {
		var ids []string
		for range 100 {
			ids = append(ids, fmt.Sprint(n))
			n++
		}
		require.Empty(t, j.infer(ids...))
		j.settle()
		held, err := j.Commit(j.at)
		require.NoError(t, err)
		require.Equal(t, j.at, held)
		j.settle()
	}
	require.Less(t, j.Stats().Runs, 20, "files become fewer")
	require.Empty(t, j.label("early"))
	for i := 0; i < n; i += 37 {
		require.Equal(t, []string{fmt.Sprintf("%d@v1", i)}, j.label(fmt.Sprint(i)))
	}
	require.Empty(t, j.label(fmt.Sprint(n)), "no other")
	j.settle()
	held, err := j.Commit(j.at)
	require.NoError(t, err)
	require.Greater(t, held, seglog.Position(40_000), "the last batches may be in memory only")
	again := int(j.at-held) / 1000
	require.NoError(t, j.Close())

	j = open(t, dir, small)
	require.Equal(t, held, j.Position())
	require.Less(t, again, 5)
	require.Empty(t, j.label("0"), "labelled before")
	require.Equal(t, []string{"1@v1"}, j.label("1"))
	require.Equal(t, []string{"early@v1"}, j.infer("early"), "labels that wait survive too")
	require.NoError(t, j.Close())

	j = open(t, dir, func(o *Options) { o.MaxMemory, o.Horizon = 1, time.Nanosecond })
	j.now = func() time.Time { return time.Now().Add(time.Hour) }
	j.infer("new")
	j.settle()
	_, err = j.Commit(j.at)
	require.NoError(t, err)
	require.Zero(t, j.Stats().Bytes, "files past the horizon go")
}

func TestNothingIsCommittedThatTheReaderHasNotSeen(t *testing.T) {
	dir := t.TempDir()
	small := func(o *Options) { o.MaxMemory = 1 }
	j := open(t, dir, small)
	j.infer("a")
	first := j.at
	j.settle()
	require.Equal(t, []string{"a@v1"}, j.label("a"))
	j.settle()
	held, err := j.Commit(first)
	require.NoError(t, err)
	require.Equal(t, first, held)
	require.NoError(t, j.Close())
	j = open(t, dir, small)
	require.Equal(t, []string{"a@v1"}, j.label("a"), "the same again from there on")
}

func TestDamagedFilesAreLeftOut(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, func(o *Options) { o.MaxMemory = 1 })
	j.infer("a")
	j.settle()
	_, err := j.Commit(j.at)
	require.NoError(t, err)
	require.NoError(t, j.Close())
	runs, err := filepath.Glob(filepath.Join(dir, "*"+runExt))
	require.NoError(t, err)
	require.Len(t, runs, 1)
	require.NoError(t, os.Truncate(runs[0], 20))
	j = open(t, dir, nil)
	require.Empty(t, j.label("a"))
	require.NoError(t, j.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, manifestName), []byte("{"), 0o600))
	j = open(t, dir, nil)
	require.Zero(t, j.Position())
}

func BenchmarkAdd(b *testing.B) {
	j, err := Open(Options{Dir: b.TempDir()}, 1<<60)
	require.NoError(b, err)
	defer func() { require.NoError(b, j.Close()) }()
	in := make([]ai.Inference, 1000)
	at, n := seglog.Position(0), 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for i := range in {
			n++
			in[i] = inference(fmt.Sprintf("%016x", n*7919), "v1")
		}
		b.StartTimer()
		at += 100_000
		j.Add(at, in, nil)
		if _, err := j.Commit(at); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/record")
}
