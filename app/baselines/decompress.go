package baselines

import (
	"compress/gzip"
	"fmt"
	"io"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
)

// Decompress reads .gz and .zst files, and others as they are. end frees what it takes.
func Decompress(r io.Reader, file string) (plain io.Reader, end func(), err error) {
	switch filepath.Ext(file) {
	case ".gz":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, nil, fmt.Errorf("it is not gzip: %w", err)
		}
		return z, func() { _ = z.Close() }, nil
	case ".zst":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20))
		if err != nil {
			return nil, nil, fmt.Errorf("it is not zstd: %w", err)
		}
		return z, z.Close, nil
	default:
		return r, func() {}, nil
	}
}
