package loki

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/prometheus/prometheus/model/labels"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/modelwatch/modelwatch/logs"
)

// The push request as a protocol buffer:
//
//	PushRequest { repeated Stream streams = 1 }
//	Stream      { string labels = 1; repeated Entry entries = 2; uint64 hash = 3 }
//	Entry       { Timestamp timestamp = 1; string line = 2; repeated Pair structuredMetadata = 3 }
//	Timestamp   { int64 seconds = 1; int32 nanos = 2 }
//	Pair        { string name = 1; string value = 2 }
//
// It is read by hand: lines then point into the request instead of being copied, and unknown fields are skipped.

var errWire = errors.New("not a valid protocol buffer")

// fields calls f for every field of a message.
func fields(b []byte, f func(num protowire.Number, typ protowire.Type, value []byte, number uint64) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errWire
		}
		b = b[n:]
		var value []byte
		var number uint64
		switch typ {
		case protowire.BytesType:
			value, n = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return errWire
		}
		b = b[n:]
		if err := f(num, typ, value, number); err != nil {
			return err
		}
	}
	return nil
}

// text views bytes of the request as a string. The request is never written to or used again.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func (p *parsed) decodeProtobuf(body []byte) ([]logs.Stream, error) {
	var out []logs.Stream
	err := fields(body, func(num protowire.Number, typ protowire.Type, value []byte, _ uint64) error {
		if num != 1 || typ != protowire.BytesType {
			return nil
		}
		st, err := p.decodeStream(value)
		if err != nil {
			return fmt.Errorf("stream %d: %w", len(out)+1, err)
		}
		out = append(out, st)
		return nil
	})
	return out, err
}

func (p *parsed) decodeStream(b []byte) (logs.Stream, error) {
	var st logs.Stream
	count := 0
	if err := fields(b, func(num protowire.Number, _ protowire.Type, _ []byte, _ uint64) error {
		if num == 2 {
			count++
		}
		return nil
	}); err != nil {
		return st, err
	}
	st.Entries = make([]logs.Entry, 0, count)
	var name string
	err := fields(b, func(num protowire.Number, typ protowire.Type, value []byte, _ uint64) error {
		if typ != protowire.BytesType {
			return nil
		}
		switch num {
		case 1:
			name = text(value)
		case 2:
			e, err := decodeEntry(value)
			if err != nil {
				return fmt.Errorf("entry %d: %w", len(st.Entries)+1, err)
			}
			st.Entries = append(st.Entries, e)
		}
		return nil
	})
	if err != nil {
		return st, err
	}
	st.Labels, err = p.get(name)
	return st, err
}

func decodeEntry(b []byte) (logs.Entry, error) {
	var e logs.Entry
	var meta labels.ScratchBuilder
	has := false
	err := fields(b, func(num protowire.Number, typ protowire.Type, value []byte, _ uint64) error {
		if typ != protowire.BytesType {
			return nil
		}
		switch num {
		case 1:
			return fields(value, func(num protowire.Number, typ protowire.Type, _ []byte, number uint64) error {
				if typ == protowire.VarintType && num == 1 {
					e.Timestamp += int64(number) * 1e9
				}
				if typ == protowire.VarintType && num == 2 {
					e.Timestamp += int64(int32(number))
				}
				return nil
			})
		case 2:
			e.Line = text(value)
		case 3:
			var name, val string
			if err := fields(value, func(num protowire.Number, typ protowire.Type, value []byte, _ uint64) error {
				if typ == protowire.BytesType && num == 1 {
					name = string(value)
				}
				if typ == protowire.BytesType && num == 2 {
					val = string(value)
				}
				return nil
			}); err != nil {
				return err
			}
			if name != "" && val != "" {
				meta.Add(name, val)
				has = true
			}
		}
		return nil
	})
	if has {
		e.Metadata = sorted(&meta)
	}
	return e, err
}

// sorted builds a label set in which the last of several values of a name counts.
func sorted(b *labels.ScratchBuilder) labels.Labels {
	b.Sort()
	ls := b.Labels()
	if _, twice := ls.HasDuplicateLabelNames(); !twice {
		return ls
	}
	m := map[string]string{}
	ls.Range(func(l labels.Label) { m[l.Name] = l.Value })
	return labels.FromMap(m)
}

// EncodeProtobuf writes streams as a push request, for those who push.
func EncodeProtobuf(streams []logs.Stream) []byte {
	var out, stream, entry, part []byte
	for _, st := range streams {
		stream = protowire.AppendTag(stream[:0], 1, protowire.BytesType)
		stream = protowire.AppendString(stream, st.Labels.String())
		for _, e := range st.Entries {
			part = protowire.AppendTag(part[:0], 1, protowire.VarintType)
			part = protowire.AppendVarint(part, uint64(floorDiv(e.Timestamp)))
			if nanos := e.Timestamp - floorDiv(e.Timestamp)*1e9; nanos != 0 {
				part = protowire.AppendTag(part, 2, protowire.VarintType)
				part = protowire.AppendVarint(part, uint64(nanos))
			}
			entry = protowire.AppendTag(entry[:0], 1, protowire.BytesType)
			entry = protowire.AppendBytes(entry, part)
			entry = protowire.AppendTag(entry, 2, protowire.BytesType)
			entry = protowire.AppendString(entry, e.Line)
			e.Metadata.Range(func(l labels.Label) {
				part = protowire.AppendTag(part[:0], 1, protowire.BytesType)
				part = protowire.AppendString(part, l.Name)
				part = protowire.AppendTag(part, 2, protowire.BytesType)
				part = protowire.AppendString(part, l.Value)
				entry = protowire.AppendTag(entry, 3, protowire.BytesType)
				entry = protowire.AppendBytes(entry, part)
			})
			stream = protowire.AppendTag(stream, 2, protowire.BytesType)
			stream = protowire.AppendBytes(stream, entry)
		}
		out = protowire.AppendTag(out, 1, protowire.BytesType)
		out = protowire.AppendBytes(out, stream)
	}
	return out
}

// floorDiv is whole seconds, rounded down.
func floorDiv(ns int64) int64 {
	s := ns / 1e9
	if ns%1e9 < 0 {
		s--
	}
	return s
}
