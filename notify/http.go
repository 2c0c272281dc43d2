package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"

	"github.com/prometheus/alertmanager/silence"
)

// APIHandler serves Alertmanager's API below /api/v2. It expects the whole path.
// A change of a silence that it answers with success is on disk.
func (m *Manager) APIHandler() http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{"receivers", "alerts", "alerts/groups", "silences", "silence/{id}"} {
		mux.Handle("GET /api/v2/"+path, m.v2)
	}
	mux.HandleFunc("GET /api/v2/status", m.serveStatus)
	mux.Handle("POST /api/v2/alerts", m.alertsKept(m.v2))
	mux.Handle("POST /api/v2/silences", m.silenceKept(m.v2))
	mux.Handle("DELETE /api/v2/silence/{id}", m.silenceKept(m.v2))
	// Other paths get the answers of the API's own router, but must not become
	// label values of its metrics.
	mux.HandleFunc("/api/v2/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, fmt.Errorf("no %s %s in the Alertmanager API", r.Method, r.URL.Path))
	})
	return m.limitBody(mux)
}

// Compat are the parts of an Alertmanager's own port that are not this package's.
type Compat struct {
	// Reload reloads the configuration. Nil refuses POST /-/reload.
	Reload func(context.Context) error
	// Metrics serves /metrics. Nil leaves it out.
	Metrics http.Handler
}

// CompatHandler serves what clients expect of a whole Alertmanager at its port
// 9093: the API, health and readiness, and what c adds.
func (m *Manager) CompatHandler(c Compat) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/api/v2/", m.APIHandler())
	mux.HandleFunc("/api/v1/", func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, http.StatusGone, errors.New("version 1 of the Alertmanager API is gone since Alertmanager 0.27: use /api/v2"))
	})
	ok := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "OK") }
	mux.HandleFunc("GET /-/healthy", ok)
	mux.HandleFunc("GET /-/ready", ok)
	reload := func(w http.ResponseWriter, r *http.Request) {
		if c.Reload == nil {
			http.Error(w, "reloading is not available here", http.StatusForbidden)
			return
		}
		if err := c.Reload(r.Context()); err != nil {
			http.Error(w, fmt.Sprintf("failed to reload config: %s", err), http.StatusInternalServerError)
		}
	}
	mux.HandleFunc("POST /-/reload", reload)
	mux.HandleFunc("PUT /-/reload", reload)
	if c.Metrics != nil {
		mux.Handle("GET /metrics", c.Metrics)
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		if r.Host == m.opts.ExternalURL.Host { // Not in a circle.
			ok(w, r)
			return
		}
		http.Redirect(w, r, m.opts.ExternalURL.String(), http.StatusFound)
	})
	return mux
}

func (m *Manager) limitBody(h http.Handler) http.Handler {
	return http.MaxBytesHandler(h, m.opts.Limits.MaxRequestBytes)
}

// silenceKept answers a change of silences only once it is on disk. If it cannot
// be, a new silence is taken back and the answer is an error.
func (m *Manager) silenceKept(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			ID string `json:"id"`
		}
		if r.Method == http.MethodPost {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				status := http.StatusBadRequest
				if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
					status = http.StatusRequestEntityTooLarge
				}
				writeError(w, status, fmt.Errorf("read silence: %w", err))
				return
			}
			_ = json.Unmarshal(body, &request) // The API says what is wrong with it.
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		answer := newHeldResponse()
		h.ServeHTTP(answer, r)
		if answer.failed() {
			answer.release(w)
			return
		}
		if err := m.silenceFile.Now(r.Context()); err != nil {
			text := "the change is in force, but would be lost with the process"
			if r.Method == http.MethodPost && request.ID == "" && m.takeBack(r.Context(), answer.body.Bytes()) {
				text = "the silence was not created"
			}
			writeError(w, http.StatusServiceUnavailable, fmt.Errorf("cannot write silences to disk (%w): %s; make sure that there is space, and try again", err, text))
			return
		}
		answer.release(w)
	})
}

// takeBack ends the silence whose creation was answered by body.
func (m *Manager) takeBack(ctx context.Context, body []byte) bool {
	var created struct {
		ID string `json:"silenceID"`
	}
	if err := json.Unmarshal(body, &created); err != nil || created.ID == "" {
		return false
	}
	err := m.silences.Expire(context.WithoutCancel(ctx), created.ID)
	return err == nil || errors.Is(err, silence.ErrNotFound)
}

// alertsKept answers alerts once they are on disk. A disk that refuses them does
// not keep anybody from being told: then they are only taken into memory, the
// failure is counted, and writing is tried again.
func (m *Manager) alertsKept(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := newHeldResponse()
		h.ServeHTTP(answer, r)
		if !answer.failed() {
			if err := m.alertFile.Now(r.Context()); err != nil {
				m.alertFile.Soon()
			}
		}
		answer.release(w)
	})
}

// heldResponse holds a response back until it is known whether it is true.
type heldResponse struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newHeldResponse() *heldResponse {
	return &heldResponse{header: http.Header{}, status: http.StatusOK}
}

// Header implements http.ResponseWriter.
func (h *heldResponse) Header() http.Header { return h.header }

// WriteHeader implements http.ResponseWriter.
func (h *heldResponse) WriteHeader(status int) { h.status = status }

// Write implements http.ResponseWriter.
func (h *heldResponse) Write(b []byte) (int, error) { return h.body.Write(b) }

func (h *heldResponse) failed() bool { return h.status < 200 || h.status > 299 }

// release sends the response to w.
func (h *heldResponse) release(w http.ResponseWriter) {
	header := w.Header()
	maps.Copy(header, h.header)
	header.Del("Content-Length")
	w.WriteHeader(h.status)
	_, _ = w.Write(h.body.Bytes()) // Nobody is left to tell if the client is gone.
}

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v) // Nobody is left to tell if the client is gone.
}

// writeError answers with an error.
func writeError(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
}
