// Package journal follows systemd's journal by the program journalctl.
//
// It does not read journal files itself, so it needs no C library, and it keeps no cursor: its user does.
package journal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Entry is a journal entry.
type Entry struct {
	// Labels are the fields of the entry under Promtail's names: __journal__systemd_unit, __journal_priority and so on,
	// and __journal_priority_keyword.
	Labels map[string]string
	Time   time.Time
	// Line is the message, or the whole entry as JSON.
	Line string
	// Cursor is where to go on after this entry.
	Cursor string
}

// Options says what to follow.
type Options struct {
	// Command is the program; default journalctl.
	Command string
	// Path is the journal's directory; default the system's.
	Path string
	// Matches are conditions such as _SYSTEMD_UNIT=foo.service, separated by spaces.
	Matches string
	// After is the cursor after which to begin. Without it, entries of the last MaxAge come first.
	After  string
	MaxAge time.Duration
	// JSON makes the whole entry the line.
	JSON bool
	// Handle is given entries in their order. While it does not return, the journal is not read on.
	Handle func(ctx context.Context, entries []Entry) error
}

// ErrMissing is a machine without journalctl.
var ErrMissing = errors.New("journalctl is not installed here, so the journal cannot be read")

const maxBatch = 512

// Follow reads until ctx ends, Handle fails, or journalctl ends, which it does not do by itself.
func Follow(ctx context.Context, o Options) error {
	if o.Command == "" {
		o.Command = "journalctl"
	}
	if _, err := exec.LookPath(o.Command); err != nil {
		return ErrMissing
	}
	args := []string{"--output=json", "--follow", "--no-pager", "--all", "--lines=all", "--quiet"}
	if o.Path != "" {
		args = append(args, "--directory="+o.Path)
	}
	if o.After != "" {
		args = append(args, "--after-cursor="+o.After)
	} else if o.MaxAge > 0 {
		args = append(args, "--since=@"+strconv.FormatInt(time.Now().Add(-o.MaxAge).Unix(), 10))
	}
	args = append(args, strings.Fields(o.Matches)...)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, o.Command, args...)
	var complaint bytes.Buffer
	cmd.Stderr = &limited{b: &complaint}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("run journalctl: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run journalctl: %w", err)
	}
	err = read(ctx, out, o)
	cancel()
	wait := cmd.Wait()
	if err != nil {
		return err
	}
	return fmt.Errorf("journalctl has ended: %w: %s", wait, strings.TrimSpace(complaint.String()))
}

// limited keeps the beginning of what is written to it.
type limited struct{ b *bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := 2048 - l.b.Len(); room > 0 {
		l.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// read reads entries from r. It returns nil at its end.
func read(ctx context.Context, r io.Reader, o Options) error {
	b := bufio.NewReaderSize(r, 256<<10)
	var batch []Entry
	for {
		line, err := b.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			// A line that is no entry is the beginning of one that was cut off; what follows is whole again.
			if e, ok := parse(line, o.JSON); ok {
				batch = append(batch, e)
			}
		}
		if len(batch) > 0 && (err != nil || len(batch) >= maxBatch || b.Buffered() == 0) {
			if err := o.Handle(ctx, batch); err != nil {
				return err
			}
			batch = nil
		}
		if err != nil {
			return ctx.Err()
		}
	}
}

var keywords = []string{"emerg", "alert", "crit", "error", "warning", "notice", "info", "debug"}

func parse(line []byte, whole bool) (Entry, bool) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(line, &fields) != nil {
		return Entry{}, false
	}
	e := Entry{Labels: map[string]string{}}
	for name, value := range fields {
		text, ok := fieldText(value)
		if !ok {
			continue
		}
		switch name {
		case "__CURSOR":
			e.Cursor = text
		case "__REALTIME_TIMESTAMP":
			if us, err := strconv.ParseInt(text, 10, 64); err == nil {
				e.Time = time.UnixMicro(us)
			}
		case "MESSAGE":
			e.Line = text
		}
		e.Labels["__journal_"+strings.ToLower(name)] = text
		if n, err := strconv.Atoi(text); name == "PRIORITY" && err == nil && n >= 0 && n < len(keywords) {
			e.Labels["__journal_priority_keyword"] = keywords[n]
		}
	}
	if whole {
		e.Line = string(bytes.TrimSpace(line))
	}
	return e, e.Line != "" && !e.Time.IsZero()
}

// fieldText is a field's value: text, the numbers of its bytes if it is not text, or several values, of which the last.
func fieldText(raw json.RawMessage) (string, bool) {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, len(raw) > 0 && raw[0] == '"'
	}
	var numbers []int
	if json.Unmarshal(raw, &numbers) == nil {
		b := make([]byte, len(numbers))
		for i, n := range numbers {
			b[i] = byte(n)
		}
		return strings.ToValidUTF8(string(b), "\uFFFD"), true
	}
	var several []json.RawMessage
	if json.Unmarshal(raw, &several) == nil && len(several) > 0 {
		return fieldText(several[len(several)-1])
	}
	return "", false
}
