package decode

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
)

// arrowStream writes rows given in Arrow's own JSON.
func arrowStream(t testing.TB, fields []arrow.Field, rows string) []byte {
	t.Helper()
	schema := arrow.NewSchema(fields, nil)
	rec, _, err := array.RecordFromJSON(memory.NewGoAllocator(), schema, strings.NewReader(rows))
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Release()
	var out bytes.Buffer
	w := ipc.NewWriter(&out, ipc.WithSchema(schema))
	for range 2 { // Two batches of the same rows.
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func readAll(t *testing.T, data []byte, most int) *Decoder {
	t.Helper()
	table, err := ReadTable(data, 1<<20)
	require.NoError(t, err)
	d := New()
	d.Reset(limits)
	for more := true; more; {
		more, err = d.Rows(table, most)
		require.NoError(t, err)
	}
	return d
}

var text = arrow.BinaryTypes.String

func TestArrowIsTheSameAsJSON(t *testing.T) {
	dict := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: text}
	fields := []arrow.Field{
		{Name: "model", Type: dict},
		{Name: "service", Type: text, Nullable: true},
		{Name: "model_version", Type: text},
		{Name: "request_id", Type: arrow.BinaryTypes.LargeString, Nullable: true},
		{Name: "timestamp", Type: &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}, Nullable: true},
		{Name: "duration_seconds", Type: arrow.PrimitiveTypes.Float32, Nullable: true},
		{Name: "status_code", Type: arrow.PrimitiveTypes.Uint16, Nullable: true},
		{Name: "error", Type: text, Nullable: true},
		{Name: "features", Nullable: true, Type: arrow.StructOf(
			arrow.Field{Name: "age", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, arrow.Field{Name: "country", Type: dict, Nullable: true},
			arrow.Field{Name: "known", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
			arrow.Field{Name: "emb", Type: arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Float32), Nullable: true})},
		{Name: "features.score", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "feature_list", Type: arrow.ListOf(arrow.PrimitiveTypes.Int32), Nullable: true},
		{Name: "prediction", Type: text, Nullable: true},
		{Name: "probability_click", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "tokens", Type: arrow.StructOf(arrow.Field{Name: "input", Type: arrow.PrimitiveTypes.Int32}, arrow.Field{Name: "output", Type: arrow.PrimitiveTypes.Int32})},
		{Name: "tags", Type: arrow.MapOf(text, text), Nullable: true},
		{Name: "else", Type: arrow.PrimitiveTypes.Int8, Nullable: true},
	}
	rows := `[{"model":"m","service":"s","model_version":"v","request_id":"r1","timestamp":1772366340250,"duration_seconds":0.5,"status_code":200,"error":null,
"features":{"age":41,"country":"DE","known":true,"emb":[1,2.5]},"features.score":0.1,"feature_list":[1,2,3],"prediction":"click","probability_click":0.75,
"tokens":{"input":3,"output":4},"tags":[{"key":"a","value":"b"}],"else":1},
{"model":"m","service":null,"model_version":"v","request_id":null,"timestamp":null,"duration_seconds":null,"status_code":null,"error":"timeout",
"features":null,"features.score":null,"feature_list":[],"prediction":null,"probability_click":null,"tokens":{"input":0,"output":0},"tags":null,"else":null}]`
	want := New()
	want.Reset(limits)
	for range 2 {
		want.Line(Inferences, []byte(`{"model":"m","service":"s","model_version":"v","request_id":"r1","timestamp":"2026-03-01T11:59:00.25Z","duration_seconds":0.5,"status_code":200,"features":{"age":41,"country":"DE","known":true,"emb":[1,2.5],"score":0.1,"list":[1,2,3]},"prediction":"click","probabilities":{"click":0.75},"tokens":{"input":3,"output":4},"tags":{"a":"b"}}`), 0)
		want.Line(Inferences, []byte(`{"model":"m","model_version":"v","error":"timeout","features":{"age":null,"country":null,"known":null,"emb":null,"score":null,"list":[]}}`), 1)
	}
	require.Empty(t, want.Rejected)
	wantText, err := json.Marshal(want.Records)
	require.NoError(t, err)
	for _, most := range []int{1, 3, 1000} {
		got := readAll(t, arrowStream(t, fields, rows), most)
		require.Empty(t, got.Rejected)
		gotText, err := json.Marshal(got.Records)
		require.NoError(t, err)
		require.JSONEq(t, string(wantText), string(gotText))
		for i := range got.Records {
			require.NoError(t, got.Records[i].Validate())
		}
		_, is32 := got.Records[0].Features[3].Value.Float32s()
		require.True(t, is32, "vectors keep their precision")
	}
}

func TestArrowNamesBadRows(t *testing.T) {
	number := arrow.PrimitiveTypes.Float64
	fields := []arrow.Field{{Name: "model", Type: text}, {Name: "duration_seconds", Type: number}, {Name: "timestamp", Type: number}, {Name: "features.x", Type: text}}
	d := readAll(t, arrowStream(t, fields, `[{"model":"m","duration_seconds":1,"timestamp":1772366300.5,"features.x":"a"},
{"model":"","duration_seconds":1,"timestamp":1772366300,"features.x":"b"},{"model":"m","duration_seconds":-1,"timestamp":1772366300,"features.x":"c"},
{"model":"m","duration_seconds":1,"timestamp":1,"features.x":"d"},{"model":"m","duration_seconds":1,"timestamp":1772366300,"features.x":"e"}]`), 1000)
	require.Len(t, d.Records, 4)
	require.Equal(t, "2026-03-01T11:58:20.5Z", d.Records[0].Timestamp.Format("2006-01-02T15:04:05.999Z07:00"))
	v, _ := d.Records[1].Feature("x")
	require.True(t, v.Equal(ai.String("e")), "what follows a bad row keeps its own values")
	require.Len(t, d.Rejected, 6)
	require.Equal(t, 6, d.Rejected[3].Index)
	require.ErrorContains(t, d.Rejected[0].Err, "model: is required")
	require.ErrorContains(t, d.Rejected[1].Err, "duration_seconds: -1 is negative")
	require.Equal(t, ReasonOld, d.Rejected[2].Reason)
}

func TestArrowSchemasThatCannotBe(t *testing.T) {
	number := arrow.PrimitiveTypes.Float64
	for want, fields := range map[string][]arrow.Field{
		`there is no column "model"`:             {{Name: "x", Type: number}},
		`column "features" is float64: want a s`: {{Name: "model", Type: text}, {Name: "features", Type: number}},
		`features.a: is given twice`:             {{Name: "model", Type: text}, {Name: "features.a", Type: number}, {Name: "feature_a", Type: number}},
		`kept for predictions`:                   {{Name: "model", Type: text}, {Name: "features.@x", Type: number}},
	} {
		_, err := ReadTable(arrowStream(t, fields, "[]"), 1<<20)
		require.ErrorContains(t, err, want)
	}
	fields := []arrow.Field{{Name: "model", Type: text}}
	_, err := ReadTable(arrowStream(t, fields, `[{"model":"`+strings.Repeat("x", 5000)+`"}]`), 1000)
	require.Error(t, err, "memory is bounded")
}

func FuzzArrow(f *testing.F) {
	f.Add(arrowStream(f, []arrow.Field{{Name: "model", Type: text}, {Name: "features.x", Type: arrow.PrimitiveTypes.Float64}, {Name: "feature_l", Type: arrow.ListOf(arrow.PrimitiveTypes.Float32)}},
		`[{"model":"m","features.x":1.5,"feature_l":[1,2]}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := ReadTable(data, 1<<20)
		if err != nil {
			return
		}
		d := New()
		for more := true; more; {
			d.Reset(limits)
			if more, err = d.Rows(table, 100); err != nil {
				return
			}
			for i := range d.Records {
				if err := d.Records[i].Validate(); err != nil {
					t.Fatalf("row %d got through: %v", i, err)
				}
			}
		}
	})
}

func BenchmarkLines(b *testing.B) {
	line := `{"model":"model-01","service":"bench","model_version":"v1","endpoint":"/predict","duration_seconds":0.6764556596678584,"status_code":200,"features":{`
	for i := range 20 {
		line += `"feature_` + string(rune('a'+i)) + `":-1.` + strings.Repeat("7", 8) + "12345678,"
	}
	line = strings.TrimSuffix(line, ",") + `},"prediction":0.123456789}` + "\n"
	data := []byte(strings.Repeat(line, 1000))
	d := New()
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		d.Reset(limits)
		d.Lines(Inferences, data, 0, 1000)
		if len(d.Records) != 1000 {
			b.Fatal(d.Rejected)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/record")
}
