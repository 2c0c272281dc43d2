package gpu

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// kernelLog reads the records of /dev/kmsg, whose format is that of the kernel's Documentation/ABI/testing/dev-kmsg:
//
//	priority,sequence,microseconds,flags;text
//	 KEY=value
//
// It never blocks. The log survives nothing, but its sequence numbers tell within one start of the machine which
// records are new.
type kernelLog struct {
	path string
	fd   int
	open bool
	rest []byte // of a line whose end has not been read
}

// xid is one error record of the NVIDIA kernel driver. What the codes mean is in NVIDIA's list of XID errors.
type xid struct {
	sequence uint64
	bus      string
	code     int
}

const (
	// recordBytes is more than the kernel gives for one record.
	recordBytes = 64 << 10
	// maxRecords bounds one poll; more than a full log of short records.
	maxRecords = 200_000
)

// poll returns the errors logged since the last call, and from the first call those still in the kernel's buffer.
func (l *kernelLog) poll() ([]xid, error) {
	if !l.open {
		fd, err := unix.Open(l.path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("open kernel log: %w", &os.PathError{Op: "open", Path: l.path, Err: err})
		}
		l.fd, l.open, l.rest = fd, true, nil
	}
	var (
		found  []xid
		buffer = make([]byte, recordBytes)
	)
	for range maxRecords {
		n, err := unix.Read(l.fd, buffer)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EPIPE): // EPIPE: overwritten before it was read; the oldest left comes next.
			continue
		case errors.Is(err, unix.EAGAIN), err == nil && n == 0:
			return found, nil
		case err != nil:
			l.close()
			return found, fmt.Errorf("read kernel log: %w", &os.PathError{Op: "read", Path: l.path, Err: err})
		}
		found = append(found, l.lines(buffer[:n])...)
	}
	return found, nil
}

func (l *kernelLog) lines(data []byte) []xid {
	var found []xid
	l.rest = append(l.rest, data...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			break
		}
		if x, ok := parseRecord(string(line)); ok {
			found = append(found, x)
		}
		l.rest = rest
	}
	if len(l.rest) > recordBytes { // Not a log of lines.
		l.rest = nil
	}
	return found
}

func (l *kernelLog) close() {
	if l.open {
		_ = unix.Close(l.fd) // Opened for reading.
	}
	l.open = false
}

// xidRecord is the driver's line; older ones print no "PCI:".
var xidRecord = regexp.MustCompile(`NVRM: Xid \((?:PCI:)?([0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2})(?:\.[0-7])?\): (\d{1,5})\b`)

// parseRecord reads one line of the kernel's log. Only the kernel itself counts: what a program writes to the log has
// another facility.
func parseRecord(line string) (xid, bool) {
	head, text, ok := strings.Cut(line, ";")
	if !ok || !strings.Contains(text, "Xid") {
		return xid{}, false
	}
	priority, head, _ := strings.Cut(head, ",")
	number, _, _ := strings.Cut(head, ",")
	p, err := strconv.ParseUint(priority, 10, 32)
	if err != nil || p>>3 != 0 {
		return xid{}, false
	}
	sequence, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return xid{}, false
	}
	m := xidRecord.FindStringSubmatch(text)
	if m == nil {
		return xid{}, false
	}
	code, err := strconv.Atoi(m[2])
	if err != nil {
		return xid{}, false
	}
	return xid{sequence: sequence, bus: normalBus(m[1]), code: code}, true
}

// bootID tells one start of the machine from another; "" if unknown.
func bootID(procPath string) string {
	id, err := os.ReadFile(filepath.Join(procPath, "sys/kernel/random/boot_id"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
