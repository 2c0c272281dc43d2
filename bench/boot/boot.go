// Package boot puts program files into the state that they have after a boot, for
// benchmarks of resident memory. It measures nothing.
package boot

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// Forget lets the kernel forget program files, ours and the peers' alike, so
// that they are read from disk as they are used, as after a boot. How a file got
// into memory decides how much of it each touch makes resident: for a program that
// was just built or copied, resident memory is up to 50 MB larger than after a boot.
func Forget(names ...string) error {
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			return err
		}
		if err := forget(path); err != nil {
			return fmt.Errorf("let the kernel forget %s: %w", path, err)
		}
	}
	return nil
}

func forget(path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Sync(); err != nil { // What is not on disk yet cannot be let go.
		return err
	}
	return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}
