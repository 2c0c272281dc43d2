package seglog

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"time"
)

// idHash stands for an identifier of a batch.
type idHash [16]byte

func hashID(id string) idHash {
	sum := sha256.Sum256([]byte(id))
	return idHash(sum[:16])
}

// ids remembers the identifiers of batches in the order of the log, within a
// horizon that is measured between arrivals: however long the process was down,
// the last batches before it are still known after it.
type ids struct {
	horizon int64 // Milliseconds.
	most    int
	at      map[idHash]int64 // Arrival, in milliseconds.
	order   []idEntry        // A queue: order[head:] is in use.
	head    int
	newest  int64
}

type idEntry struct {
	id idHash
	at int64
}

func newIDs(horizon time.Duration, most int) *ids {
	return &ids{horizon: horizon.Milliseconds(), most: most, at: make(map[idHash]int64)}
}

func (s *ids) has(id idHash) bool { _, ok := s.at[id]; return ok }

// add remembers an identifier and forgets the oldest ones.
func (s *ids) add(id idHash, at int64) {
	s.newest = max(s.newest, at)
	s.at[id] = at
	s.order = append(s.order, idEntry{id, at})
	for len(s.order)-s.head > 1 {
		e := s.order[s.head]
		if len(s.order)-s.head <= s.most && e.at >= s.newest-s.horizon {
			break
		}
		if s.at[e.id] == e.at {
			delete(s.at, e.id)
		}
		s.head++
	}
	if s.head > 1024 && s.head > len(s.order)/2 {
		s.order = append(s.order[:0], s.order[s.head:]...)
		s.head = 0
	}
}

// writeIDs keeps the identifiers of a finished segment when the segment goes.
func writeIDs(path string, entries []idEntry) error {
	b := make([]byte, 0, len(entries)*24+4)
	for _, e := range entries {
		b = append(b, e.id[:]...)
		b = binary.LittleEndian.AppendUint64(b, uint64(e.at))
	}
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return writeFile(path, b)
}

// writeFile replaces a file as a whole, durably but for its name.
func writeFile(path string, data []byte) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(tmp))
	}
	return nil
}

func readIDs(path string) ([]idEntry, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read identifiers of batches: %w", err)
	}
	if len(b) < 4 || (len(b)-4)%24 != 0 ||
		crc32.Checksum(b[:len(b)-4], castagnoli) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return nil, fmt.Errorf("read identifiers of batches: %s is damaged", path)
	}
	out := make([]idEntry, 0, len(b)/24)
	for b = b[:len(b)-4]; len(b) > 0; b = b[24:] {
		out = append(out, idEntry{idHash(b[:16]), int64(binary.LittleEndian.Uint64(b[16:]))})
	}
	return out, nil
}
