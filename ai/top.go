package ai

import (
	"cmp"
	"slices"
	"strings"
)

// MaxTop is the number of categories that a Top keeps.
const MaxTop = 16

// TopEntry is one frequent category. Its true count is between Count-Over and Count.
type TopEntry struct {
	Category string `json:"category"`
	Count    uint64 `json:"count"`
	Over     uint64 `json:"over,omitempty"`
}

// Top keeps the most frequent categories among those without a bin of their
// own: all of them before there is a baseline, the unseen ones after. Up to
// MaxTop different categories are counted exactly; past that every category
// with more than 1/MaxTop of the counts is there.
//
// Source: Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and
// top-k elements in data streams", ICDT 2005 (space-saving); merging by Agarwal
// et al., "Mergeable summaries", PODS 2012.
type Top struct {
	Entries []TopEntry `json:"entries,omitempty"`
}

// Add counts a category n times. It copies the text it keeps, so that a profile
// never holds on to a request's buffer.
func (t *Top) Add(category string, n uint64) {
	if len(category) > MaxCategoryLength {
		category = CategoryKey(category)
	}
	least := 0
	for i := range t.Entries {
		e := &t.Entries[i]
		if e.Category == category {
			e.Count += n
			return
		}
		if e.Count < t.Entries[least].Count {
			least = i
		}
	}
	if len(t.Entries) < MaxTop {
		if t.Entries == nil {
			t.Entries = make([]TopEntry, 0, MaxTop)
		}
		t.Entries = append(t.Entries, TopEntry{Category: strings.Clone(category), Count: n})
		return
	}
	e := &t.Entries[least]
	*e = TopEntry{Category: strings.Clone(category), Count: e.Count + n, Over: e.Count}
}

// Merge adds what o has counted.
func (t *Top) Merge(o *Top) {
	if len(o.Entries) == 0 {
		return
	}
	// A category that one side does not hold may have been counted there up to
	// that side's least count, if the side is full.
	tMin, oMin := t.floor(), o.floor()
	merged := make([]TopEntry, 0, len(t.Entries)+len(o.Entries))
	for _, e := range t.Entries {
		if i := o.find(e.Category); i >= 0 {
			e.Count += o.Entries[i].Count
			e.Over += o.Entries[i].Over
		} else {
			e.Count += oMin
			e.Over += oMin
		}
		merged = append(merged, e)
	}
	for _, e := range o.Entries {
		if t.find(e.Category) < 0 {
			e.Count += tMin
			e.Over += tMin
			merged = append(merged, e)
		}
	}
	sortTop(merged)
	t.Entries = merged[:min(len(merged), MaxTop):min(len(merged), MaxTop)]
}

// Sorted returns the entries, most frequent first.
func (t *Top) Sorted() []TopEntry {
	s := slices.Clone(t.Entries)
	sortTop(s)
	return s
}

func (t *Top) find(category string) int {
	return slices.IndexFunc(t.Entries, func(e TopEntry) bool { return e.Category == category })
}

// floor returns the most that a category which is not held may have been counted.
func (t *Top) floor() uint64 {
	if len(t.Entries) < MaxTop {
		return 0
	}
	least := t.Entries[0].Count
	for _, e := range t.Entries[1:] {
		least = min(least, e.Count)
	}
	return least
}

func sortTop(entries []TopEntry) {
	slices.SortFunc(entries, func(a, b TopEntry) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Category, b.Category))
	})
}
