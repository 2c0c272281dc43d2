package peer

import (
	"errors"
	"math"
	"slices"

	"github.com/modelwatch/modelwatch/ai"
)

// nannyMLChunks is how many parts NannyML splits the reference into.
const nannyMLChunks = 10

// nannyML measures the Jensen-Shannon distance in base 2 over cells made from
// the reference alone, and says drift above the mean plus three deviations of
// that distance between parts of the reference and the whole. The order of the
// reference matters: its parts are consecutive.
func nannyML(ref, cur Sample) (Result, error) {
	t, err := NannyMLThreshold(ref, NannyMLJensenShannon)
	if err != nil {
		return Result{}, err
	}
	d := NannyMLJensenShannon(ref, cur)
	return decide("jensen_shannon", d, d, t, ai.Above, d > t), nil
}

// NannyMLThreshold returns the upper threshold for a distance.
func NannyMLThreshold(ref Sample, distance func(ref, cur Sample) float64) (float64, error) {
	size := ref.size() / nannyMLChunks
	if size == 0 {
		return 0, errors.New("nannyml: the reference has less than 10 values: it cannot be split in 10 parts")
	}
	var d []float64
	for from := 0; from < ref.size(); from += size {
		to := min(from+size, ref.size())
		part := Sample{}
		if ref.Categories != nil {
			part.Categories = ref.Categories[from:to]
		} else {
			part.Numbers = ref.Numbers[from:to]
		}
		d = append(d, distance(ref, part))
	}
	mean, sd := moments(d)
	return mean + 3*sd, nil
}

// NannyMLJensenShannon returns the Jensen-Shannon distance in base 2.
func NannyMLJensenShannon(ref, cur Sample) float64 { return jensenShannon(nannyMLShares(ref, cur)) }

// NannyMLHellinger returns the Hellinger distance.
func NannyMLHellinger(ref, cur Sample) float64 {
	p, q := nannyMLShares(ref, cur)
	var s float64
	for i := range p {
		d := math.Sqrt(p[i]) - math.Sqrt(q[i])
		s += d * d
	}
	return math.Sqrt(s) / math.Sqrt2
}

// NannyMLInfinity returns the largest difference of the shares of a category.
func NannyMLInfinity(ref, cur Sample) float64 {
	r, c := count(ref, cur)
	var d float64
	for i := range r {
		d = max(d, math.Abs(r[i]/float64(ref.size())-c[i]/float64(cur.size())))
	}
	return d
}

// nannyMLShares returns the shares of cells made from the reference: equal-width
// ones by Doane's rule for numbers, its own values for categories, and a last
// cell for what lies outside.
func nannyMLShares(ref, cur Sample) (p, q []float64) {
	if ref.Categories == nil {
		edges := Edges(ref.Numbers, Doane)
		p, q = Histogram(ref.Numbers, edges), Histogram(cur.Numbers, edges)
	} else {
		r, c := count(ref, cur)
		for i := range r {
			if r[i] > 0 {
				p, q = append(p, r[i]), append(q, c[i])
			}
		}
	}
	outside := float64(cur.size())
	for _, x := range q {
		outside -= x
	}
	p, q = append(p, 0), append(q, outside)
	for i := range p {
		p[i] /= float64(ref.size())
		q[i] /= float64(cur.size())
	}
	return slices.Clip(p), slices.Clip(q)
}
