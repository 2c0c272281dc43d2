package models

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/modelwatch/modelwatch/ai"
)

// maxNamed is how many versions an error names.
const maxNamed = 10

// OneVersion returns the only version of a model that a query selects, of those that work
// or have a baseline. The query names the model. The error names those that it could be.
func (e *Engine) OneVersion(q DriftQuery) (ai.Key, error) {
	found := e.keys(q)
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0:
		return ai.Key{}, notFound("there is no such version of model %q: GET /ai/v1/models lists them", *q.Model)
	}
	var names []string
	for _, k := range found[:min(len(found), maxNamed)] {
		names = append(names, k.String())
	}
	if len(found) > maxNamed {
		names = append(names, fmt.Sprintf("%d more", len(found)-maxNamed))
	}
	return ai.Key{}, &Error{http.StatusConflict, fmt.Errorf("it could be %s: say which with service and version", strings.Join(names, ", "))}
}

// BaselineByID describes a baseline.
func (e *Engine) BaselineByID(id string) (BaselineInfo, error) { return e.info(id) }

// ActiveBaseline describes the baseline in use of a version; ok is false where there is
// none.
func (e *Engine) ActiveBaseline(key ai.Key) (info BaselineInfo, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, info := range e.infos {
		if info.Active && info.Key() == key {
			return e.live(info), true
		}
	}
	return BaselineInfo{}, false
}
