package app

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// trim gives back what only starting needed: the garbage of reading
// configurations and schemas, and the pages of the program file that were read
// once. Both would otherwise stay resident for as long as the process idles.
// What is still in use comes back from the page cache by itself.
func trim() error {
	debug.FreeOSMemory()
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("find own program file: %w", err)
	}
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("read own mappings: %w", err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var from, to uintptr
		var mode string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &mode); err != nil {
			return fmt.Errorf("read own mappings: %w", err)
		}
		// Only what cannot have been written to: dropping a written page would
		// lose it.
		if strings.Contains(mode, "w") || !strings.HasSuffix(lines.Text(), exe) {
			continue
		}
		// By number, not as a slice: the mapping is not of Go's heap.
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("give back pages of the program file: %w", errno)
		}
	}
	return lines.Err()
}
