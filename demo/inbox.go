package demo

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/modelwatch/modelwatch/demo/mail"
)

// inbox keeps the mails that have come, and shows each when it comes.
type inbox struct {
	mu    sync.Mutex
	mails []mail.Mail
}

func (b *inbox) collect(ctx context.Context, from <-chan mail.Mail, tell *narrator) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-from:
			tell.mail(m)
			b.mu.Lock()
			b.mails = append(b.mails, m)
			b.mu.Unlock()
		}
	}
}

// find gives the first mail since a time whose subject has all the words.
func (b *inbox) find(since time.Time, words ...string) (mail.Mail, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.mails {
		if m.Received.Before(since) {
			continue
		}
		has := true
		for _, word := range words {
			has = has && strings.Contains(m.Subject, word)
		}
		if has {
			return m, true
		}
	}
	return mail.Mail{}, false
}

// subjects lists what has come.
func (b *inbox) subjects() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.mails) == 0 {
		return "no mail at all has come"
	}
	var list []string
	for _, m := range b.mails {
		list = append(list, m.Subject)
	}
	return "the mails that came are: " + strings.Join(list, "; ")
}
