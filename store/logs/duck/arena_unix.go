//go:build unix

package duck

import "syscall"

func allocate(size int) ([]byte, error) {
	return syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
}

func release(b []byte) error {
	if b == nil {
		return nil
	}
	return syscall.Munmap(b)
}
