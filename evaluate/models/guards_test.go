package models_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/evaluate/models"
	"github.com/modelwatch/modelwatch/evaluate/models/memory"
)

// What is left out is said where it belongs, with the setting that would let it in.
func TestLimitsAreSaidWhereTheyBelong(t *testing.T) {
	t.Parallel()
	c := &clock{midnight}
	store := new(memory.Store)
	e, err := models.New(models.Options{Profiles: store, Baselines: store, Clock: c.time, Limits: models.Limits{PerModel: 1}})
	require.NoError(t, err)
	for range 90 {
		for _, key := range []ai.Key{{Service: "shop", Model: "ranker", Version: "v1"}, {Service: "shop", Model: "ranker", Version: "v2"}, {Service: "bank", Model: "price"}} {
			e.Consume([]ai.Inference{{Service: key.Service, Model: key.Model, ModelVersion: key.Version, Timestamp: c.now, Features: []ai.Feature{{Name: "x", Value: ai.Number(1)}}}})
		}
		c.now = c.now.Add(time.Second)
		e.Tick(c.now)
	}
	said := map[string]bool{}
	for _, s := range e.Report().Services {
		for _, l := range s.Layers {
			for _, reason := range l.Reasons {
				if l.Layer == ai.LayerData && strings.HasSuffix(reason, ": the limit of versions of ranker is reached (inferences.limits.versions_per_model).") {
					said[s.Name] = true
				}
			}
		}
	}
	require.Equal(t, map[string]bool{"shop": true}, said)
}
