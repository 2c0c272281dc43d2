package duck

import (
	"context"
	"unsafe"

	bindings "github.com/duckdb/duckdb-go-bindings"
)

// Rows is a result that is still being computed. It belongs to its connection, which can do nothing else until Close.
type Rows struct {
	ctx context.Context
	c   *Conn
	res bindings.Result
	end func()
}

// Next returns the next run of rows, or nil at the end.
func (r *Rows) Next() (*Chunk, error) {
	c := bindings.FetchChunk(r.res)
	if c.Ptr == nil {
		if msg := bindings.ResultError(&r.res); msg != "" {
			if err := r.ctx.Err(); err != nil {
				return nil, err
			}
			return nil, newError(bindings.ResultErrorType(&r.res), msg)
		}
		return nil, r.ctx.Err()
	}
	return &Chunk{c: c, n: int(bindings.DataChunkGetSize(c))}, nil
}

// Close ends the result, also in the middle.
func (r *Rows) Close() {
	bindings.DestroyResult(&r.res)
	r.end()
	// The transaction has only read; there is nothing to lose if it has ended by itself.
	_ = r.c.run("ROLLBACK")
}

// Chunk is a run of rows in columns. Everything read from it points into DuckDB's memory and ends with Close.
type Chunk struct {
	c bindings.DataChunk
	n int
}

// Len is the number of rows.
func (k *Chunk) Len() int { return k.n }

// Close gives the memory back.
func (k *Chunk) Close() { bindings.DestroyDataChunk(&k.c) }

// Fixed returns a column of a type of fixed width. T must be of the column's own width: int64 for BIGINT, uint32 for
// UINTEGER and so on. What stands at a NULL is undefined; see Valid.
func Fixed[T int64 | uint64 | uint32 | int32 | uint8 | float64 | bool](k *Chunk, col int) []T {
	if k.n == 0 {
		return nil
	}
	v := bindings.DataChunkGetVector(k.c, bindings.IdxT(col))
	return unsafe.Slice((*T)(bindings.VectorGetData(v)), k.n)
}

// Validity is the NULLs of a column. The zero value is a column without any.
type Validity []uint64

// Valid tells whether row i has a value.
func (v Validity) Valid(i int) bool { return v == nil || v[i/64]&(1<<(i%64)) != 0 }

// Valid returns which rows of a column have a value.
func (k *Chunk) Valid(col int) Validity {
	v := bindings.DataChunkGetVector(k.c, bindings.IdxT(col))
	p := bindings.VectorGetValidity(v)
	if p == nil {
		return nil
	}
	return unsafe.Slice((*uint64)(p), (k.n+63)/64)
}

// text is the engine's string: a length, then either up to twelve bytes of text or four of them and a pointer to all.
type text struct {
	length uint32
	prefix [4]byte
	ptr    *byte
}

const inlined = 12

// Strings is a column of text.
type Strings []text

// Strings returns a column of type VARCHAR or BLOB.
func (k *Chunk) Strings(col int) Strings {
	if k.n == 0 {
		return nil
	}
	v := bindings.DataChunkGetVector(k.c, bindings.IdxT(col))
	return unsafe.Slice((*text)(bindings.VectorGetData(v)), k.n)
}

// At is the text in row i, in the engine's memory. It must not be read where the row is NULL.
func (s Strings) At(i int) string {
	t := &s[i]
	if t.length <= inlined {
		return unsafe.String(&t.prefix[0], t.length)
	}
	return unsafe.String(t.ptr, t.length)
}
