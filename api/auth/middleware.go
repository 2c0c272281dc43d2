package auth

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Middleware lets through to next what its role may do. Public paths pass
// without a look at credentials.
func (a *Auth) Middleware(next http.Handler) http.Handler {
	if !a.opts.Enabled {
		anybody := &Principal{Kind: ByNobody, Role: Admin}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), principalKey{}, anybody)))
		})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rule := a.table.of(r)
		if rule.Need == Public {
			next.ServeHTTP(w, r)
			return
		}
		p, err := a.identify(r)
		if err != nil {
			a.stranger(w, r, err)
			return
		}
		if !a.allow(w, r, p, rule) {
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), principalKey{}, p))
		if safe(r.Method) || rule.Quiet {
			next.ServeHTTP(w, r)
			return
		}
		a.audited(next, w, r, p)
	})
}

// allow answers whatever p may not do.
func (a *Auth) allow(w http.ResponseWriter, r *http.Request, p *Principal, rule Rule) bool {
	if p.Kind == BySession && !safe(r.Method) && !a.csrfHolds(r, p) {
		a.metrics.refused.WithLabelValues("csrf").Inc()
		a.answer(w, http.StatusForbidden, problem{
			Error: "the header " + CSRFHeader + " is missing or does not belong to this session: take it from csrfToken of /ai/v1/auth/me", Code: "csrf",
		})
		return false
	}
	if !p.Role.May(rule.Need) {
		a.metrics.refused.WithLabelValues("role").Inc()
		if !safe(r.Method) && !rule.Quiet {
			e := a.eventOf(r, p)
			e.Status = http.StatusForbidden
			a.noteStranger(r.Context(), e)
		}
		a.answer(w, http.StatusForbidden, problem{
			Error: fmt.Sprintf("this needs the role %s, and %s has %s: ask an admin, or use a token of that role", rule.Need, p.who(), p.Role),
			Code:  "role", Role: rule.Need,
		})
		return false
	}
	if p.user != nil && p.user.MustChange && r.URL.Path != "/ai/v1/auth/password" {
		if wantsPage(r) {
			a.toLogin(w, r, "change")
			return false
		}
		a.metrics.refused.WithLabelValues("password").Inc()
		a.answer(w, http.StatusForbidden, problem{
			Error: "set a new password first: log in to the page, or POST /ai/v1/auth/password", Code: "password_change_required",
		})
		return false
	}
	return true
}

func (a *Auth) csrfHolds(r *http.Request, p *Principal) bool {
	want := csrfToken(p.secret)
	return subtle.ConstantTimeCompare([]byte(r.Header.Get(CSRFHeader)), []byte(want)) == 1
}

// audited writes down what is asked before it is done, and afterwards what came
// of it. What cannot be written down is not done.
func (a *Auth) audited(next http.Handler, w http.ResponseWriter, r *http.Request, p *Principal) {
	e := a.eventOf(r, p)
	if err := a.append(r.Context(), &e); err != nil {
		a.metrics.refused.WithLabelValues("audit").Inc()
		a.answer(w, http.StatusServiceUnavailable, problem{Error: "not done, since the audit log cannot be written: see the log of modelwatch", Code: "audit"})
		return
	}
	rec := &recorder{ResponseWriter: w}
	next.ServeHTTP(rec, r.WithContext(context.WithValue(r.Context(), actionKey{}, &e)))
	if e.Status = rec.status; e.Status == 0 {
		e.Status = http.StatusOK
	}
	a.update(r.Context(), e)
}

// recorder keeps the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// WriteHeader keeps the first final status.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implies status 200.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// stranger answers who is not known.
func (a *Auth) stranger(w http.ResponseWriter, r *http.Request, err error) {
	var over limited
	var f *fault
	switch {
	case errors.As(err, &over):
		a.metrics.refused.WithLabelValues("limited").Inc()
		a.tooMany(w, over)
		return
	case errors.Is(err, errBusy):
		a.metrics.refused.WithLabelValues("limited").Inc()
		w.Header().Set("Retry-After", "1")
		a.answer(w, http.StatusServiceUnavailable, problem{Error: err.Error(), Code: "busy"})
		return
	case errors.Is(err, errNobody), errors.Is(err, errUnknown), errors.As(err, &f):
	default:
		if r.Context().Err() == nil {
			a.logger.Error("Check credentials", "err", err)
		}
		a.answer(w, http.StatusInternalServerError, problem{Error: "the credentials could not be checked: see the log of modelwatch"})
		return
	}
	if !errors.Is(err, errNobody) {
		a.metrics.refused.WithLabelValues("credentials").Inc()
	}
	if r.Header.Get("Authorization") == "" && len(r.CookiesNamed(CookieName)) > 0 {
		a.dropCookie(w, r)
	}
	if wantsPage(r) {
		a.toLogin(w, r, "")
		return
	}
	w.Header().Add("WWW-Authenticate", `Bearer realm="modelwatch"`)
	// Browsers would ask with a window of their own.
	if r.Header.Get("Sec-Fetch-Mode") == "" && !strings.Contains(r.Header.Get("User-Agent"), "Mozilla") {
		w.Header().Add("WWW-Authenticate", `Basic realm="modelwatch", charset="UTF-8"`)
	}
	p := problem{Code: "unauthorized"}
	switch {
	case errors.Is(err, errNobody):
		p.Error = "log in, or send an API token: Authorization: Bearer mw_…"
	case f != nil:
		p.Error = f.text
	case r.Header.Get("Authorization") != "":
		p.Error = "this token does not exist, or not any more: an admin makes a new one"
	default:
		p.Error = "the session has ended: log in again"
	}
	a.answer(w, http.StatusUnauthorized, p)
}

func (a *Auth) tooMany(w http.ResponseWriter, over limited) {
	seconds := max(int(math.Ceil(over.wait.Seconds())), 1)
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	a.answer(w, http.StatusTooManyRequests, problem{Error: fmt.Sprintf("too many attempts: try again in %d s", seconds), Code: "limited"})
}

// wantsPage tells whether a browser asks for something to show in a tab.
func wantsPage(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
		return false
	}
	return r.Header.Get("Authorization") == "" && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// toLogin sends a browser to the page of log-in, and back afterwards.
func (a *Auth) toLogin(w http.ResponseWriter, r *http.Request, flag string) {
	q := url.Values{}
	if next := safeNext(r.URL.RequestURI()); next != "/" {
		q.Set("next", next)
	}
	if flag != "" {
		q.Set(flag, "1")
	}
	to := a.prefix + "/login"
	if len(q) > 0 {
		to += "?" + q.Encode()
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// problem is what every refusal says. Status and errorType are for clients of
// Prometheus's API.
type problem struct {
	Error     string `json:"error"`
	Code      string `json:"code,omitempty"`
	Role      Role   `json:"role,omitempty"`
	Status    string `json:"status"`
	ErrorType string `json:"errorType"`
}

func (a *Auth) answer(w http.ResponseWriter, status int, p problem) {
	p.Status = "error"
	if p.ErrorType = p.Code; p.ErrorType == "" {
		p.ErrorType = "auth"
	}
	writeJSON(w, status, p)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // Who asked has gone.
}
