package edit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/modelwatch/modelwatch/config"
)

// Place is a directory in which a new rule file is taken over, since a pattern
// of rule_files covers it.
type Place struct {
	// Dir is absolute; Patterns are those of rule_files for files in it, below
	// Dir.
	Dir      string
	Patterns []string
	// NamedBy is the file that has the patterns.
	NamedBy string
}

// covers tells whether a file of this name in the place is taken over.
func (p Place) covers(name string) bool {
	return slices.ContainsFunc(p.Patterns, func(pattern string) bool {
		ok, err := filepath.Match(pattern, name)
		return ok && err == nil
	})
}

// PlaceState is what is known of a place.
type PlaceState struct {
	Place
	// Exists is false where the first file makes the directory.
	Exists bool
	// Reason says why nothing can be made there; nil where it can.
	Reason *Reason
}

// NewFile names a rule file that is to be made.
type NewFile struct{ Dir, Name string }

// NameError is the refusal of a name or a directory of a new file.
type NameError struct{ Problem config.Problem }

// Error implements error.
func (e *NameError) Error() string {
	if e.Problem.Hint == "" {
		return e.Problem.Reason
	}
	return e.Problem.Reason + ": " + e.Problem.Hint
}

// ErrExists is a new file whose name is taken.
var ErrExists = errors.New("there is something of this name already, and it stays as it is: choose another name, or edit that file")

// maxName is the length of the longest name of a new file, in bytes: with what
// a draft adds to it, every file system takes it.
const maxName = 200

var goodName = regexp.MustCompile(`^[\p{L}\p{N}_][\p{L}\p{N}._-]*$`)

// Places lists where new rule files can be made.
func (e *Editor) Places() []PlaceState {
	var out []PlaceState
	for _, p := range e.o.Owner.Places() {
		s := PlaceState{Place: p, Reason: e.noPlace(p)}
		if info, err := os.Stat(p.Dir); err == nil && info.IsDir() {
			s.Exists = true
		}
		out = append(out, s)
	}
	return out
}

// noPlace says why no file can be made in a place; nil where it can.
func (e *Editor) noPlace(p Place) *Reason {
	if e.o.Off {
		return &Reason{reasonOff, "editing is turned off by web.editing: false"}
	}
	dir := p.Dir
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		dir = filepath.Dir(dir) // The first file makes it.
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return &Reason{reasonMissing, fmt.Sprintf("the directory %s cannot be read: make it first (%v)", dir, err)}
	}
	info, err := os.Stat(real)
	switch {
	case err != nil:
		return &Reason{reasonUnreadable, fmt.Sprintf("the directory %s cannot be read: %v", dir, err)}
	case !info.IsDir():
		return &Reason{reasonUnreadable, dir + " is not a directory"}
	case !e.below(filepath.Join(real, "x")) || !e.below(filepath.Join(p.Dir, "x")):
		return &Reason{reasonOutside, "it lies outside the directories of the configuration files that modelwatch was started with"}
	case fromKubernetes(real):
		return &Reason{reasonKubernetes, "it comes from a ConfigMap or Secret of Kubernetes, which would overwrite it: add the file there"}
	case info.Mode().Perm()&0o222 == 0, unix.Access(real, unix.W_OK) != nil:
		return &Reason{reasonUnwritable, "modelwatch may not write to the directory " + dir}
	}
	return nil
}

// fromKubernetes tells whether a directory is a mounted ConfigMap or Secret.
func fromKubernetes(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, "..data"))
	return err == nil || belowDots(dir)
}

// newFile gives the file that n names, or says why it cannot be made.
func (e *Editor) newFile(n NewFile) (File, error) {
	path := filepath.Join(n.Dir, n.Name)
	refuse := func(reason, hint string) (File, error) {
		return File{}, &NameError{config.Problem{File: path, Reason: reason, Hint: hint}}
	}
	switch {
	case n.Name == "":
		return refuse("the new file has no name", "give it one, such as alerts.yml")
	case strings.ContainsAny(n.Name, `/\`):
		path = n.Dir
		return refuse(fmt.Sprintf("%q is a path, not a name", n.Name), "give the name alone; the directory is chosen beside it")
	case len(n.Name) > maxName:
		return refuse("the name is too long", fmt.Sprintf("give one of at most %d bytes", maxName))
	case !goodName.MatchString(n.Name):
		return refuse(fmt.Sprintf("%q is not a good name", n.Name), "use letters, digits, dots, hyphens and underscores, and begin with a letter, a digit or an underscore")
	}
	places := e.o.Owner.Places()
	i := slices.IndexFunc(places, func(p Place) bool { return p.Dir == n.Dir })
	if i < 0 {
		return refuse(fmt.Sprintf("no pattern of rule_files covers the directory %s, so a file there would not be taken over", n.Dir),
			"add a pattern such as rules/*.yml to rule_files in prometheus.yml first")
	}
	p := places[i]
	if !p.covers(n.Name) {
		return refuse(fmt.Sprintf("rule_files would not take a file of the name %q over", n.Name),
			fmt.Sprintf("for %s it has %s: give a name like that, or add another pattern", p.Dir, strings.Join(p.Patterns, ", ")))
	}
	if r := e.noPlace(p); r != nil {
		return File{}, &ReadOnlyError{*r}
	}
	for _, never := range e.o.Owner.Never() {
		if realPath(never) == realPath(path) {
			return File{}, ErrExists
		}
	}
	if _, err := os.Lstat(path); err == nil {
		return File{}, ErrExists
	} else if !errors.Is(err, fs.ErrNotExist) {
		return refuse(err.Error(), "")
	}
	return File{Kind: Rules, Path: path, NamedBy: p.NamedBy}, nil
}

// CheckNew examines a rule file that is to be made, and the whole
// configuration as it would be with it.
func (e *Editor) CheckNew(n NewFile, draft []byte) (config.Problems, error) {
	f, err := e.newFile(n)
	if err != nil {
		return nil, err
	}
	text, problems := e.full(f, draft, nil)
	if len(problems) > 0 {
		return redact(problems, draft), nil
	}
	return redact(e.o.Owner.Check(f, text), text), nil
}

// Create makes a rule file and has it taken over. An error means that there is
// none, and that the configuration is as it was. Tag is not used.
func (e *Editor) Create(ctx context.Context, n NewFile, c Change) (Text, error) {
	f, err := e.newFile(n)
	if err != nil {
		return Text{}, err
	}
	text, problems := e.full(f, c.Text, nil)
	if len(problems) > 0 {
		return Text{}, &ProblemsError{redact(problems, c.Text)}
	}
	c.Tag = e.tag(nil)
	return e.make(ctx, f, c, creating, text)
}

// bringBack writes a version of a file that was removed.
func (e *Editor) bringBack(ctx context.Context, f File, v Version, c Change) (Text, error) {
	if _, err := e.newFile(NewFile{filepath.Dir(f.Path), filepath.Base(f.Path)}); err != nil {
		return Text{}, err
	}
	if c.Tag != e.tag(nil) {
		return Text{}, e.orCurrent(ctx, f, &ConflictError{})
	}
	f.Gone = false
	return e.make(ctx, f, c, restoring, v.Text)
}

// make writes a file that is not there.
func (e *Editor) make(ctx context.Context, f File, c Change, kind VersionKind, text []byte) (Text, error) {
	if err := c.check(f); err != nil {
		return Text{}, err
	}
	ctx = context.WithoutCancel(ctx)
	if err := e.writeNew(ctx, f, c, kind, text); err != nil {
		return Text{}, err
	}
	return e.show(ctx, f)
}

func (e *Editor) writeNew(ctx context.Context, f File, c Change, kind VersionKind, text []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	// What is refused for itself leaves no trace at all.
	if problems := e.o.Owner.Check(f, text); problems.Err() != nil {
		return &ProblemsError{redact(problems, text)}
	}
	dir := filepath.Dir(f.Path)
	if err := os.Mkdir(dir, 0o755); err == nil {
		defer func() { _ = os.Remove(dir) }() // It stays if there is a file in it.
	} else if !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the directory of the new file: %w", err)
	}
	if err := reserve(f.Path, f.NamedBy); errors.Is(err, fs.ErrExist) {
		return ErrExists
	} else if err != nil {
		return fmt.Errorf("make file: %w", err)
	}
	f.fresh = true
	err := e.replaceText(ctx, f, c, kind, func([]byte) ([]byte, config.Problems) { return text, nil })
	if err == nil {
		return nil
	}
	if _, theirs := errors.AsType[*ConflictError](err); theirs {
		return ErrExists // Somebody else has written into it meanwhile.
	}
	if gone := os.Remove(f.Path); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
		return fmt.Errorf("%w; and the file that was begun could not be removed: %w", err, gone)
	}
	return err
}

// gone lists the files that were removed here and would be taken over again.
func (e *Editor) gone(ctx context.Context, there []File) ([]File, error) {
	paths, err := e.o.History.Ending(ctx, Removed, removing)
	if err != nil {
		return nil, err
	}
	var out []File
	for _, path := range paths {
		if slices.ContainsFunc(there, func(f File) bool { return f.Path == path }) {
			continue
		}
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		dir, name := filepath.Split(path)
		for _, p := range e.o.Owner.Places() {
			if p.Dir == filepath.Clean(dir) && p.covers(name) {
				out = append(out, File{Kind: Rules, Path: path, NamedBy: p.NamedBy, Gone: true})
				break
			}
		}
	}
	return out, nil
}

// remove takes a file away that was made here.
func (e *Editor) remove(ctx context.Context, f File, c Change) (Text, error) {
	if err := c.check(f); err != nil {
		return Text{}, err
	}
	ctx = context.WithoutCancel(ctx)
	if !f.Gone {
		if err := e.unlink(ctx, f, c); err != nil {
			return Text{}, e.orCurrent(ctx, f, err)
		}
		f.Gone = true
	}
	return e.show(ctx, f)
}

func (e *Editor) unlink(ctx context.Context, f File, c Change) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	current, readErr := read(f)
	if r := e.reason(f, current, readErr); r != nil {
		return &ReadOnlyError{*r}
	}
	if e.tag(current) != c.Tag {
		return &ConflictError{}
	}
	if err := e.begin(ctx, f, current); err != nil {
		return err
	}
	id, err := e.o.History.Add(ctx, Version{Path: f.Path, At: e.o.Now(), Kind: removing, Who: c.Who, Comment: strings.TrimSpace(c.Comment)})
	if err != nil {
		return err
	}
	// Until the configuration is taken over without it, it lies aside.
	target := realPath(f.Path)
	aside := draftName(target)
	if err := replace(target, aside); err != nil {
		return errors.Join(err, e.o.History.Delete(ctx, id))
	}
	if err := e.o.Owner.Reload(); err != nil {
		if backErr := replace(aside, target); backErr != nil {
			return fmt.Errorf("%w; and %s could not be put back from %s: %w", refused(f, err, current), f.Path, aside, backErr)
		}
		return errors.Join(refused(f, err, current), e.o.History.Delete(ctx, id), e.o.Owner.Reload())
	}
	e.o.Logger.Info("Configuration file removed in the page", "file", f.Path, "by", c.Who, "version", id)
	return errors.Join(os.Remove(aside), e.o.History.SetKind(ctx, id, Removed))
}
