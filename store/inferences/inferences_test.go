package inferences

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/store/inferences/raw"
)

func TestMain(m *testing.M) {
	if child() {
		return
	}
	goleak.VerifyTestMain(m)
}

// analysis is a consumer that keeps what it got.
type analysis struct {
	mu      sync.Mutex
	ids     []string
	records []ai.Inference
	labels  []ai.Label
	joined  []Joined
	at      Position
}

func (a *analysis) deliver(pos Position, records []ai.Inference, labels []ai.Label) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range records {
		a.ids = append(a.ids, records[i].RequestID)
		r := records[i]
		r.Features = slices.Clone(r.Features)
		r.Probabilities = slices.Clone(r.Probabilities)
		a.records = append(a.records, r)
	}
	a.labels = append(a.labels, labels...)
	if pos <= a.at {
		panic(fmt.Sprintf("position %d after %d", pos, a.at))
	}
	a.at = pos
}

func (a *analysis) join(_ Position, joined []Joined) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.joined = append(a.joined, joined...)
}

func (a *analysis) got() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.ids)
}

func open(t *testing.T, dir string, change func(*Options)) (*Store, *analysis) {
	t.Helper()
	a := &analysis{}
	o := Options{Dir: dir, Deliver: a.deliver, Joined: a.join, ExportInterval: 20 * time.Millisecond}
	if change != nil {
		change(&o)
	}
	s, err := Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	s.Start()
	return s, a
}

// show writes records so that equal ones are equal texts.
func show(t *testing.T, records []ai.Inference) string {
	t.Helper()
	b, err := json.Marshal(records)
	require.NoError(t, err)
	return string(b)
}

func record(id string) ai.Inference {
	return ai.Inference{
		Service: "shop", Model: "ranker", ModelVersion: "v1", Endpoint: "/rank", Timestamp: time.Now().UTC().Round(0),
		RequestID: id, DurationSeconds: .25, StatusCode: 200,
		Features: []ai.Feature{
			{Name: "age", Value: ai.Number(41)},
			{Name: "score", Value: ai.Number(math.Pi)},
			{Name: "country", Value: ai.String("DE")},
			{Name: "known", Value: ai.Bool(true)},
			{Name: "none"},
			{Name: "embedding", Value: ai.Vector32([]float32{1, 2.5})},
		},
		Prediction:    ai.String("click"),
		Probabilities: []ai.ClassProbability{{Class: "click", P: .75}, {Class: "skip", P: .25}},
		Tokens:        ai.Tokens{Input: 10, Output: 20}, TimeToFirstTokenSeconds: .01, Tags: map[string]string{"region": "eu"},
	}
}

func batch(id string, ids ...string) Batch {
	b := Batch{ID: id}
	for _, id := range ids {
		b.Records = append(b.Records, record(id))
	}
	return b
}

func TestAppendDeliversOnceAndInOrder(t *testing.T) {
	dir := t.TempDir()
	s, a := open(t, dir, nil)
	var released atomic.Int32
	for i := range 5 {
		b := batch(fmt.Sprint("b", i), fmt.Sprint(i, "a"), fmt.Sprint(i, "b"))
		b.Release = func() { released.Add(1) }
		duplicate, err := s.Append(t.Context(), b)
		require.NoError(t, err)
		require.False(t, duplicate)
		duplicate, err = s.Append(t.Context(), b)
		require.NoError(t, err)
		require.True(t, duplicate, "the same batch again")
	}
	require.NoError(t, s.Close())
	require.Equal(t, int32(10), released.Load(), "each hand-over is released once")
	want := []string{"0a", "0b", "1a", "1b", "2a", "2b", "3a", "3b", "4a", "4b"}
	require.Equal(t, want, a.got())

	// Nothing was checkpointed: all comes again, as it was, and is still known.
	s, b := open(t, dir, nil)
	<-s.Replayed()
	require.Equal(t, want, b.got())
	require.Equal(t, show(t, a.records), show(t, b.records))
	duplicate, err := s.Append(t.Context(), batch("b3", "3a"))
	require.NoError(t, err)
	require.True(t, duplicate)
	require.NoError(t, s.Checkpoint(b.at))
	_, err = s.Append(t.Context(), batch("", "5a"))
	require.NoError(t, err)
	require.NoError(t, s.Close())

	s, c := open(t, dir, nil)
	<-s.Replayed()
	require.Equal(t, []string{"5a"}, c.got(), "only what is behind the checkpoint")
}

func TestConcurrentRepetitionWaitsForTheFirst(t *testing.T) {
	s, a := open(t, t.TempDir(), nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	duplicates := 0
	for range 20 {
		wg.Go(func() {
			d, err := s.Append(t.Context(), batch("one", "r"))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if d {
				duplicates++
			}
		})
	}
	wg.Wait()
	require.Equal(t, 19, duplicates)
	require.NoError(t, s.Close())
	require.Equal(t, []string{"r"}, a.got())
}

func TestListAndExport(t *testing.T) {
	s, _ := open(t, t.TempDir(), func(o *Options) {
		o.Raw = raw.Options{Exclude: []string{"coun*"}, Hash: []string{"age"}}
	})
	b := batch("b", "r1", "r2")
	b.Records[1].Error, b.Records[1].StatusCode = "timeout", 500
	b.Records[1].Timestamp = b.Records[1].Timestamp.Add(time.Second)
	_, err := s.Append(t.Context(), b)
	require.NoError(t, err)
	rows, err := s.List(t.Context(), Filter{Service: "shop"})
	require.NoError(t, err)
	require.Len(t, rows, 2)
	require.Equal(t, "r2", rows[0].RequestID, "the newest first")
	var features map[string]any
	require.NoError(t, json.Unmarshal(rows[1].Features, &features))
	require.NotContains(t, features, "country")
	require.Contains(t, features["age"], "hash:")
	require.InDelta(t, math.Pi, features["score"], 0)
	require.Equal(t, []any{1., 2.5}, features["embedding"])
	require.True(t, b.Records[0].Timestamp.Equal(rows[1].Timestamp), "to the nanosecond")
	require.Equal(t, `"click"`, string(rows[1].Prediction))
	require.Equal(t, uint64(20), rows[1].Tokens.Output)

	for name, f := range map[string]Filter{
		"errors": {Errors: true}, "request": {RequestID: "r2"}, "limit": {Limit: 1},
		"since": {Since: b.Records[1].Timestamp}, "model": {Model: "ranker", Version: "v1", Since: b.Records[1].Timestamp},
	} {
		rows, err := s.List(t.Context(), f)
		require.NoError(t, err, name)
		require.Len(t, rows, 1, name)
		require.Equal(t, "r2", rows[0].RequestID, name)
	}
	rows, err = s.List(t.Context(), Filter{Until: b.Records[1].Timestamp, Oldest: true})
	require.NoError(t, err)
	require.Len(t, rows, 1)

	file := t.TempDir() + "/day's.parquet"
	n, err := s.Export(t.Context(), Filter{}, file)
	require.NoError(t, err)
	require.Equal(t, int64(2), n)
	require.FileExists(t, file)
	_, err = s.Export(t.Context(), Filter{Model: "another"}, file)
	require.ErrorIs(t, err, raw.ErrNothing)
}

func TestOverloadIsRefusedAndPasses(t *testing.T) {
	block := make(chan struct{})
	s, _ := open(t, t.TempDir(), func(o *Options) {
		o.Deliver = func(Position, []ai.Inference, []ai.Label) { <-block }
		o.MaxPendingBytes = 2000
	})
	var refused *Error
	require.Eventually(t, func() bool {
		_, err := s.Append(t.Context(), batch("", "x"))
		return err != nil && errorsAs(err, &refused)
	}, 5*time.Second, time.Millisecond)
	require.Equal(t, 429, refused.StatusCode())
	require.Positive(t, refused.RetryAfter())
	close(block)
	require.Eventually(t, func() bool {
		_, err := s.Append(t.Context(), batch("", "y"))
		return err == nil
	}, 5*time.Second, time.Millisecond)
}

// A burst that passes in a moment costs nobody a refusal.
func TestABurstWaits(t *testing.T) {
	block := make(chan struct{})
	s, _ := open(t, t.TempDir(), func(o *Options) {
		o.Deliver = func(Position, []ai.Inference, []ai.Label) { <-block }
		o.MaxPendingBytes, o.MaxWait = 1, time.Minute
	})
	_, err := s.Append(t.Context(), batch("", "x")) // One is always admitted.
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = s.Append(ctx, batch("", "y"))
	require.ErrorIs(t, err, context.DeadlineExceeded, "it waits as long as its sender does")
	time.AfterFunc(20*time.Millisecond, func() { close(block) })
	_, err = s.Append(t.Context(), batch("", "z"))
	require.NoError(t, err)
}

func TestNoSpace(t *testing.T) {
	var full error
	s, _ := open(t, t.TempDir(), func(o *Options) { o.Space = func() error { return full } })
	full = fmt.Errorf("disk full: 3 MiB are left")
	_, err := s.Append(t.Context(), batch("", "x"))
	var refused *Error
	require.True(t, errorsAs(err, &refused))
	require.Equal(t, 503, refused.StatusCode())
	require.ErrorContains(t, err, "disk full: 3 MiB are left")
	full = nil
	_, err = s.Append(t.Context(), batch("", "x"))
	require.NoError(t, err)
}

func TestMetricsAreRegisteredAndGivenBack(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	for range 2 {
		s, err := Open(Options{Dir: t.TempDir(), Registerer: reg})
		require.NoError(t, err)
		s.Start()
		_, err = s.Append(t.Context(), batch("", "x"))
		require.NoError(t, err)
		families, err := reg.Gather()
		require.NoError(t, err)
		require.Greater(t, len(families), 15)
		require.NoError(t, s.Close())
	}
}

func TestAppendAfterCloseAndCancelled(t *testing.T) {
	s, a := open(t, t.TempDir(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Append(ctx, batch("c", "maybe"))
	if err != nil {
		require.ErrorIs(t, err, context.Canceled)
	}
	_, err = s.Append(t.Context(), batch("c", "maybe"))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.Equal(t, []string{"maybe"}, a.got(), "once, whoever was asked")
	_, err = s.Append(t.Context(), batch("", "late"))
	require.ErrorContains(t, err, "closed")
}
