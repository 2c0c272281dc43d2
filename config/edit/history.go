package edit

import (
	"bytes"
	"context"
	"errors"
	"time"
)

// History keeps texts. Ids grow; the newest version of a path is id 0.
type History interface {
	List(ctx context.Context, path string) ([]Version, error)
	// Ending gives the paths whose newest version is of one of the kinds.
	Ending(ctx context.Context, kinds ...VersionKind) ([]string, error)
	Get(ctx context.Context, path string, id int64) (v Version, ok bool, err error)
	Add(ctx context.Context, v Version) (id int64, err error)
	SetKind(ctx context.Context, id int64, kind VersionKind) error
	Delete(ctx context.Context, id int64) error
}

// VersionKind says how a version came about.
type VersionKind string

// The kinds of versions.
const (
	// Found is the state before the first edit here.
	Found VersionKind = "found"
	// Outside is a change that was not made here.
	Outside VersionKind = "outside"
	// Saved is an edit here, Restored a way back to a former version.
	Saved    VersionKind = "saved"
	Restored VersionKind = "restored"
	// Created is a file that was made here, Removed one that was taken away;
	// Absent is the state before it was made.
	Created VersionKind = "created"
	Removed VersionKind = "removed"
	Absent  VersionKind = "absent"
	// saving is an edit that is under way, or was when the process ended.
	saving    VersionKind = "saving"
	restoring VersionKind = "restoring"
	creating  VersionKind = "creating"
	removing  VersionKind = "removing"
)

// done is the kind of a change when it is no longer under way.
func (k VersionKind) done() VersionKind {
	switch k {
	case saving:
		return Saved
	case restoring:
		return Restored
	case creating:
		return Created
	case removing:
		return Removed
	default:
		return k
	}
}

// without tells whether there was no file.
func (k VersionKind) without() bool { return k == Absent || k == Removed || k == removing }

// Version is one text that a file has had.
type Version struct {
	ID      int64
	Path    string
	At      time.Time
	Kind    VersionKind
	Who     string
	Comment string
	// Text is left out of lists.
	Text []byte
	Size int
}

// begin brings the history of a file up to now, before it is changed.
func (e *Editor) begin(ctx context.Context, f File, current []byte) error {
	first := Version{Path: f.Path, At: e.o.Now(), Kind: Found, Text: current}
	if f.fresh {
		first.Kind = Absent
	} else if err := e.observe(ctx, f, current); err != nil {
		return err
	}
	last, ok, err := e.o.History.Get(ctx, f.Path, 0)
	if err != nil || ok && (!f.fresh || last.Kind.without()) {
		return err
	}
	_, err = e.o.History.Add(ctx, first)
	return err
}

// observe notes a text that was not written here, for files that have a
// history, and ends what a crash left half done.
func (e *Editor) observe(ctx context.Context, f File, text []byte) error {
	for {
		last, ok, err := e.o.History.Get(ctx, f.Path, 0)
		if err != nil || !ok {
			return err
		}
		equal := bytes.Equal(last.Text, text) && !last.Kind.without()
		switch {
		case equal && last.Kind != last.Kind.done():
			return e.o.History.SetKind(ctx, last.ID, last.Kind.done())
		case equal:
			return nil
		case last.Kind != last.Kind.done():
			if err := e.o.History.Delete(ctx, last.ID); err != nil {
				return err
			}
		default:
			_, err := e.o.History.Add(ctx, Version{Path: f.Path, At: e.o.Now(), Kind: Outside, Text: text})
			return err
		}
	}
}

// Observe notes changes that were not made here. It is for times at which
// files are read anew.
func (e *Editor) Observe(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	for _, f := range e.files() {
		if f.Builtin != nil {
			continue
		}
		if text, err := read(f); err == nil && len(text) <= MaxBytes {
			errs = append(errs, e.observe(ctx, f, text))
		}
	}
	return errors.Join(errs...)
}

// Versions lists what a file has said, newest first.
func (e *Editor) Versions(ctx context.Context, id string) ([]Version, error) {
	f, err := e.find(ctx, id)
	if err != nil {
		return nil, err
	}
	text, readErr := read(f)
	if readErr == nil && len(text) <= MaxBytes && f.Builtin == nil && !f.Gone {
		e.mu.Lock()
		err := e.observe(ctx, f, text)
		e.mu.Unlock()
		if err != nil {
			return nil, err
		}
	}
	return e.o.History.List(ctx, f.Path)
}

// Version shows what a file said once, and how many values of it are hidden.
func (e *Editor) Version(ctx context.Context, id string, version int64) (v Version, secrets int, err error) {
	f, err := e.find(ctx, id)
	if err != nil {
		return v, 0, err
	}
	current, readErr := read(f)
	if r := e.reason(f, current, readErr); r != nil && r.unseen() && r.Code != reasonUnclear {
		return v, 0, &ReadOnlyError{*r}
	}
	v, ok, err := e.o.History.Get(ctx, f.Path, version)
	if err != nil {
		return v, 0, err
	}
	if !ok || version == 0 {
		return v, 0, ErrNoVersion
	}
	v.Text, secrets, err = hide(f.Kind, v.Text)
	if err != nil {
		return v, 0, &ReadOnlyError{Reason{reasonUnclear, "the secrets of this version cannot be told from the rest, so it is not shown"}}
	}
	return v, secrets, nil
}
