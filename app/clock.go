package app

import (
	"context"
	"time"
)

const (
	// clockLook is how often it is looked whether the clock was set.
	clockLook = time.Second
	// clockStep is the least step back that matters: slewing does not, and samples
	// of a target that scrapes each second still follow each other.
	clockStep = 2 * time.Second
)

// watchClock mends what goes wrong when the clock of the machine is set back:
// samples would be refused until it has caught up with those already stored. The
// models' side sees it by itself.
func (a *App) watchClock(ctx context.Context) {
	tick := time.NewTicker(clockLook)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		if back := setBack(now.Round(0).Sub(last.Round(0)), now.Sub(last)); back > 0 {
			a.clockSetBack(now, back)
		}
		last = now
	}
}

// setBack returns by how much the clock was set back while it seemed that wall
// went by and monotonic really did; zero for less than clockStep and for steps
// forward, which a suspended machine makes too.
func setBack(wall, monotonic time.Duration) time.Duration {
	if back := monotonic - wall; back >= clockStep {
		return back
	}
	return 0
}

func (a *App) clockSetBack(now time.Time, back time.Duration) {
	a.logger.Warn("The clock of this machine was set back. Samples are taken out of order until it has caught up with the newest one",
		"by", back.Round(time.Millisecond).String(), "newest_ahead_by", a.store.Ahead(now).Round(time.Second).String())
	if err := a.store.Reach(now); err != nil {
		a.logger.Error("Samples are refused until the clock has caught up", "err", err)
	}
	if err := a.scraper.Restart(); err != nil {
		a.logger.Error("Samples are dated ahead, and refused, until the clock has caught up", "err", err)
	}
}
