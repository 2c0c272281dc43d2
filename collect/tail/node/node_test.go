package node

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "12": 12, "3b": 3, "256KB": 256 << 10, "256kb": 256 << 10, "1KiB": 1024, "1.5 MB": 3 << 19, "2G": 2 << 30, "1TiB": 1 << 40} {
		got, err := ParseBytes(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "KB", "-1", "x", "1XB"} {
		_, err := ParseBytes(text)
		require.Error(t, err, text)
	}
}

// TestAllProblems reads on after each mistake and keeps their lines.
func TestAllProblems(t *testing.T) {
	r := &Reader{}
	var n int
	var b bool
	var s []string
	root := r.Parse([]byte("number: x\nflag: maybe\nlist: [a, {b: c}]\nnunber: 1\nnumber: 2\nmerged:\n  <<: {flag: true}\n"))
	var nested bool
	r.Map(root, "file", Fields{
		"number": r.Int(&n, "number"), "flag": r.Bool(&b, "flag"), "list": r.Strings(&s, "list"),
		"merged": func(v *yaml.Node) { r.Map(v, "merged", Fields{"flag": r.Bool(&nested, "merged.flag")}) },
	})
	require.True(t, nested)
	var got []string
	for _, p := range r.Sorted() {
		got = append(got, p.String())
	}
	require.Equal(t, []string{
		`line 1: number must be a whole number, found "x"`,
		`line 2: flag must be true or false, found "maybe"`,
		`line 3: list[1] must be text, found fields`,
		`line 4: file has no field "nunber" (did you mean "number"?)`,
		`line 5: file has "number" twice`,
	}, got)
}
