package edit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"unicode/utf8"
)

// draftName is where the new text of a file lies before it takes its place:
// in the same directory, so that the change is one step, and by a name that no
// usual pattern matches.
func draftName(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".modelwatch-draft")
}

// writeDraft writes a text beside a file, with the mode and owner of the file,
// and returns when it is on disk. One that a crash left behind is replaced.
func writeDraft(path string, text []byte) (draft string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("write draft: %w", err)
	}
	draft = draftName(path)
	if err := os.Remove(draft); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("write draft: %w", err)
	}
	f, err := os.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", fmt.Errorf("write draft: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write draft: %w", err), os.Remove(draft))
		}
	}()
	_, err = f.Write(text)
	if st, ok := info.Sys().(*syscall.Stat_t); ok && err == nil {
		var own syscall.Stat_t
		if err = syscall.Fstat(int(f.Fd()), &own); err == nil && (own.Uid != st.Uid || own.Gid != st.Gid) {
			err = f.Chown(int(st.Uid), int(st.Gid))
		}
	}
	if err == nil {
		err = f.Chmod(info.Mode().Perm())
	}
	if err == nil {
		err = f.Sync()
	}
	return draft, errors.Join(err, f.Close())
}

// replace puts a draft in the place of the file, durably.
func replace(draft, path string) error {
	if err := os.Rename(draft, path); err != nil {
		if errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EXDEV) {
			return fmt.Errorf("%s is mounted by itself, so it cannot be replaced: mount its directory instead (%w)", path, err)
		}
		return fmt.Errorf("replace %s: %w", path, err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// putBack undoes a change: the former text, or no file where there was none.
func putBack(f File, path string, former []byte) error {
	if f.fresh {
		return os.Remove(path)
	}
	back, err := writeDraft(path, former)
	if err != nil {
		return err
	}
	return replace(back, path)
}

// reserve makes an empty file that was not there, with the permissions of
// another, so that its name is nobody else's.
func reserve(path, like string) error {
	mode := os.FileMode(0o644)
	if info, err := os.Stat(like); err == nil {
		mode = info.Mode().Perm() &^ 0o111
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	return f.Close()
}

func isText(b []byte) bool { return utf8.Valid(b) && !bytes.ContainsRune(b, 0) }
