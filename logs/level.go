package logs

import (
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs/scan"
)

// Level is how serious an entry is.
type Level string

// The levels, as Loki and Grafana name them.
const (
	LevelTrace    Level = "trace"
	LevelDebug    Level = "debug"
	LevelInfo     Level = "info"
	LevelWarn     Level = "warn"
	LevelError    Level = "error"
	LevelCritical Level = "critical"
	LevelFatal    Level = "fatal"
	LevelUnknown  Level = "unknown"
)

// LevelLabel is the metadata under which a store may keep what DetectLevel says.
const LevelLabel = "detected_level"

// levelNames are the labels and fields in which producers write the level.
func levelName(name string) bool {
	switch len(name) {
	case 3:
		return strings.EqualFold(name, "lvl")
	case 5:
		return strings.EqualFold(name, "level")
	case 8:
		return strings.EqualFold(name, "severity")
	case 9:
		return strings.EqualFold(name, "log_level") || strings.EqualFold(name, "log.level")
	case 13:
		return strings.EqualFold(name, "severity_text")
	}
	return false
}

// ParseLevel is the level that a text such as WARNING, err or a syslog word means; unknown for anything else.
func ParseLevel(s string) Level {
	if len(s) > 11 {
		return LevelUnknown
	}
	switch strings.ToLower(s) {
	case "trace", "trc":
		return LevelTrace
	case "debug", "dbg":
		return LevelDebug
	case "info", "inf", "information", "notice":
		return LevelInfo
	case "warn", "wrn", "warning":
		return LevelWarn
	case "error", "err":
		return LevelError
	case "critical", "crit", "alert", "emerg", "emergency":
		return LevelCritical
	case "fatal", "panic":
		return LevelFatal
	}
	return LevelUnknown
}

// DetectLevel is the level of an entry: from its metadata, its stream's labels, a field of the line in JSON or logfmt, or
// else the first word of the line that names one.
func DetectLevel(stream labels.Labels, e Entry) Level {
	level := LevelUnknown
	look := func(l labels.Label) {
		if level != LevelUnknown {
			return
		}
		if levelName(l.Name) {
			level = ParseLevel(l.Value)
		} else if l.Name == "severity_number" {
			level = otelLevel(l.Value)
		}
	}
	e.Metadata.Range(look)
	stream.Range(look)
	if level != LevelUnknown {
		return level
	}
	if strings.HasPrefix(e.Line, "{") {
		err := scan.Members(e.Line, func(key string, v scan.Value) error {
			if v.Kind == scan.String && levelName(key) {
				if level = ParseLevel(v.Raw); level != LevelUnknown {
					return scan.ErrStop
				}
			}
			return nil
		})
		if err == nil || level != LevelUnknown {
			return level
		}
	}
	if strings.Contains(e.Line, "=") {
		var l scan.Logfmt
		l.Reset(e.Line)
		for range 100 { // pairs; a level stands near the beginning
			if !l.Next() {
				if !l.Bad() {
					break
				}
				l.Skip()
				continue
			}
			if levelName(l.Key) {
				if level = ParseLevel(l.Value); level != LevelUnknown {
					return level
				}
			}
		}
	}
	return levelOfText(e.Line)
}

// otelLevel is the level of a severity number of OpenTelemetry: four numbers each from trace to fatal.
func otelLevel(s string) Level {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 24 {
		return LevelUnknown
	}
	return [...]Level{LevelTrace, LevelDebug, LevelInfo, LevelWarn, LevelError, LevelFatal}[(n-1)/4]
}

// maxLevelText is how far into a line a word that names a level is looked for.
const maxLevelText = 1024

// levelOfText is the first word that names a level.
func levelOfText(line string) Level {
	line = line[:min(len(line), maxLevelText)]
	for i := 0; i < len(line); {
		start := i
		for i < len(line) && letter(line[i]) {
			i++
		}
		if n := i - start; n >= 3 && n <= 11 && (start == 0 || line[start-1] != '_') {
			switch level := ParseLevel(line[start:i]); level {
			case LevelUnknown:
			default:
				return level
			}
		}
		i++
	}
	return LevelUnknown
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }
