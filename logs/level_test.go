package logs_test

import (
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/logs"
)

func TestDetectLevel(t *testing.T) {
	none := labels.EmptyLabels()
	for _, c := range []struct {
		stream, meta labels.Labels
		line         string
		want         logs.Level
	}{
		{none, none, `{"ts": 1, "level": "error", "msg": "all is well, no warning"}`, logs.LevelError},
		{none, none, `{"severity": "WARNING"}`, logs.LevelWarn},
		{none, none, `{"log.level": "dbg"}`, logs.LevelDebug},
		{none, none, `{"msg": "error"}`, logs.LevelUnknown},
		{none, none, `{"lvl": "crit", broken`, logs.LevelCritical},
		{none, none, `{"broken`, logs.LevelUnknown},
		{none, none, `ts=1 level=info msg="an error"`, logs.LevelInfo},
		{none, none, `ts=1 =x Level=Fatal`, logs.LevelFatal},
		{none, none, `2026-11-22 ERROR something failed`, logs.LevelError},
		{none, none, `[warn] disk`, logs.LevelWarn},
		{none, none, `no_error informational`, logs.LevelUnknown},
		{none, none, `terror errors`, logs.LevelUnknown},
		{none, none, `panic: runtime error`, logs.LevelFatal},
		{none, none, ``, logs.LevelUnknown},
		{labels.FromStrings("level", "debug"), none, `an error`, logs.LevelDebug},
		{labels.FromStrings("level", "debug"), labels.FromStrings("severity_text", "ERROR"), `x`, logs.LevelError},
		{none, labels.FromStrings("severity_number", "17"), `x`, logs.LevelError},
		{none, labels.FromStrings("severity_number", "1"), `x`, logs.LevelTrace},
		{none, labels.FromStrings("severity_number", "99"), `x`, logs.LevelUnknown},
		{labels.FromStrings("level", "nonsense"), none, `level=warn`, logs.LevelWarn},
	} {
		require.Equal(t, c.want, logs.DetectLevel(c.stream, logs.Entry{Line: c.line, Metadata: c.meta}), "%s %s %q", c.stream, c.meta, c.line)
	}
}

func TestEntryBytes(t *testing.T) {
	require.Equal(t, 4, logs.Entry{Line: "line"}.Bytes())
	require.Equal(t, 4+3, logs.Entry{Line: "line", Metadata: labels.FromStrings("a", "bc")}.Bytes())
}

func TestBatch(t *testing.T) {
	freed := 0
	b := &logs.Batch{Timestamps: []int64{7}, Stream: []uint32{0}, Lines: []string{"x"}, Free: func() { freed++ }}
	require.Equal(t, 1, b.Len())
	require.Equal(t, logs.Entry{Timestamp: 7, Line: "x"}, b.Entry(0))
	b.Release()
	b.Release()
	require.Equal(t, 1, freed)
	require.Equal(t, `!~ "a" or "b\""`, logs.LineFilter{Op: logs.NotMatch, Patterns: []string{"a", `b"`}}.String())
}

func FuzzDetectLevel(f *testing.F) {
	f.Add(`{"level": "x"}`)
	f.Add(`a=b level="war`)
	f.Fuzz(func(t *testing.T, line string) {
		require.NotEmpty(t, logs.DetectLevel(labels.EmptyLabels(), logs.Entry{Line: line}))
	})
}
