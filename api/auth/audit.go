package auth

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// Event is one line of the audit log.
type Event struct {
	Seq  int64     `json:"seq,omitempty"`
	Time time.Time `json:"time"`
	// Who is the user, or "token" and its name.
	Who  string `json:"who"`
	Role Role   `json:"role,omitempty"`
	// Kind is how we know who it was: session, token, basic.
	Kind    string `json:"kind,omitempty"`
	Address string `json:"address,omitempty"`
	Method  string `json:"method,omitempty"`
	Path    string `json:"path,omitempty"`
	Query   string `json:"query,omitempty"`
	// Action says in words what happened, where that is known.
	Action string `json:"action,omitempty"`
	// Status is the HTTP status of the answer; 0 means that it is not known, since
	// the process ended meanwhile.
	Status int `json:"status,omitempty"`
}

func (a *Auth) eventOf(r *http.Request, p *Principal) Event {
	e := Event{
		Address: a.client(r).String(), Method: r.Method,
		Path: clip(r.URL.Path, 500), Query: clip(r.URL.RawQuery, 1000),
	}
	if p != nil {
		e.Who, e.Role, e.Kind = p.who(), p.Role, p.Kind
	}
	return e
}

// append writes an event durably.
func (a *Auth) append(ctx context.Context, e *Event) error {
	e.Time = a.opts.Now().UTC()
	// Who asked may leave; the log must not have holes for it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	seq, err := a.opts.Journal.AppendEvent(ctx, e.Time, encode(e))
	if err != nil {
		a.auditFailed(err)
		return err
	}
	e.Seq = seq
	return nil
}

func (a *Auth) update(ctx context.Context, e Event) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	seq := e.Seq
	e.Seq = 0
	if err := a.opts.Journal.UpdateEvent(ctx, seq, encode(e)); err != nil {
		a.auditFailed(err)
	}
}

// note appends an event about something that has happened already.
func (a *Auth) note(ctx context.Context, e Event) { _ = a.append(ctx, &e) } // It has counted and logged its error.

// noteStranger is note for what anybody can bring about: past a limit it is
// counted alone, so that nobody can flush the log.
func (a *Auth) noteStranger(ctx context.Context, e Event) {
	if _, ok := a.noise.take("", a.opts.Now()); !ok {
		a.metrics.dropped.Inc()
		return
	}
	a.note(ctx, e)
}

func (a *Auth) auditFailed(err error) {
	if a.metrics != nil {
		a.metrics.audit.Inc()
	}
	a.logger.Error("Write the audit log", "err", err)
}

func (a *Auth) trim(ctx context.Context) {
	before := a.opts.Now().Add(-a.opts.AuditAge)
	if err := a.opts.Journal.TrimEvents(ctx, a.opts.AuditEvents, before); err != nil && ctx.Err() == nil {
		a.logger.Warn("Trim the audit log", "err", err)
	}
}

// events reads a page of the log, newest first.
func (a *Auth) events(ctx context.Context, before int64, limit int) ([]Event, error) {
	seqs, data, err := a.opts.Journal.Events(ctx, before, limit)
	if err != nil {
		return nil, err
	}
	out := make([]Event, 0, len(seqs))
	for i, seq := range seqs {
		var e Event
		if err := json.Unmarshal(data[i], &e); err != nil {
			e.Action = "this event cannot be read"
		}
		e.Seq = seq
		out = append(out, e)
	}
	return out, nil
}

type actionKey struct{}

// say puts into the audit log, in words, what a request does.
func say(ctx context.Context, action string) {
	if e, ok := ctx.Value(actionKey{}).(*Event); ok {
		e.Action = action
	}
}
