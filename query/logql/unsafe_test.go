package logql_test

import "unsafe"

// unsafeString is a string over bytes that change, as a store may lend it.
func unsafeString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
