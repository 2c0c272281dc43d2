package seglog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// A frame is a head and a body:
//
//	magic "MWf1" | length of body | checksum of body | checksum of position, length and body's checksum
//	arrival (ms) | kind | count | length of ID | ID | payload
//
// Numbers are little-endian; the four of the head have four bytes each.
const (
	headLength  = 16
	frameMagic  = 0x3166574d // "MWf1"
	fixedLength = 8 + 1 + 4 + 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// prefix returns the body of f up to its payload, behind room for a head.
func prefix(f *Frame) []byte {
	b := make([]byte, headLength, headLength+fixedLength+len(f.ID))
	b = binary.LittleEndian.AppendUint64(b, uint64(f.Arrival.UnixMilli()))
	b = append(b, f.Kind)
	b = binary.LittleEndian.AppendUint32(b, f.Count)
	b = append(b, byte(len(f.ID)))
	return append(b, f.ID...)
}

// seal fills in the head, once the position is known.
func seal(prefix []byte, body uint32, sum uint32, at Position) {
	binary.LittleEndian.PutUint32(prefix, frameMagic)
	binary.LittleEndian.PutUint32(prefix[4:], body)
	binary.LittleEndian.PutUint32(prefix[8:], sum)
	binary.LittleEndian.PutUint32(prefix[12:], headSum(at, prefix[4:12]))
}

func headSum(at Position, lengthAndSum []byte) uint32 {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], uint64(at))
	copy(b[8:], lengthAndSum)
	return crc32.Checksum(b[:], castagnoli)
}

var errDamaged = errors.New("frame is damaged")

// bodyLength checks a head and returns how long the body is.
func bodyLength(head []byte, at Position) (int, error) {
	if binary.LittleEndian.Uint32(head) != frameMagic {
		return 0, fmt.Errorf("%w: no frame begins here", errDamaged)
	}
	if binary.LittleEndian.Uint32(head[12:]) != headSum(at, head[4:12]) {
		return 0, fmt.Errorf("%w: checksum of its head", errDamaged)
	}
	n := binary.LittleEndian.Uint32(head[4:])
	if n < fixedLength || n > fixedLength+255+MaxPayload {
		return 0, fmt.Errorf("%w: length %d", errDamaged, n)
	}
	return int(n), nil
}

// parseBody checks a body and takes it apart. The payload refers to body.
func parseBody(head, body []byte) (Frame, error) {
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(head[8:]) {
		return Frame{}, fmt.Errorf("%w: checksum of its body", errDamaged)
	}
	n := int(body[13])
	if len(body) < fixedLength+n {
		return Frame{}, fmt.Errorf("%w: identifier", errDamaged)
	}
	return Frame{
		Arrival: time.UnixMilli(int64(binary.LittleEndian.Uint64(body))).UTC(),
		Kind:    body[8],
		Count:   binary.LittleEndian.Uint32(body[9:]),
		ID:      string(body[fixedLength : fixedLength+n]),
		Payload: body[fixedLength+n:],
	}, nil
}
