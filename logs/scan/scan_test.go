package scan_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/buger/jsonparser"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/logs/scan"
)

// members are the members of an object, as this package and as another parser of the same leniency see them.
func members(s string) (out []string, err error) {
	err = scan.Members(s, func(key string, v scan.Value) error {
		out = append(out, fmt.Sprintf("%q %d %q", key, v.Kind, v.Raw))
		return nil
	})
	return out, err
}

func peerMembers(s string) (out []string, err error) {
	kinds := map[jsonparser.ValueType]scan.Kind{
		jsonparser.String: scan.String, jsonparser.Number: scan.Number, jsonparser.Boolean: scan.Bool,
		jsonparser.Null: scan.Null, jsonparser.Object: scan.Object, jsonparser.Array: scan.Array,
	}
	err = jsonparser.ObjectEach([]byte(s), func(key, value []byte, t jsonparser.ValueType, _ int) error {
		out = append(out, fmt.Sprintf("%q %d %q", key, kinds[t], value))
		return nil
	})
	return out, err
}

var objects = []string{
	`{}`, ` { } `, ``, `x`, `[1]`, `{`, `{"a"`, `{"a":`, `{"a": `, `{"a":1`, `{"a":1}`, `{"a":1,}`, `{"a":1,"b":2}`, `{"a":1 "b":2}`, `{"a":1}}`, `{"a":1} x`,
	`{"a":"x","b":true,"c":null,"d":[1,{"]":"}"}],"e":{"f":{"}":1}},"g":-1.5e3}`, `{"a":"\"\\","b":1}`, `{"a":"\\\""}`, `{"a\"b":1}`, `{"\u00e9":1}`, `{"a\x":1}`,
	`{"a":"open}`, `{"a":[1,2}`, `{"a":{"b":1}`, `{"a":tru}`, `{"a":nul}`, `{"a":undefined}`, `{"a":.5}`, `{"a":1x}`, `{a:1}`, `{"a" 1}`, `{"a":1,2}`, "{\"a\":\n1\t}",
	`{"long key that is more than sixteen bytes":"long value that is \"more\" than sixteen bytes"}`, `{"a":"0123456789abcde\"f"}`, `{"a":"0123456789abcdef\\"}`,
}

func checkMembers(t *testing.T, s string) {
	t.Helper()
	want, wantErr := peerMembers(s)
	got, err := members(s)
	if wantErr != nil {
		require.EqualError(t, err, wantErr.Error(), s)
	} else {
		require.NoError(t, err, s)
	}
	require.Equal(t, want, got, s)
}

func TestMembers(t *testing.T) {
	for _, s := range objects {
		checkMembers(t, s)
	}
	n := 0
	require.NoError(t, scan.Members(`{"a":1,"b":broken`, func(string, scan.Value) error { n++; return scan.ErrStop }), "nobody looks further")
	require.Equal(t, 1, n)
	stop := errors.New("mine")
	require.ErrorIs(t, scan.Members(`{"a":1}`, func(string, scan.Value) error { return stop }), stop)
}

func FuzzMembers(f *testing.F) {
	for _, s := range objects {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		checkMembers(t, s)
		if u, err := jsonparser.Unescape([]byte(s), nil); err == nil {
			got, ok := scan.Unescape(s)
			require.True(t, ok)
			require.Equal(t, string(u), got)
		} else {
			_, ok := scan.Unescape(s)
			require.False(t, ok)
		}
	})
}

func TestElement(t *testing.T) {
	get := func(s string, n int) string {
		v, ok, err := scan.Element(s, n)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(v.Raw, ok)
	}
	require.Equal(t, "1 true", strings.Replace(get(`[1,"b",[2]]`, 0), "1true", "1 true", 1))
	require.Equal(t, "[2]true", get(` [1, "b" , [2]] `, 2))
	require.Equal(t, "false", get(`[1]`, 1))
	require.Equal(t, "false", get(`[]`, 0))
	require.Equal(t, scan.ErrJSONArray.Error(), get(`{}`, 0))
	require.Equal(t, scan.ErrJSONArray.Error(), get(`[1 2]`, 1))
	require.Equal(t, scan.ErrJSONArray.Error(), get(`[1,`, 1))
	require.Equal(t, scan.ErrJSONValue.Error(), get(`[x]`, 0))
}

func TestLabelName(t *testing.T) {
	for in, want := range map[string]string{
		"a": "a", "A_9": "A_9", "a.b-c": "a_b_c", "9a": "_9a", "ünï": "_n_", " x ": "x", "  ": "", "": "", "a:b": "a_b", "é": "_", "\xff": "_",
	} {
		require.Equal(t, want, scan.LabelName(in), "%q", in)
	}
	require.Equal(t, "p_9", scan.Nested("p", "9"))
	require.Equal(t, "p_a_b", scan.Nested("p", " a.b "))
	require.Equal(t, "a", scan.Nested("", "a"))
}

// flatten is what jsonLabel must find, done in full.
func flatten(object, parent string, f func(name, text string)) error {
	return scan.Members(object, func(key string, v scan.Value) error {
		switch v.Kind {
		case scan.Array, scan.Null:
			return nil
		case scan.Object:
			return flatten(v.Raw, scan.Nested(parent, key), f)
		}
		text, err := v.Text()
		if err == nil {
			f(scan.Nested(parent, key), text)
		}
		return err
	})
}

func checkLabels(t *testing.T, line string) {
	t.Helper()
	want := map[string]string{}
	var order []string
	err := flatten(line, "", func(name, text string) {
		if _, ok := want[name]; !ok && name != "" {
			want[name] = text
			order = append(order, name)
		}
	})
	for _, name := range order {
		text, found, e := scan.JSONLabel(line, name)
		require.NoError(t, e, "%s in %s", name, line)
		require.True(t, found, "%s in %s", name, line)
		require.Equal(t, want[name], text, "%s in %s", name, line)
	}
	if !slices.Contains(order, "no_such_label") {
		_, found, e := scan.JSONLabel(line, "no_such_label")
		require.False(t, found)
		if err == nil {
			require.NoError(t, e)
		}
	}
}

func TestJSONLabel(t *testing.T) {
	for _, line := range append(objects, `{"a":{"b":{"c":1},"b_c":2},"a_b":{"c":3},"a_b_c":4}`, `{"a.b":1,"a":{"b":2}}`, `{"1":{"2":3}}`, `{" ":{"x":1},"y":2}`, `{"lvl":1,"level":"info"`) {
		checkLabels(t, line)
	}
	text, found, err := scan.JSONLabel(`{"level":"in\u0066o", broken`, "level")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, "info", text)
	_, _, err = scan.JSONLabel(`plain`, "level")
	require.ErrorIs(t, err, scan.ErrJSONObject)
}

func FuzzJSONLabel(f *testing.F) {
	for _, s := range objects {
		f.Add(s)
	}
	f.Fuzz(checkLabels)
}

func TestLogfmt(t *testing.T) {
	read := func(line string) (out []string) {
		var l scan.Logfmt
		l.Reset(line)
		for {
			if l.Next() {
				out = append(out, l.Key+"="+l.Value)
				continue
			}
			if !l.Bad() {
				require.NoError(t, l.Err())
				return out
			}
			out = append(out, l.Err().Error())
			l.Skip()
		}
	}
	for line, want := range map[string][]string{
		"":                                  nil,
		"  \t":                              nil,
		"a=1 b=2":                           {"a=1", "b=2"},
		" a=1\tb = c":                       {"a=1", "b=", "logfmt syntax error at pos 8 : unexpected '='", "c="},
		"flag empty= last":                  {"flag=", "empty=", "last="},
		`a="" b="x y" c="q\"\\\n\u00e9"`:    {"a=", "b=x y", "c=q\"\\\né"},
		`a="x"b=1`:                          {"a=x", "b=1"},
		`a=x"y b=1`:                         {`logfmt syntax error at pos 4 : unexpected '"'`, "b=1"},
		`a=b=c d=1`:                         {"logfmt syntax error at pos 4 : unexpected '='", "d=1"},
		`fo"o=1 d=1`:                        {`logfmt syntax error at pos 3 : unexpected '"'`, "d=1"},
		`a="open`:                           {"logfmt syntax error at pos 8 : unterminated quoted value"},
		"a=\"bad \\x\" b=1":                 {"logfmt syntax error at pos 11 : invalid quoted value", "b=1"},
		"\xff=1 b=1":                        {"logfmt syntax error at pos 2 : invalid key", "b=1"},
		"é=ü":                               {"é=ü"},
		`a="it\'s" b="\ud83d\ude00 \ud83d"`: {"a=it's", "b=😀 \ufffd"},
	} {
		require.Equal(t, want, read(line), "%q", line)
	}
}

func FuzzLogfmt(f *testing.F) {
	f.Add(`a=1 b="x\"y" =c d`)
	f.Add("\xff=\"\\u12")
	f.Fuzz(func(t *testing.T, line string) {
		var l scan.Logfmt
		l.Reset(line)
		for range len(line) + 2 {
			switch {
			case l.Next():
				require.NotEmpty(t, l.Key)
				require.True(t, utf8.ValidString(scan.Valid(l.Value)))
			case l.Bad():
				require.Error(t, l.Err())
				l.Skip()
			default:
				return
			}
		}
		t.Fatal("no end")
	})
}
