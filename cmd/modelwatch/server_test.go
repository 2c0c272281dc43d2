package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/alecthomas/kingpin/v2"
	"github.com/stretchr/testify/require"
)

// A flag named version makes kingpin forget defaults and variables: what is asked must
// go where the environment says all the same.
func TestCommandsAskWhereTheEnvironmentSays(t *testing.T) {
	var got []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Authorization")+" "+r.URL.String())
		_, _ = w.Write([]byte(`{"baselines":[]}`))
	}))
	defer srv.Close()
	t.Setenv("MODELWATCH_URL", srv.URL)
	t.Setenv("MODELWATCH_USER", "ann")
	t.Setenv("MODELWATCH_PASSWORD", "secret")
	for _, args := range [][]string{
		{"baseline", "list", "--model=m"},
		{"baseline", "list", "--model=m", "--version=v1"},
	} {
		cli := kingpin.New("modelwatch", "")
		commands := baselineCommands(cli)
		chosen, err := cli.Parse(args)
		require.NoError(t, err)
		for _, c := range commands {
			if c.clause.FullCommand() == chosen {
				require.NoError(t, c.run())
			}
		}
	}
	require.Equal(t, []string{
		"Basic YW5uOnNlY3JldA== /ai/v1/baselines?model=m", "Basic YW5uOnNlY3JldA== /ai/v1/baselines?model=m&version=v1",
	}, got)
}
