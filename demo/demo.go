// Package demo shows modelwatch at work in a minute and a half: a real AI
// service under a real load slows down, the alert fires, the mail comes, the
// service recovers, and the mail that says so comes too. Everything is on the
// loopback interface and in a temporary directory.
//
// The platform gets ordinary configuration files and is asked over its public
// interfaces only: it holds no code for the demonstration. This package does
// not start a platform itself; whoever runs the demonstration hands one in.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/modelwatch/modelwatch/client"
	"github.com/modelwatch/modelwatch/demo/load"
	"github.com/modelwatch/modelwatch/demo/mail"
	"github.com/modelwatch/modelwatch/demo/service"
)

// Platform starts modelwatch.
type Platform interface {
	// Start runs modelwatch on the files and returns its address, such as
	// "http://127.0.0.1:9090", and how to stop it. It returns when requests are
	// answered, not when all parts are ready. The context bounds the start only.
	Start(ctx context.Context, files Files) (baseURL string, stop func() error, err error)
}

// PlatformFunc makes a Platform of a function.
type PlatformFunc func(ctx context.Context, files Files) (baseURL string, stop func() error, err error)

// Start calls the function.
func (f PlatformFunc) Start(ctx context.Context, files Files) (string, func() error, error) {
	return f(ctx, files)
}

// Options says what is shown and to whom. Platform is required.
type Options struct {
	// Stdout gets the story. Default: os.Stdout.
	Stdout io.Writer
	// Platform is what is demonstrated.
	Platform Platform
	// Once ends the run after the story; otherwise it goes on until the context
	// ends.
	Once bool
	// Dir is where the directory with configuration, data and log is made.
	// Default: the system's place for temporary files.
	Dir string
	// Keep leaves that directory behind.
	Keep bool
	// Healthy is how long the service is shown in good health. Default 10 s.
	Healthy time.Duration
	// Broken is how long it stays broken after the mail, for those who look on.
	// Default 5 s.
	Broken time.Duration
	// Patience is how long each step of the story may take. Default 30 s.
	Patience time.Duration
	// Rate is the load in requests per second. Default 4.
	Rate float64
	// Window is how much time modelwatch judges at once; 0 leaves that to it. With
	// a window, a baseline is made of the first 150 inferences.
	Window time.Duration
}

// Run runs the demonstration. It returns nil when the story has been told (with
// Options.Once) or the context ended after it or meanwhile; otherwise the
// error says which step did not happen in its time.
func Run(ctx context.Context, opts Options) (err error) {
	if opts.Platform == nil {
		return errors.New("demonstrate: no platform given")
	}
	if opts.Stdout == nil {
		opts.Stdout = os.Stdout
	}
	if opts.Healthy <= 0 {
		opts.Healthy = 10 * time.Second
	}
	if opts.Broken <= 0 {
		opts.Broken = 5 * time.Second
	}
	if opts.Patience <= 0 {
		opts.Patience = 30 * time.Second
	}
	tell := &narrator{w: opts.Stdout, start: time.Now()}

	var undo cleanups
	defer func() { err = errors.Join(err, undo.run()) }()

	dir, err := os.MkdirTemp(opts.Dir, "modelwatch-demo-")
	if err != nil {
		return fmt.Errorf("make temporary directory: %w", err)
	}
	undo.add("remove temporary directory", func() error {
		if opts.Keep {
			tell.say("Kept: %s", dir)
			return nil
		}
		return os.RemoveAll(dir)
	})

	mailbox, err := mail.Listen(mail.Options{TLS: true, Username: mailUsername, Password: mailPassword})
	if err != nil {
		return err
	}
	undo.add("close mailbox", mailbox.Close)

	// The service's port is bound before the platform starts, which needs its
	// address, and served after, when there is an address for its inferences.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the AI service: %w", err)
	}
	undo.add("close listener", func() error {
		_ = listener.Close() // usually the service has
		return nil
	})
	logPath := filepath.Join(dir, "ai_service.log")
	logFile, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	undo.add("close log", logFile.Close)

	files, err := writeFiles(place{
		dir: dir, service: listener.Addr().String(), log: logPath,
		mail: mailbox.Addr(), mailAuthority: mailbox.Authority(),
		window: opts.Window,
	})
	if err != nil {
		return err
	}
	tell.say("Starting modelwatch on the files in %s", dir)
	startCtx, cancelStart := context.WithTimeout(ctx, opts.Patience)
	base, stopPlatform, err := opts.Platform.Start(startCtx, files)
	cancelStart()
	if err != nil {
		return fmt.Errorf("start modelwatch: %w", err)
	}
	undo.add("stop modelwatch", stopPlatform)

	inferences, err := client.New(client.Options{URL: base, Service: service.Name, RetryFor: 30 * time.Second})
	if err != nil {
		return err
	}
	undo.add("close client", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = inferences.Close(ctx) // what a broken platform does not take is no fault of the demonstration
		return nil
	})
	ai := service.New(service.Options{Recorder: inferences, Log: logFile, Seed: 1})
	users, err := load.New(load.Options{URL: "http://" + listener.Addr().String(), Rate: opts.Rate, Feedback: 0.8, Seed: 1})
	if err != nil {
		return err
	}

	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	var served error
	letters := &inbox{}
	wg.Go(func() { served = ai.Serve(background, listener) })
	wg.Go(func() { users.Run(background) })
	wg.Go(func() { letters.collect(background, mailbox.Mails(), tell) })
	undo.add("stop the AI service", func() error {
		stop()
		wg.Wait()
		return served
	})

	watch := newWatcher(base)
	undo.add("close connections", func() error { watch.close(); return nil })
	s := &story{
		opts: opts, tell: tell, watch: watch, ai: ai, client: inferences, letters: letters,
		base: watch.base, serviceURL: "http://" + listener.Addr().String(), dir: dir,
	}
	return s.run(ctx)
}

// cleanups undoes what has been set up, last first.
type cleanups struct {
	names []string
	funcs []func() error
}

func (c *cleanups) add(name string, f func() error) {
	c.names = append(c.names, name)
	c.funcs = append(c.funcs, f)
}

func (c *cleanups) run() error {
	var errs []error
	for i, v := range slices.Backward(c.funcs) {
		if err := v(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.names[i], err))
		}
	}
	return errors.Join(errs...)
}
