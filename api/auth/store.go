package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Store keeps small records by key: users, sessions, tokens. One process at a
// time uses it; what is stored is also held in memory.
type Store interface {
	// Records returns every record. It belongs to the caller.
	Records(ctx context.Context) (map[string][]byte, error)
	// SaveRecords stores records, all or none, and returns when they are durable.
	// Nil data deletes; deleting what is not there is no error. The data stays the
	// caller's.
	SaveRecords(ctx context.Context, records map[string][]byte) error
}

// Journal keeps the audit log.
type Journal interface {
	// AppendEvent adds an event and returns its number, greater than all before,
	// when it is durable.
	AppendEvent(ctx context.Context, at time.Time, data []byte) (seq int64, err error)
	// UpdateEvent replaces the data of an event. One that is gone is no error.
	UpdateEvent(ctx context.Context, seq int64, data []byte) error
	// Events returns up to limit events with numbers below before (0 means from the
	// newest), newest first: their numbers and their data.
	Events(ctx context.Context, before int64, limit int) (seqs []int64, data [][]byte, err error)
	// TrimEvents forgets all but the newest keep events, and those before a time.
	TrimEvents(ctx context.Context, keep int, before time.Time) error
}

// Kinds of records; the rest of a key says which one.
const (
	userKey    = "user/"
	sessionKey = "session/"
	tokenKey   = "token/"
)

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		// Records hold texts, times and numbers, which all have a form in JSON.
		return []byte("null")
	}
	return data
}

// load reads every record into memory.
func (a *Auth) load(ctx context.Context) error {
	records, err := a.opts.Store.Records(ctx)
	if err != nil {
		return fmt.Errorf("read users, sessions and tokens: %w", err)
	}
	for key, data := range records {
		kind, id, _ := strings.Cut(key, "/")
		var err error
		switch kind + "/" {
		case userKey:
			u := &User{}
			if err = json.Unmarshal(data, u); err == nil {
				a.users[id] = u
				a.names[foldName(u.Name)] = id
			}
		case sessionKey:
			s := &session{}
			if err = json.Unmarshal(data, &s.sessionRecord); err == nil {
				s.touch(s.Seen)
				a.sessions[id] = s
			}
		case tokenKey:
			t := &token{}
			if err = json.Unmarshal(data, &t.tokenRecord); err == nil {
				t.used.Store(t.Used.UnixNano())
				a.tokens[id] = t
			}
		default:
			continue // Of a newer version.
		}
		if err != nil {
			return fmt.Errorf("read record %s: %w", kind, err)
		}
	}
	return nil
}
