package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"ringway/bench"
)

// growth draws what an element costs while rings, slots or producers become more: a plot for each, a line for each who and size.
func (d *drawing) growth() {
	axes := map[string]string{
		"rings": "rings between one pair of processes", "slots": "slots of one ring",
		"producers": "producers beside one consumer; two and more share a CPU",
	}
	for _, axis := range []string{"rings", "slots", "producers"} {
		var lines []growthLine
		for _, r := range d.of(func(r bench.Row) bool { a, _, ok := r.Growth(); return ok && a == axis }) {
			name := fmt.Sprintf("%s, %d bytes", r.By, r.Size)
			i := slices.IndexFunc(lines, func(l growthLine) bool { return l.name == name })
			if i < 0 {
				i, lines = len(lines), append(lines, growthLine{series: series{name: name}})
			}
			_, step, _ := r.Growth()
			lines[i].points = append(lines[i].points, plotter.XY{X: float64(step), Y: r.Median})
			lines[i].spread = append(lines[i].spread, struct{ Low, High float64 }{r.Median - r.Min, r.Max - r.Median})
		}
		lines = slices.DeleteFunc(lines, func(l growthLine) bool { return len(l.points) < 2 })
		if len(lines) == 0 {
			continue
		}
		title := fmt.Sprintf("Cost as it grows: %s, %s", axis, d.regime)
		svg, err := overSteps(title, axes[axis], lines)
		d.add(title, svg, err)
	}
}

// growthLine is a line with the least and largest sample of each point, as distances from it.
type growthLine struct {
	series
	spread plotter.YErrors
}

// overSteps draws time per element over powers of two. What lies far above all medians is cut off.
func overSteps(title, x string, lines []growthLine) (string, error) {
	p := newPlot(title, x, "per element: median, least and largest")
	p.X.Scale = plot.LogScale{}
	var steps []float64
	top := 0.0
	for i, l := range lines {
		for _, xy := range l.points {
			steps, top = append(steps, xy.X), max(top, xy.Y)
		}
		if err := addLine(p, i, l.name, l.points, true); err != nil {
			return "", err
		}
	}
	top *= 1.25
	for i, l := range lines {
		for k, xy := range l.points {
			l.spread[k].High = min(l.spread[k].High, top-xy.Y)
		}
		e, err := plotter.NewYErrorBars(struct {
			plotter.XYs
			plotter.YErrors
		}{l.points, l.spread})
		if err != nil {
			return "", fmt.Errorf("%s: %w", l.name, err)
		}
		e.Color = colour(i)
		p.Add(e)
	}
	slices.Sort(steps)
	steps = slices.CompactFunc(steps, func(a, b float64) bool { return cmp.Compare(a, b) == 0 })
	ticks := make([]plot.Tick, len(steps))
	for i, v := range steps {
		ticks[i] = plot.Tick{Value: v, Label: count(v)}
	}
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	p.Y.Min, p.Y.Max = 0, top
	p.Y.Tick.Marker = linearTicks{duration}
	return p.svg(plotWidth, plotHeight)
}

// count writes a power of two: 64, 4 Ki, 1 Mi.
func count(v float64) string {
	n := int(v)
	for i, unit := range []string{" Mi", " Ki"} {
		if size := 1 << (20 - 10*i); n >= size && n%size == 0 {
			return strconv.Itoa(n/size) + unit
		}
	}
	return strconv.Itoa(n)
}

// linearTicks labels the default ticks in units a reader knows.
type linearTicks struct{ label func(v float64) string }

func (t linearTicks) Ticks(lo, hi float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(lo, hi)
	for i := range ticks {
		if ticks[i].Label != "" {
			ticks[i].Label = t.label(ticks[i].Value) + tickGap
		}
	}
	return ticks
}
