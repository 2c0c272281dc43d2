package host

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// collectStuck makes the test binary, in namespaces of its own, mount a file system below this path that never
// answers, and collect.
const collectStuck = "MODELWATCH_TEST_STUCK_MOUNT"

// TestStuckMount collects from a kernel that really has a dead mount: a FUSE file system whose server does not answer,
// which blocks statfs(2) as a network mount without its server does.
func TestStuckMount(t *testing.T) {
	if _, err := os.Stat("/dev/fuse"); err != nil || os.Getuid() != 0 {
		t.Skip("needs root and /dev/fuse")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), collectStuck+"="+t.TempDir())
	// In namespaces of its own nobody else meets the mount, and it is gone with the process.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "cannot mount") {
		t.Skipf("%s", out)
	}
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
	for i := range 2 {
		require.Contains(t, string(out), fmt.Sprintf("scrape %d: stuck mount reported: true, others reported: 1", i), string(out))
	}
}

func collectFromStuck(dir string) error {
	for _, m := range []struct {
		source, target, fstype string
		flags                  uintptr
	}{
		{"", "/", "", unix.MS_REC | unix.MS_PRIVATE},
		{"proc", "/proc", "proc", 0},
		{"good", dir, "tmpfs", 0},
	} {
		if err := unix.Mount(m.source, m.target, m.fstype, m.flags, ""); err != nil {
			return fmt.Errorf("cannot mount %s: %w", m.target, err)
		}
	}
	good, dir := dir, filepath.Join(dir, "stuck")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	server, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("cannot mount: %w", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", server.Fd())
	if err := unix.Mount("stuck", dir, "fuse.stuck", 0, options); err != nil {
		return fmt.Errorf("cannot mount %s: %w", dir, err)
	}
	c, err := New(Options{WithoutGPU: true})
	if err != nil {
		return err
	}
	reg := prometheus.NewRegistry()
	if err := c.Register(reg); err != nil {
		return err
	}
	for i := range 2 {
		began := time.Now()
		gathered, err := reg.Gather()
		if err != nil {
			return err
		}
		stuck, others := false, 0
		for _, f := range gathered {
			for _, m := range f.GetMetric() {
				for _, l := range m.GetLabel() {
					if l.GetName() != "mountpoint" {
						continue
					}
					switch {
					case f.GetName() == "node_filesystem_device_error" && l.GetValue() == dir:
						stuck = m.GetGauge().GetValue() == 1
					case f.GetName() == "node_filesystem_size_bytes" && l.GetValue() == good:
						others++
					}
				}
			}
		}
		fmt.Printf("scrape %d: stuck mount reported: %v, others reported: %d, %s\n", i, stuck, others, time.Since(began).Round(time.Millisecond))
	}
	return server.Close() // Which ends the call that hangs.
}
