package lab

import (
	"fmt"
	"math"
	"strings"
)

// scale is a logarithmic axis.
type scale struct{ low, high float64 } // powers of ten

// scaleOf spans the values of a measure in all curves, in whole powers of ten.
func scaleOf(curves []Curve, measure string) scale {
	s := scale{math.Inf(1), math.Inf(-1)}
	for _, c := range curves {
		for i := range c.Points {
			if v, ok := c.Points[i].shown(measure); ok {
				s.low, s.high = min(s.low, math.Floor(math.Log10(v))), max(s.high, math.Ceil(math.Log10(v)))
			}
		}
	}
	if s.low >= s.high { // one power of ten exactly, or nothing at all
		s.low, s.high = max(s.high, -300)-1, max(s.high, -300)
	}
	return s
}

// at is where v lies, from 0 to 1.
func (s scale) at(v float64) float64 { return (math.Log10(v) - s.low) / (s.high - s.low) }

// shown is a measure as a plot shows it: bytes per second, or seconds.
func (p *Point) shown(measure string) (float64, bool) {
	v, ok := p.value(measure)
	if measure == RoundTrip && ok {
		return p.RoundTripNs / 1e9, true
	}
	return v, ok
}

// tick writes a power of ten for people.
func tick(measure string, exponent int) string {
	prefixes := map[int]string{-9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
	third := int(math.Floor(float64(exponent)/3)) * 3
	unit := "B/s"
	if measure == RoundTrip {
		unit = "s"
	}
	return fmt.Sprintf("%.0f %s%s", math.Pow10(exponent-third), prefixes[third], unit)
}

const (
	plotWidth  = 76
	plotHeight = 18
)

// Plot draws a measure over the sizes with both axes logarithmic: a transport's mark at
// each size, and in between its small letter; + where two meet; on the axis ^ where a
// lead changes.
func Plot(r *CompareResult, measure string, label func(int) string) string {
	curves, sizes := r.Curves, r.Sizes
	y := scaleOf(curves, measure)
	grid := make([][]rune, plotHeight)
	for i := range grid {
		grid[i] = []rune(strings.Repeat(" ", plotWidth))
	}
	x := axisOf(sizes)
	for _, c := range curves {
		drawLine(grid, c, measure, x, y)
	}
	for _, c := range curves {
		drawMarks(grid, c, measure, x, y)
	}
	var b strings.Builder
	for row, line := range grid {
		name := ""
		for e := int(y.low); e <= int(y.high); e++ {
			if rowOf(y, math.Pow10(e)) == row {
				name = tick(measure, e)
			}
		}
		fmt.Fprintf(&b, "%9s |%s\n", name, strings.TrimRight(string(line), " "))
	}
	axis, labels := []rune(strings.Repeat("-", plotWidth)), []rune(strings.Repeat(" ", plotWidth+12))
	free := 0
	for _, size := range sizes {
		at := column(x, float64(size))
		axis[at] = '+'
		if text := label(size); at >= free {
			copy(labels[at:], []rune(text))
			free = at + len(text) + 1
		}
	}
	for _, c := range r.Cross {
		for _, at := range c.At {
			if c.Measure == measure {
				axis[column(x, at)] = '^'
			}
		}
	}
	fmt.Fprintf(&b, "%9s +%s\n%9s  %s\n", "", string(axis), "", strings.TrimRight(string(labels), " "))
	return b.String()
}

// axisOf is the axis of the sizes, which need not end at powers of ten.
func axisOf(sizes []int) scale {
	s := scale{math.Log10(float64(sizes[0])), math.Log10(float64(sizes[len(sizes)-1]))}
	if s.low == s.high {
		s.high++
	}
	return s
}

func column(x scale, size float64) int { return int(math.Round(x.at(size) * (plotWidth - 1))) }

func rowOf(y scale, v float64) int { return plotHeight - 1 - int(math.Round(y.at(v)*(plotHeight-1))) }

func drawMarks(grid [][]rune, c Curve, measure string, x, y scale) {
	for i := range c.Points {
		if v, ok := c.Points[i].shown(measure); ok {
			row, at := rowOf(y, v), column(x, float64(c.Points[i].Size))
			if cell := grid[row][at]; cell >= 'A' && cell <= 'Z' || cell == '+' {
				grid[row][at] = '+'
			} else {
				grid[row][at] = c.Mark
			}
		}
	}
}

// drawLine joins neighbouring points, straight in the logarithms.
func drawLine(grid [][]rune, c Curve, measure string, x, y scale) {
	small := c.Mark + 'a' - 'A'
	for i := 1; i < len(c.Points); i++ {
		v, ok := c.Points[i-1].shown(measure)
		w, both := c.Points[i].shown(measure)
		if !ok || !both {
			continue
		}
		from, to := column(x, float64(c.Points[i-1].Size)), column(x, float64(c.Points[i].Size))
		for at := from + 1; at < to; at++ {
			part := float64(at-from) / float64(to-from)
			row := rowOf(y, v*math.Pow(w/v, part))
			if cell := grid[row][at]; cell == ' ' {
				grid[row][at] = small
			} else {
				grid[row][at] = '+'
			}
		}
	}
}
