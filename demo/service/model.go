package service

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	dimensions = 16 // of an embedding
	catalogue  = 50 // items to recommend
	shown      = 5  // items recommended
)

type vector [dimensions]float64

// recommender is a factorization machine (Rendle, "Factorization Machines",
// ICDM 2010) in the plain form that sums over all pairs of features, so that
// its work grows with their square. Embeddings are drawn from a generator
// seeded by the feature's name; the weights of age and income are what
// "training" found.
type recommender struct {
	items []vector

	mu         sync.Mutex
	embeddings map[string]*vector
}

// Weights of the standardised age and income in the log-odds of a click. The
// users of package load decide by the same ones.
const (
	WeightAge    = 1.8
	WeightIncome = -1.2
)

func newRecommender() *recommender {
	m := &recommender{embeddings: map[string]*vector{}}
	for i := range catalogue {
		m.items = append(m.items, drawVector(itemName(i)))
	}
	return m
}

func itemName(i int) string { return fmt.Sprintf("item-%02d", i+1) }

// drawVector gives every name its own vector of length about 1.
func drawVector(name string) vector {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // a hash takes everything
	rng := rand.New(rand.NewPCG(h.Sum64(), 0))
	var v vector
	for i := range v {
		v[i] = rng.NormFloat64() / math.Sqrt(dimensions)
	}
	return v
}

func (m *recommender) embedding(name string) *vector {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.embeddings[name]
	if v == nil {
		drawn := drawVector(name)
		v = &drawn
		if len(m.embeddings) < 10*maxFeatures { // names come from requests
			m.embeddings[name] = v
		}
	}
	return v
}

// result is what the model says of one row.
type result struct {
	items      []item
	click      float64 // probability
	operations int     // multiplications done for it
}

func (r result) outcome() string { return outcome(r.click >= 0.5) }

func (m *recommender) predict(f features) result {
	var r result
	n := len(f.names)
	scaled := make([]vector, n) // embeddings times standardised values
	var user vector
	logOdds := 0.0
	for i, name := range f.names {
		x := standardise(name, f.values[i])
		switch name {
		case "age":
			logOdds += WeightAge * x
		case "income":
			logOdds += WeightIncome * x
		}
		e := m.embedding(name)
		for d := range e {
			scaled[i][d] = e[d] * x
			user[d] += scaled[i][d]
		}
		r.operations += dimensions
	}
	pairs := 0.0
	for i := range n {
		for j := i + 1; j < n; j++ {
			for d := range dimensions {
				pairs += scaled[i][d] * scaled[j][d]
			}
		}
	}
	r.operations += n * (n - 1) / 2 * dimensions
	if n > 1 {
		// The interactions' part, of about unit size whatever n is.
		logOdds += 0.2 * math.Tanh(pairs*math.Sqrt(2*dimensions)/float64(n))
	}
	r.click = 1 / (1 + math.Exp(-logOdds))
	for i, v := range m.items {
		score := 0.0
		for d := range v {
			score += v[d] * user[d]
		}
		r.items = append(r.items, item{ID: itemName(i), Score: score})
	}
	r.operations += catalogue * dimensions
	slices.SortFunc(r.items, func(a, b item) int {
		switch {
		case a.Score > b.Score:
			return -1
		case a.Score < b.Score:
			return 1
		}
		return 0
	})
	r.items = r.items[:shown:shown]
	return r
}

// standardise puts a value on the scale of the training data; a missing one
// becomes its mean. Values are kept within ten deviations, as a clipping layer
// would, so that no input makes the scores infinite.
func standardise(name string, value float64) float64 {
	if math.IsNaN(value) {
		return 0
	}
	ref, ok := TrainingData(name)
	if !ok {
		ref = Reference{Mean: 1, StdDev: 0.25}
	}
	return max(-10, min(10, (value-ref.Mean)/ref.StdDev))
}

// device stands for the accelerator. It is the simulated part: see the package
// comment.
type device struct {
	speed      float64 // multiplications per second
	memory     int64   // bytes
	perFeature int64   // bytes of the embedding matrix
}

// spillFactor is how much slower a run is whose matrix spills to host memory.
const spillFactor = 1.25

// newDevice gives a device on which the features trained with take a given
// time, and one and a half times as many would just fit.
func newDevice(healthy time.Duration) device {
	n := BehaviourFeatures + 2
	operations := n*dimensions + n*(n-1)/2*dimensions + catalogue*dimensions
	const perFeature = 10 << 20
	return device{
		speed:      float64(operations) / healthy.Seconds(),
		memory:     BehaviourFeatures * perFeature * 3 / 2,
		perFeature: perFeature,
	}
}

// need is what a run takes of a device.
type need struct {
	time    time.Duration
	memory  int64 // bytes of the embedding matrix
	spilled int64 // bytes of it that do not fit
}

func (d device) need(operations, features int) need {
	n := need{memory: int64(features) * d.perFeature}
	seconds := float64(operations) / d.speed
	if n.memory > d.memory {
		n.spilled = n.memory - d.memory
		seconds *= spillFactor
	}
	n.time = time.Duration(seconds * float64(time.Second))
	return n
}

func gigabytes(n int64) string { return fmt.Sprintf("%.1f GB", float64(n)/(1<<30)) }

// noise is a generator shared by the requests.
type noise struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func newNoise(seed uint64) *noise { return &noise{rng: rand.New(rand.NewPCG(seed, 1))} }

func (n *noise) float() float64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.rng.Float64()
}
