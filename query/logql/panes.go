package logql

// panes cut the time that the windows of a range aggregation cover into pieces, so that each window is a run of whole
// pieces. An entry is added to one piece, however many windows hold it, and pieces are put together for each window
// afterwards. (The technique is that of Li et al., "No Pane, No Gain", SIGMOD Record 34(1), 2005.)
//
// Window i is (at(i)-length, at(i)]. All times are in nanoseconds.
type panes struct {
	origin int64 // the end of window 0
	step   int64
	n      int
	length int64
	whole  int64 // steps in a window
	part   int64 // what a window has beside them; a cell is then two panes
	// Cells from core to 0 are in every window and count as one.
	core int64
	low  int64 // number of the first cell, after that
}

func newPanes(g grid, length, offset int64) *panes {
	p := &panes{origin: g.start - offset, step: g.step, n: g.n, length: length}
	if g.n == 1 {
		p.step = length
	}
	p.whole, p.part = length/p.step, length%p.step
	p.core = min(int64(p.n)-p.whole, 0)
	first := -p.whole
	if p.part == 0 {
		first++
	}
	p.low = p.squeeze(first)
	return p
}

// squeeze numbers cells with those of the core as one.
func (p *panes) squeeze(cell int64) int64 {
	switch {
	case cell > 0:
		return cell
	case cell >= p.core:
		return 0
	}
	return cell - p.core
}

// first and last bound the time that the windows cover: first <= t < last.
func (p *panes) first() int64 { return p.origin - p.length + 1 }

func (p *panes) last() int64 { return p.origin + int64(p.n-1)*p.step + 1 }

// index is the pane of a time, or -1 if no window holds it.
func (p *panes) index(t int64) int32 {
	x := t - p.origin
	cell := x / p.step
	if x > 0 && x%p.step != 0 {
		cell++
	}
	c := p.squeeze(cell) - p.low
	if p.part == 0 {
		return int32(c)
	}
	if cell*p.step-p.part < x { // the upper part of the cell
		return int32(2*c + 1)
	}
	if p.whole == 0 {
		return -1
	}
	return int32(2 * c)
}

// window is the first and the last pane of a window.
func (p *panes) window(i int) (first, last int32) {
	from := int64(i) - p.whole
	if p.part == 0 {
		return int32(p.squeeze(from+1) - p.low), int32(p.squeeze(int64(i)) - p.low)
	}
	return int32(2*(p.squeeze(from)-p.low) + 1), int32(2*(p.squeeze(int64(i))-p.low) + 1)
}

// width is the greatest width of buckets that begin at first of which none lies in two panes.
func (p *panes) width() int64 {
	if p.n == 1 {
		return p.length
	}
	a, b := p.length, p.step
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
