package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"ringway/bench"
)

const (
	plotWidth  = vg.Length(640)
	plotHeight = vg.Length(360)
)

// Plot is one picture of a report.
type Plot struct {
	Name string // for a file: lower case, no blanks
	SVG  string
}

// series is a line or a set of bars.
type series struct {
	name   string
	points plotter.XYs
}

// curves draws percentiles: the share of slower operations falls by ten to the right, time grows by ten upwards.
func curves(title string, rows []bench.Row, name func(bench.Row) string) (string, error) {
	p := newPlot(title, "percentile", "latency")
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.Y.Tick.Marker = logTicks{duration}
	for i, r := range rows {
		var xy plotter.XYs
		for _, at := range r.Latency.Curve {
			if left := 100 - at.Percentile; left > 0 && left <= 50 && at.Ns > 0 {
				xy = append(xy, plotter.XY{X: 100 / left, Y: float64(at.Ns)})
			}
		}
		if len(xy) == 0 {
			continue
		}
		xy = append(xy, plotter.XY{X: max(float64(r.Latency.Count), xy[len(xy)-1].X), Y: float64(max(r.Latency.Max, 1))})
		if err := addLine(p, i, name(r), xy, false); err != nil {
			return "", err
		}
	}
	p.X.Tick.Marker = plot.TickerFunc(percentiles)
	return p.logSVG()
}

// logSVG draws a plot with two logarithmic axes, which need more than a point each, or "" if nothing was added.
func (p *picture) logSVG() (string, error) {
	if len(p.names) == 0 {
		return "", nil
	}
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		if a.Max <= a.Min {
			a.Max = a.Min * 10
		}
	}
	return p.svg(plotWidth, plotHeight)
}

// percentiles are 50 % and then one more nine each.
func percentiles(lo, hi float64) []plot.Tick {
	ticks := []plot.Tick{{Value: 2, Label: "50 %"}}
	for x, digits := 10.0, 0; x <= hi*1.001; x *= 10 {
		ticks = append(ticks, plot.Tick{Value: x, Label: fmt.Sprintf("%.*f %%", digits, 100-100/x)})
		if x > 10 {
			digits++
		}
	}
	return ticks
}

// overSize draws throughput against the size of a message.
func overSize(title string, lines []series) (string, error) {
	p := newPlot(title, "message", "payload per second")
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	var ticks []plot.Tick
	for i, s := range lines {
		slices.SortFunc(s.points, func(a, b plotter.XY) int { return cmp.Compare(a.X, b.X) })
		for _, xy := range s.points {
			ticks = append(ticks, plot.Tick{Value: xy.X, Label: bytesName(xy.X)})
		}
		if err := addLine(p, i, s.name, s.points, true); err != nil {
			return "", err
		}
	}
	p.X.Tick.Marker = plot.ConstantTicks(slices.CompactFunc(sorted(ticks), func(a, b plot.Tick) bool { return a.Value == b.Value }))
	p.Y.Tick.Marker = logTicks{func(v float64) string { return short(v/1e3) + " GB/s" }}
	return p.logSVG()
}

func sorted(ticks []plot.Tick) []plot.Tick {
	slices.SortFunc(ticks, func(a, b plot.Tick) int { return cmp.Compare(a.Value, b.Value) })
	return ticks
}

func addLine(p *picture, i int, name string, xy plotter.XYs, marks bool) error {
	line, points, err := plotter.NewLinePoints(xy)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	line.Color, line.Width, line.Dashes = colour(i), vg.Points(1.6), dashes(i)
	points.Color, points.Radius = colour(i), vg.Points(2)
	p.Add(line)
	if marks {
		p.Add(points)
	}
	p.name(name, line)
	return nil
}

// barGap is the room between the groups of bars, in bars.
const barGap = 0.8

// bars draws one group for each case, the first on top, and in it a bar for each entrant that has a value.
func bars(title, x string, cases []string, entrants []string, value func(name, by string) float64) (string, error) {
	p := newPlot(title, x, "")
	thick := vg.Points(9)
	named := map[string]bool{}
	var ticks []plot.Tick
	y := 0.0 // of the next bar's upper edge; downwards
	for _, name := range cases {
		top := y
		for i, by := range entrants {
			v := value(name, by)
			if v <= 0 {
				continue
			}
			b, err := plotter.NewPolygon(plotter.XYs{{X: 0, Y: y}, {X: v, Y: y}, {X: v, Y: y - 1}, {X: 0, Y: y - 1}})
			if err != nil {
				return "", fmt.Errorf("%s: %w", by, err)
			}
			b.Color, b.LineStyle.Width = colour(i), 0
			p.Add(b)
			if !named[by] {
				named[by] = true
				p.name(by, b)
			}
			y--
		}
		if y < top {
			ticks = append(ticks, plot.Tick{Value: (top + y) / 2, Label: name})
			p.labels = append(p.labels, name)
			y -= barGap
		}
	}
	if len(ticks) == 0 {
		return "", nil
	}
	p.Y.Tick.Marker = plot.ConstantTicks(ticks)
	p.Y.LineStyle.Width, p.Y.Tick.LineStyle.Width = 0, 0 // the length keeps the labels off the bars
	p.X.Min, p.Y.Max, p.Y.Min = 0, 0, y+barGap
	return p.svg(plotWidth, thick*vg.Length(-y)+vg.Points(70))
}

// slug makes a file name of a title.
func slug(title string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, title), "-")
}
