package app

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A sender may go on sending a body that was refused for so long, and for so many times
// what bodies may have.
const (
	hearing      = 5 * time.Second
	hearingTimes = 4
)

// boundBodies lets bodies up to a limit through to next. What next leaves of a body is
// read and thrown away: most senders hear no answer, such as that they should wait,
// before they have sent all, and would see a broken connection instead.
func boundBodies(next http.Handler, limit func(*http.Request) int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, most := r.Body, limit(r)
		defer func() { listen(w, r, body, most) }()
		if r.ContentLength > most {
			http.Error(w, "request body of "+strconv.FormatInt(r.ContentLength, 10)+" bytes is over the limit of "+strconv.FormatInt(most, 10)+": send less at once, or raise web.max_request_bytes", http.StatusRequestEntityTooLarge)
			return
		}
		r.Body = http.MaxBytesReader(w, body, most)
		next.ServeHTTP(w, r)
	})
}

// listen reads what is left of a body, within limits. Who asked whether to send it has
// not begun to.
func listen(w http.ResponseWriter, r *http.Request, body io.Reader, most int64) {
	if r.ContentLength == 0 || strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(hearing)) // Where it cannot be set, that of the server holds.
	_, _ = io.Copy(io.Discard, io.LimitReader(body, hearingTimes*most))        // An error ends it, which is all that is wanted.
}
