package decode

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/modelwatch/modelwatch/ai"
)

// Table is an Arrow stream that has been read.
//
// Columns have the names of the fields. A feature is a member of the struct
// column "features", or a column "features.NAME" or "feature_NAME"; likewise
// "probabilities", "probabilities.CLASS" or "probability_CLASS", and "tokens" or
// "tokens.input" and "tokens.output". Lists of numbers are embeddings. "tags" is
// a map or a struct of strings, or "tags.NAME" columns. "timestamp" is an Arrow
// timestamp or date, a text in RFC 3339 or a number of Unix seconds. Texts may
// be dictionaries. A null is a value that is missing; in a feature, NaN too.
// Columns of other names are left alone.
type Table struct {
	batches []arrow.RecordBatch
	batch   int
	row     int
	count   int
	cols    *columns // Of the current batch.
}

// errMemory is an Arrow stream that would take more memory than it may.
var errMemory = errors.New("its buffers are larger than the limit of a request")

// bounded is an allocator with an end. Arrow's reader turns its panic into an error.
type bounded struct {
	memory.Allocator
	left int
}

func (b *bounded) Allocate(size int) []byte {
	if b.left -= size; b.left < 0 {
		panic(errMemory)
	}
	return b.Allocator.Allocate(size)
}

func (b *bounded) Reallocate(size int, p []byte) []byte {
	if b.left -= max(0, size-len(p)); b.left < 0 {
		panic(errMemory)
	}
	return b.Allocator.Reallocate(size, p)
}

// ReadTable reads an Arrow IPC stream whose buffers take no more than limit bytes.
func ReadTable(data []byte, limit int) (t *Table, err error) {
	defer func() {
		if p := recover(); p != nil {
			t, err = nil, fmt.Errorf("it is malformed: %v", p)
		}
	}()
	mem := &bounded{memory.NewGoAllocator(), limit}
	r, err := ipc.NewReader(bytes.NewReader(data), ipc.WithAllocator(mem), ipc.WithBodySizeLimit(int64(limit)), ipc.WithMetadataSizeLimit(int64(limit)))
	if err != nil {
		return nil, err
	}
	defer r.Release()
	t = &Table{}
	if _, err := resolve(r.Schema()); err != nil {
		return nil, err
	}
	for r.Next() {
		b := r.RecordBatch()
		if err := validate(b); err != nil {
			return nil, fmt.Errorf("batch %d: %w", len(t.batches), err)
		}
		b.Retain()
		t.batches = append(t.batches, b)
	}
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("batch %d: %w", len(t.batches), err)
	}
	return t, nil
}

// validate checks that offsets stay inside their buffers.
func validate(b arrow.RecordBatch) error {
	for i := range int(b.NumCols()) {
		v, ok := b.Column(i).(interface{ ValidateFull() error })
		if !ok {
			continue
		}
		if err := v.ValidateFull(); err != nil {
			return fmt.Errorf("column %q: %w", b.ColumnName(i), err)
		}
	}
	return nil
}

// Count is the number of rows read so far.
func (t *Table) Count() int { return t.count }

// fieldColumn is a column that is one field.
type fieldColumn struct {
	name string
	path []int // Of the column, and of a member of it.
}

// layout is what the columns of a schema are.
type layout struct {
	fields        map[string]int // Those that stand for a field of the record.
	features      []fieldColumn
	probabilities []fieldColumn
	tags          []fieldColumn
	tokens        [2][]int
	tagMap        int
}

// resolve finds out what the columns of a schema are.
func resolve(s *arrow.Schema) (*layout, error) {
	l := &layout{fields: map[string]int{}, tagMap: -1}
	for i, f := range s.Fields() {
		group, name := "", ""
		for _, p := range [...][2]string{
			{"features.", "features"},
			{"feature_", "features"},
			{"probabilities.", "probabilities"},
			{"probability_", "probabilities"},
			{"tags.", "tags"},
			{"tokens.", "tokens"},
		} {
			if rest, ok := strings.CutPrefix(f.Name, p[0]); ok {
				group, name = p[1], rest
			}
		}
		var members []fieldColumn
		st, isStruct := f.Type.(*arrow.StructType)
		switch {
		case group != "":
			members = []fieldColumn{{name, []int{i}}}
		case f.Name == "features" || f.Name == "probabilities" || f.Name == "tags" || f.Name == "tokens":
			group = f.Name
			if _, isMap := f.Type.(*arrow.MapType); isMap && group == "tags" {
				l.tagMap = i
				continue
			}
			if !isStruct {
				return nil, fmt.Errorf("column %q is %s: want a struct, or columns %q", f.Name, f.Type, f.Name+".NAME")
			}
			for j, m := range st.Fields() {
				members = append(members, fieldColumn{m.Name, []int{i, j}})
			}
		default:
			if inferenceField([]byte(f.Name)) != 0 {
				if _, twice := l.fields[f.Name]; twice {
					return nil, fmt.Errorf("column %q is given twice", f.Name)
				}
				l.fields[f.Name] = i
			}
			continue
		}
		switch group {
		case "features":
			l.features = append(l.features, members...)
		case "probabilities":
			l.probabilities = append(l.probabilities, members...)
		case "tags":
			l.tags = append(l.tags, members...)
		default:
			for _, m := range members {
				if m.name == "input" {
					l.tokens[0] = m.path
				} else if m.name == "output" {
					l.tokens[1] = m.path
				}
			}
		}
	}
	if _, ok := l.fields["model"]; !ok {
		return nil, errors.New(`there is no column "model"`)
	}
	return l, l.check()
}

// check checks the names of features, classes and tags.
func (l *layout) check() error {
	for group, list := range map[string][]fieldColumn{"features": l.features, "probabilities": l.probabilities, "tags": l.tags} {
		seen := map[string]bool{}
		for _, m := range list {
			problem := checkText([]byte(m.name), ai.MaxNameLength)
			switch {
			case seen[m.name]:
				problem = "is given twice"
			case group == "features" && m.name == "":
				problem = "a feature has an empty name"
			case group == "features" && ai.Derived(m.name):
				problem = "names that start with '@' are kept for predictions"
			}
			if problem != "" {
				return &ai.FieldError{Field: group + "." + clip([]byte(m.name)), Problem: problem}
			}
			seen[m.name] = true
		}
	}
	if len(l.features) > ai.MaxFeatures {
		return &ai.FieldError{Field: "features", Problem: fmt.Sprintf("%d features, the limit is %d", len(l.features), ai.MaxFeatures)}
	}
	if len(l.probabilities) > ai.MaxProbabilities {
		return &ai.FieldError{Field: "probabilities", Problem: fmt.Sprintf("%d classes, the limit is %d", len(l.probabilities), ai.MaxProbabilities)}
	}
	if len(l.tags) > ai.MaxTags {
		return &ai.FieldError{Field: "tags", Problem: fmt.Sprintf("%d tags, the limit is %d", len(l.tags), ai.MaxTags)}
	}
	return nil
}

// columns are those of one batch.
type columns struct {
	fields        map[string]arrow.Array
	features      []valueColumn
	probabilities []valueColumn
	tags          []valueColumn
	tokens        [2]arrow.Array
	tagMap        *array.Map
}

// valueColumn is a column of values with their name.
type valueColumn struct {
	name   string
	arr    arrow.Array
	parent arrow.Array // The struct that it is a member of; nil if none.
}

func columnsOf(b arrow.RecordBatch, names *names) (*columns, error) {
	l, err := resolve(b.Schema())
	if err != nil {
		return nil, err
	}
	c := &columns{fields: map[string]arrow.Array{}}
	for name, i := range l.fields {
		c.fields[name] = b.Column(i)
	}
	take := func(list []fieldColumn) []valueColumn {
		out := make([]valueColumn, len(list))
		for i, m := range list {
			name, _ := names.get([]byte(m.name)) // Checked by resolve.
			out[i] = valueColumn{name: name, arr: b.Column(m.path[0])}
			if len(m.path) == 2 {
				st := out[i].arr.(*array.Struct)
				if st.NullN() > 0 {
					out[i].parent = st
				}
				out[i].arr = st.Field(m.path[1])
			}
		}
		return out
	}
	c.features, c.probabilities, c.tags = take(l.features), take(l.probabilities), take(l.tags)
	for i, path := range l.tokens {
		if path != nil {
			c.tokens[i] = take([]fieldColumn{{"tokens", path}})[0].arr
		}
	}
	if l.tagMap >= 0 {
		c.tagMap = b.Column(l.tagMap).(*array.Map)
	}
	return c, nil
}

// Rows reads up to most rows of a table, and reports whether there are more. An
// error means that nothing more can be read.
func (d *Decoder) Rows(t *Table, most int) (more bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			more, err = false, fmt.Errorf("stream is malformed: %v", p)
		}
	}()
	for n := 0; n < most && t.batch < len(t.batches); {
		b := t.batches[t.batch]
		if t.cols == nil {
			if t.cols, err = columnsOf(b, d.names); err != nil {
				return false, err
			}
		}
		rows := min(most-n, int(b.NumRows())-t.row)
		if rows > 0 {
			d.rows(t.cols, t.row, rows, t.count)
		}
		n += rows
		t.row += rows
		t.count += rows
		if t.row == int(b.NumRows()) {
			t.batches[t.batch] = nil
			t.batch, t.row, t.cols = t.batch+1, 0, nil
		}
	}
	return t.batch < len(t.batches), nil
}

// rowBlock is how many rows are filled a column at a time, so that they stay in
// the processor's cache.
const rowBlock = 64

// rows reads rows of a batch. first is the index of the first in the request.
func (d *Decoder) rows(c *columns, from, n, first int) {
	d.Records = slices.Grow(d.Records, n)
	if need := n * len(c.features); need > cap(d.features)-len(d.features) {
		// What was filled before stays where it is.
		d.features = make([]ai.Feature, 0, need)
	}
	for begin := 0; begin < n; begin += rowBlock {
		d.block(c, from+begin, min(rowBlock, n-begin), first+begin)
	}
}

func (d *Decoder) block(c *columns, from, n, first int) {
	base := len(d.Records)
	for range n {
		d.Records = append(d.Records, ai.Inference{})
	}
	rec := d.Records[base:]
	var bad [rowBlock]error
	var reason [rowBlock]Reason
	fail := func(i int, err error) {
		if bad[i] == nil {
			bad[i], reason[i] = err, ReasonField
		}
	}
	d.blockFeatures(c, from, rec, fail)
	d.blockClasses(c, from, rec, fail)
	d.blockTexts(c, from, rec, fail)
	d.blockNumbers(c, from, rec, fail)
	d.blockTags(c, from, rec, fail)
	if a := c.fields["prediction"]; a != nil {
		for i := range rec {
			v, problem := d.arrowValue(a, from+i)
			if problem != "" {
				fail(i, &ai.FieldError{Field: "prediction", Problem: problem})
			}
			rec[i].Prediction = v
		}
	}
	stamps := c.fields["timestamp"]
	for i := range rec {
		rec[i].Timestamp = d.lim.Arrival
		if stamps != nil && !stamps.IsNull(from+i) {
			t, problem := arrowTime(stamps, from+i)
			if problem != "" {
				fail(i, &ai.FieldError{Field: "timestamp", Problem: problem})
			} else if why, err := d.checkTime(t); err != nil {
				fail(i, err)
				reason[i] = why
			}
			rec[i].Timestamp = t
		}
		if rec[i].Model == "" {
			fail(i, &ai.FieldError{Field: "model", Problem: "is required"})
		}
		if rec[i].Service == "" {
			rec[i].Service = DefaultService
		}
	}
	kept := base
	for i := range rec {
		if bad[i] != nil {
			d.reject(first+i, reason[i], bad[i])
			continue
		}
		if kept != base+i {
			d.Records[kept] = rec[i]
		}
		kept++
	}
	clear(d.Records[kept:])
	d.Records = d.Records[:kept]
}

func (d *Decoder) blockFeatures(c *columns, from int, rec []ai.Inference, fail func(int, error)) {
	nf := len(c.features)
	if nf == 0 {
		return
	}
	begin := len(d.features)
	d.features = d.features[:begin+nf*len(rec)]
	all := d.features[begin:]
	for i := range rec {
		rec[i].Features = all[i*nf : (i+1)*nf : (i+1)*nf]
	}
	for j := range c.features {
		col := &c.features[j]
		switch a := col.arr.(type) {
		case *array.Float64:
			fillNumbers(all[j:], nf, col, a.Float64Values()[from:from+len(rec)], from)
		case *array.Float32:
			fillNumbers(all[j:], nf, col, a.Float32Values()[from:from+len(rec)], from)
		case *array.Int64:
			fillNumbers(all[j:], nf, col, a.Int64Values()[from:from+len(rec)], from)
		case *array.Int32:
			fillNumbers(all[j:], nf, col, a.Int32Values()[from:from+len(rec)], from)
		default:
			for i := range rec {
				f := &all[i*nf+j]
				f.Name = col.name
				if col.parent != nil && col.parent.IsNull(from+i) {
					f.Value = ai.Value{}
					continue
				}
				v, problem := d.arrowValue(a, from+i)
				if problem != "" {
					fail(i, &ai.FieldError{Field: "features." + col.name, Problem: problem})
				}
				f.Value = v
			}
		}
	}
}

// fillNumbers fills a column of the features of some records. dst begins with
// the first record's feature, and that of the next is stride further.
func fillNumbers[T float64 | float32 | int64 | int32](dst []ai.Feature, stride int, col *valueColumn, x []T, from int) {
	nulls := col.arr.NullN() > 0 || col.parent != nil
	for i := range x {
		f := &dst[i*stride]
		f.Name = col.name
		if nulls && (col.arr.IsNull(from+i) || col.parent != nil && col.parent.IsNull(from+i)) {
			f.Value = ai.Value{}
			continue
		}
		f.Value = ai.Number(float64(x[i]))
	}
}

func (d *Decoder) blockClasses(c *columns, from int, rec []ai.Inference, fail func(int, error)) {
	if len(c.probabilities) == 0 {
		return
	}
	for i := range rec {
		begin := len(d.classes)
		for j := range c.probabilities {
			col := &c.probabilities[j]
			if col.arr.IsNull(from+i) || col.parent != nil && col.parent.IsNull(from+i) {
				continue
			}
			p, ok := arrowNumber(col.arr, from+i)
			if !ok || !(p >= 0 && p <= 1) {
				fail(i, &ai.FieldError{Field: "probabilities." + col.name, Problem: fmt.Sprintf("%s is not a probability (0 to 1)", col.arr.ValueStr(from+i))})
				continue
			}
			d.classes = append(d.classes, ai.ClassProbability{Class: col.name, P: p})
		}
		if len(d.classes) > begin {
			rec[i].Probabilities = d.classes[begin:len(d.classes):len(d.classes)]
		}
	}
}

func (d *Decoder) blockTexts(c *columns, from int, rec []ai.Inference, fail func(int, error)) {
	for _, f := range [...]struct {
		name  string
		into  func(*ai.Inference) *string
		limit int // 0 for names.
	}{
		{"service", func(r *ai.Inference) *string { return &r.Service }, 0},
		{"model", func(r *ai.Inference) *string { return &r.Model }, 0},
		{"model_version", func(r *ai.Inference) *string { return &r.ModelVersion }, 0},
		{"endpoint", func(r *ai.Inference) *string { return &r.Endpoint }, 0},
		{"request_id", func(r *ai.Inference) *string { return &r.RequestID }, ai.MaxRequestIDLength},
		{"error", func(r *ai.Inference) *string { return &r.Error }, ai.MaxTextLength},
	} {
		a := c.fields[f.name]
		if a == nil {
			continue
		}
		before := ""
		for i := range rec {
			if a.IsNull(from + i) {
				continue
			}
			s, ok := arrowText(a, from+i)
			switch {
			case !ok:
				fail(i, wrong(f.name, "a text, but "+a.DataType().String()))
			case f.limit == 0 && s == before:
				*f.into(&rec[i]) = before
			case f.limit == 0:
				name, problem := d.names.get([]byte(s))
				if problem != "" {
					fail(i, &ai.FieldError{Field: f.name, Problem: problem})
				}
				before = name
				*f.into(&rec[i]) = name
			default:
				if p := checkText([]byte(s), f.limit); p != "" {
					fail(i, &ai.FieldError{Field: f.name, Problem: p})
					continue
				}
				*f.into(&rec[i]) = d.text([]byte(s))
			}
		}
	}
}

func (d *Decoder) blockNumbers(c *columns, from int, rec []ai.Inference, fail func(int, error)) {
	each := func(field string, a arrow.Array, into func(i int, x float64) string) {
		if a == nil {
			return
		}
		for i := range rec {
			if a.IsNull(from + i) {
				continue
			}
			x, ok := arrowNumber(a, from+i)
			problem := "is not a number, but " + a.DataType().String()
			if ok {
				problem = into(i, x)
			}
			if problem != "" {
				fail(i, &ai.FieldError{Field: field, Problem: problem})
			}
		}
	}
	seconds := func(out func(i int) *float64) func(int, float64) string {
		return func(i int, x float64) string {
			switch {
			case math.IsNaN(x):
				return "" // Not given.
			case !(x >= 0):
				return fmt.Sprintf("%v is negative", x)
			case x > ai.MaxDuration:
				return fmt.Sprintf("%v seconds is over a week: give seconds, not milliseconds", x)
			}
			*out(i) = x + 0
			return ""
		}
	}
	each("duration_seconds", c.fields["duration_seconds"], seconds(func(i int) *float64 { return &rec[i].DurationSeconds }))
	each("time_to_first_token_seconds", c.fields["time_to_first_token_seconds"], seconds(func(i int) *float64 { return &rec[i].TimeToFirstTokenSeconds }))
	each("status_code", c.fields["status_code"], func(i int, x float64) string {
		if x != 0 && !(x >= 100 && x <= 999 && x == math.Trunc(x)) {
			return fmt.Sprintf("%v is not an HTTP status (100 to 999)", x)
		}
		rec[i].StatusCode = int(x)
		return ""
	})
	for k, name := range [...]string{"tokens.input", "tokens.output"} {
		each(name, c.tokens[k], func(i int, x float64) string {
			if !(x >= 0 && x <= 1<<53 && x == math.Trunc(x)) {
				return fmt.Sprintf("%v is not a count", x)
			}
			if k == 0 {
				rec[i].Tokens.Input = uint64(x)
			} else {
				rec[i].Tokens.Output = uint64(x)
			}
			return ""
		})
	}
}
