package tail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"os"
	"time"

	"github.com/modelwatch/modelwatch/collect/receive/journal"
	"github.com/modelwatch/modelwatch/collect/receive/syslog"
	"github.com/modelwatch/modelwatch/collect/tail/stage"
)

// listen starts the jobs that are not files.
func (r *run) listen() error {
	for _, job := range r.config.Jobs {
		if job.Syslog != nil {
			if err := r.listenSyslog(job); err != nil {
				return fmt.Errorf("job %s: %w", job.Name, err)
			}
		}
		if job.Journal != nil {
			r.wg.Go(func() { r.followJournal(job) })
		}
	}
	return nil
}

func (r *run) listenSyslog(job *Job) error {
	c := job.Syslog
	o := syslog.Options{
		Network: c.Protocol, Address: c.Address, RFC3164: c.Format == "rfc3164", IdleTimeout: c.IdleTimeout,
		MaxMessage: c.MaxMessage, StructuredData: c.LabelStructuredData, Whole: c.UseRFC5424, AllowEmpty: c.AllowEmpty,
		Logger: r.m.o.Logger,
		Broken: func(err error) { r.m.complain("syslog "+job.Name, "receive syslog message", err) },
	}
	if c.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return fmt.Errorf("read cert_file and key_file: %w", err)
		}
		o.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
		if c.CAFile != "" {
			pem, err := os.ReadFile(c.CAFile)
			if err != nil {
				return fmt.Errorf("read ca_file: %w", err)
			}
			o.TLS.ClientCAs, o.TLS.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
			if !o.TLS.ClientCAs.AppendCertsFromPEM(pem) {
				return fmt.Errorf("ca_file %s has no certificate", c.CAFile)
			}
		}
	}
	o.Handle = func(ctx context.Context, messages []syslog.Message) {
		entries, pipe := r.pipeline(job)
		for _, m := range messages {
			at := m.Time
			if !c.UseTimestamp {
				at = time.Time{}
			}
			r.take(job, pipe, c.Labels, m.Labels, at, m.Line)
		}
		pipe.FlushAll()
		// Until the connection ends or collecting stops; the sender waits.
		_ = r.deliver(ctx, *entries)
	}
	s, err := syslog.Listen(o)
	if err != nil {
		return err
	}
	r.wg.Go(func() {
		<-r.ctx.Done()
		if err := s.Close(); err != nil {
			r.m.complain("syslog "+job.Name, "close syslog listener", err)
		}
	})
	return nil
}

// pipeline starts a pipeline whose output is gathered.
func (r *run) pipeline(job *Job) (*[]*stage.Entry, *stage.Running) {
	out := &[]*stage.Entry{}
	return out, job.Pipeline.Start(r.env, func(e *stage.Entry) { *out = append(*out, e) })
}

// take makes an entry of a message: labels of the job, and of the message as far as relabelling makes them visible.
func (r *run) take(job *Job, pipe *stage.Running, own, fields map[string]string, at time.Time, line string) {
	ls := maps.Clone(fields)
	maps.Copy(ls, own)
	ls, keep := applyRelabel(ls, job.Relabel)
	if !keep {
		return
	}
	if at.IsZero() {
		at = r.now()
	}
	r.m.metrics.lines.Inc()
	pipe.Process(stage.NewEntry(visible(ls), at, line))
}

// followJournal reads the journal until collecting stops. Where to go on is kept among the positions.
func (r *run) followJournal(job *Job) {
	key := "cursor-" + job.Name
	wait := time.Second
	for r.ctx.Err() == nil {
		begin := time.Now()
		err := journal.Follow(r.ctx, journal.Options{
			Command: r.m.o.journalctl, Path: job.Journal.Path, Matches: job.Journal.Matches, MaxAge: job.Journal.MaxAge, JSON: job.Journal.JSON,
			After: r.positions.cursor(key),
			Handle: func(ctx context.Context, entries []journal.Entry) error {
				out, pipe := r.pipeline(job)
				for _, e := range entries {
					r.take(job, pipe, job.Journal.Labels, e.Labels, e.Time, e.Line)
				}
				pipe.FlushAll()
				if err := r.deliver(ctx, *out); err != nil {
					return err
				}
				r.positions.putCursor(key, entries[len(entries)-1].Cursor)
				return nil
			},
		})
		if r.ctx.Err() != nil {
			return
		}
		r.m.complain("journal "+job.Name, "read journal", err)
		if errors.Is(err, journal.ErrMissing) {
			wait = time.Minute
		} else if time.Since(begin) > time.Minute {
			wait = time.Second
		}
		select {
		case <-r.ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, time.Minute)
	}
}
