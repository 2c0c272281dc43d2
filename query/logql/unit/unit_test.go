package unit_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/query/logql/unit"
)

func TestParseDuration(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"5m": 5 * time.Minute, "1h30m": 90 * time.Minute, "1.5h": 90 * time.Minute, "250ms": 250 * time.Millisecond, "1us": 1000, "1µs": 1000,
		"1d": 24 * time.Hour, "1w2d3h": (9*24 + 3) * time.Hour, "1y": 365 * 24 * time.Hour, "0s": 0,
	} {
		d, err := unit.ParseDuration(s)
		require.NoError(t, err, s)
		require.Equal(t, want, d, s)
	}
	for _, s := range []string{"", "5", "m", "5x", "1h1d", "1.5d", "1d1d", "300y", "99999999999999999999d"} {
		_, err := unit.ParseDuration(s)
		require.Error(t, err, s)
	}
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 5 * time.Minute: "5m", 25 * time.Hour: "1d1h", 90 * time.Second: "1m30s", 1500 * time.Millisecond: "1s500ms", 1500: "1.5µs", -time.Minute: "-1m",
	} {
		require.Equal(t, want, unit.FormatDuration(d))
	}
}

func FuzzDuration(f *testing.F) {
	f.Add(int64(90061001))
	f.Add(int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, n int64) {
		if n == math.MinInt64 {
			return
		}
		d := max(time.Duration(n), -time.Duration(n))
		got, err := unit.ParseDuration(unit.FormatDuration(d))
		require.NoError(t, err)
		require.Equal(t, d, got)
	})
}

func TestParseBytes(t *testing.T) {
	for s, want := range map[string]uint64{
		"0": 0, "20B": 20, "42MB": 42e6, "1.5KiB": 1536, "1.5 KiB": 1536, "3k": 3000, "1G": 1e9, "1kB": 1000, "1,000": 1000, "2TiB": 2 << 40, "1e": 1e18,
	} {
		n, err := unit.ParseBytes(s)
		require.NoError(t, err, s)
		require.Equal(t, want, n, s)
	}
	_, err := unit.ParseBytes("oops")
	require.EqualError(t, err, `strconv.ParseFloat: parsing "": invalid syntax`)
	_, err = unit.ParseBytes("5x")
	require.EqualError(t, err, "unhandled size name: x")
	_, err = unit.ParseBytes("99EB")
	require.EqualError(t, err, "too large: 99EB")
}
