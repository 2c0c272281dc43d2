package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Proxy answers requests to /loki/api/v1 by handing them to the other side as they are, with the store's own
// credentials instead of the sender's. Live tails go through, too, for pages of this origin.
func (s *Store) Proxy() http.Handler {
	proxy := &httputil.ReverseProxy{
		Transport: s.http.Transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(s.base)
			r.SetXForwarded()
			for _, h := range []string{"Authorization", "Cookie", "Origin", "Referer"} {
				r.Out.Header.Del(h)
			}
			if s.o.Tenant != "" {
				r.Out.Header.Set("X-Scope-OrgID", s.o.Tenant)
			}
		},
		ModifyResponse: func(r *http.Response) error {
			r.Header.Del("Set-Cookie")
			if r.StatusCode == http.StatusUnauthorized || r.StatusCode == http.StatusForbidden {
				// It is not the sender of the request whose credentials are wrong.
				text, _ := io.ReadAll(io.LimitReader(r.Body, 4096)) // Only for the message.
				_ = r.Body.Close()
				answer := (&StatusError{r.StatusCode, strings.TrimSpace(string(text))}).Error() + " (modelwatch's own credentials for it are refused: see logs.loki in its configuration)\n"
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader(answer)), int64(len(answer))
				r.StatusCode, r.Status = http.StatusBadGateway, ""
				r.Header = http.Header{"Content-Type": {"text/plain; charset=utf-8"}, "Content-Length": {strconv.Itoa(len(answer))}}
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			switch {
			case errors.Is(context.Cause(r.Context()), context.DeadlineExceeded):
				http.Error(w, "log store elsewhere did not answer within "+s.o.Timeout.String(), http.StatusGatewayTimeout)
			case r.Context().Err() != nil: // The client is gone.
			default:
				http.Error(w, "log store elsewhere cannot be reached: "+err.Error(), http.StatusBadGateway)
			}
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			// The other side is not told where a page comes from, so it is looked at here.
			if origin := r.Header.Get("Origin"); origin != "" {
				if u, err := url.Parse(origin); err != nil || !strings.EqualFold(u.Host, r.Host) {
					http.Error(w, fmt.Sprintf("pages of %q may not follow logs here", origin), http.StatusForbidden)
					return
				}
			}
			proxy.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), s.o.Timeout)
		defer cancel()
		proxy.ServeHTTP(w, r.WithContext(ctx))
	})
}

func newRequests() *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "modelwatch_logs_remote_requests_total", Help: "Requests to the log store elsewhere: answered, refused (4xx), or failed (no answer, 5xx, or modelwatch's credentials refused).",
	}, []string{"result"})
	for _, r := range []string{"answered", "refused", "failed"} {
		c.WithLabelValues(r)
	}
	return c
}

// counter counts what becomes of requests.
type counter struct {
	next     http.RoundTripper
	requests *prometheus.CounterVec
}

// RoundTrip implements http.RoundTripper.
func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(r)
	result := "answered"
	switch {
	case err != nil && r.Context().Err() == context.Canceled:
		return resp, err // The client is gone; that says nothing of the other side.
	case err != nil || resp.StatusCode >= 500 || resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		result = "failed"
	case resp.StatusCode >= 400:
		result = "refused"
	}
	c.requests.WithLabelValues(result).Inc()
	return resp, err
}

// CloseIdleConnections lets http.Client end them.
func (c *counter) CloseIdleConnections() {
	if t, ok := c.next.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
