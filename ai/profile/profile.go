// Package profile sums up what a model version was asked and answered, in
// bounded memory: Counter one feature in one window, Accumulator all features of
// a model version in the windows now open, Rollup the longer windows, and
// Builder the baseline that windows are compared with.
//
// It judges nothing: what a profile means is for ai/drift and ai/quality. It
// keeps nothing either: profiles go to whoever asked for them. Nothing in it is
// safe for concurrent use; the owner serialises.
package profile

import (
	"fmt"
	"time"
)

// Options bound and shape an Accumulator. The zero value means the defaults.
type Options struct {
	// Window is the length of the windows; default one minute.
	Window time.Duration
	// Lateness is how long a window waits after its end for records that are
	// still on their way; default 10 seconds.
	Lateness time.Duration
	// Future is how far ahead of the clock a record's timestamp may be; default 5
	// minutes. Records beyond it are counted as early and left out.
	Future time.Duration
	// MaxOpen is the number of windows open at once; default 8. A record that
	// needs one more closes the oldest.
	MaxOpen int
	// MaxClosed is the number of closed windows remembered, so that none is
	// handed out twice; default 1,500, a day of minutes.
	MaxClosed int
	// MaxFeatures is the number of features profiled for a model version, derived
	// ones not counted; default 1,000.
	MaxFeatures int
	// MaxClasses is the number of classes whose probability is profiled; default 32.
	MaxClasses int
	// MaxVectorDim is the largest dimension of vectors profiled; default 4,096.
	MaxVectorDim int
}

func (o Options) withDefaults() Options {
	or := func(x *int, d int) {
		if *x <= 0 {
			*x = d
		}
	}
	orTime := func(x *time.Duration, d time.Duration) {
		if *x <= 0 {
			*x = d
		}
	}
	orTime(&o.Window, time.Minute)
	orTime(&o.Lateness, 10*time.Second)
	orTime(&o.Future, 5*time.Minute)
	or(&o.MaxOpen, 8)
	or(&o.MaxClosed, 1500)
	or(&o.MaxFeatures, 1000)
	or(&o.MaxClasses, 32)
	or(&o.MaxVectorDim, 4096)
	return o
}

// Validate reports options that cannot work together.
func (o Options) Validate() error {
	if d := o.withDefaults(); time.Hour%d.Window != 0 {
		return fmt.Errorf("profile window %s does not divide an hour: use 10s, 30s, 1m, 5m or the like", d.Window)
	}
	return nil
}
