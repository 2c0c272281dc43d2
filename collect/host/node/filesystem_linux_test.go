package node

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func answering(_ string, buf *unix.Statfs_t) error {
	*buf = unix.Statfs_t{Bsize: 4096, Blocks: 1000, Bfree: 400, Bavail: 300, Files: 50, Ffree: 20}
	return nil
}

func testFilesystems(t *testing.T, statfs func(string, *unix.Statfs_t) error) *filesystems {
	t.Helper()
	f, err := newFilesystems("testdata/proc", "/")
	require.NoError(t, err)
	f.statfs = statfs
	f.timeout = 50 * time.Millisecond
	return f
}

func lines(t *testing.T, f *filesystems) []string {
	t.Helper()
	return text(t, once{t, Source{Name: filesystemSource, Update: f.update}})
}

const (
	rootLabels  = `{device="/dev/vda1",device_error="",fstype="ext4",mountpoint="/"}`
	storeLabels = `{device="/dev/nvme0n1",device_error="",fstype="xfs",mountpoint="/data/model store"}`
	stuckLabels = `{device="filer:/export",device_error="mountpoint timeout",fstype="nfs4",mountpoint="/mnt/nfs"}`
)

func TestFilesystemFigures(t *testing.T) {
	got := lines(t, testFilesystems(t, answering))
	for _, want := range []string{
		"node_filesystem_size_bytes" + rootLabels + " 4.096e+06",
		"node_filesystem_free_bytes" + rootLabels + " 1.6384e+06",
		"node_filesystem_avail_bytes" + rootLabels + " 1.2288e+06",
		"node_filesystem_files" + rootLabels + " 50",
		"node_filesystem_files_free" + rootLabels + " 20",
		"node_filesystem_readonly" + rootLabels + " 0",
		"node_filesystem_readonly" + storeLabels + " 1",
		"node_filesystem_device_error" + rootLabels + " 0",
		`node_filesystem_mount_info{device="/dev/vda1",major="254",minor="0",mountpoint="/"} 1`,
	} {
		require.Contains(t, got, want)
	}
	for _, line := range got {
		require.NotContains(t, line, "overlay")
		require.NotContains(t, line, `mountpoint="/proc"`)
	}
}

// A dead network mount must cost one bounded wait, must not hide the healthy mounts, must not be asked again while the
// first call hangs, and must come back by itself.
func TestStuckMount(t *testing.T) {
	var (
		release = make(chan struct{})
		asked   atomic.Int32
	)
	f := testFilesystems(t, func(path string, buf *unix.Statfs_t) error {
		if path == "/mnt/nfs" {
			asked.Add(1)
			<-release
		}
		return answering(path, buf)
	})

	for range 3 {
		began := time.Now()
		got := lines(t, f)
		require.Less(t, time.Since(began), 5*time.Second)
		require.Contains(t, got, "node_filesystem_size_bytes"+rootLabels+" 4.096e+06")
		require.Contains(t, got, "node_filesystem_device_error"+stuckLabels+" 1")
		require.NotContains(t, fmt.Sprint(got), `size_bytes{device="filer:/export"`)
	}
	require.EqualValues(t, 1, asked.Load(), "one hanging thread per dead mount, not one per scrape")

	close(release)
	require.Eventually(t, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.busy) == 0
	}, 5*time.Second, time.Millisecond)
	require.Contains(t, lines(t, f),
		`node_filesystem_device_error{device="filer:/export",device_error="",fstype="nfs4",mountpoint="/mnt/nfs"} 0`)
}

// More dead mounts than parallel calls: every one is reported, and the wait is still one timeout.
func TestManyStuckMounts(t *testing.T) {
	release := make(chan struct{})
	f := testFilesystems(t, func(path string, buf *unix.Statfs_t) error {
		<-release
		return answering(path, buf)
	})
	mounts := make([]mount, 3*statParallel)
	for i := range mounts {
		mounts[i].point = fmt.Sprintf("/mnt/%d", i)
	}
	began := time.Now()
	results := f.statAll(mounts)
	require.Less(t, time.Since(began), 5*time.Second)
	require.Len(t, results, len(mounts))
	for point, r := range results {
		require.ErrorIs(t, r.err, errMountTimeout, point)
	}
	require.Len(t, f.busy, statParallel)
	close(release)
}

func TestFilesystemError(t *testing.T) {
	f := testFilesystems(t, func(string, *unix.Statfs_t) error { return unix.EACCES })
	got := lines(t, f)
	require.Contains(t, got, `node_filesystem_device_error{device="/dev/vda1",device_error="permission denied",fstype="ext4",mountpoint="/"} 1`)
	require.NotContains(t, fmt.Sprint(got), "node_filesystem_size_bytes")
}

func TestMountPointLabels(t *testing.T) {
	for _, test := range []struct{ root, point, want string }{
		{"/", "/data", "/data"},
		{"/", `/a\040b\134c`, `/a b\c`},
		{"/", "/bad\xff", "/bad�"},
		{"/host", "/host", "/"},
		{"/host", "/host/data", "/data"},
		{"/host", "/hostile", "/hostile"},
		{"/host", "/etc/hosts", "/etc/hosts"},
	} {
		f := &filesystems{root: test.root}
		require.Equal(t, test.want, f.label(test.point), "%+v", test)
	}
}

func TestMemoryUsageUnknown(t *testing.T) {
	require.Error(t, memoryUsage(t.TempDir())(make(chan prometheus.Metric, 1)))
}
