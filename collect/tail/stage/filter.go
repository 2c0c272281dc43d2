package stage

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/grafana/regexp"
	"go.yaml.in/yaml/v3"

	"github.com/modelwatch/modelwatch/collect/tail/node"
)

// parseUnix reads a number of units since 1970, with a fraction or without, exactly.
func parseUnix(s string, unit time.Duration) (time.Time, error) {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return time.Time{}, fmt.Errorf("%q is not a number", s)
	}
	r.Mul(r, new(big.Rat).SetInt64(int64(unit)))
	n := new(big.Int).Quo(r.Num(), r.Denom())
	if !n.IsInt64() {
		return time.Time{}, fmt.Errorf("%q is out of range", s)
	}
	return time.Unix(0, n.Int64()), nil
}

// readDrop reads the stage drop: an entry for which all conditions hold goes no further.
func readDrop(r *node.Reader, n *yaml.Node, where string, key *yaml.Node) maker {
	var sources []string
	var text, value, reason string
	var older time.Duration
	var longer int64
	separator, hasValue := ";", false
	at := key
	r.Map(n, where, node.Fields{
		"source":              r.Strings(&sources, where+".source"),
		"separator":           r.String(&separator, where+".separator"),
		"expression":          func(v *yaml.Node) { at = v; r.String(&text, where+".expression")(v) },
		"value":               func(v *yaml.Node) { hasValue = true; r.String(&value, where+".value")(v) },
		"older_than":          r.Duration(&older, where+".older_than"),
		"longer_than":         r.Bytes(&longer, where+".longer_than"),
		"drop_counter_reason": r.String(&reason, where+".drop_counter_reason"),
	})
	var re *regexp.Regexp
	if text != "" {
		if re = readExpression(r, at, text, where+".expression"); re == nil {
			return nil
		}
	}
	if hasValue && len(sources) == 0 {
		r.Fail(key, "", "%s: value needs a source to compare", where)
		return nil
	}
	if hasValue && re != nil {
		r.Fail(key, "", "%s cannot have both value and expression", where)
		return nil
	}
	if len(sources) == 0 && re == nil && older == 0 && longer == 0 {
		r.Fail(key, "give source, expression, older_than or longer_than", "%s has no condition", where)
		return nil
	}
	if reason == "" {
		reason = "drop_stage"
	}
	return func(env *Env) stage {
		return each(func(e *Entry) bool {
			if longer > 0 && int64(len(e.Line)) <= longer {
				return true
			}
			if older > 0 && !e.Time.Before(env.Now().Add(-older)) {
				return true
			}
			subject := e.Line
			if len(sources) > 0 {
				var parts []string
				for _, s := range sources {
					v, ok := textOf(e.Extracted[s])
					if !ok {
						return true
					}
					parts = append(parts, v)
				}
				subject = strings.Join(parts, separator)
			}
			if hasValue && subject != value || re != nil && !re.MatchString(subject) {
				return true
			}
			env.Metrics.dropped(reason)
			return false
		})
	}
}

// readSampling reads the stage sampling: a share of the entries goes on.
func readSampling(r *node.Reader, n *yaml.Node, where string, key *yaml.Node) maker {
	rate := -1.0
	reason := "sampling_stage"
	r.Map(n, where, node.Fields{
		"rate":                r.Float(&rate, where+".rate"),
		"drop_counter_reason": r.String(&reason, where+".drop_counter_reason"),
	})
	if rate < 0 || rate > 1 {
		r.Fail(key, "0.1 keeps a tenth", "%s needs a rate between 0 and 1", where)
		return nil
	}
	return func(env *Env) stage {
		return each(func(*Entry) bool {
			if rand.Float64() < rate {
				return true
			}
			env.Metrics.dropped(reason)
			return false
		})
	}
}

// limit is the stage limit, shared by all sources of a job.
type limit struct {
	rate    float64
	burst   float64
	drop    bool
	byLabel string
	max     int

	mu      sync.Mutex
	buckets map[string]*bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

func readLimit(r *node.Reader, n *yaml.Node, where string, key *yaml.Node) maker {
	l := &limit{max: 10_000, buckets: map[string]*bucket{}}
	burst := 0
	r.Map(n, where, node.Fields{
		"rate":                r.Float(&l.rate, where+".rate"),
		"burst":               r.Int(&burst, where+".burst"),
		"drop":                r.Bool(&l.drop, where+".drop"),
		"by_label_name":       r.String(&l.byLabel, where+".by_label_name"),
		"max_distinct_labels": r.Int(&l.max, where+".max_distinct_labels"),
	})
	l.burst = float64(burst)
	if l.rate <= 0 || l.burst < 1 {
		r.Fail(key, "both are numbers of lines", "%s needs a rate and a burst above 0", where)
		return nil
	}
	if l.byLabel != "" && !l.drop {
		r.Fail(key, "set drop: true", "%s: by_label_name only works with drop", where)
		return nil
	}
	return func(env *Env) stage {
		return each(func(e *Entry) bool {
			wait := l.take(e.Labels[l.byLabel], env.Now())
			if wait <= 0 {
				return true
			}
			if l.drop {
				env.Metrics.dropped("ratelimit_drop_stage")
				return false
			}
			// The source is read no faster than the limit.
			for wait > 0 {
				select {
				case <-env.Stop:
					return true
				case <-time.After(wait):
				}
				wait = l.take("", env.Now())
			}
			return true
		})
	}
}

// take takes a token, or says how long until there is one.
func (l *limit) take(key string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[key]
	if b == nil {
		if len(l.buckets) >= max(l.max, 1) {
			clear(l.buckets)
		}
		b = &bucket{tokens: l.burst, at: now}
		l.buckets[key] = b
	}
	b.tokens = min(l.burst, b.tokens+l.rate*now.Sub(b.at).Seconds())
	b.at = now
	if b.tokens >= 1 {
		b.tokens--
		return 0
	}
	return time.Duration((1 - b.tokens) / l.rate * float64(time.Second))
}

// ansi matches the escape sequences with which terminals are coloured.
const ansi = "\x1b\\[[0-9;?]*[ -/]*[@-~]"

// readDecolorize reads the stage decolorize.
func readDecolorize(r *node.Reader, n *yaml.Node, where string, _ *yaml.Node) maker {
	r.Map(n, where, node.Fields{})
	re := regexp.MustCompile(ansi)
	return always(func(e *Entry) bool {
		if strings.IndexByte(e.Line, 0x1b) >= 0 {
			e.Line = re.ReplaceAllString(e.Line, "")
		}
		return true
	})
}
