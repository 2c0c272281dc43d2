package service

import (
	"crypto/rand"
	"encoding/hex"
	"io"
	"log/slog"
	"math"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// newLog writes lines such as
//
//	{"ts":"2026-01-02T03:04:05.6Z","level":"error","msg":"OutOfMemory: ...","request_id":"...","latency":2.31}
func newLog(w io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) > 0 {
				return a
			}
			switch a.Key {
			case slog.TimeKey:
				return slog.String("ts", a.Value.Time().UTC().Format(time.RFC3339Nano))
			case slog.LevelKey:
				return slog.String("level", strings.ToLower(a.Value.String()))
			}
			return a
		},
	}))
}

// identity joins what a request leaves behind in logs, inferences and traces.
type identity struct{ request, trace string }

var (
	traceParent = regexp.MustCompile(`^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}`)
	requestID   = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
)

// identify takes the caller's identifiers (X-Request-Id, W3C traceparent) or
// makes new ones.
func identify(r *http.Request) identity {
	var ids identity
	if given := r.Header.Get("X-Request-Id"); requestID.MatchString(given) {
		ids.request = given
	} else {
		ids.request = randomHex(8)
	}
	if parts := traceParent.FindStringSubmatch(r.Header.Get("Traceparent")); parts != nil {
		ids.trace = parts[1]
	} else {
		ids.trace = randomHex(16)
	}
	return ids
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails: see crypto/rand
	return hex.EncodeToString(b)
}

// seconds rounds to what a reader of a log wants to see.
func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }
