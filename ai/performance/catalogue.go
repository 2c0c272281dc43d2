package performance

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/modelwatch/modelwatch/ai"
)

// Kind is one line of the catalogue of checks with what else configuration and
// documentation want to know. A finding starts beyond Threshold and is critical
// beyond Critical, which no kind leaves out.
type Kind struct {
	ai.Check
	// OptIn marks a check that is off until configuration gives it a limit, because
	// no default suits every model.
	OptIn bool `json:"opt_in,omitempty"`
	// Baseline is whether the check needs a baseline.
	Baseline bool `json:"baseline,omitempty"`
	// Fatal is whether a critical finding means that the layer is down, and not
	// only degraded.
	Fatal bool `json:"fatal,omitempty"`

	// applies is whether the check has anything to do with the model, such as tokens
	// with a language model; nil means always.
	applies func(*subject) bool
	judge   func(*subject) Result
}

// Catalogue returns the line of every check, in the order in which they are
// shown.
func Catalogue() []ai.Check {
	var out []ai.Check
	for _, k := range Kinds() {
		out = append(out, k.Check)
	}
	return out
}

// Kinds returns every check, in the order of Catalogue. The last, version, is
// judged by Compare; all others by Judge.
func Kinds() []Kind {
	return []Kind{
		noSuccess(),
		errorLimit(),
		errorRatio(),
		clientErrorRatio(),
		latencyLimit(),
		latencyP50(),
		latencyP95(),
		firstToken(),
		tokenRate(),
		accuracyLimit(),
		accuracy(),
		accuracyEstimate(),
		f1(),
		f1Estimate(),
		rocAUC(),
		calibration(),
		regressionError(),
		version(),
	}
}

// Limit changes a catalogue line.
type Limit struct {
	// Off switches the check off.
	Off bool
	// Threshold and Critical replace those of the catalogue; nil leaves them.
	Threshold *float64
	Critical  *float64
}

// Settings says how strict judgements are. The zero value means the defaults.
type Settings struct {
	// Alpha is the largest p-value of a finding, for checks that are tests; default
	// 0.001, so that a check of a version that did not change finds something in at
	// most one window of a thousand.
	Alpha float64
	// MinRequests is the number of requests, and MinLabels that of labelled answers,
	// below which a check says unknown; default 20 and 30. The check no_success
	// needs five requests, whatever MinRequests is.
	MinRequests uint64
	MinLabels   uint64
	// Limits change catalogue lines, by id. A limit on a check that is off by
	// default switches it on.
	Limits map[string]Limit
}

func (s Settings) withDefaults() Settings {
	s.Alpha = cmp.Or(s.Alpha, 0.001)
	s.MinRequests = cmp.Or(s.MinRequests, 20)
	s.MinLabels = max(cmp.Or(s.MinLabels, 30), 2)
	return s
}

// Validate reports every id that is not in the catalogue, and every number that is
// out of place, joined.
func (s Settings) Validate() error {
	var errs []error
	if !(s.Alpha >= 0 && s.Alpha < 1) {
		errs = append(errs, fmt.Errorf("performance alpha %v is not a probability: use a number like 0.001", s.Alpha))
	}
	kinds := Kinds()
	for _, id := range slices.Sorted(maps.Keys(s.Limits)) {
		i := slices.IndexFunc(kinds, func(k Kind) bool { return k.ID == id })
		if i < 0 {
			ids := make([]string, len(kinds))
			for j := range kinds {
				ids[j] = kinds[j].ID
			}
			errs = append(errs, fmt.Errorf("performance check %q is not known: use one of %s", id, strings.Join(ids, ", ")))
			continue
		}
		k := kinds[i].with(s.Limits[id])
		switch critical := *k.Critical; {
		case math.IsNaN(k.Threshold) || math.IsInf(k.Threshold, 0) || math.IsNaN(critical) || math.IsInf(critical, 0):
			errs = append(errs, fmt.Errorf("performance check %q: a threshold is not a finite number", id))
		case k.Direction == ai.Above && critical < k.Threshold:
			errs = append(errs, fmt.Errorf("performance check %q: critical (%v) must not be below threshold (%v)", id, critical, k.Threshold))
		case k.Direction == ai.Below && critical > k.Threshold:
			errs = append(errs, fmt.Errorf("performance check %q: critical (%v) must not be above threshold (%v)", id, critical, k.Threshold))
		}
	}
	return errors.Join(errs...)
}

// with returns the kind under a limit. Where only one of the two thresholds is
// given and passes the other's default, that moves along.
func (k Kind) with(l Limit) Kind {
	critical := *k.Critical
	clamp := math.Max
	if k.Direction == ai.Below {
		clamp = math.Min
	}
	switch {
	case l.Threshold != nil && l.Critical != nil:
		k.Threshold, critical = *l.Threshold, *l.Critical
	case l.Threshold != nil:
		k.Threshold, critical = *l.Threshold, clamp(critical, *l.Threshold)
	case l.Critical != nil:
		critical = *l.Critical
		if beyond := clamp(k.Threshold, critical) == k.Threshold; beyond {
			k.Threshold = critical
		}
	}
	if l.Threshold != nil || l.Critical != nil {
		k.OptIn = false
	}
	k.Critical = &critical
	return k
}
