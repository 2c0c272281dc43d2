// Package load plays the users of the demonstration's AI service: requests at
// a steady rate, each with an age, an income and a history of behaviour, and
// later what the user did, which is the truth the model is measured by.
//
// It is not a benchmark: the rate is kept whatever the service does, within a
// bound of requests in flight.
package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/modelwatch/modelwatch/demo/service"
)

// Options says whom to ask and how often. URL is required.
type Options struct {
	// URL is the service's address, such as "http://127.0.0.1:8080".
	URL string
	// Rate is in requests per second. Default 4.
	Rate float64
	// MaxInFlight bounds the requests under way; beyond it, requests are skipped
	// and counted. Default 64.
	MaxInFlight int
	// Feedback is the share of users, in [0, 1], who tell what they did.
	Feedback float64
	// FeedbackDelay is how long they take. Default 2 s.
	FeedbackDelay time.Duration
	// Timeout bounds one request. Default 15 s.
	Timeout time.Duration
	// Seed makes the users repeatable.
	Seed uint64
}

// Stats counts what has been done.
type Stats struct {
	// Sent counts requests answered or failed, Failed those with an error or a
	// status of 400 and above, Skipped those not sent for MaxInFlight.
	Sent, Failed, Skipped int
	// Labels counts users who told what they did.
	Labels int
	// LastError is the latest failure.
	LastError error
}

// Generator is a running or finished load.
type Generator struct {
	opts   Options
	client *http.Client

	mu    sync.Mutex
	stats Stats
	rng   *rand.Rand
}

// New makes a generator; Run starts it.
func New(opts Options) (*Generator, error) {
	if opts.URL == "" {
		return nil, errors.New("generate load: no address of a service given")
	}
	opts.URL = strings.TrimRight(opts.URL, "/")
	if opts.Rate == 0 {
		opts.Rate = 4
	}
	if opts.Rate < 0 || opts.Rate > 10_000 || math.IsNaN(opts.Rate) {
		return nil, fmt.Errorf("generate load: rate of %g requests per second: want more than 0, at most 10000", opts.Rate)
	}
	if opts.MaxInFlight <= 0 {
		opts.MaxInFlight = 64
	}
	if opts.FeedbackDelay <= 0 {
		opts.FeedbackDelay = 2 * time.Second
	}
	if opts.Timeout <= 0 {
		opts.Timeout = 15 * time.Second
	}
	return &Generator{
		opts:   opts,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: opts.MaxInFlight}},
		rng:    rand.New(rand.NewPCG(opts.Seed, 2)),
	}, nil
}

// Run sends requests until the context ends, then lets go of those under way
// and returns what was done.
func (g *Generator) Run(ctx context.Context) Stats {
	defer g.client.CloseIdleConnections()
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, g.opts.MaxInFlight)
	ticker := time.NewTicker(time.Duration(float64(time.Second) / g.opts.Rate))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			wg.Wait()
			return g.Stats()
		case <-ticker.C:
		}
		select {
		case slots <- struct{}{}:
		default:
			g.count(func(s *Stats) { s.Skipped++ })
			continue
		}
		u := g.user()
		wg.Go(func() {
			id := g.ask(ctx, u)
			<-slots
			if id == "" || !u.tells {
				return
			}
			timer := time.NewTimer(g.opts.FeedbackDelay)
			defer timer.Stop()
			select {
			case <-ctx.Done():
			case <-timer.C:
				g.tell(ctx, id, u.clicks)
			}
		})
	}
}

// Stats tells what has been done so far.
func (g *Generator) Stats() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stats
}

func (g *Generator) count(change func(*Stats)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(&g.stats)
}

// user is one request's user.
type user struct {
	features map[string]float64
	clicks   bool // what the user will do
	tells    bool
}

// user draws a user from the population that the model was trained on.
func (g *Generator) user() user {
	g.mu.Lock()
	defer g.mu.Unlock()
	u := user{features: make(map[string]float64, service.BehaviourFeatures+2)}
	age := float64(18 + g.rng.IntN(43))
	income := 3000 + 7000*g.rng.Float64()
	u.features["age"] = age
	u.features["income"] = math.Round(income)
	for n := 1; n <= service.BehaviourFeatures; n++ {
		u.features[service.BehaviourName(n)] = math.Round(1000*max(0, 1+0.25*g.rng.NormFloat64())) / 1000
	}
	ages, _ := service.TrainingData("age")
	incomes, _ := service.TrainingData("income")
	logOdds := service.WeightAge*(age-ages.Mean)/ages.StdDev + service.WeightIncome*(income-incomes.Mean)/incomes.StdDev
	u.clicks = g.rng.Float64() < 1/(1+math.Exp(-logOdds))
	u.tells = g.rng.Float64() < g.opts.Feedback
	return u
}

// ask sends a user's request and returns its identifier if it was answered.
func (g *Generator) ask(ctx context.Context, u user) string {
	var answer struct {
		RequestID string `json:"request_id"`
	}
	err := g.post(ctx, service.Endpoint, map[string]any{"features": u.features}, &answer)
	if ctx.Err() != nil {
		return "" // cut off by the end of the load
	}
	g.count(func(s *Stats) {
		s.Sent++
		if err != nil {
			s.Failed++
			s.LastError = err
		}
	})
	if err != nil {
		return ""
	}
	return answer.RequestID
}

func (g *Generator) tell(ctx context.Context, id string, clicked bool) {
	err := g.post(ctx, "/feedback", map[string]any{"request_id": id, "clicked": clicked}, nil)
	g.count(func(s *Stats) {
		if err == nil {
			s.Labels++
		} else if ctx.Err() == nil {
			s.LastError = err
		}
	})
}

func (g *Generator) post(ctx context.Context, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("post %s: %w", path, err)
	}
	ctx, cancel := context.WithTimeout(ctx, g.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.opts.URL+path, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("post %s: %w", path, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := g.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	said, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case err != nil:
		return fmt.Errorf("post %s: %w", path, err)
	case resp.StatusCode >= 400:
		return fmt.Errorf("post %s: status %d", path, resp.StatusCode)
	case answer == nil:
		return nil
	}
	if err := json.Unmarshal(said, answer); err != nil {
		return fmt.Errorf("post %s: read answer: %w", path, err)
	}
	return nil
}
