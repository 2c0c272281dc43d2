package local

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
)

func BenchmarkAppend(b *testing.B) {
	s, err := Open(b.Context(), Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}()
	ts := time.Now().Add(-time.Hour).UnixNano()
	var size int64
	n := 0
	for b.Loop() {
		st := logs.Stream{Labels: labels.FromStrings("job", "ai")}
		size = 0
		for range 7000 {
			n++
			line := fmt.Sprintf(`{"level":"info","latency_ms":%d.25,"path":"/predict","status":200,"user":"ann","tokens":%d,"request_id":"%016x","msg":"request served"}`, n%977, n%4096, uint64(n)*0x9E3779B97F4A7C15)
			st.Entries = append(st.Entries, logs.Entry{Timestamp: ts + int64(n)*1000, Line: line})
			size += int64(len(line))
		}
		if err := s.Append(b.Context(), []logs.Stream{st}); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(size)
}
