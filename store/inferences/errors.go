package inferences

import (
	"errors"
	"net/http"
	"syscall"
	"time"

	"github.com/modelwatch/modelwatch/store/inferences/seglog"
)

// Error is a refusal that may pass: the sender should come again with the same
// batch.
type Error struct {
	// Status is the HTTP status it stands for: 429 or 503.
	Status int
	// After is how long to wait.
	After time.Duration
	Err   error
}

// Error implements error.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// StatusCode is the HTTP status that the error stands for.
func (e *Error) StatusCode() int { return e.Status }

// RetryAfter is how long to wait before the next attempt.
func (e *Error) RetryAfter() time.Duration { return e.After }

func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// reason is the label under which a refusal is counted.
func (s *Store) reason(err error) string {
	switch {
	case errors.Is(err, seglog.ErrClosed):
		return "closed"
	case diskFull(err):
		return "disk_full"
	default:
		return "disk_error"
	}
}

// explain turns a failure of the log into what its sender is told.
func (s *Store) explain(err error) error {
	e := &Error{Status: http.StatusServiceUnavailable, After: 5 * time.Second, Err: err}
	if !errors.Is(err, seglog.ErrClosed) {
		s.o.Logger.Error("Store inferences", "err", err)
	}
	return e
}
