package app

import (
	"bufio"
	"debug/elf"
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
	pristine, err := pristineRanges("/proc/self/exe")
	if err != nil {
		return err
	}
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("read own mappings: %w", err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var from, to uintptr
		var offset uint64
		var mode string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s %x", &from, &to, &mode, &offset); err != nil {
			return fmt.Errorf("read own mappings: %w", err)
		}
		if strings.Contains(mode, "w") || !strings.HasSuffix(lines.Text(), exe) || !within(pristine, offset, uint64(to-from)) {
			continue
		}
		// By number, not as a slice: the mapping is not of Go's heap.
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("give back pages of the program file: %w", errno)
		}
	}
	return lines.Err()
}

// pristineRanges are the parts of a program file, as pairs of offsets, that are
// mapped without ever having been writable. What is read-only now may have been
// written to while the program was loaded, such as relocated addresses; dropping
// such a page would lose what was written.
func pristineRanges(file string) ([][2]uint64, error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read own program file: %w", err)
	}
	defer func() { _ = f.Close() }()
	page := uint64(os.Getpagesize())
	var out [][2]uint64
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_W == 0 {
			out = append(out, [2]uint64{p.Off / page * page, (p.Off + p.Filesz + page - 1) / page * page})
		}
	}
	return out, nil
}

func within(ranges [][2]uint64, offset, size uint64) bool {
	for _, r := range ranges {
		if offset >= r[0] && offset+size <= r[1] {
			return true
		}
	}
	return false
}
