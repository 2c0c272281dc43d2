package raw

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	duckdb "github.com/duckdb/duckdb-go/v2"

	"github.com/modelwatch/modelwatch/ai"
)

// Record is an inference and where in the log it is.
type Record struct {
	*ai.Inference
	// Position is that behind its batch, and Index its place in the batch.
	Position uint64
	Index    int
}

// Sampled says whether a successful inference belongs to the sample. It says the
// same for the same place in the log.
func (s *Store) Sampled(position uint64, index int) bool {
	x := position*0x9e3779b97f4a7c15 + uint64(index)
	x ^= x >> 31
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	x ^= x >> 31
	return float64(x>>11)/(1<<53) < s.o.SampleRate
}

// row is one row of a day, in the order of the schema's columns.
type row []driver.Value

// Append adds records of whole batches, the last of which ends at end, each in a
// transaction of its day. What a day has already, it does not take again. The
// records are not kept.
func (s *Store) Append(ctx context.Context, end uint64, records []Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(records) == 0 {
		return nil
	}
	oldest := s.o.Now().Add(-s.o.Retention)
	byDay := map[string][]*Record{}
	date, begin, stop := "", time.Time{}, time.Time{}
	for i := range records {
		r := &records[i]
		if r.Timestamp.Before(oldest) {
			s.statsMu.Lock()
			s.stats.TooOld++
			s.statsMu.Unlock()
			continue
		}
		if t := r.Timestamp; date == "" || t.Before(begin) || !t.Before(stop) {
			begin = t.UTC().Truncate(24 * time.Hour)
			stop = begin.Add(24 * time.Hour)
			date = begin.Format(time.DateOnly)
		}
		byDay[date] = append(byDay[date], r)
	}
	for _, date := range slices.Sorted(maps.Keys(byDay)) {
		if err := s.appendDay(ctx, date, end, byDay[date]); err != nil {
			if isCorrupt(err) || isFatal(err) {
				// Begin anew next time.
				err = errors.Join(err, s.reset())
			}
			return fmt.Errorf("write raw inferences of %s: %w", date, err)
		}
	}
	return nil
}

func isFatal(err error) bool {
	e, ok := errors.AsType[*duckdb.Error](err)
	return ok && (e.Type == duckdb.ErrorTypeFatal || e.Type == duckdb.ErrorTypeInternal)
}

// reset closes DuckDB after an error that it does not survive.
func (s *Store) reset() error {
	if s.conn == nil {
		return nil
	}
	err := errors.Join(s.conn.Close(), s.db.Close())
	s.conn, s.db = nil, nil
	clear(s.attached)
	return err
}

func (s *Store) appendDay(ctx context.Context, date string, end uint64, records []*Record) (err error) {
	d, err := s.attach(ctx, date, true)
	if err != nil {
		return err
	}
	now := *d
	if _, err := s.conn.ExecContext(ctx, "BEGIN"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, rerr := s.conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
			err = errors.Join(err, rerr)
		}
	}()
	kept := 0
	err = s.conn.Raw(func(c any) error {
		a, err := duckdb.NewAppender(c.(driver.Conn), d.catalog, "main", "inferences")
		if err != nil {
			return err
		}
		for _, r := range records {
			if r.Position <= d.position {
				continue
			}
			weight := 1.0
			if now.bytes >= s.o.DayBytes && !r.Failed() {
				if !s.Sampled(r.Position, r.Index) {
					now.leftOut++
					continue
				}
				weight = 1 / s.o.SampleRate
			}
			values, size := s.row(r, weight)
			now.bytes += size
			kept++
			if err := a.AppendRow(values...); err != nil {
				return errors.Join(err, a.Close())
			}
		}
		return a.Close()
	})
	if err != nil {
		return err
	}
	now.position = max(now.position, end)
	if _, err := s.conn.ExecContext(ctx, "UPDATE "+d.catalog+".progress SET position = ?, bytes = ?, left_out = ?",
		now.position, now.bytes, now.leftOut); err != nil {
		return err
	}
	if _, err := s.conn.ExecContext(ctx, "COMMIT"); err != nil {
		return err
	}
	s.statsMu.Lock()
	s.stats.Rows += uint64(kept)
	s.stats.LeftOut += uint64(now.leftOut - d.leftOut)
	if now.bytes >= s.o.DayBytes && date > s.today {
		s.today = date
	}
	s.statsMu.Unlock()
	if now.bytes >= s.o.DayBytes && d.bytes < s.o.DayBytes {
		s.o.Logger.Info("Raw inferences of this day are sampled from here on; errors are all kept",
			"day", date, "bytes", now.bytes, "rate", s.o.SampleRate)
	}
	*d = now
	return nil
}

// row makes a row, and says how many bytes are in it. Its texts are valid until
// the next one is made. It is called under mu.
func (s *Store) row(r *Record, weight float64) (row, int64) {
	nullText := func(t string) driver.Value {
		if t == "" {
			return nil
		}
		return t
	}
	nullNumber := func(x float64) driver.Value {
		if x == 0 {
			return nil
		}
		return x
	}
	var status, input, output driver.Value
	if r.StatusCode != 0 {
		status = int32(r.StatusCode)
	}
	if r.Tokens != (ai.Tokens{}) {
		input, output = r.Tokens.Input, r.Tokens.Output
	}
	// All texts of a row are written behind one another.
	b := s.text[:0]
	since := func(from int) driver.Value {
		if len(b) == from {
			return nil
		}
		return b[from:len(b):len(b)]
	}
	b = s.appendFeatures(b, r)
	features := since(0)
	at := len(b)
	b = s.appendPrediction(b, r)
	prediction := since(at)
	at = len(b)
	if len(r.Probabilities) > 0 {
		b = append(b, '{')
		for i := range r.Probabilities {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, r.Probabilities[i].Class), ':')
			b = strconv.AppendFloat(b, r.Probabilities[i].P, 'g', -1, 64)
		}
		b = append(b, '}')
	}
	probabilities := since(at)
	at = len(b)
	if len(r.Tags) > 0 {
		b = append(b, '{')
		for i, name := range slices.Sorted(maps.Keys(r.Tags)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, name), ':')
			b = appendString(b, r.Tags[name])
		}
		b = append(b, '}')
	}
	tags := since(at)
	if s.text = b; cap(b) > maxText {
		s.text = nil
	}
	size := 80 + len(r.Service) + len(r.Model) + len(r.ModelVersion) + len(r.Endpoint) + len(r.RequestID) + len(r.Error) + len(b)
	return row{
		r.Position, r.Timestamp, r.Service, r.Model, nullText(r.ModelVersion), nullText(r.Endpoint),
		nullText(r.RequestID), nullNumber(r.DurationSeconds), status, nullText(r.Error), r.Failed(),
		features, prediction, probabilities, input, output,
		nullNumber(r.TimeToFirstTokenSeconds), tags, weight,
	}, int64(size)
}

// maxText is how many bytes are kept for the texts of the next row.
const maxText = 1 << 20

// appendFeatures writes the features as a JSON object, less what is private.
func (s *Store) appendFeatures(b []byte, r *Record) []byte {
	if len(r.Features) == 0 {
		return b
	}
	b = append(b, '{')
	first := true
	for i := range r.Features {
		f := &r.Features[i]
		t := s.treat(f.Name)
		if t == exclude {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendString(b, f.Name), ':')
		if t == hash && !f.Value.IsMissing() {
			b = s.appendHash(b, f.Value)
			continue
		}
		b = appendValue(b, f.Value)
	}
	return append(b, '}')
}

func (s *Store) appendPrediction(b []byte, r *Record) []byte {
	if r.Prediction.IsMissing() {
		return b
	}
	switch s.treat(ai.PredictionFeature) {
	case exclude:
		return b
	case hash:
		return s.appendHash(b, r.Prediction)
	default:
		return appendValue(b, r.Prediction)
	}
}

// appendHash writes a keyed hash in place of a value.
func (s *Store) appendHash(b []byte, v ai.Value) []byte {
	m := hmac.New(sha256.New, s.key)
	m.Write(appendValue(nil, v))
	sum := m.Sum(nil)
	b = append(b, `"hash:`...)
	b = hex.AppendEncode(b, sum[:8])
	return append(b, '"')
}

func appendValue(b []byte, v ai.Value) []byte {
	switch v.Kind() {
	case ai.KindNumber:
		x, _ := v.Number()
		return appendNumber(b, x)
	case ai.KindString:
		t, _ := v.Str()
		return appendString(b, t)
	case ai.KindBool:
		t, _ := v.Bool()
		return strconv.AppendBool(b, t)
	case ai.KindVector:
		b = append(b, '[')
		if x, ok := v.Float32s(); ok {
			for i := range x {
				if i > 0 {
					b = append(b, ',')
				}
				if y := float64(x[i]); math.IsNaN(y) || math.IsInf(y, 0) {
					b = append(b, "null"...)
				} else {
					b = strconv.AppendFloat(b, y, 'g', -1, 32)
				}
			}
			return append(b, ']')
		}
		x, _ := v.Float64s()
		for i := range x {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendNumber(b, x[i])
		}
		return append(b, ']')
	default:
		return append(b, "null"...)
	}
}

// appendNumber writes a number; JSON has no infinities, so these become texts.
func appendNumber(b []byte, x float64) []byte {
	switch {
	case math.IsNaN(x):
		return append(b, "null"...)
	case math.IsInf(x, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(x, -1):
		return append(b, `"-Infinity"`...)
	}
	return strconv.AppendFloat(b, x, 'g', -1, 64)
}

const hexDigits = "0123456789abcdef"

// appendString writes a JSON string.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r)
			i += n - 1
		}
	}
	return append(b, '"')
}
