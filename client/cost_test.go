package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// What a broken server may cost the caller: nothing but counted drops.
func TestBrokenServersCostTheCallerNothing(t *testing.T) {
	release := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer hanging.Close()
	defer close(release)
	failing := newStub(t, func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusInternalServerError)
		return true
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := "http://" + listener.Addr().String()
	_ = listener.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts into its backlog and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()

	for name, url := range map[string]string{
		"hanging": hanging.URL, "failing": failing.URL, "refusing": refusing, "silent": "http://" + silent.Addr().String(),
	} {
		t.Run(name, func(t *testing.T) {
			opts := fast(url)
			opts.QueueSize, opts.BatchSize = 500, 100
			c := newClient(t, opts)
			const n = 20_000
			start := time.Now()
			for range n {
				c.Record(Inference{Model: "m"})
			}
			took := time.Since(start)
			// A call that waited for anything would take milliseconds. The bound
			// leaves room for the race detector and a busy machine.
			if took/n > 20*time.Microsecond {
				t.Errorf("%s a call", took/n)
			}
			stats := c.Stats()
			if stats.Recorded != n || stats.Queued > 500 || stats.Drops.QueueFull < n-500 || stats.Sent != 0 {
				t.Errorf("stats %+v", stats)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			start = time.Now()
			err := c.Close(ctx)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("Close took %s", took)
			}
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "500 records not delivered") {
				t.Errorf("Close: %v", err)
			}
			if stats := c.Stats(); stats.Dropped != n || stats.Queued != 0 || stats.Drops.Closed != 500 {
				t.Errorf("stats after Close %+v", stats)
			}
		})
	}
}

func BenchmarkRecord(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer s.Close()
	features := make(map[string]any, 20)
	for i := range 20 {
		features[fmt.Sprintf("feature_%d", i)] = float64(i) * 1.5
	}
	inf := Inference{
		Model: "ranker", ModelVersion: "v1", Endpoint: "/predict", RequestID: "r",
		Duration: time.Second, StatusCode: 200, Features: features, Prediction: 0.5,
	}
	b.Run("admitted", func(b *testing.B) {
		// What the sender and the server take of this machine is not the caller's
		// cost: nothing is sent while the clock runs. Features are one pointer to
		// Record, and would only make the pauses longer.
		inf := inf
		inf.Features = nil
		c := newClient(b, Options{URL: s.URL, BatchSize: 10_000, FlushInterval: time.Hour})
		b.ReportAllocs()
		for i := range b.N {
			if i%9000 == 8999 {
				b.StopTimer()
				flush(b, c)
				b.StartTimer()
			}
			c.Record(inf)
		}
		b.StopTimer()
		if stats := c.Stats(); stats.Dropped > 0 {
			b.Errorf("stats %+v", stats)
		}
	})
	b.Run("server and client on the same cores", func(b *testing.B) {
		c := newClient(b, Options{URL: s.URL})
		b.ReportAllocs()
		for range b.N {
			c.Record(inf)
		}
	})
	b.Run("dropped", func(b *testing.B) {
		c := newClient(b, Options{URL: "http://127.0.0.1:1"})
		b.ReportAllocs()
		for range b.N {
			c.Record(inf)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		c := newClient(b, Options{URL: s.URL})
		b.ReportAllocs()
		b.SetParallelism(4)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				c.Record(inf)
			}
		})
	})
}
