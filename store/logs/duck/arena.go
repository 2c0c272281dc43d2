package duck

import (
	"fmt"
	"unsafe"
)

// Arena is memory outside Go's heap through which text is handed to the engine, which may not be shown pointers into
// Go's heap. It is reused for every run of rows; the engine has copied the text by then.
type Arena struct {
	block []byte
	used  int
	// apart holds texts for which the block had no room.
	apart [][]byte
}

// NewArena reserves size bytes.
func NewArena(size int) (*Arena, error) {
	b, err := allocate(size)
	if err != nil {
		return nil, fmt.Errorf("reserve %d bytes outside the heap: %w", size, err)
	}
	return &Arena{block: b}, nil
}

// Close gives the memory back.
func (a *Arena) Close() error {
	a.reset()
	b := a.block
	a.block = nil
	return release(b)
}

func (a *Arena) reset() {
	a.used = 0
	for _, b := range a.apart {
		_ = release(b)
	}
	a.apart = a.apart[:0]
}

// put copies s into the arena and returns where it is. It returns nil if the block is full; with must it then takes
// memory apart from the block instead.
func (a *Arena) put(s string, must bool) (*byte, error) {
	if a.used+len(s) <= len(a.block) {
		p := a.block[a.used:]
		copy(p, s)
		a.used += len(s)
		return unsafe.SliceData(p), nil
	}
	if !must {
		return nil, nil
	}
	b, err := allocate(len(s))
	if err != nil {
		return nil, fmt.Errorf("reserve %d bytes outside the heap: %w", len(s), err)
	}
	copy(b, s)
	a.apart = append(a.apart, b)
	return unsafe.SliceData(b), nil
}
