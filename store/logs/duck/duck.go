// Package duck opens DuckDB and moves columns in and out of it without a call per value.
//
// It is the log store's own adapter to the engine, the only package of the log store that imports it. It knows nothing
// of logs, and it is not a database/sql driver: results are read as vectors in DuckDB's memory.
package duck

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	bindings "github.com/duckdb/duckdb-go-bindings"
)

// Kind says what sort of failure an Error is, where callers branch on it.
type Kind uint8

const (
	// KindOther is any failure that callers do not tell apart.
	KindOther Kind = iota
	// KindMemory is a statement that needed more than the memory limit and could not, or not enough, be spilt to disk.
	KindMemory
	// KindInterrupt is a statement that was cancelled.
	KindInterrupt
	// KindFatal is a failure after which the database refuses all further work until it is opened again.
	KindFatal
	// KindIO is a file that could not be read or written, for lack of space for example.
	KindIO
)

// Error is a failure that DuckDB reported.
type Error struct {
	Kind    Kind
	Message string
}

// Error is DuckDB's own message.
func (e *Error) Error() string { return e.Message }

// IsMemory tells whether a statement was refused because it needed more memory than it may have.
func IsMemory(err error) bool { return isKind(err, KindMemory) }

// IsFatal tells whether the database refuses all further work.
func IsFatal(err error) bool { return isKind(err, KindFatal) }

func isKind(err error, k Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == k
}

func newError(t bindings.ErrorType, msg string) *Error {
	e := &Error{Message: msg}
	switch t {
	case bindings.ErrorTypeOutOfMemory:
		e.Kind = KindMemory
	case bindings.ErrorTypeInterrupt:
		e.Kind = KindInterrupt
	case bindings.ErrorTypeFatal, bindings.ErrorTypeInternal:
		e.Kind = KindFatal
	case bindings.ErrorTypeErrorIO:
		e.Kind = KindIO
	}
	// The C interface loses the type on some paths; the message begins with its name.
	if e.Kind == KindOther {
		switch {
		case strings.HasPrefix(msg, "Out of Memory Error"):
			e.Kind = KindMemory
		case strings.HasPrefix(msg, "INTERRUPT Error"):
			e.Kind = KindInterrupt
		case strings.HasPrefix(msg, "FATAL Error"), strings.HasPrefix(msg, "INTERNAL Error"):
			e.Kind = KindFatal
		case strings.HasPrefix(msg, "IO Error"):
			e.Kind = KindIO
		}
	}
	return e
}

// DB is one DuckDB instance: one buffer pool, one set of threads, any number of attached files.
type DB struct {
	db bindings.Database
}

// Open opens the file at path, or a database in memory for "", with the given settings.
func Open(path string, settings map[string]string) (*DB, error) {
	var config bindings.Config
	if bindings.CreateConfig(&config) == bindings.StateError {
		return nil, errors.New("create DuckDB configuration")
	}
	defer bindings.DestroyConfig(&config)
	for name, value := range settings {
		if bindings.SetConfig(config, name, value) == bindings.StateError {
			return nil, fmt.Errorf("set DuckDB option %s to %q: not accepted", name, value)
		}
	}
	d := &DB{}
	var msg string
	if bindings.OpenExt(path, &d.db, config, &msg) == bindings.StateError {
		bindings.Close(&d.db)
		return nil, fmt.Errorf("open DuckDB: %w", newError(bindings.ErrorTypeInvalid, msg))
	}
	return d, nil
}

// Close closes the instance. All connections must have been closed.
func (d *DB) Close() { bindings.Close(&d.db) }

// Conn is one connection. It is used by one goroutine at a time.
type Conn struct {
	c bindings.Connection
}

// Conn opens a connection.
func (d *DB) Conn() (*Conn, error) {
	c := &Conn{}
	if bindings.Connect(d.db, &c.c) == bindings.StateError {
		return nil, errors.New("connect to DuckDB")
	}
	return c, nil
}

// Close closes the connection; an open transaction is rolled back.
func (c *Conn) Close() { bindings.Disconnect(&c.c) }

// guard interrupts the connection's statement when ctx ends. The function it returns ends the guard and waits for an
// interrupt under way, so that it cannot hit a later statement.
func (c *Conn) guard(ctx context.Context) func() {
	if ctx.Done() == nil {
		return func() {}
	}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		bindings.Interrupt(c.c)
		close(done)
	})
	return sync.OnceFunc(func() {
		if !stop() {
			<-done
		}
	})
}

// Exec runs one or more statements and drops what they return.
func (c *Conn) Exec(ctx context.Context, sql string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	defer c.guard(ctx)()
	err := c.run(sql)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// Query runs one statement that only reads and streams its result. No transaction may be open.
//
// The statement is planned and run in one transaction of its own. Planned outside of it, conditions that hold for all rows
// there are would be left out of the plan, and rows that are committed before it runs would pass them.
func (c *Conn) Query(ctx context.Context, sql string) (*Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := c.run("BEGIN TRANSACTION READ ONLY"); err != nil {
		return nil, err
	}
	r := &Rows{ctx: ctx, c: c, end: c.guard(ctx)}
	if err := c.query(sql, r); err != nil {
		r.Close()
		if cause := ctx.Err(); cause != nil {
			err = cause
		}
		return nil, err
	}
	return r, nil
}

func (c *Conn) query(sql string, r *Rows) error {
	var stmt bindings.PreparedStatement
	defer bindings.DestroyPrepare(&stmt)
	if bindings.Prepare(c.c, sql, &stmt) == bindings.StateError {
		return newError(bindings.ErrorTypeInvalid, bindings.PrepareError(stmt))
	}
	var pending bindings.PendingResult
	defer bindings.DestroyPending(&pending)
	if bindings.PendingPreparedStreaming(stmt, &pending) == bindings.StateError {
		return newError(bindings.ErrorTypeInvalid, bindings.PendingError(pending))
	}
	if err := work(pending); err != nil {
		return err
	}
	if bindings.ExecutePending(pending, &r.res) == bindings.StateError {
		return newError(bindings.ResultErrorType(&r.res), bindings.ResultError(&r.res))
	}
	return nil
}

// work takes part in a statement until its result can be had. The engine's own way to wait for its other threads is to
// look again at once, which costs a whole CPU for as long as a commit or a checkpoint is at work on another one.
func work(pending bindings.PendingResult) error {
	const shortest, longest = 20 * time.Microsecond, 500 * time.Microsecond
	pause := shortest
	for {
		state := bindings.PendingExecuteTask(pending)
		switch {
		case state == bindings.PendingStateError:
			return newError(bindings.ErrorTypeInvalid, bindings.PendingError(pending))
		case bindings.PendingExecutionIsFinished(state):
			return nil
		case state == bindings.PendingStateNoTasksAvailable:
			time.Sleep(pause)
			pause = min(2*pause, longest)
		default:
			pause = shortest
		}
	}
}

// run runs statements, one after the other.
func (c *Conn) run(sql string) error {
	var statements bindings.ExtractedStatements
	defer bindings.DestroyExtracted(&statements)
	n := bindings.ExtractStatements(c.c, sql, &statements)
	if n == 0 {
		return newError(bindings.ErrorTypeInvalid, bindings.ExtractStatementsError(statements))
	}
	for i := range n {
		if err := c.step(statements, i); err != nil {
			return err
		}
	}
	return nil
}

// step runs one of several statements.
func (c *Conn) step(statements bindings.ExtractedStatements, i bindings.IdxT) error {
	var stmt bindings.PreparedStatement
	defer bindings.DestroyPrepare(&stmt)
	if bindings.PrepareExtractedStatement(c.c, statements, i, &stmt) == bindings.StateError {
		return newError(bindings.ErrorTypeInvalid, bindings.PrepareError(stmt))
	}
	var pending bindings.PendingResult
	defer bindings.DestroyPending(&pending)
	if bindings.PendingPrepared(stmt, &pending) == bindings.StateError {
		return newError(bindings.ErrorTypeInvalid, bindings.PendingError(pending))
	}
	if err := work(pending); err != nil {
		return err
	}
	var res bindings.Result
	defer bindings.DestroyResult(&res)
	if bindings.ExecutePending(pending, &res) == bindings.StateError {
		return newError(bindings.ResultErrorType(&res), bindings.ResultError(&res))
	}
	return nil
}

// Quote writes s as an SQL expression for exactly that text. A statement cannot hold a zero byte, so one is spelt out.
func Quote(s string) string {
	s = strings.ReplaceAll(s, "'", "''")
	if strings.IndexByte(s, 0) < 0 {
		return "'" + s + "'"
	}
	return "('" + strings.ReplaceAll(s, "\x00", "' || chr(0) || '") + "')"
}
