package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// HostPaths say where the file systems of the host are mounted, for running in
// a container. The names are those of node_exporter's flags --path.procfs,
// --path.sysfs and --path.rootfs.
type HostPaths struct {
	Procfs string `yaml:"procfs,omitempty"`
	Sysfs  string `yaml:"sysfs,omitempty"`
	// Rootfs is where the root of the host's file systems is. It is taken off
	// the mount points of series.
	Rootfs string `yaml:"rootfs,omitempty"`
}

// Where file systems are mounted that no container hides.
const (
	DefaultProcfs = "/proc"
	DefaultSysfs  = "/sys"
	DefaultRootfs = "/"
)

func (p *HostPaths) setDefaults() {
	set(&p.Procfs, DefaultProcfs)
	set(&p.Sysfs, DefaultSysfs)
	set(&p.Rootfs, DefaultRootfs)
}

// validate looks whether what is written is there. Relative paths are taken
// from dir.
func (p *HostPaths) validate(dir string, add func(reason, hint string, path ...string)) {
	for _, c := range []struct {
		name, path, usual string
		// has is what such a file system always has in it.
		has string
	}{
		{"procfs", p.Procfs, DefaultProcfs, "stat"},
		{"sysfs", p.Sysfs, DefaultSysfs, "class"},
		{"rootfs", p.Rootfs, DefaultRootfs, ""},
	} {
		if c.path == "" {
			continue
		}
		path := c.path
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		if reason := notThere(path, c.name, c.has); reason != "" {
			add(reason, fmt.Sprintf("mount %s of the host there, for reading only, or leave the setting out for %[1]s itself", c.usual), "collect", "paths", c.name)
		}
	}
}

// notThere says what is wrong with a directory that should be a file system of
// a kind; empty if nothing is.
func notThere(path, kind, has string) string {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		return path + " is not a directory"
	}
	if err == nil && has != "" {
		if _, err = os.Stat(filepath.Join(path, has)); errors.Is(err, fs.ErrNotExist) {
			return fmt.Sprintf("%s is no %s: there is no %s in it", path, kind, has)
		}
	}
	var in *fs.PathError
	switch {
	case err == nil:
		return ""
	case errors.Is(err, fs.ErrNotExist):
		return path + " does not exist"
	case errors.As(err, &in):
		return fmt.Sprintf("%s cannot be read: %v", in.Path, in.Err)
	}
	return err.Error()
}
