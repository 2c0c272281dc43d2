package service

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Fault is a way in which the service can be broken.
type Fault string

// The faults.
const (
	// Features: the feature pipeline hands 100 more behaviour features to the
	// same model version. Its work grows fourfold and its embedding matrix no
	// longer fits the device.
	Features Fault = "features"
	// Rollout: the same by a new model version, v2.0, as a roll-out would do it.
	Rollout Fault = "rollout"
	// Slow: the device is throttled to a fifth of its speed.
	Slow Fault = "slow"
	// Errors: a third of the requests fail with status 500.
	Errors Fault = "error"
	// OOM: half of the requests find no device memory: status 503.
	OOM Fault = "oom"
	// Drift: an upstream change makes every age 40 % too high.
	Drift Fault = "drift"
	// Missing: an upstream join loses the income of 60 % of the users.
	Missing Fault = "missing"
)

// AllFaults lists every fault.
func AllFaults() []Fault { return []Fault{Features, Rollout, Slow, Errors, OOM, Drift, Missing} }

// faults holds which are on.
type faults struct {
	mu     sync.Mutex
	active map[Fault]bool
}

func (f *faults) on(kind Fault) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.active[kind]
}

// SetFault switches a fault on or off. It counts from the next request on.
func (s *Service) SetFault(kind Fault, on bool) error {
	if !slices.Contains(AllFaults(), kind) {
		names := make([]string, 0, len(AllFaults()))
		for _, f := range AllFaults() {
			names = append(names, string(f))
		}
		return fmt.Errorf("unknown fault %q: want one of %s", kind, strings.Join(names, ", "))
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	if s.faults.active == nil {
		s.faults.active = map[Fault]bool{}
	}
	s.faults.active[kind] = on
	return nil
}

// Faults tells of each fault whether it is on.
func (s *Service) Faults() map[Fault]bool {
	state := map[Fault]bool{}
	for _, f := range AllFaults() {
		state[f] = s.faults.on(f)
	}
	return state
}

// switchFault is POST /fault: {"kind": KIND, "on": BOOL}.
func (s *Service) switchFault(w http.ResponseWriter, r *http.Request) {
	var said struct {
		Kind Fault `json:"kind"`
		On   *bool `json:"on"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&said)
	if err == nil && said.On == nil {
		err = fmt.Errorf(`want {"kind": KIND, "on": true or false}`)
	}
	if err == nil {
		err = s.SetFault(said.Kind, *said.On)
	}
	if err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	answer(w, http.StatusOK, s.Faults())
}
