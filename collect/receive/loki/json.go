package loki

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	jsoniter "github.com/json-iterator/go"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
)

// The push request in JSON, as it is today and as it was under /api/prom/push:
//
//	{"streams": [{"stream": {"name": "value"}, "values": [["<nanoseconds>", "<line>", {"name": "value"}]]}]}
//	{"streams": [{"labels": "{name=\"value\"}", "entries": [{"ts": "<RFC 3339>", "line": "<line>"}]}]}

func (p *parsed) decodeJSON(body []byte) (streams []logs.Stream, err error) {
	it := jsoniter.ConfigDefault.BorrowIterator(body)
	defer jsoniter.ConfigDefault.ReturnIterator(it)
	problem := func(err error) error {
		if it.Error != nil && !errors.Is(it.Error, io.EOF) {
			return fmt.Errorf("stream %d: %w", len(streams)+1, it.Error)
		}
		if err != nil {
			return fmt.Errorf("stream %d: %w", len(streams)+1, err)
		}
		return nil
	}
	if it.WhatIsNext() != jsoniter.ObjectValue {
		return nil, fmt.Errorf(`expected a JSON object with "streams", found %s`, kind(it.WhatIsNext()))
	}
	found := false
	for field := it.ReadObject(); field != ""; field = it.ReadObject() {
		if field != "streams" {
			it.Skip()
			continue
		}
		found = true
		if next := it.WhatIsNext(); next != jsoniter.ArrayValue && next != jsoniter.NilValue {
			return nil, fmt.Errorf(`"streams": expected an array, found %s`, kind(next))
		}
		for it.ReadArray() {
			st, err := p.jsonStream(it)
			if err := problem(err); err != nil {
				return nil, err
			}
			streams = append(streams, st)
		}
	}
	if it.Error != nil && !errors.Is(it.Error, io.EOF) {
		return nil, problem(nil)
	}
	if !found {
		return nil, fmt.Errorf(`no "streams" in the request`)
	}
	return streams, nil
}

func kind(t jsoniter.ValueType) string {
	switch t {
	case jsoniter.StringValue:
		return "a string"
	case jsoniter.NumberValue:
		return "a number"
	case jsoniter.NilValue:
		return "null"
	case jsoniter.BoolValue:
		return "a boolean"
	case jsoniter.ArrayValue:
		return "an array"
	case jsoniter.ObjectValue:
		return "an object"
	}
	return "no JSON value"
}

func (p *parsed) jsonStream(it *jsoniter.Iterator) (st logs.Stream, err error) {
	if next := it.WhatIsNext(); next != jsoniter.ObjectValue {
		return st, fmt.Errorf("expected an object, found %s", kind(next))
	}
	has := false
	for field := it.ReadObject(); field != ""; field = it.ReadObject() {
		switch field {
		case "stream":
			st.Labels, err = pairs(it, `"stream"`)
			has = true
		case "labels":
			st.Labels, err = p.get(it.ReadString())
			has = true
		case "values":
			st.Entries, err = values(it)
		case "entries":
			st.Entries, err = entries(it)
		default:
			it.Skip()
		}
		if err != nil || it.Error != nil {
			return st, err
		}
	}
	if !has {
		return st, fmt.Errorf(`neither "stream" nor "labels" says which stream it is`)
	}
	return st, nil
}

// pairs reads an object of strings. Empty values are left out.
func pairs(it *jsoniter.Iterator, where string) (labels.Labels, error) {
	if next := it.WhatIsNext(); next != jsoniter.ObjectValue {
		return labels.EmptyLabels(), fmt.Errorf("%s: expected an object, found %s", where, kind(next))
	}
	var b labels.ScratchBuilder
	for name := it.ReadObject(); name != ""; name = it.ReadObject() {
		if next := it.WhatIsNext(); next != jsoniter.StringValue {
			return labels.EmptyLabels(), fmt.Errorf("%s: the value of %q must be a string, found %s", where, name, kind(next))
		}
		if value := it.ReadString(); value != "" {
			b.Add(name, value)
		}
	}
	return sorted(&b), nil
}

func values(it *jsoniter.Iterator) ([]logs.Entry, error) {
	if next := it.WhatIsNext(); next != jsoniter.ArrayValue {
		return nil, fmt.Errorf(`"values": expected an array, found %s`, kind(next))
	}
	var out []logs.Entry
	for it.ReadArray() {
		fail := func(format string, args ...any) ([]logs.Entry, error) {
			return nil, fmt.Errorf("value %d: "+format, append([]any{len(out) + 1}, args...)...)
		}
		if next := it.WhatIsNext(); next != jsoniter.ArrayValue {
			return fail(`expected ["<nanoseconds>", "<line>"], found %s`, kind(next))
		}
		var e logs.Entry
		n := 0
		for it.ReadArray() {
			switch n {
			case 0:
				if next := it.WhatIsNext(); next != jsoniter.StringValue {
					return fail(`the timestamp must be a string of nanoseconds like "1795345200000000000", found %s`, kind(next))
				}
				raw := it.ReadString()
				ts, err := strconv.ParseInt(raw, 10, 64)
				if err != nil {
					return fail("timestamp %q is not a whole number of nanoseconds", shorten(raw))
				}
				e.Timestamp = ts
			case 1:
				if next := it.WhatIsNext(); next != jsoniter.StringValue {
					return fail("the line must be a string, found %s", kind(next))
				}
				e.Line = it.ReadString()
			case 2:
				var err error
				if e.Metadata, err = pairs(it, "structured metadata"); err != nil {
					return fail("%w", err)
				}
			default:
				return fail("more than a timestamp, a line and structured metadata")
			}
			n++
		}
		if it.Error != nil {
			return nil, nil
		}
		if n < 2 {
			return fail("a timestamp and a line are needed")
		}
		out = append(out, e)
	}
	return out, nil
}

func entries(it *jsoniter.Iterator) ([]logs.Entry, error) {
	if next := it.WhatIsNext(); next != jsoniter.ArrayValue {
		return nil, fmt.Errorf(`"entries": expected an array, found %s`, kind(next))
	}
	var out []logs.Entry
	for it.ReadArray() {
		var e logs.Entry
		if next := it.WhatIsNext(); next != jsoniter.ObjectValue {
			return nil, fmt.Errorf("entry %d: expected an object, found %s", len(out)+1, kind(next))
		}
		for field := it.ReadObject(); field != ""; field = it.ReadObject() {
			switch field {
			case "ts":
				raw := it.ReadString()
				t, err := time.Parse(time.RFC3339Nano, raw)
				if err != nil && it.Error == nil {
					return nil, fmt.Errorf("entry %d: timestamp %q is not RFC 3339", len(out)+1, shorten(raw))
				}
				e.Timestamp = t.UnixNano()
			case "line":
				e.Line = it.ReadString()
			default:
				it.Skip()
			}
		}
		if it.Error != nil {
			return nil, nil
		}
		out = append(out, e)
	}
	return out, nil
}
