package duck

import (
	"fmt"
	"unsafe"

	bindings "github.com/duckdb/duckdb-go-bindings"
)

// Type is a column type that an Appender can fill.
type Type uint8

// The column types.
const (
	BigInt Type = iota
	UInteger
	Varchar
	Boolean
)

// Column is a column of values to append. One of the fields is set, by the column's type.
type Column struct {
	Int64s  []int64
	Uint32s []uint32
	Bools   []bool
	// Strings are UTF-8. Those for which Null is true, if it is there, and empty ones, if NullIfEmpty is set, are NULL.
	Strings     []string
	Null        []bool
	NullIfEmpty bool
}

// Appender adds rows to a table. What was appended becomes visible and durable with the transaction it is used in.
type Appender struct {
	app   bindings.Appender
	types []Type
	chunk bindings.DataChunk
	arena *Arena
}

// vectorSize is the number of rows of a chunk.
var vectorSize = int(bindings.VectorSize())

// Appender opens an appender to a table of an attached catalog, all of whose columns are of the given types.
func (c *Conn) Appender(catalog, table string, types []Type, arena *Arena) (*Appender, error) {
	a := &Appender{types: types, arena: arena}
	if bindings.AppenderCreateExt(c.c, catalog, "main", table, &a.app) == bindings.StateError {
		err := fmt.Errorf("open appender to %s.%s: %s", catalog, table, bindings.AppenderError(a.app))
		bindings.AppenderDestroy(&a.app)
		return nil, err
	}
	logical := make([]bindings.LogicalType, len(types))
	for i, t := range types {
		switch t {
		case BigInt:
			logical[i] = bindings.CreateLogicalType(bindings.TypeBigInt)
		case UInteger:
			logical[i] = bindings.CreateLogicalType(bindings.TypeUInteger)
		case Varchar:
			logical[i] = bindings.CreateLogicalType(bindings.TypeVarchar)
		case Boolean:
			logical[i] = bindings.CreateLogicalType(bindings.TypeBoolean)
		}
	}
	a.chunk = bindings.CreateDataChunk(logical)
	for i := range logical {
		bindings.DestroyLogicalType(&logical[i])
	}
	return a, nil
}

// Append adds rows given as columns of equal length.
func (a *Appender) Append(columns []Column, rows int) error {
	for from := 0; from < rows; {
		n := min(vectorSize, rows-from)
		a.arena.reset()
		for i, t := range a.types {
			vec := bindings.DataChunkGetVector(a.chunk, bindings.IdxT(i))
			data := bindings.VectorGetData(vec)
			switch t {
			case BigInt:
				copy(unsafe.Slice((*int64)(data), n), columns[i].Int64s[from:from+n])
			case UInteger:
				copy(unsafe.Slice((*uint32)(data), n), columns[i].Uint32s[from:from+n])
			case Boolean:
				copy(unsafe.Slice((*bool)(data), n), columns[i].Bools[from:from+n])
			case Varchar:
				done, err := a.strings(vec, data, &columns[i], from, n)
				if err != nil {
					return err
				}
				n = done
			}
		}
		bindings.DataChunkSetSize(a.chunk, bindings.IdxT(n))
		if bindings.AppendDataChunk(a.app, a.chunk) == bindings.StateError {
			return fmt.Errorf("append rows: %w", newError(bindings.ErrorTypeInvalid, bindings.AppenderError(a.app)))
		}
		bindings.DataChunkReset(a.chunk)
		from += n
	}
	return nil
}

// strings fills a text vector and returns the number of rows for which there was room in the arena, at least one. The
// columns before it have then filled more rows than will be taken, which does no harm.
func (a *Appender) strings(vec bindings.Vector, data unsafe.Pointer, col *Column, from, n int) (int, error) {
	out := unsafe.Slice((*text)(data), n)
	var validity []uint64
	if col.NullIfEmpty || col.Null != nil {
		bindings.VectorEnsureValidityWritable(vec)
		validity = unsafe.Slice((*uint64)(bindings.VectorGetValidity(vec)), (vectorSize+63)/64)
		for i := range validity {
			validity[i] = ^uint64(0)
		}
	}
	for i := range n {
		s := col.Strings[from+i]
		if s == "" && col.NullIfEmpty || col.Null != nil && col.Null[from+i] {
			validity[i/64] &^= 1 << (i % 64)
		}
		t := text{length: uint32(len(s))}
		if len(s) <= inlined {
			copy(unsafe.Slice(&t.prefix[0], inlined), s)
			out[i] = t
			continue
		}
		p, err := a.arena.put(s, i == 0)
		if err != nil {
			return 0, err
		}
		if p == nil {
			return i, nil
		}
		copy(t.prefix[:], s)
		t.ptr = p
		out[i] = t
	}
	return n, nil
}

// Close sends what is left to the table and ends the appender.
func (a *Appender) Close() error {
	state := bindings.AppenderClose(a.app)
	var err error
	if state == bindings.StateError {
		err = fmt.Errorf("flush rows: %w", newError(bindings.ErrorTypeInvalid, bindings.AppenderError(a.app)))
	}
	bindings.DestroyDataChunk(&a.chunk)
	bindings.AppenderDestroy(&a.app)
	return err
}
