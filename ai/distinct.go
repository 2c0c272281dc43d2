package ai

import (
	"encoding/base64"
	"fmt"
	"math"
	"math/bits"
)

// DistinctRegisters is the number of registers of a Distinct, one byte each.
const DistinctRegisters = 256

// Distinct estimates the number of different values in bounded memory. Its
// standard error is 1.04/√256 = 6.5 %, and small numbers (up to about 100) are
// nearly exact. Merging takes the larger of each register, so it is exact: the
// merged estimate equals that of all values together.
//
// Source: Flajolet, Fusy, Gandouet, Meunier, "HyperLogLog: the analysis of a
// near-optimal cardinality estimation algorithm", AofA 2007, with its linear
// counting for small numbers and 64-bit hashes.
type Distinct struct {
	Registers [DistinctRegisters]uint8
}

// AddHash counts a value by its 64-bit hash.
func (d *Distinct) AddHash(h uint64) {
	// The top 8 bits choose the register; the rank is the position of the first
	// one in the other 56, which the sentinel bit bounds to 57.
	i := h >> 56
	rank := uint8(bits.LeadingZeros64(h<<8|1<<7)) + 1
	if rank > d.Registers[i] {
		d.Registers[i] = rank
	}
}

// AddNumber counts a number.
func (d *Distinct) AddNumber(x float64) { d.AddHash(HashNumber(x)) }

// AddString counts a string.
func (d *Distinct) AddString(s string) { d.AddHash(HashString(s)) }

// Merge adds what o has counted.
func (d *Distinct) Merge(o *Distinct) {
	for i, r := range o.Registers {
		d.Registers[i] = max(d.Registers[i], r)
	}
}

// Estimate returns the estimated number of different values.
func (d *Distinct) Estimate() float64 {
	const m = DistinctRegisters
	var sum float64
	var zeros int
	for _, r := range d.Registers {
		sum += 1 / float64(uint64(1)<<r)
		if r == 0 {
			zeros++
		}
	}
	const alpha = 0.7213 / (1 + 1.079/float64(m))
	estimate := alpha * m * m / sum
	if estimate <= 2.5*m && zeros > 0 {
		return m * math.Log(float64(m)/float64(zeros))
	}
	return estimate
}

// HashNumber returns the 64-bit hash by which numbers are counted as different.
// Both zeros hash alike.
func HashNumber(x float64) uint64 { return mix(math.Float64bits(x + 0)) }

// HashString returns the 64-bit hash by which strings are counted as different:
// the same on every machine and in every run, which stored registers need.
func HashString(s string) uint64 { return mix(hashString(s)) }

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable
// pseudorandom number generators", OOPSLA 2014).
func mix(h uint64) uint64 {
	h += 0x9e3779b97f4a7c15
	h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9
	h = (h ^ (h >> 27)) * 0x94d049bb133111eb
	return h ^ (h >> 31)
}

// hashString is 64-bit FNV-1a.
func hashString(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// MarshalText implements encoding.TextMarshaler: the registers in base64.
func (d *Distinct) MarshalText() ([]byte, error) {
	return base64.StdEncoding.AppendEncode(nil, d.Registers[:]), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Distinct) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil {
		return fmt.Errorf("decode distinct registers: %w", err)
	}
	if len(raw) != DistinctRegisters {
		return fmt.Errorf("decode distinct registers: %d of them, want %d", len(raw), DistinctRegisters)
	}
	copy(d.Registers[:], raw)
	return nil
}
