package models

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/modelwatch/modelwatch/ai"
)

// Columns says which columns of a table, or fields of flat objects, are not features.
// Names that are empty mean "prediction" and "label".
type Columns struct {
	Prediction string
	Label      string
	// Exclude are columns that are left out.
	Exclude []string
}

const (
	probabilityColumn = "probability:"
	maxLine           = 16 << 20
)

func (c Columns) withDefaults() Columns {
	if c.Prediction == "" {
		c.Prediction = "prediction"
	}
	if c.Label == "" {
		c.Label = "label"
	}
	return c
}

// set puts one column of a row where it belongs.
func (c *Columns) set(row *Row, name string, v ai.Value) error {
	switch {
	case slices.Contains(c.Exclude, name):
	case name == c.Prediction:
		row.Inference.Prediction = v
	case name == c.Label:
		row.Label = v
	case name == "duration_seconds":
		row.Inference.DurationSeconds, _ = v.Number()
	case name == "status_code":
		code, _ := v.Number()
		if code != math.Trunc(code) || code < 0 || code > 999 {
			return fmt.Errorf("status_code: %s is not an HTTP status", v)
		}
		row.Inference.StatusCode = int(code)
	case strings.HasPrefix(strings.TrimPrefix(name, "@"), probabilityColumn):
		class := strings.TrimPrefix(strings.TrimPrefix(name, "@"), probabilityColumn)
		if v.IsMissing() {
			return nil
		}
		p, ok := v.Number()
		if !ok {
			return fmt.Errorf("%s: %s is not a number", name, v)
		}
		row.Inference.Probabilities = append(row.Inference.Probabilities, ai.ClassProbability{Class: class, P: p})
	default:
		row.Inference.Features = append(row.Inference.Features, ai.Feature{Name: name, Value: v})
	}
	return nil
}

// CSVRows reads a table with a header line. Cells that are empty, or say NA, NaN,
// null or None, are missing; numbers are numbers but for those with leading zeros,
// which are codes; true and false are truth values; all else is text. Errors name the
// line.
func CSVRows(key ai.Key, r io.Reader, columns Columns) iter.Seq2[*Row, error] {
	columns = columns.withDefaults()
	return func(yield func(*Row, error) bool) {
		in := csv.NewReader(bufio.NewReaderSize(skipBOM(r), 1<<16))
		in.ReuseRecord = true
		header, err := in.Read()
		if errors.Is(err, io.EOF) {
			yield(nil, badRequest("the table is empty: the first line must name the columns"))
			return
		} else if err != nil {
			yield(nil, readError("the header", err))
			return
		}
		header = slices.Clone(header)
		for i := range header {
			header[i] = strings.TrimSpace(header[i])
			if header[i] == "" || slices.Contains(header[:i], header[i]) {
				yield(nil, badRequest("line 1: column %d has the name %q, which is empty or there twice", i+1, header[i]))
				return
			}
		}
		for {
			cells, err := in.Read()
			if errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				yield(nil, readError("the table", err))
				return
			}
			line, _ := in.FieldPos(0)
			row := &Row{Inference: ai.Inference{Service: key.Service, Model: key.Model, ModelVersion: key.Version}}
			for i, cell := range cells {
				if err = columns.set(row, header[i], cellValue(cell)); err != nil {
					break
				}
			}
			if err == nil {
				err = row.Inference.Validate()
			}
			if err != nil {
				yield(nil, badRequest("line %d: %w", line, err))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// skipBOM drops the byte order mark that spreadsheets write.
func skipBOM(r io.Reader) io.Reader {
	b := bufio.NewReaderSize(r, 1<<16)
	if mark, _ := b.Peek(3); bytes.Equal(mark, []byte("\ufeff")) {
		_, _ = b.Discard(3) // It was peeked at.
	}
	return b
}

func cellValue(s string) ai.Value {
	s = strings.TrimSpace(s)
	switch s {
	case "", "NA", "N/A", "NaN", "nan", "null", "NULL", "None":
		return ai.Value{}
	case "true", "True", "TRUE":
		return ai.Bool(true)
	case "false", "False", "FALSE":
		return ai.Bool(false)
	}
	digits := strings.TrimLeft(s, "+-")
	code := len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9'
	if c := digits; !code && c != "" && (c[0] >= '0' && c[0] <= '9' || c[0] == '.') {
		if x, err := strconv.ParseFloat(s, 64); err == nil {
			return ai.Number(x)
		}
	}
	return ai.String(strings.Clone(s))
}

// NDJSONRows reads one JSON object a line: an inference as POST /ai/v1/inferences
// takes it, with a "label" if the truth is known, or a flat object of columns. Errors
// name the line.
func NDJSONRows(key ai.Key, r io.Reader, columns Columns) iter.Seq2[*Row, error] {
	return jsonRows("line", key, r, columns)
}

// ParquetRows reads what a Parquet file was turned into, as Answers.Parquet does it.
// Errors name the row.
func ParquetRows(key ai.Key, lines io.Reader, columns Columns) iter.Seq2[*Row, error] {
	return jsonRows("row", key, lines, columns)
}

// jsonRows is NDJSONRows with the word by which errors name a place.
func jsonRows(place string, key ai.Key, r io.Reader, columns Columns) iter.Seq2[*Row, error] {
	columns = columns.withDefaults()
	return func(yield func(*Row, error) bool) {
		in := bufio.NewScanner(skipBOM(r))
		in.Buffer(make([]byte, 1<<16), maxLine)
		line := 0
		for in.Scan() {
			line++
			text := bytes.TrimSpace(in.Bytes())
			if len(text) == 0 {
				continue
			}
			row, err := jsonRow(key, text, &columns)
			if err == nil {
				err = row.Inference.Validate()
			}
			if err != nil {
				yield(nil, badRequest("%s %d: %w", place, line, err))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := in.Err(); err != nil {
			if errors.Is(err, bufio.ErrTooLong) {
				err = badRequest("%s %d is over %d bytes long: send one JSON object a line", place, line+1, maxLine)
			}
			if place != "line" {
				err = badRequest("after row %d: %w", line, err) // The file was here whole: it is damaged.
			}
			yield(nil, readError("the rows", err))
		}
	}
}

// readError keeps errors of the connection, such as a body over the limit, as they
// are, and makes the others the sender's.
func readError(what string, err error) error {
	if parse, ok := errors.AsType[*csv.ParseError](err); ok {
		return badRequest("line %d: %w", parse.Line, parse.Err)
	}
	return fmt.Errorf("read %s: %w", what, err)
}

func jsonRow(key ai.Key, text []byte, columns *Columns) (*Row, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	row := &Row{Inference: ai.Inference{Service: key.Service, Model: key.Model, ModelVersion: key.Version}}
	inner, nested := fields["features"]
	if nested && len(inner) > 0 && inner[0] == '{' {
		return row, row.fromInference(fields, columns)
	}
	for name, raw := range fields {
		var v ai.Value
		if err := json.Unmarshal(raw, &v); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := columns.set(row, name, v); err != nil {
			return nil, err
		}
	}
	row.sort()
	return row, nil
}

// fromInference reads the fields of an inference that a baseline is about.
func (row *Row) fromInference(fields map[string]json.RawMessage, columns *Columns) error {
	inf := &row.Inference
	read := func(name string, into any) error {
		raw, ok := fields[name]
		if !ok {
			return nil
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	var features map[string]ai.Value
	var probabilities map[string]float64
	err := errors.Join(
		read("features", &features), read("prediction", &inf.Prediction), read("probabilities", &probabilities),
		read("label", &row.Label), read("duration_seconds", &inf.DurationSeconds), read("status_code", &inf.StatusCode),
		read("error", &inf.Error), read("tokens", &inf.Tokens), read("time_to_first_token_seconds", &inf.TimeToFirstTokenSeconds),
	)
	for name, v := range features {
		if !slices.Contains(columns.Exclude, name) {
			inf.Features = append(inf.Features, ai.Feature{Name: name, Value: v})
		}
	}
	for class, p := range probabilities {
		inf.Probabilities = append(inf.Probabilities, ai.ClassProbability{Class: class, P: p})
	}
	row.sort()
	return err
}

// sort puts features and classes in one order, so that the same data gives the same
// baseline.
func (row *Row) sort() {
	slices.SortFunc(row.Inference.Features, func(a, b ai.Feature) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(row.Inference.Probabilities, func(a, b ai.ClassProbability) int { return strings.Compare(a.Class, b.Class) })
}
