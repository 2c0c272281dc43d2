package loki

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// parseTime reads a point of time: nanoseconds, seconds with a fraction, or RFC 3339.
func parseTime(text string) (time.Time, error) {
	if strings.Contains(text, ".") {
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			s, frac := math.Modf(f)
			return time.Unix(int64(s), int64(math.Round(frac*1000))*1e6).UTC(), nil
		}
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if len(strings.TrimPrefix(text, "-")) <= 10 {
			return time.Unix(n, 0).UTC(), nil
		}
		return time.Unix(0, n).UTC(), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
		return time.Unix(0, int64(f*1e9)).UTC(), nil
	}
	return time.Time{}, fmt.Errorf("%q is no point of time: give nanoseconds or seconds since 1970, or RFC 3339", text)
}

func timeParam(r *http.Request, name string, def time.Time) (time.Time, error) {
	text := r.FormValue(name)
	if text == "" {
		return def, nil
	}
	t, err := parseTime(text)
	if err != nil {
		return t, bad(fmt.Errorf("%s: %w", name, err))
	}
	return t, nil
}

// parseDuration reads a duration: 15s, 1h30m, 1d, or seconds.
func parseDuration(text string) (time.Duration, error) {
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		if ns := f * float64(time.Second); math.Abs(ns) < math.MaxInt64 {
			return time.Duration(ns), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil {
		return d, nil
	}
	if d, err := model.ParseDuration(text); err == nil {
		return time.Duration(d), nil
	}
	return 0, fmt.Errorf("%q is no duration: give seconds or something like 15s, 1h or 1d", text)
}

func durationParam(r *http.Request, name string, def time.Duration) (time.Duration, error) {
	text := r.FormValue(name)
	if text == "" {
		return def, nil
	}
	d, err := parseDuration(text)
	if err == nil && d < 0 {
		err = fmt.Errorf("%q is negative", text)
	}
	if err != nil {
		return 0, bad(fmt.Errorf("%s: %w", name, err))
	}
	return d, nil
}

func intParam(r *http.Request, name string, def int) (int, error) {
	text := r.FormValue(name)
	if text == "" {
		return def, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, bad(fmt.Errorf("%s: %q is not a number of 0 or more", name, text))
	}
	return n, nil
}

// limitParam reads how many entries are asked for.
func limitParam(r *http.Request) (int, error) {
	text := r.FormValue("limit")
	if text == "" {
		return 100, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, bad(fmt.Errorf("limit: %q is not a number", text))
	}
	if n <= 0 {
		return 0, bad(errors.New("limit must be a positive value"))
	}
	return n, nil
}

// span reads start, end and since; without them it is the time of def before now.
func (a *API) span(r *http.Request, def time.Duration) (start, end time.Time, err error) {
	now := a.o.Now()
	if end, err = timeParam(r, "end", now); err != nil {
		return start, end, err
	}
	since, err := durationParam(r, "since", def)
	if err != nil {
		return start, end, err
	}
	last := end
	if last.After(now) {
		last = now
	}
	if start, err = timeParam(r, "start", last.Add(-since)); err != nil {
		return start, end, err
	}
	if end.Before(start) {
		return start, end, bad(fmt.Errorf("end %s is before start %s", end.Format(time.RFC3339), start.Format(time.RFC3339)))
	}
	return start, end, nil
}

// forward reads the direction.
func forward(r *http.Request) (bool, error) {
	switch d := strings.ToLower(r.FormValue("direction")); d {
	case "", "backward":
		return false, nil
	case "forward":
		return true, nil
	default:
		return false, bad(fmt.Errorf("direction: %q is neither forward nor backward", d))
	}
}
