package demo

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/modelwatch/modelwatch/demo/mail"
)

// narrator tells what happens, each line with the time of day and the seconds
// since the start.
type narrator struct {
	start time.Time

	mu sync.Mutex
	w  io.Writer
}

// say prints one line.
func (n *narrator) say(format string, args ...any) {
	n.block(fmt.Sprintf(format, args...))
}

// block prints a line and further ones below it, indented.
func (n *narrator) block(first string, more ...string) {
	now := time.Now()
	var b strings.Builder
	prefix := fmt.Sprintf("%s %4.0fs  ", now.Format(time.TimeOnly), now.Sub(n.start).Seconds())
	b.WriteString(prefix + first + "\n")
	for _, line := range more {
		b.WriteString(strings.TrimRight(strings.Repeat(" ", len(prefix))+line, " ") + "\n")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	_, _ = io.WriteString(n.w, b.String()) // nobody is left to tell that it failed
}

// mail shows a message as its reader would see it.
func (n *narrator) mail(m mail.Mail) {
	how := "unencrypted"
	if m.TLS {
		how = "over TLS, logged in as " + m.Login
	}
	lines := []string{
		"┌─ To:      " + strings.Join(m.To, ", ") + " (" + how + ")",
		"│  Subject: " + m.Subject,
		"├─",
	}
	for line := range strings.Lines(strings.TrimSpace(m.Text)) {
		lines = append(lines, "│  "+strings.TrimRight(line, "\n"))
	}
	n.block("✉ A mail has come:", append(lines, "└─")...)
}
