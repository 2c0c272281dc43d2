package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kingpin/v2"
	"github.com/stretchr/testify/require"
)

// Drift ends the program otherwise than a failure does.
func TestDriftIsNoFailure(t *testing.T) {
	file := func(name string, shift int) string {
		var b strings.Builder
		b.WriteString("age\n")
		for i := range 300 {
			fmt.Fprintln(&b, shift+i*7919%50)
		}
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
		return path
	}
	run := func(baseline, current string) error {
		cli := kingpin.New("modelwatch", "")
		c := driftCommand(cli)
		_, err := cli.Parse([]string{"drift", "compare", "--baseline=" + baseline, "--current=" + current, "--json"})
		require.NoError(t, err)
		return c.run()
	}
	a, b := file("a.csv", 0), file("b.csv", 40)
	require.NoError(t, run(a, a))
	require.ErrorIs(t, run(a, b), errDrift)
	err := run(a, a+".csv")
	require.ErrorContains(t, err, "no such file")
	require.NotErrorIs(t, err, errDrift)
}

// What is compared must be clear.
func TestDriftOfWhat(t *testing.T) {
	for want, args := range map[string][]string{
		"say what is to be compared":     {},
		"name both":                      {"--baseline=a.csv"},
		"--baseline and --current are f": {"--baseline=a.csv", "--model=m"},
		"connection refused":             {"--url=http://127.0.0.1:1", "--model=m", "--version=v1", "--since=1h"},
	} {
		cli := kingpin.New("modelwatch", "")
		c := driftCommand(cli)
		_, err := cli.Parse(append([]string{"drift", "compare"}, args...))
		require.NoError(t, err)
		require.ErrorContains(t, c.run(), want)
	}
}
