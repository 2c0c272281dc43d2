package codec

import (
	"fmt"

	"github.com/modelwatch/modelwatch/ai"
)

// Decoder reads batches of inferences. It is used by one goroutine at a time;
// what it returns is valid until its next use, except for strings, vectors and
// tags, which stay as they are and refer to the payload.
type Decoder struct {
	records  []ai.Inference
	features []ai.Feature
	classes  []ai.ClassProbability
	indexes  []int
	shapes   [][]string
}

// Records reads what Encoder.AppendRecords wrote: the records that keep says,
// and their indexes in the batch. A nil keep means all.
func (d *Decoder) Records(payload string, keep func(index int, failed bool) bool) ([]ai.Inference, []int, error) {
	r := reader{s: payload}
	n := r.begin(14)
	clear(d.records)
	d.records, d.features, d.classes = d.records[:0], d.features[:0], d.classes[:0]
	d.indexes, d.shapes = d.indexes[:0], d.shapes[:0]
	var key ai.Inference
	var shape, classes []string
	for i := range n {
		rest := reader{s: r.take(int(r.uint32()))}
		if r.err != nil {
			break
		}
		d.record(&rest, &key, &shape, &classes, func(failed bool) bool { return keep == nil || keep(i, failed) }, i)
		if rest.err != nil {
			return nil, nil, fmt.Errorf("decode inferences: record %d: %w", i, rest.err)
		}
	}
	if err := r.end("inferences"); err != nil {
		return nil, nil, err
	}
	return d.records, d.indexes, nil
}

func (d *Decoder) record(r *reader, key *ai.Inference, shape, classes *[]string, keep func(bool) bool, index int) {
	bits := int(r.byte()) | int(r.byte())<<8
	if bits&^knownBits != 0 {
		r.fail(fmt.Errorf("parts %#x are not known to this release", bits))
		return
	}
	if bits&hasKey != 0 {
		key.Service, key.Model, key.ModelVersion, key.Endpoint = r.text(), r.text(), r.text(), r.text()
	}
	if bits&hasShape != 0 {
		*shape = d.shape(r)
	}
	if bits&hasClasses != 0 {
		*classes = names(r)
	}
	if r.err != nil || !keep(bits&hasFailed != 0) {
		return
	}
	inf := ai.Inference{Service: key.Service, Model: key.Model, ModelVersion: key.ModelVersion, Endpoint: key.Endpoint}
	inf.Timestamp = r.time()
	begin := len(d.features)
	for _, name := range *shape {
		d.features = append(d.features, ai.Feature{Name: name, Value: r.value()})
	}
	if len(d.features) > begin {
		inf.Features = d.features[begin:len(d.features):len(d.features)]
	}
	if bits&hasRequestID != 0 {
		inf.RequestID = r.text()
	}
	if bits&hasDuration != 0 {
		inf.DurationSeconds = r.float()
	}
	if bits&hasStatus != 0 {
		inf.StatusCode = int(r.int())
	}
	if bits&hasError != 0 {
		inf.Error = r.text()
	}
	if bits&hasPrediction != 0 {
		inf.Prediction = r.value()
	}
	if bits&hasProbabilities != 0 {
		begin := len(d.classes)
		for _, name := range *classes {
			d.classes = append(d.classes, ai.ClassProbability{Class: name, P: r.float()})
		}
		inf.Probabilities = d.classes[begin:len(d.classes):len(d.classes)]
	}
	if bits&hasTokens != 0 {
		inf.Tokens = ai.Tokens{Input: r.uint(), Output: r.uint()}
	}
	if bits&hasFirstToken != 0 {
		inf.TimeToFirstTokenSeconds = r.float()
	}
	if bits&hasTags != 0 {
		n := r.count(2)
		inf.Tags = make(map[string]string, n)
		for range n {
			name := r.text()
			inf.Tags[name] = r.text()
		}
	}
	if r.err == nil && r.s != "" {
		r.fail(fmt.Errorf("%d bytes are left over", len(r.s)))
	}
	if r.err == nil {
		d.records = append(d.records, inf)
		d.indexes = append(d.indexes, index)
	}
}

func (d *Decoder) shape(r *reader) []string {
	n := r.uint()
	switch {
	case n < uint64(len(d.shapes)):
		return d.shapes[n]
	case n > uint64(len(d.shapes)):
		r.fail(fmt.Errorf("shape %d where there are %d", n, len(d.shapes)))
		return nil
	}
	d.shapes = append(d.shapes, names(r))
	return d.shapes[n]
}

func names(r *reader) []string {
	out := make([]string, r.count(1))
	for i := range out {
		out[i] = r.text()
	}
	return out
}
