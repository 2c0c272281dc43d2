//go:build !unix

package jsonfile

import "os"

// identity is the name of a file, where nothing better is known: a file that is
// renamed is then read again.
func identity(info os.FileInfo) string { return info.Name() }
