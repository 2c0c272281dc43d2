package format

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"

	"github.com/modelwatch/modelwatch/query/logql/unit"
)

// fromSprig are the functions that sprig has under the same name with the same meaning.
var fromSprig = []string{
	"lower", "upper", "title", "trunc", "substr", "contains", "hasPrefix", "hasSuffix", "replace",
	"trim", "trimAll", "trimSuffix", "trimPrefix", "default",
	"int", "float64", "add", "sub", "mul", "div", "mod", "addf", "subf", "mulf", "divf",
	"max", "min", "maxf", "minf", "ceil", "floor", "round",
	"fromJson", "date", "toDate", "now", "unixEpoch",
}

// functions are those of one runner.
func functions(r *Run) template.FuncMap {
	all := sprig.GenericFuncMap()
	m := template.FuncMap{
		guardName:       r.guard,
		"__line__":      func() string { return r.line },
		"__timestamp__": r.timestamp,

		// The names that Go's package strings has are older than the others and still in use.
		"ToLower": strings.ToLower, "ToUpper": strings.ToUpper, "Replace": strings.Replace, "Trim": strings.Trim,
		"TrimLeft": strings.TrimLeft, "TrimRight": strings.TrimRight, "TrimPrefix": strings.TrimPrefix,
		"TrimSuffix": strings.TrimSuffix, "TrimSpace": strings.TrimSpace,

		"regexReplaceAll":        r.regexReplaceAll,
		"regexReplaceAllLiteral": r.regexReplaceAllLiteral,
		"count":                  r.count,
		"urlencode":              url.QueryEscape,
		"urldecode":              url.QueryUnescape,
		"b64enc":                 func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"b64dec":                 b64dec,
		"bytes":                  bytes,
		"duration":               seconds,
		"duration_seconds":       seconds,
		"unixEpochMillis":        func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) },
		"unixEpochNanos":         func(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) },
		"unixToTime":             unixToTime,
		"toDateInZone":           toDateInZone,
		"alignLeft":              alignLeft,
		"alignRight":             alignRight,
		"repeat":                 repeat,
		"indent":                 indent,
		"nindent":                func(n int, s string) (string, error) { s, err := indent(n, s); return "\n" + s, err },
		"printf":                 printf,
	}
	for _, name := range fromSprig {
		m[name] = all[name]
	}
	return m
}

// maxCompiled bounds the regular expressions that a runner keeps; most templates use the same ones for every line.
const maxCompiled = 64

func (r *Run) compile(expr string) (*regexp.Regexp, error) {
	if re, ok := r.regexps[expr]; ok {
		return re, nil
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, err
	}
	if r.regexps == nil || len(r.regexps) >= maxCompiled {
		r.regexps = map[string]*regexp.Regexp{}
	}
	r.regexps[strings.Clone(expr)] = re
	return re, nil
}

func (r *Run) regexReplaceAll(expr, s, repl string) (string, error) {
	re, err := r.compile(expr)
	if err != nil {
		return "", err
	}
	return re.ReplaceAllString(s, repl), nil
}

func (r *Run) regexReplaceAllLiteral(expr, s, repl string) (string, error) {
	re, err := r.compile(expr)
	if err != nil {
		return "", err
	}
	return re.ReplaceAllLiteralString(s, repl), nil
}

func (r *Run) count(expr, s string) (int, error) {
	re, err := r.compile(expr)
	if err != nil {
		return 0, err
	}
	return len(re.FindAllStringIndex(s, -1)), nil
}

func b64dec(s string) string {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func bytes(s string) (float64, error) {
	n, err := unit.ParseBytes(s)
	return float64(n), err
}

func seconds(s string) (float64, error) {
	d, err := time.ParseDuration(s)
	return d.Seconds(), err
}

// unixToTime reads an epoch whose unit follows from its length: days, seconds, milli-, micro- or nanoseconds.
func unixToTime(epoch string) (time.Time, error) {
	n, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("unable to parse time '%v': %w", epoch, err)
	}
	switch len(epoch) {
	case 5:
		return time.Unix(n*86400, 0), nil
	case 10:
		return time.Unix(n, 0), nil
	case 13:
		return time.UnixMilli(n), nil
	case 16:
		return time.UnixMicro(n), nil
	case 19:
		return time.Unix(0, n), nil
	}
	return time.Time{}, fmt.Errorf("unable to parse time '%v': unknown unit of an epoch with %d digits", epoch, len(epoch))
}

// toDateInZone reads a date; what cannot be read is the zero time, an unknown zone is UTC.
func toDateInZone(layout, zone, s string) time.Time {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		loc = time.UTC
	}
	t, _ := time.ParseInLocation(layout, s, loc)
	return t
}

func width(n int) error {
	if n > maxOutput {
		return errTooLong
	}
	return nil
}

func alignLeft(n int, s string) (string, error) {
	runes := []rune(s)
	if n < 0 || len(runes) == n {
		return s, nil
	}
	if len(runes) > n {
		return string(runes[:n]), nil
	}
	return s + strings.Repeat(" ", min(n, maxOutput)-len(runes)), width(n)
}

func alignRight(n int, s string) (string, error) {
	runes := []rune(s)
	if n < 0 || len(runes) == n {
		return s, nil
	}
	if len(runes) > n {
		return string(runes[len(runes)-n:]), nil
	}
	if err := width(n); err != nil {
		return "", err
	}
	return strings.Repeat(" ", n-len(runes)) + s, nil
}

func repeat(n int, s string) (string, error) {
	if n < 0 {
		return "", fmt.Errorf("repeat: negative count")
	}
	if len(s) > 0 && n > maxOutput/len(s) {
		return "", errTooLong
	}
	return strings.Repeat(s, n), nil
}

func indent(n int, s string) (string, error) {
	if n < 0 {
		return "", fmt.Errorf("indent: negative width")
	}
	if n > 0 && strings.Count(s, "\n")+1 > maxOutput/n {
		return "", errTooLong
	}
	pad := strings.Repeat(" ", n)
	return pad + strings.ReplaceAll(s, "\n", "\n"+pad), nil
}

// printf is fmt.Sprintf with widths and precisions that cannot fill the memory.
func printf(format string, args ...any) (string, error) {
	digits := 0
	inVerb := false
	for i := range len(format) {
		switch c := format[i]; {
		case c == '%':
			inVerb, digits = !inVerb, 0
		case inVerb && c >= '0' && c <= '9':
			if digits++; digits > 5 {
				return "", errTooLong
			}
		case inVerb && c == '*':
			return "", fmt.Errorf("printf: a width of * is not supported")
		case inVerb && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'):
			inVerb = false
		default:
			digits = 0
		}
	}
	return fmt.Sprintf(format, args...), nil
}
