// Package edit changes configuration files in place for people who do so over
// HTTP: it knows which files may be reached, hides their secrets and puts them
// back, checks what is to be written, writes whole files or nothing, has the
// change taken over or takes it back, and keeps what files said before.
//
// It serves no HTTP, and does not know what the files mean: who uses it checks
// drafts and takes changes over.
package edit

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/modelwatch/modelwatch/config"
)

// Kind is what a file is.
type Kind string

// The kinds of files.
const (
	Modelwatch   Kind = "modelwatch"
	Prometheus   Kind = "prometheus"
	Rules        Kind = "rules"
	Alertmanager Kind = "alertmanager"
	Template     Kind = "template"
	Promtail     Kind = "promtail"
	Targets      Kind = "targets"
	Scrape       Kind = "scrape"
)

// File is one file that the configuration names.
type File struct {
	Kind Kind
	// Path is absolute.
	Path string
	// As is the path as the configuration gives it, by which what is loaded from
	// the file is known elsewhere: with a relative one modelwatch was started in
	// its directory.
	As string
	// NamedBy is the file that names this one, or empty for the command line.
	NamedBy string
	// Builtin is the text of a file that ships inside the program; nil for
	// files on disk.
	Builtin []byte
	// Gone is a file that was removed here and can be brought back.
	Gone bool
	// fresh is a file that is there only to keep its name free: nobody has
	// written anything into it.
	fresh bool
}

// Owner says which files there are, and takes changes over.
type Owner interface {
	// Files are those in use now.
	Files() []File
	// Places are where new rule files are taken over.
	Places() []Place
	// Never are files that must not be shown, whatever names them.
	Never() []string
	// Check examines the whole configuration as it would be if the file had
	// this text.
	Check(f File, text []byte) config.Problems
	// Try does all that can fail in taking the change over, but changes
	// nothing. The text lies in draft, beside the file.
	Try(f File, draft string) error
	// Reload takes over what is on disk; an error means that nothing changed.
	Reload() error
}

// MaxBytes is the size of the largest text that can be edited.
const MaxBytes = 1 << 20

// MaxComment is the length of the longest comment, in bytes.
const MaxComment = 1000

// Options is what an Editor needs.
type Options struct {
	Owner   Owner
	History History
	// Off turns editing off.
	Off bool
	// Roots are the directories below which files may be read and written.
	Roots []string
	// Now is the clock; default time.Now.
	Now    func() time.Time
	Logger *slog.Logger
}

// Editor reads and writes the files of its Owner.
type Editor struct {
	o   Options
	key [32]byte // Of the tags, which must not tell what is hidden.

	mu sync.Mutex // Held while a file is written.
}

// New makes an Editor.
func New(o Options) (*Editor, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	for i, r := range o.Roots {
		abs, err := filepath.Abs(r)
		if err != nil {
			return nil, fmt.Errorf("directory of configuration files: %w", err)
		}
		if real, err := filepath.EvalSymlinks(abs); err == nil {
			abs = real
		}
		o.Roots[i] = abs
	}
	e := &Editor{o: o}
	if _, err := rand.Read(e.key[:]); err != nil {
		return nil, fmt.Errorf("make a key for tags: %w", err)
	}
	return e, nil
}

// State is what is known of a file.
type State struct {
	File
	ID string
	// Reason says why the file cannot be edited; nil where it can.
	Reason *Reason
	// Shown is false where even the text stays unseen.
	Shown    bool
	Exists   bool
	Size     int64
	Modified time.Time
	// Jobs are the names of the scrape jobs in it.
	Jobs []string
	// Last is the newest version, nil where nothing was edited yet; Versions is
	// how many there are.
	Last     *Version
	Versions int
}

// Text is a file as it is shown.
type Text struct {
	State
	Text []byte
	// Tag changes with the text. It is handed back when saving.
	Tag string
	// Secrets is how many values are hidden.
	Secrets int
}

// Errors of an Editor. Others are failures of the machine.
var (
	// ErrNoFile is a file that the configuration does not name.
	ErrNoFile = errors.New("the configuration in use names no such file")
	// ErrNoVersion is a version that is not kept, or no longer.
	ErrNoVersion = errors.New("there is no such version of this file: only the newest are kept")
)

// ReadOnlyError is the refusal to write a file that is not to be edited here.
type ReadOnlyError struct{ Reason Reason }

// Error implements error.
func (e *ReadOnlyError) Error() string { return "this file is not edited here: " + e.Reason.Text }

// ConflictError is a file that has changed since it was read.
type ConflictError struct{ Current Text }

// Error implements error.
func (e *ConflictError) Error() string {
	return "the file has changed since you read it: compare, and save again on top of what it says now"
}

// ProblemsError is a text that would be refused.
type ProblemsError struct{ Problems config.Problems }

// Error implements error.
func (e *ProblemsError) Error() string {
	return "not saved, the configuration would be refused: " + e.Problems.Err().Error()
}

// IDOf is the name of a path in addresses.
func IDOf(path string) string {
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:8])
}

// files are those of the owner, each once.
func (e *Editor) files() []File {
	never := map[string]bool{}
	for _, n := range e.o.Owner.Never() {
		never[realPath(n)] = true
	}
	seen := map[string]bool{}
	var out []File
	for _, f := range e.o.Owner.Files() {
		if f.Builtin == nil {
			real := realPath(f.Path)
			if never[real] || seen[real] {
				continue
			}
			seen[real] = true
		}
		out = append(out, f)
	}
	return out
}

func realPath(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// find gives the file of an id.
func (e *Editor) find(ctx context.Context, id string) (File, error) {
	files := e.files()
	gone, err := e.gone(ctx, files)
	if err != nil {
		return File{}, err
	}
	for _, f := range append(files, gone...) {
		if IDOf(f.Path) == id {
			return f, nil
		}
	}
	return File{}, ErrNoFile
}

// Files lists the files in use, and those that were removed here.
func (e *Editor) Files(ctx context.Context) ([]State, error) {
	var out []State
	files := e.files()
	gone, err := e.gone(ctx, files)
	if err != nil {
		return nil, err
	}
	for _, f := range append(files, gone...) {
		text, err := read(f)
		s, err := e.state(ctx, f, text, err)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// state describes a file whose text was read, or failed to be with readErr.
func (e *Editor) state(ctx context.Context, f File, text []byte, readErr error) (State, error) {
	s := State{File: f, ID: IDOf(f.Path), Shown: true, Exists: f.Builtin != nil, Size: int64(len(text))}
	if info, err := os.Stat(f.Path); err == nil && f.Builtin == nil {
		s.Exists, s.Size, s.Modified = true, info.Size(), info.ModTime()
	}
	s.Reason = e.reason(f, text, readErr)
	if s.Reason != nil {
		s.Shown = !s.Reason.unseen()
	}
	if s.Shown && (f.Kind == Prometheus || f.Kind == Scrape) {
		s.Jobs = config.JobNames(text)
	}
	if f.Builtin != nil || readErr != nil {
		return s, nil
	}
	if !f.Gone {
		e.mu.Lock()
		err := e.observe(ctx, f, text)
		e.mu.Unlock()
		if err != nil {
			return s, err
		}
	}
	versions, err := e.o.History.List(ctx, f.Path)
	if err != nil {
		return s, err
	}
	if s.Versions = len(versions); s.Versions > 0 {
		s.Last = &versions[0]
	}
	return s, nil
}

// read reads a file, but no more than could be edited and one byte.
func read(f File) ([]byte, error) {
	if f.Builtin != nil || f.Gone {
		return f.Builtin, nil
	}
	info, err := os.Stat(f.Path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return io.ReadAll(io.LimitReader(file, MaxBytes+1))
}

// Read shows a file.
func (e *Editor) Read(ctx context.Context, id string) (Text, error) {
	f, err := e.find(ctx, id)
	if err != nil {
		return Text{}, err
	}
	return e.show(ctx, f)
}

func (e *Editor) show(ctx context.Context, f File) (Text, error) {
	text, readErr := read(f)
	s, err := e.state(ctx, f, text, readErr)
	if err != nil {
		return Text{}, err
	}
	t := Text{State: s}
	if !s.Shown {
		return t, nil
	}
	t.Tag = e.tag(text)
	t.Text, t.Secrets, err = hide(f.Kind, text)
	return t, err // The state has found out whether it can be hidden.
}

// hide is Hide for every kind of file.
func hide(kind Kind, text []byte) ([]byte, int, error) {
	if kind == Template {
		return text, 0, nil
	}
	return Hide(text)
}

func (e *Editor) tag(text []byte) string {
	h := hmac.New(sha256.New, e.key[:])
	h.Write(text)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// full puts secrets back into a draft and refuses what cannot be a text.
func (e *Editor) full(f File, draft, current []byte) ([]byte, config.Problems) {
	refuse := func(reason, hint string) config.Problems {
		return config.Problems{{File: f.Path, Reason: reason, Hint: hint}}
	}
	switch {
	case len(draft) > MaxBytes:
		return nil, refuse(fmt.Sprintf("larger than %d KiB", MaxBytes>>10), "split the file, or edit it on its machine")
	case !isText(draft):
		return nil, refuse("not a text in UTF-8", "")
	case f.Kind == Template:
		return draft, nil
	}
	return Restore(f.Path, draft, current)
}

// Check examines a draft and the whole configuration as it would be with it.
func (e *Editor) Check(ctx context.Context, id string, draft []byte) (config.Problems, error) {
	f, err := e.find(ctx, id)
	if err != nil {
		return nil, err
	}
	current, readErr := read(f)
	if r := e.reason(f, current, readErr); r != nil {
		return nil, &ReadOnlyError{*r}
	}
	text, problems := e.full(f, draft, current)
	if len(problems) > 0 {
		return redact(problems, current, draft), nil
	}
	return redact(e.o.Owner.Check(f, text), current, text), nil
}

// redact takes secrets out of what is told.
func redact(ps config.Problems, texts ...[]byte) config.Problems {
	out := slices.Clone(ps)
	for i := range out {
		out[i].Reason = Redact(out[i].Reason, texts...)
	}
	return out
}

// Change is what is to be written.
type Change struct {
	// Text has placeholders for the secrets of what Tag stands for.
	Text    []byte
	Tag     string
	Who     string
	Comment string
}

// Save writes a file and has it taken over. An error means that file and
// configuration are as they were.
func (e *Editor) Save(ctx context.Context, id string, c Change) (Text, error) {
	f, err := e.find(ctx, id)
	if err != nil {
		return Text{}, err
	}
	return e.change(ctx, f, c, saving, func(current []byte) ([]byte, config.Problems) {
		return e.full(f, c.Text, current)
	})
}

// Restore writes a former version again. Its Text is not used.
func (e *Editor) Restore(ctx context.Context, id string, version int64, c Change) (Text, error) {
	f, err := e.find(ctx, id)
	if err != nil {
		return Text{}, err
	}
	v, ok, err := e.o.History.Get(ctx, f.Path, version)
	if err != nil {
		return Text{}, err
	}
	switch {
	case !ok || version == 0:
		return Text{}, ErrNoVersion
	case v.Kind.without():
		return e.remove(ctx, f, c)
	case f.Gone:
		return e.bringBack(ctx, f, v, c)
	}
	return e.change(ctx, f, c, restoring, func([]byte) ([]byte, config.Problems) { return v.Text, nil })
}

// check refuses what cannot be noted of a change.
func (c Change) check(f File) error {
	if len(c.Comment) > MaxComment {
		return &ProblemsError{config.Problems{{File: f.Path, Reason: fmt.Sprintf("the comment is longer than %d bytes", MaxComment)}}}
	}
	return nil
}

// change is the one way by which the texts of files are changed.
func (e *Editor) change(ctx context.Context, f File, c Change, kind VersionKind, next func(current []byte) ([]byte, config.Problems)) (Text, error) {
	if err := c.check(f); err != nil {
		return Text{}, err
	}
	// Once begun, it does not stop half-way because nobody waits any more.
	ctx = context.WithoutCancel(ctx)
	if err := e.write(ctx, f, c, kind, next); err != nil {
		return Text{}, e.orCurrent(ctx, f, err)
	}
	return e.show(ctx, f)
}

// orCurrent gives a conflict the file as it is now; other errors stay.
func (e *Editor) orCurrent(ctx context.Context, f File, err error) error {
	if _, conflict := errors.AsType[*ConflictError](err); !conflict {
		return err
	}
	shown, showErr := e.show(ctx, f)
	return errors.Join(showErr, &ConflictError{shown})
}

func (e *Editor) write(ctx context.Context, f File, c Change, kind VersionKind, next func([]byte) ([]byte, config.Problems)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.replaceText(ctx, f, c, kind, next)
}

// replaceText does what write says; the lock is held.
func (e *Editor) replaceText(ctx context.Context, f File, c Change, kind VersionKind, next func([]byte) ([]byte, config.Problems)) error {
	current, readErr := read(f)
	if r := e.reason(f, current, readErr); r != nil {
		return &ReadOnlyError{*r}
	}
	if e.tag(current) != c.Tag {
		return &ConflictError{}
	}
	text, problems := next(current)
	if len(problems) == 0 {
		problems = e.o.Owner.Check(f, text)
	}
	if problems.Err() != nil {
		return &ProblemsError{redact(problems, current, c.Text, text)}
	}
	if bytes.Equal(text, current) && !f.fresh {
		return nil
	}
	target := realPath(f.Path)
	draft, err := writeDraft(target, text)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(draft) }() // Gone if all went well.
	if err := e.o.Owner.Try(f, draft); err != nil {
		return refused(f, err, current, text)
	}
	if err := e.begin(ctx, f, current); err != nil {
		return err
	}
	id, err := e.o.History.Add(ctx, Version{Path: f.Path, At: e.o.Now(), Kind: kind, Who: c.Who, Comment: strings.TrimSpace(c.Comment), Text: text})
	if err != nil {
		return err
	}
	// Whoever wrote meanwhile must not lose what was written.
	if again, err := read(f); err != nil || !bytes.Equal(again, current) {
		return errors.Join(&ConflictError{}, err, e.o.History.Delete(ctx, id))
	}
	if err := replace(draft, target); err != nil {
		return errors.Join(err, e.o.History.Delete(ctx, id))
	}
	if err := e.o.Owner.Reload(); err != nil {
		if backErr := putBack(f, target, current); backErr != nil {
			return fmt.Errorf("%w; and the former text of %s could not be put back: %w", refused(f, err, current, text), f.Path, backErr)
		}
		return errors.Join(refused(f, err, current, text), e.o.History.Delete(ctx, id), e.o.Owner.Reload())
	}
	if err := e.o.History.SetKind(ctx, id, kind.done()); err != nil {
		return err
	}
	e.o.Logger.Info("Configuration file changed in the page", "file", f.Path, "by", c.Who, "version", id)
	return nil
}

// refused is what only taking a change over has found out.
func refused(f File, err error, texts ...[]byte) error {
	reason := strings.ReplaceAll(err.Error(), draftName(realPath(f.Path)), f.Path)
	reason = strings.TrimPrefix(reason, f.Path+": ")
	return &ProblemsError{config.Problems{{File: f.Path, Reason: Redact(reason, texts...)}}}
}
