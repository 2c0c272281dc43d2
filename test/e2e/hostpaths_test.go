package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"
)

// procStat is /proc/PID/stat of a process whose resident memory is so many pages.
func procStat(pid, pages int) string {
	return fmt.Sprintf("%d (worker) S 0 1 1 0 -1 0 0 0 0 0 5 0 0 0 20 0 1 0 1 1000 %d 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n", pid, pages)
}

// In a container, the figures are those of the procfs, sysfs and root that are
// mounted into it; what modelwatch says of itself is its own.
func TestHostOfAContainer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	proc, sys, root := filepath.Join(dir, "host/proc"), filepath.Join(dir, "host/sys"), filepath.Join(dir, "host/root")
	write(t, proc, "stat", "cpu  3000 10 2000 90000 400 5 60 7 8 0\ncpu0 1000 4 1200 45000 150 2 40 3 6 0\nbtime 1700000000\nprocesses 4321\nprocs_running 2\nprocs_blocked 1\n")
	write(t, proc, "loadavg", "41.5 1.25 2.75 3/456 7890\n")
	write(t, proc, "1/stat", procStat(1, 10))
	write(t, proc, "1/cmdline", "init\x00")
	// Of the host's mounts as the container sees them, one is not below its root.
	write(t, proc, "1/mountinfo", fmt.Sprintf("27 1 254:0 / %[1]s ro,relatime - ext4 /dev/vda1 rw\n30 27 259:1 / %[1]s/models rw - xfs /dev/nvme0n1 rw\n31 27 254:0 / /etc/hosts rw - ext4 /dev/vda1 rw\n", root))
	write(t, proc, "4242/stat", procStat(4242, 7))
	write(t, proc, "4242/cmdline", "python3\x00serve-made-up.py\x00")
	write(t, sys, "class/net/tell0/operstate", "up\n")
	write(t, sys, "class/net/tell0/mtu", "1234\n")
	require.NoError(t, os.MkdirAll(filepath.Join(root, "models"), 0o750))

	conf := "collect:\n  interval: 1s\n  gpu: {enabled: false}\n  processes: [{service: made-up, command: serve-made-up}]\n  paths: {procfs: host/proc, sysfs: host/sys, rootfs: %s}\n"
	file := write(t, dir, "modelwatch.yml", fmt.Sprintf(conf, "host/root"))
	s := start(t, options{args: []string{"--config.file=" + file, "--storage.path=" + filepath.Join(dir, "data")}})
	value := func(expr string) string {
		text, ok := s.waitQuery(expr, 20*time.Second)[0].Value[1].(string)
		require.True(t, ok)
		return text
	}
	require.Equal(t, "41.5", value("node_load1"))
	require.Equal(t, "1234", value(`node_network_mtu_bytes{device="tell0"}`))
	require.Equal(t, strconv.Itoa(7*os.Getpagesize()), value(`modelwatch_process_resident_memory_bytes{service="made-up"}`))
	points := map[string]bool{}
	for _, r := range s.waitQuery("node_filesystem_size_bytes", 20*time.Second) {
		points[r.Metric["device"]+" "+r.Metric["mountpoint"]] = true
	}
	require.Equal(t, map[string]bool{"/dev/vda1 /": true, "/dev/nvme0n1 /models": true}, points)

	self, err := procfs.NewProc(s.cmd.Process.Pid)
	require.NoError(t, err)
	stat, err := self.Stat()
	require.NoError(t, err)
	resident, err := strconv.ParseFloat(value(`process_resident_memory_bytes{job="modelwatch"}`), 64)
	require.NoError(t, err)
	require.InEpsilon(t, float64(stat.ResidentMemory()), resident, 0.5, "modelwatch's own memory is not of the made-up procfs")

	// Other paths wait for the next start, and those that are not there are refused.
	write(t, dir, "modelwatch.yml", fmt.Sprintf(conf, "host"))
	status, body := s.post("/-/reload", "", "")
	require.Equal(t, http.StatusOK, status, body)
	const waits = `msg="A changed setting takes effect at the next start" section=collect`
	require.Eventually(t, func() bool { return strings.Contains(s.out.String(), waits) }, 5*time.Second, 10*time.Millisecond)
	require.Equal(t, "41.5", value("node_load1"))
	write(t, dir, "modelwatch.yml", fmt.Sprintf(conf, "elsewhere"))
	status, body = s.post("/-/reload", "", "")
	require.Equal(t, http.StatusInternalServerError, status)
	problem := fmt.Sprintf("modelwatch.yml:5: collect.paths.rootfs: %s does not exist (hint: mount / of the host there", filepath.Join(dir, "elsewhere"))
	require.Contains(t, body, problem)
	out, err := exec.Command(binary, "check", file).CombinedOutput()
	require.Error(t, err)
	require.True(t, bytes.Contains(out, []byte(problem)), "%s", out)
}
