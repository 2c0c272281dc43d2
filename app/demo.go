package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/modelwatch/modelwatch/demo"
)

// DemoOptions says how the demonstration runs.
type DemoOptions struct {
	// ListenAddress is where the page is; empty takes 127.0.0.1:9090, or any
	// free port if that one is taken.
	ListenAddress string
	// Once ends after the story.
	Once bool
	// Keep leaves the files behind.
	Keep bool
	// Rate is the load in requests per second, Window the length of the windows
	// in which inferences are judged; 0 leaves either as it is.
	Rate           float64
	Window         time.Duration
	Stdout, Stderr io.Writer
	// Log shows modelwatch's own log beside the story.
	Log bool
}

// Demo runs the demonstration on the ordinary platform.
func Demo(ctx context.Context, o DemoOptions) error {
	return demo.Run(ctx, demo.Options{
		Stdout: o.Stdout,
		Once:   o.Once,
		Keep:   o.Keep,
		Rate:   o.Rate,
		Window: o.Window,
		Platform: demo.PlatformFunc(func(_ context.Context, f demo.Files) (string, func() error, error) {
			return startForDemo(o, f)
		}),
	})
}

func startForDemo(o DemoOptions, f demo.Files) (string, func() error, error) {
	// Without being asked for, the log is kept beside the other files.
	log := o.Stderr
	if !o.Log {
		file, err := os.Create(filepath.Join(filepath.Dir(f.Modelwatch), "modelwatch.log"))
		if err != nil {
			return "", nil, fmt.Errorf("make log file: %w", err)
		}
		log = file
	}
	options := Options{
		ConfigFile:    f.Modelwatch,
		StoragePath:   f.DataDir,
		ListenAddress: o.ListenAddress,
		Stdout:        io.Discard,
		Stderr:        log,
		Quiet:         true,
	}
	if options.ListenAddress == "" {
		options.ListenAddress = "127.0.0.1:9090"
		if !free(options.ListenAddress) {
			options.ListenAddress = "127.0.0.1:0"
		}
	}
	options.Flags = map[string]string{
		"config.file":        options.ConfigFile,
		"storage.path":       options.StoragePath,
		"web.listen-address": options.ListenAddress,
	}
	a, err := New(options)
	if err != nil {
		return "", nil, err
	}
	if err := a.Start(); err != nil {
		return "", nil, err
	}
	return a.URL(), a.Stop, nil
}

// free reports whether nobody listens on an address.
func free(address string) bool {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	_ = l.Close() // It was only asked for.
	return true
}
