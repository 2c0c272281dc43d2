package models

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/performance"
	"github.com/modelwatch/modelwatch/ai/profile"
)

// baseline is a baseline in use, with its performance side. Everything but labels
// and reference is immutable; Engine.mu guards those.
type baseline struct {
	*ai.Baseline
	info BaselineInfo
	// counts is what the version did in the baseline's records, and reference what
	// is read from it; nil where nothing is known.
	counts    *performance.Window
	reference *performance.Reference
	// labels came after the baseline was made, for inferences in its span.
	labels *performance.Window
	stale  bool // reference does not have all labels.
	// sample is of its records; nil where there are none. It does not change.
	sample *sample
}

// BaselineInfo describes a baseline.
type BaselineInfo struct {
	ID        string    `json:"id"`
	Number    int       `json:"number"`
	Service   string    `json:"service"`
	Model     string    `json:"model"`
	Version   string    `json:"model_version"`
	Created   time.Time `json:"created"`
	Source    ai.Source `json:"source"`
	Note      string    `json:"note,omitempty"`
	Confirmed bool      `json:"confirmed"`
	Active    bool      `json:"active"`
	Rows      uint64    `json:"rows"`
	Features  int       `json:"features"` // Inputs only.
	// From and To are the span of the model's own inferences that it was made of;
	// zero where it was made of other data.
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
	// Performance is whether it says how the version performed.
	Performance bool `json:"performance"`
	// Labelled is the number of its inferences whose truth is known.
	Labelled uint64 `json:"labelled"`
}

// Key returns the model version that the baseline is of.
func (i *BaselineInfo) Key() ai.Key {
	return ai.Key{Service: i.Service, Model: i.Model, Version: i.Version}
}

// content returns the baseline, nil of nil.
func (b *baseline) content() *ai.Baseline {
	if b == nil {
		return nil
	}
	return b.Baseline
}

func (b *baseline) id() string {
	if b == nil {
		return ""
	}
	return b.ID
}

// covers reports whether an inference of that time is one of the baseline's.
func (b *baseline) covers(t time.Time) bool {
	return b != nil && b.counts != nil && !b.info.From.IsZero() && !t.Before(b.info.From) && !t.After(b.info.To)
}

// refresh makes the reference anew where labels have come since.
func (b *baseline) refresh() {
	if b == nil || b.counts == nil || b.reference != nil && !b.stale {
		return
	}
	all := performance.NewWindow(b.counts.Options)
	all.Merge(b.counts)
	all.Merge(b.labels)
	length := b.info.To.Sub(b.info.From)
	if b.info.From.IsZero() {
		length = 0
	}
	b.reference, b.stale = performance.NewReference(all, length), false
	b.info.Labelled = all.Labelled()
}

// label counts the truth of one of the baseline's inferences.
func (b *baseline) label(inf *ai.Inference, label ai.Value) {
	if b.labels == nil {
		b.labels = performance.NewWindow(b.counts.Options)
	}
	b.stale = b.labels.ObserveLabel(inf, label) || b.stale
}

// takeTruths takes the labels that were gathered while the baseline was made.
func (b *baseline) takeTruths(c *collector) {
	c.settle()
	b.labels, b.stale = c.truths, true
}

// document is the exported form of a baseline: that of ai, and what is added here.
type document struct {
	From        *time.Time         `json:"from,omitempty"`
	To          *time.Time         `json:"to,omitempty"`
	Performance *performanceCounts `json:"performance,omitempty"`
	Sample      *storedSample      `json:"sample,omitempty"`
}

// storedSample is the sample of a stored baseline.
type storedSample struct {
	Features []string `json:"features"`
	Rows     [][]byte `json:"rows"`
}

type performanceCounts struct {
	Window *performance.Window `json:"window"`
}

// encodeBaseline returns the JSON form of a baseline and its performance side.
func encodeBaseline(b *baseline) ([]byte, error) {
	data, err := ai.EncodeBaseline(b.Baseline)
	if err != nil {
		return nil, err
	}
	var doc document
	if !b.info.From.IsZero() {
		doc.From, doc.To = &b.info.From, &b.info.To
	}
	if b.counts != nil {
		all := performance.NewWindow(b.counts.Options)
		all.Merge(b.counts)
		all.Merge(b.labels)
		doc.Performance = &performanceCounts{all}
	}
	if b.sample != nil {
		doc.Sample = &storedSample{b.sample.Features, b.sample.Rows}
	}
	more, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("encode baseline of %s: %w", b.Key, err)
	}
	if len(more) > len("{}") {
		data = append(append(data[:len(data)-1:len(data)-1], ','), more[1:]...)
	}
	return data, nil
}

// decodeBaseline reads what encodeBaseline wrote, or a person edited.
func decodeBaseline(data []byte) (*baseline, error) {
	content, err := ai.DecodeBaseline(data)
	if err != nil {
		return nil, err
	}
	var doc document
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("decode baseline: %w", err)
	}
	b := &baseline{Baseline: content}
	if doc.Performance != nil {
		b.counts = doc.Performance.Window
	}
	if s := doc.Sample; s != nil {
		b.sample = newSample(s.Features)
		b.sample.Rows = s.Rows
	}
	if doc.From != nil && doc.To != nil {
		if doc.To.Before(*doc.From) {
			return nil, fmt.Errorf("decode baseline: it ends at %s, before it begins at %s", doc.To, doc.From)
		}
		b.info.From, b.info.To = *doc.From, *doc.To
	}
	b.describe()
	return b, nil
}

// describe fills in the description from the content.
func (b *baseline) describe() {
	i := &b.info
	i.ID, i.Number, i.Created, i.Source, i.Note, i.Confirmed = b.ID, b.Number, b.Created, b.Source, b.Note, b.Confirmed
	i.Service, i.Model, i.Version = b.Key.Service, b.Key.Model, b.Key.Version
	i.Rows, i.Features = b.Rows, 0
	for name := range b.Features {
		if !ai.Derived(name) {
			i.Features++
		}
	}
	i.Performance = b.counts != nil
	if b.counts != nil {
		i.Labelled = b.counts.Labelled()
		if b.labels != nil {
			i.Labelled += b.labels.Labelled()
		}
	}
}

// Error is an error whose sender can do something about it.
type Error struct {
	Status int // As HTTP has it.
	Err    error
}

// Error implements error.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// StatusCode returns the HTTP status that the error stands for.
func (e *Error) StatusCode() int { return e.Status }

func badRequest(format string, args ...any) error {
	return &Error{http.StatusBadRequest, fmt.Errorf(format, args...)}
}

func notFound(format string, args ...any) error {
	return &Error{http.StatusNotFound, fmt.Errorf(format, args...)}
}

func conflict(format string, args ...any) error {
	return &Error{http.StatusConflict, fmt.Errorf(format, args...)}
}

// loadBaselines reads the descriptions of all baselines, and those in use whole.
func (e *Engine) loadBaselines(ctx context.Context) error {
	stored, err := e.opt.Baselines.Baselines(ctx)
	if err != nil {
		return fmt.Errorf("load baselines: %w", err)
	}
	for _, s := range stored {
		var info BaselineInfo
		if err := json.Unmarshal(s.Info, &info); err != nil {
			return fmt.Errorf("load baseline %s: its description: %w", s.ID, err)
		}
		info.ID, info.Number, info.Active = s.ID, s.Number, s.Active
		e.infos[s.ID] = info
		e.numbers[s.Key] = max(e.numbers[s.Key], s.Number)
	}
	return nil
}

// activeBaseline reads the baseline in use of a version; nil where there is none.
// One that cannot be read is reported and left alone: the version then has none.
func (e *Engine) activeBaseline(ctx context.Context, key ai.Key) *baseline {
	for _, info := range e.infos {
		if !info.Active || info.Key() != key {
			continue
		}
		b, err := e.readBaseline(ctx, info.ID)
		if err != nil {
			e.log.Error("Baseline in use cannot be read", "baseline", info.ID, "model", key.String(), "err", err)
			return nil
		}
		return b
	}
	return nil
}

func (e *Engine) readBaseline(ctx context.Context, id string) (*baseline, error) {
	s, ok, err := e.opt.Baselines.Baseline(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read baseline %s: %w", id, err)
	}
	if !ok {
		return nil, notFound("there is no baseline %s: GET /ai/v1/baselines lists them", id)
	}
	b, err := decodeBaseline(s.Data)
	if err != nil {
		return nil, fmt.Errorf("read baseline %s: %w", id, err)
	}
	// What was stored last wins over what the document said when it was made.
	b.ID, b.Number, b.info.Active = s.ID, s.Number, s.Active
	var info BaselineInfo
	if json.Unmarshal(s.Info, &info) == nil {
		b.Confirmed, b.Note = info.Confirmed, info.Note
	}
	active := s.Active
	b.describe()
	b.info.Active = active
	return b, nil
}

// store saves a baseline and, if it is to be active, puts it to use from the next
// window on.
func (e *Engine) store(ctx context.Context, b *baseline, active bool) error {
	if active {
		if err := e.keepLabels(ctx, b.Key); err != nil {
			return err
		}
	}
	b.info.Active = active
	b.describe()
	data, err := encodeBaseline(b)
	if err != nil {
		return err
	}
	info, err := json.Marshal(b.info)
	if err != nil {
		return fmt.Errorf("encode baseline of %s: %w", b.Key, err)
	}
	row := StoredBaseline{ID: b.ID, Key: b.Key, Number: b.Number, Active: active, Info: info, Data: data}
	if err := e.opt.Baselines.SaveBaseline(ctx, row); err != nil {
		return fmt.Errorf("save baseline of %s: %w", b.Key, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.adopt(b, active)
	return nil
}

// adopt takes a stored baseline into memory. The caller holds mu.
func (e *Engine) adopt(b *baseline, active bool) {
	if active {
		for id, info := range e.infos {
			if info.Key() == b.Key && info.Active {
				info.Active = false
				e.infos[id] = info
			}
		}
		if v := e.versions[b.Key]; v != nil {
			if c := v.auto; c != nil && b.counts == c.counts {
				b.takeTruths(c)
			}
			b.refresh()
			v.baseline, v.auto = b, nil
		}
	}
	e.infos[b.ID] = b.info
	e.numbers[b.Key] = max(e.numbers[b.Key], b.Number)
}

// meta returns what a new baseline of a version says about itself.
func (e *Engine) meta(key ai.Key, source ai.Source, note string, confirmed bool) profile.Meta {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.numbers[key]++
	return profile.Meta{
		Key: key, ID: "b-" + strings.ToLower(rand.Text()[:16]), Number: e.numbers[key],
		Created: e.opt.Clock().UTC(), Source: source, Note: note, Confirmed: confirmed,
	}
}

func (o *Options) builderOptions() profile.BuilderOptions {
	return profile.BuilderOptions{MaxFeatures: o.Limits.Features}
}

// Baselines returns descriptions, newest first within a version. Empty fields of key
// select all.
func (e *Engine) Baselines(key ai.Key) []BaselineInfo {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := []BaselineInfo{}
	for _, info := range e.infos {
		if (key.Service == "" || key.Service == info.Service) && (key.Model == "" || key.Model == info.Model) &&
			(key.Version == "" || key.Version == info.Version) {
			out = append(out, e.live(info))
		}
	}
	slices.SortFunc(out, func(a, b BaselineInfo) int {
		return cmp.Or(a.Key().Compare(b.Key()), cmp.Compare(b.Number, a.Number))
	})
	return out
}

// live returns a description with the labels that came since. The caller holds mu.
func (e *Engine) live(info BaselineInfo) BaselineInfo {
	if v := e.versions[info.Key()]; v != nil && v.baseline.id() == info.ID {
		b := *v.baseline
		b.describe()
		info.Labelled = b.info.Labelled
	}
	return info
}

// ConfirmBaseline notes that somebody has looked at a baseline and found it right.
func (e *Engine) ConfirmBaseline(ctx context.Context, id string) (BaselineInfo, error) {
	e.baselining.Lock()
	defer e.baselining.Unlock()
	info, err := e.info(id)
	if err != nil || info.Confirmed {
		return info, err
	}
	info.Confirmed = true
	if err := e.saveInfo(ctx, info); err != nil {
		return BaselineInfo{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.infos[id] = info
	if v := e.versions[info.Key()]; v != nil && v.baseline.id() == id {
		// Windows being judged may read the old one: replace it, do not change it.
		content, b := *v.baseline.Baseline, *v.baseline
		content.Confirmed, b.info.Confirmed = true, true
		b.Baseline = &content
		for _, w := range v.open {
			if w.baseline == v.baseline {
				w.baseline = &b
			}
		}
		v.baseline = &b
	}
	return info, nil
}

// ActivateBaseline puts a baseline to use, from the next window on.
func (e *Engine) ActivateBaseline(ctx context.Context, id string) (BaselineInfo, error) {
	e.baselining.Lock()
	defer e.baselining.Unlock()
	info, err := e.info(id)
	if err != nil || info.Active {
		return info, err
	}
	b, err := e.readBaseline(ctx, id)
	if err != nil {
		return BaselineInfo{}, err
	}
	if err := e.keepLabels(ctx, info.Key()); err != nil {
		return BaselineInfo{}, err
	}
	info.Active = true
	if err := e.saveInfo(ctx, info); err != nil {
		return BaselineInfo{}, err
	}
	b.info.Active = true
	e.mu.Lock()
	defer e.mu.Unlock()
	e.adopt(b, true)
	return b.info, nil
}

// DeleteBaseline forgets a baseline that is not in use.
func (e *Engine) DeleteBaseline(ctx context.Context, id string) error {
	e.baselining.Lock()
	defer e.baselining.Unlock()
	info, err := e.info(id)
	if err != nil {
		return err
	}
	if info.Active {
		return conflict("baseline %s is in use: activate another one of %s first", id, info.Key())
	}
	if err := e.opt.Baselines.DeleteBaseline(ctx, id); err != nil {
		return fmt.Errorf("delete baseline %s: %w", id, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.infos, id)
	return nil
}

// inUse returns a copy of the baseline in use of a version, with the labels that came
// since it was stored; nil where there is none. The caller holds mu.
func (e *Engine) inUse(key ai.Key) *baseline {
	v := e.versions[key]
	if v == nil || v.baseline == nil {
		return nil
	}
	b := *v.baseline
	if b.labels != nil {
		b.labels = performance.NewWindow(v.task)
		b.labels.Merge(v.baseline.labels)
	}
	return &b
}

// keepLabels stores the baseline in use with the labels that came since, because
// another one takes its place. The caller holds baselining.
func (e *Engine) keepLabels(ctx context.Context, key ai.Key) error {
	e.mu.Lock()
	b := e.inUse(key)
	e.mu.Unlock()
	if b == nil || b.labels == nil {
		return nil
	}
	data, err := encodeBaseline(b)
	if err != nil {
		return err
	}
	b.describe()
	info, err := json.Marshal(b.info)
	if err != nil {
		return fmt.Errorf("encode baseline %s: %w", b.ID, err)
	}
	row := StoredBaseline{ID: b.ID, Key: key, Number: b.Number, Active: true, Info: info, Data: data}
	if err := e.opt.Baselines.SaveBaseline(ctx, row); err != nil {
		return fmt.Errorf("save baseline %s: %w", b.ID, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.infos[b.ID] = b.info
	return nil
}

// ExportBaseline returns a baseline as a JSON document that ImportBaseline reads, with
// the few single records that it has, or without.
func (e *Engine) ExportBaseline(ctx context.Context, id string, records bool) ([]byte, error) {
	info, err := e.info(id)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	b := e.inUse(info.Key())
	e.mu.Unlock()
	if b.id() != id {
		if b, err = e.readBaseline(ctx, id); err != nil {
			return nil, err
		}
	}
	shown := *b
	if !records {
		shown.sample = nil
	}
	return encodeBaseline(&shown)
}

// ImportBaseline takes an exported or edited document as a new baseline, under a new
// id and number. Fields of key that are not empty take the place of the document's.
func (e *Engine) ImportBaseline(ctx context.Context, data []byte, key ai.Key, activate bool) (BaselineInfo, error) {
	b, err := decodeBaseline(data)
	if err != nil {
		return BaselineInfo{}, &Error{http.StatusBadRequest, err}
	}
	if b.sample, err = b.sample.taken(b.Baseline, e.opt.Private); err != nil {
		return BaselineInfo{}, badRequest("decode baseline: %w", err)
	}
	to := ai.Key{
		Service: cmp.Or(key.Service, b.Key.Service), Model: cmp.Or(key.Model, b.Key.Model), Version: cmp.Or(key.Version, b.Key.Version),
	}
	e.baselining.Lock()
	defer e.baselining.Unlock()
	meta := e.meta(to, b.Source, b.Note, true)
	b.Key, b.ID, b.Number, b.Created, b.Confirmed = to, meta.ID, meta.Number, meta.Created, true
	if err := e.store(ctx, b, activate); err != nil {
		return BaselineInfo{}, err
	}
	return b.info, nil
}

func (e *Engine) info(id string) (BaselineInfo, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	info, ok := e.infos[id]
	if !ok {
		return BaselineInfo{}, notFound("there is no baseline %s: GET /ai/v1/baselines lists them", id)
	}
	return e.live(info), nil
}

func (e *Engine) saveInfo(ctx context.Context, info BaselineInfo) error {
	text, err := json.Marshal(info)
	if err != nil {
		return fmt.Errorf("encode baseline %s: %w", info.ID, err)
	}
	row := StoredBaseline{ID: info.ID, Key: info.Key(), Number: info.Number, Active: info.Active, Info: text}
	if err := e.opt.Baselines.SaveBaseline(ctx, row); err != nil {
		return fmt.Errorf("save baseline %s: %w", info.ID, err)
	}
	return nil
}
