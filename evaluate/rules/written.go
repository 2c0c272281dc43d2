package rules

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync"
)

// written knows what people wrote where Portable has rewritten a template, so that
// they are shown their own text.
type written struct {
	mu    sync.Mutex
	pairs map[string]string // From the JSON of what runs to the JSON of what was written.
	// next are the pairs of the files that are being loaded; nil while none are.
	next map[string]string
}

// begin says that all rule files are loaded anew. What was added before holds
// until they are taken over.
func (w *written) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next = map[string]string{}
}

// end drops what belongs to files that are no longer loaded, if those that were
// loaded since begin are in force.
func (w *written) end(inForce bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if inForce {
		w.pairs = w.next
	}
	w.next = nil
}

// add notes the template actions of a rule file.
func (w *written) add(text []byte) {
	for _, a := range action.FindAll(text, -1) {
		runs, _ := Portable(a)
		if bytes.Equal(runs, a) {
			continue
		}
		w.mu.Lock()
		if w.pairs == nil {
			w.pairs = map[string]string{}
		}
		w.pairs[inJSON(runs)] = inJSON(a)
		if w.next != nil {
			w.next[inJSON(runs)] = inJSON(a)
		}
		w.mu.Unlock()
	}
}

// inJSON is a text as it stands inside of a JSON string.
func inJSON(text []byte) string {
	quoted, err := json.Marshal(string(text))
	if err != nil {
		return string(text) // A string can always be marshalled.
	}
	return string(quoted[1 : len(quoted)-1])
}

func (w *written) restore(answer []byte) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	for runs, text := range w.pairs {
		answer = bytes.ReplaceAll(answer, []byte(runs), []byte(text))
	}
	return answer
}

func (w *written) empty() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.pairs) == 0
}

// AsWritten serves what next answers in JSON with templates as they stand in the
// rule files, not as Portable has made them.
func (m *Manager) AsWritten(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.written.empty() {
			next.ServeHTTP(w, r)
			return
		}
		r = r.Clone(r.Context())
		r.Header.Del("Accept-Encoding") // What is compressed cannot be read here.
		answer := &held{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(answer, r)
		w.Header().Del("Content-Length")
		w.WriteHeader(answer.status)
		_, _ = w.Write(m.written.restore(answer.body.Bytes()))
	})
}

// held keeps an answer back.
type held struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader implements http.ResponseWriter.
func (h *held) WriteHeader(status int) { h.status = status }

// Write implements http.ResponseWriter.
func (h *held) Write(b []byte) (int, error) { return h.body.Write(b) }
