package decode

import (
	"fmt"
	"time"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/modelwatch/modelwatch/ai"
)

// arrowText returns a text of a column, until the column goes.
func arrowText(a arrow.Array, i int) (string, bool) {
	switch a := a.(type) {
	case *array.String:
		return a.Value(i), true
	case *array.LargeString:
		return a.Value(i), true
	case *array.StringView:
		return a.Value(i), true
	case *array.Dictionary:
		return arrowText(a.Dictionary(), a.GetValueIndex(i))
	}
	return "", false
}

func arrowNumber(a arrow.Array, i int) (float64, bool) {
	switch a := a.(type) {
	case *array.Float64:
		return a.Value(i), true
	case *array.Float32:
		return float64(a.Value(i)), true
	case *array.Float16:
		return float64(a.Value(i).Float32()), true
	case *array.Int64:
		return float64(a.Value(i)), true
	case *array.Int32:
		return float64(a.Value(i)), true
	case *array.Int16:
		return float64(a.Value(i)), true
	case *array.Int8:
		return float64(a.Value(i)), true
	case *array.Uint64:
		return float64(a.Value(i)), true
	case *array.Uint32:
		return float64(a.Value(i)), true
	case *array.Uint16:
		return float64(a.Value(i)), true
	case *array.Uint8:
		return float64(a.Value(i)), true
	case *array.Dictionary:
		return arrowNumber(a.Dictionary(), a.GetValueIndex(i))
	}
	return 0, false
}

// arrowValue returns a value of a column, or a problem with it.
func (d *Decoder) arrowValue(a arrow.Array, i int) (v ai.Value, problem string) {
	if a.IsNull(i) {
		return v, ""
	}
	if x, ok := arrowNumber(a, i); ok {
		return ai.Number(x), ""
	}
	if s, ok := arrowText(a, i); ok {
		b := unsafe.Slice(unsafe.StringData(s), len(s))
		if p := checkText(b, ai.MaxTextLength); p != "" {
			return v, p
		}
		return ai.String(d.category(b)), ""
	}
	switch a := a.(type) {
	case *array.Boolean:
		return ai.Bool(a.Value(i)), ""
	case *array.Null:
		return v, ""
	case array.ListLike:
		return d.arrowVector(a, i)
	}
	return v, fmt.Sprintf("%s is no value: want numbers, texts, booleans or lists of numbers", a.DataType())
}

func (d *Decoder) arrowVector(a array.ListLike, i int) (v ai.Value, problem string) {
	start, end := a.ValueOffsets(i)
	if end-start > ai.MaxVectorDim {
		return v, fmt.Sprintf("%d elements, the limit is %d", end-start, ai.MaxVectorDim)
	}
	switch x := a.ListValues().(type) {
	case *array.Float32:
		if !anyNull(x, start, end) {
			// Kept as it is: half the memory.
			return ai.Vector32(append([]float32(nil), x.Float32Values()[start:end]...)), ""
		}
	case *array.Float64:
		if !anyNull(x, start, end) {
			return d.vector(x.Float64Values()[start:end]), ""
		}
	}
	d.vec = d.vec[:0]
	for j := start; j < end; j++ {
		x, ok := arrowNumber(a.ListValues(), int(j))
		if !ok || a.ListValues().IsNull(int(j)) {
			return v, fmt.Sprintf("element %d of the list is not a number: only lists of numbers are values", j-start)
		}
		d.vec = append(d.vec, x)
	}
	return d.vector(d.vec), ""
}

func anyNull(a arrow.Array, start, end int64) bool {
	if a.NullN() == 0 {
		return false
	}
	for i := start; i < end; i++ {
		if a.IsNull(int(i)) {
			return true
		}
	}
	return false
}

// arrowTime returns a timestamp of a column, or a problem with it.
func arrowTime(a arrow.Array, i int) (t time.Time, problem string) {
	switch a := a.(type) {
	case *array.Timestamp:
		unit := a.DataType().(*arrow.TimestampType).Unit
		return a.Value(i).ToTime(unit).UTC(), ""
	case *array.Date32:
		return a.Value(i).ToTime().UTC(), ""
	case *array.Date64:
		return a.Value(i).ToTime().UTC(), ""
	}
	if s, ok := arrowText(a, i); ok {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return t, fmt.Sprintf("%q is not RFC 3339, such as 2006-01-02T15:04:05.999Z", clip([]byte(s)))
		}
		return t.UTC(), ""
	}
	x, ok := arrowNumber(a, i)
	if !ok {
		return t, "is not a time, but " + a.DataType().String()
	}
	if !(x > -1e15 && x < 1e15) {
		return t, fmt.Sprintf("%v is not a time in Unix seconds", x)
	}
	sec := int64(x)
	return time.Unix(sec, int64((x-float64(sec))*1e9)).UTC(), ""
}

// blockTags reads tags. Records mostly have those of the one before, and then
// share its map.
func (d *Decoder) blockTags(c *columns, from int, rec []ai.Inference, fail func(int, error)) {
	if len(c.tags) == 0 && c.tagMap == nil {
		return
	}
	var before map[string]string
	for i := range rec {
		tags, err := d.arrowTags(c, from+i)
		if err != nil {
			fail(i, err)
			continue
		}
		if len(tags) == 0 {
			continue
		}
		if !sameTags(tags, before) {
			before = tags
		}
		rec[i].Tags = before
	}
}

func sameTags(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

func (d *Decoder) arrowTags(c *columns, i int) (map[string]string, error) {
	tags := map[string]string{}
	put := func(name string, a arrow.Array, i int) error {
		if a.IsNull(i) {
			return nil
		}
		s, ok := arrowText(a, i)
		if !ok {
			return wrong("tags."+name, "a text, but "+a.DataType().String())
		}
		if p := checkText([]byte(s), ai.MaxTextLength); p != "" {
			return &ai.FieldError{Field: "tags." + name, Problem: p}
		}
		tags[name] = d.category([]byte(s))
		return nil
	}
	for j := range c.tags {
		if p := c.tags[j].parent; p != nil && p.IsNull(i) {
			continue
		}
		if err := put(c.tags[j].name, c.tags[j].arr, i); err != nil {
			return nil, err
		}
	}
	if c.tagMap == nil || c.tagMap.IsNull(i) {
		return tags, nil
	}
	start, end := c.tagMap.ValueOffsets(i)
	for j := int(start); j < int(end); j++ {
		key, ok := arrowText(c.tagMap.Keys(), j)
		if !ok {
			return nil, wrong("tags", "a map of texts")
		}
		name, problem := d.names.get([]byte(key))
		if problem != "" {
			return nil, &ai.FieldError{Field: "tags." + clip([]byte(key)), Problem: problem}
		}
		if err := put(name, c.tagMap.Items(), j); err != nil {
			return nil, err
		}
	}
	if len(tags) > ai.MaxTags {
		return nil, &ai.FieldError{Field: "tags", Problem: fmt.Sprintf("%d tags, the limit is %d", len(tags), ai.MaxTags)}
	}
	return tags, nil
}
