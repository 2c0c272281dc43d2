// Package unit reads and writes the durations and sizes of LogQL. It is not a general units library.
package unit

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseDuration reads what time.ParseDuration reads and also the units d (24h), w (7d) and y (365d), which only go with
// whole numbers, as in Prometheus: 1d12h, 90m, 1.5s.
func ParseDuration(s string) (time.Duration, error) {
	if d, err := time.ParseDuration(s); err == nil {
		return d, nil
	}
	units := []struct {
		name string
		size time.Duration
	}{
		{"y", 365 * 24 * time.Hour},
		{"w", 7 * 24 * time.Hour},
		{"d", 24 * time.Hour},
		{"h", time.Hour},
		{"m", time.Minute},
		{"s", time.Second},
		{"ms", time.Millisecond},
	}
	var total time.Duration
	rest, next := s, 0
	for rest != "" {
		n := 0
		for n < len(rest) && digit(rest[n]) {
			n++
		}
		u := n
		for u < len(rest) && !digit(rest[u]) {
			u++
		}
		value, err := strconv.ParseInt(rest[:n], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration", s)
		}
		found := false
		for i := next; i < len(units); i++ {
			if units[i].name != rest[n:u] {
				continue
			}
			if value > int64(math.MaxInt64-total)/int64(units[i].size) {
				return 0, fmt.Errorf("duration %q is too long", s)
			}
			total += time.Duration(value) * units[i].size
			next, found = i+1, true
			break
		}
		if !found {
			return 0, fmt.Errorf("%q is not a duration", s)
		}
		rest = rest[u:]
	}
	if s == "" {
		return 0, fmt.Errorf("%q is not a duration", s)
	}
	return total, nil
}

// byteUnits are the units of sizes in lower case. Those with an i are powers of 1024, the others of 1000.
var byteUnits = map[string]float64{
	"": 1, "b": 1,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40, "pib": 1 << 50, "eib": 1 << 60,
	"ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30, "ti": 1 << 40, "pi": 1 << 50, "ei": 1 << 60,
	"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "pb": 1e15, "eb": 1e18,
	"k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "p": 1e15, "e": 1e18,
}

// ParseBytes reads a size such as 42MB, 1.5 KiB or 20B as a number of bytes. Case does not matter and a number alone is
// bytes.
func ParseBytes(s string) (uint64, error) {
	n, comma := 0, false
	for n < len(s) && (digit(s[n]) || s[n] == '.' || s[n] == ',') {
		comma = comma || s[n] == ','
		n++
	}
	num := s[:n]
	if comma {
		num = strings.ReplaceAll(num, ",", "")
	}
	v, err := strconv.ParseFloat(num, 64)
	if err != nil {
		return 0, err
	}
	unit := strings.ToLower(strings.TrimSpace(s[n:]))
	size, ok := byteUnits[unit]
	if !ok {
		return 0, fmt.Errorf("unhandled size name: %v", unit)
	}
	if v *= size; v >= math.MaxUint64 {
		return 0, fmt.Errorf("too large: %v", s)
	}
	return uint64(v), nil
}

// FormatDuration writes a duration as LogQL reads it, in the greatest units that divide it: 1d, 1h30m, 1.5ms.
func FormatDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	if d < 0 {
		return "-" + FormatDuration(-d)
	}
	var b strings.Builder
	units := []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}}
	if d%time.Millisecond != 0 {
		return d.String()
	}
	for _, u := range units {
		if n := d / u.size; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10) + u.name)
			d -= n * u.size
		}
	}
	return b.String()
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
