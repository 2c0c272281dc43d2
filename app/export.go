package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	apiinferences "github.com/modelwatch/modelwatch/api/inferences"
	"github.com/modelwatch/modelwatch/app/inference"
	"github.com/modelwatch/modelwatch/app/remote"
	store "github.com/modelwatch/modelwatch/store/inferences"
)

// InferenceExport says which raw inferences are written to a file, and where they are.
type InferenceExport struct {
	// File is written whole or not at all; - is Out.
	File string
	// Service, Model, Version and Endpoint select; empty means all.
	Service, Model, Version, Endpoint string
	// Since and Until bound the timestamp: RFC 3339, Unix seconds, or how long ago.
	Since, Until string
	Errors       bool
	// Server is asked, unless StoragePath names the data directory of a modelwatch that
	// does not run; ConfigFile is then its modelwatch.yml.
	Server                  *remote.Client
	StoragePath, ConfigFile string

	Out, Told io.Writer
}

func (e *InferenceExport) query() url.Values {
	q := url.Values{}
	for name, v := range map[string]string{
		"service": e.Service, "model": e.Model, "version": e.Version, "endpoint": e.Endpoint, "since": e.Since, "until": e.Until,
	} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if e.Errors {
		q.Set("errors", strconv.FormatBool(true))
	}
	return q
}

// ExportInferences writes raw inferences as Parquet.
func ExportInferences(ctx context.Context, e InferenceExport) error {
	switch {
	case e.File == "":
		return errors.New("say where to write with --file (- is the standard output)")
	case e.StoragePath != "" || e.ConfigFile != "":
		return e.stopped(ctx)
	}
	q := remote.Request{Path: "/ai/v1/inferences/export", Query: e.query()}
	if e.File == "-" {
		_, err := e.Server.Download(ctx, q, e.Out)
		return err
	}
	var size int64
	err := remote.WriteFile(e.File, func(w io.Writer) (err error) {
		size, err = e.Server.Download(ctx, q, w)
		return err
	})
	if err != nil {
		return err
	}
	return tell(e.Told, "Wrote %s, %d bytes.\n", e.File, size)
}

func (e *InferenceExport) stopped(ctx context.Context) error {
	cfg, err := loadConfig(Options{ConfigFile: e.ConfigFile, StoragePath: e.StoragePath})
	if err != nil {
		return err
	}
	dir := cfg.Storage.Path
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	unlock, err := lockDir(dir)
	if err != nil {
		return fmt.Errorf("%w; or leave --storage.path out to ask it", err)
	}
	defer func() { _ = unlock() }()
	q, err := apiinferences.Parse(e.query(), time.Now())
	if err != nil {
		return err
	}
	file := e.File
	if file == "-" {
		scratch, err := os.MkdirTemp("", "modelwatch-export-*")
		if err != nil {
			return fmt.Errorf("export inferences: %w", err)
		}
		defer func() { _ = os.RemoveAll(scratch) }()
		file = filepath.Join(scratch, "inferences.parquet")
	}
	n, err := inference.ExportStopped(ctx, dir, cfg.Inferences, store.Filter(q), file)
	if err != nil {
		return err
	}
	if e.File != "-" {
		return tell(e.Told, "Wrote %s, %d inferences.\n", e.File, n)
	}
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("export inferences: %w", err)
	}
	defer func() { _ = f.Close() }()
	if _, err := io.Copy(e.Out, f); err != nil {
		return fmt.Errorf("export inferences: %w", err)
	}
	return nil
}

func tell(w io.Writer, format string, args ...any) error {
	if _, err := fmt.Fprintf(w, format, args...); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
