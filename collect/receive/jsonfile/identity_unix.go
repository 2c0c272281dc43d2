//go:build unix

package jsonfile

import (
	"fmt"
	"os"
	"syscall"
)

// identity is what stays of a file when it is renamed.
func identity(info os.FileInfo) string {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
	}
	return info.Name()
}
