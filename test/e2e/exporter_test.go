package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// exporter is a model exporter on Python's prometheus_client, as users write
// them. What it exposes is read from a file, so that a test decides it.
type exporter struct {
	t       *testing.T
	file    string
	address string
}

func startExporter(t *testing.T) *exporter {
	t.Helper()
	python := "python3"
	if venv := filepath.Join("..", "..", ".venv", "bin", "python"); fileExists(venv) {
		abs, err := filepath.Abs(venv)
		require.NoError(t, err)
		python = abs
	}
	e := &exporter{t: t, file: filepath.Join(t.TempDir(), "values"), address: freeAddress(t)}
	e.set(0.5, 40)
	_, port, err := net.SplitHostPort(e.address)
	require.NoError(t, err)
	cmd := exec.Command(python, filepath.Join("testdata", "model_exporter.py"), port, e.file)
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	eventually(t, 20*time.Second, func() error {
		resp, err := web.Get("http://" + e.address + "/metrics")
		if err != nil {
			return fmt.Errorf("%w (is prometheus_client installed? `make test` does it) %s", err, out)
		}
		return resp.Body.Close()
	})
	return e
}

// set decides the latency in seconds and the mean of the feature age.
func (e *exporter) set(latency, age float64) {
	e.t.Helper()
	next := e.file + ".next"
	require.NoError(e.t, os.WriteFile(next, fmt.Appendf(nil, "%g %g\n", latency, age), 0o600))
	require.NoError(e.t, os.Rename(next, e.file))
}

func fileExists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
