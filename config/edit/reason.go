package edit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Reason says why a file is not edited here.
type Reason struct {
	// Code is for programs, Text for people.
	Code string
	Text string
}

const (
	reasonOff        = "off"
	reasonBuiltin    = "builtin"
	reasonMissing    = "missing"
	reasonRemoved    = "removed"
	reasonUnreadable = "unreadable"
	reasonOutside    = "outside"
	reasonKubernetes = "kubernetes"
	reasonLink       = "link"
	reasonManaged    = "managed"
	reasonUnwritable = "unwritable"
	reasonOwner      = "owner"
	reasonLarge      = "large"
	reasonBinary     = "binary"
	reasonUnclear    = "unclear"
)

// unseen tells whether not even the text is shown.
func (r *Reason) unseen() bool {
	return slices.Contains([]string{reasonMissing, reasonUnreadable, reasonOutside, reasonLarge, reasonBinary, reasonUnclear}, r.Code)
}

// managed finds, in comments at the top of a file, that something else writes
// it.
var managed = regexp.MustCompile(`(?i)\b(do not (edit|modify|change)|don't edit|managed by|maintained by (ansible|puppet|chef|salt|terraform)|(auto-?|automatically )?generated (by|from)|auto-?generated|will be overwritten)\b`)

// managedLine is the line that says so; empty where none does.
func managedLine(text []byte) string {
	n := 0
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if n++; n > 20 {
			break
		}
		comment := bytes.HasPrefix(line, []byte("#")) || bytes.HasPrefix(line, []byte("{{/*")) || bytes.HasPrefix(line, []byte("{{- /*"))
		if comment && managed.Match(line) {
			return strings.Trim(string(line), "#*/{}- \t")
		}
	}
	return ""
}

// templateNames are the endings of files that are shown as templates. A pattern
// could name any file, and a template is any text.
var templateNames = []string{".tmpl", ".tpl", ".gotmpl", ".template", ".html"}

// reason says why a file cannot be edited; nil where it can. text is what it
// says, unless reading failed.
func (e *Editor) reason(f File, text []byte, readErr error) *Reason {
	say := func(code, format string, args ...any) *Reason {
		return &Reason{code, fmt.Sprintf(format, args...)}
	}
	if f.Builtin != nil {
		return say(reasonBuiltin, "it ships inside modelwatch; metrics.builtin_rules: false turns these rules off")
	}
	if f.Gone {
		return say(reasonRemoved, "it was removed here; every version in its history can be restored")
	}
	real, err := filepath.EvalSymlinks(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return say(reasonMissing, "it does not exist")
	case err != nil:
		return say(reasonUnreadable, "it cannot be read: %v", err)
	case !e.below(real) || !e.below(f.Path):
		return say(reasonOutside, "it lies outside the directories of the configuration files that modelwatch was started with")
	case f.Kind == Template && !slices.Contains(templateNames, filepath.Ext(f.Path)):
		return say(reasonOutside, "its name does not end as those of templates do (%s)", strings.Join(templateNames, ", "))
	case readErr != nil:
		return say(reasonUnreadable, "it cannot be read: %v", readErr)
	case len(text) > MaxBytes:
		return say(reasonLarge, "it is larger than %d KiB", MaxBytes>>10)
	case !isText(text):
		return say(reasonBinary, "it is not a text in UTF-8")
	}
	if _, _, err := hide(f.Kind, text); errors.Is(err, errUnclear) {
		return say(reasonUnclear, "what is secret in it cannot be told from the rest, so it is not shown; values over several lines without quotes are such a case")
	} else if err != nil {
		return say(reasonUnclear, "it is not valid YAML, so its secrets cannot be told from the rest: mend it on its machine (%s)", Redact(err.Error(), text))
	}
	if e.o.Off {
		return say(reasonOff, "editing is turned off by web.editing: false")
	}
	if belowDots(filepath.Dir(real)) {
		return say(reasonKubernetes, "it comes from a ConfigMap or Secret of Kubernetes, which would overwrite it: change it there")
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(f.Path)); err != nil || dir != filepath.Dir(real) {
		return say(reasonLink, "it is a link to %s, in another directory: change it there", real)
	}
	if line := managedLine(text); line != "" {
		return say(reasonManaged, "something else writes it, as it says itself: “%s”", line)
	}
	return writable(real)
}

// belowDots tells whether a directory lies where Kubernetes writes ConfigMaps.
func belowDots(dir string) bool {
	return slices.ContainsFunc(strings.Split(dir, string(filepath.Separator)), func(part string) bool { return strings.HasPrefix(part, "..") })
}

// below tells whether a path lies below one of the roots.
func (e *Editor) below(path string) bool {
	if real, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(real, filepath.Base(path))
	}
	return slices.ContainsFunc(e.o.Roots, func(root string) bool {
		rel, err := filepath.Rel(root, path)
		return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
	})
}

// writable says why a file cannot be replaced; nil where it can.
func writable(path string) *Reason {
	dir := filepath.Dir(path)
	info, err := os.Stat(path)
	if err != nil {
		return &Reason{reasonUnreadable, "it cannot be read: " + err.Error()}
	}
	dirInfo, err := os.Stat(dir)
	if err != nil {
		return &Reason{reasonUnreadable, "its directory cannot be read: " + err.Error()}
	}
	switch {
	case info.Mode().Perm()&0o222 == 0, unix.Access(path, unix.W_OK) != nil:
		return &Reason{reasonUnwritable, fmt.Sprintf("modelwatch may not write it (mode %s)", info.Mode())}
	case dirInfo.Mode().Perm()&0o222 == 0, unix.Access(dir, unix.W_OK) != nil:
		return &Reason{reasonUnwritable, fmt.Sprintf("modelwatch may not write to its directory %s, where a new file must lie before it takes the place of the old one", dir)}
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() != 0 && int(st.Uid) != os.Geteuid() {
		return &Reason{reasonOwner, "it belongs to another user, and modelwatch could not keep that"}
	}
	return nil
}
