package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gonum.org/v1/plot/plotter"

	"ringway/bench"
)

// regimeNames says what a placement class is.
var regimeNames = map[string]string{
	"S": "S: two threads of one core", "N": "N: two cores under one last-level cache",
	"F": "F: two different last-level caches", "any": "asleep, wherever the host had put the CPUs",
}

// section is the plots of one placement class.
type section struct {
	Regime, Title string
	Plots         []Plot
}

// sections draws whatever the rows give, the class that has most of them first.
func sections(rows []bench.Row) (all []section, err error) {
	count := map[string]int{}
	for _, r := range rows {
		count[r.Regime]++
	}
	regimes := slices.SortedFunc(maps.Keys(count), func(a, b string) int {
		return cmp.Or(cmp.Compare(b2i(a == "any"), b2i(b == "any")), count[b]-count[a], cmp.Compare(a, b))
	})
	for _, regime := range regimes {
		d := drawing{rows: rows, regime: regime}
		if regime != "any" {
			d.latency("Round trip", func(r bench.Row) bool { return r.What == bench.RoundTrip })
			d.latency("One way at a fixed rate, from when each was due", func(r bench.Row) bool { return r.What == bench.OneWay })
			d.elements()
			d.growth()
			d.messages("Messages", func(r bench.Row) bool { return strings.HasPrefix(r.Case, "Msg") })
		}
		d.peers()
		if d.err != nil {
			return nil, d.err
		}
		if len(d.plots) > 0 {
			all = append(all, section{regime, regimeNames[regime], d.plots})
		}
	}
	return all, nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// drawing collects the plots of one class.
type drawing struct {
	rows   []bench.Row
	regime string
	plots  []Plot
	err    error
}

func (d *drawing) add(title, svg string, err error) {
	if d.err = cmp.Or(d.err, err); err == nil && svg != "" {
		d.plots = append(d.plots, Plot{slug(title), svg})
	}
}

// of returns the rows of the class that pass and can be drawn.
func (d *drawing) of(pass func(bench.Row) bool) (rows []bench.Row) {
	for _, r := range d.rows {
		if r.Regime == d.regime && r.Size > 0 && r.Median > 0 && pass(r) {
			rows = append(rows, r)
		}
	}
	return rows
}

// part returns what follows key= in the name of a case, "" if there is none.
func part(name, key string) string {
	for p := range strings.SplitSeq(name, "/") {
		if v, ok := strings.CutPrefix(p, key+"="); ok {
			return v
		}
	}
	return ""
}

// latency draws percentile curves, a plot for each size; round trips of sleepers, which have no class, are drawn along.
func (d *drawing) latency(what string, pass func(bench.Row) bool) {
	bySize := map[int][]bench.Row{}
	for _, r := range d.rows {
		if r.Latency != nil && pass(r) && (r.Regime == d.regime || r.Regime == "any") {
			bySize[r.Size] = append(bySize[r.Size], r)
		}
	}
	for _, size := range slices.Sorted(maps.Keys(bySize)) {
		rows := bySize[size]
		if !slices.ContainsFunc(rows, func(r bench.Row) bool { return r.Regime == d.regime }) {
			continue
		}
		title := fmt.Sprintf("%s, %d bytes, %s", what, size, d.regime)
		svg, err := curves(title, rows, curveName)
		d.add(title, svg, err)
	}
}

// curveName is kind, wait strategy and rate, and who, unless it is Ringway.
func curveName(r bench.Row) string {
	name := strings.SplitN(r.Case, "/", 2)[0] + " " + part(r.Case, "wait")
	if rate := part(r.Case, "rate"); rate != "" {
		name += ", " + rate + "/s"
	}
	if r.By != "ringway" {
		name += ", " + r.By
	}
	return name
}

// elements draws millions of elements a second, a plot for each size and number of slots.
func (d *drawing) elements() {
	type group struct{ size, slots int }
	groups := map[group][]bench.Row{}
	for _, r := range d.of(func(r bench.Row) bool {
		return r.What == bench.Throughput && !strings.HasPrefix(r.Case, "Msg") && !strings.HasPrefix(r.Case, peersPrefix) && !strings.HasPrefix(r.Case, "Grow/")
	}) {
		g := group{r.Size, r.Slots}
		groups[g] = append(groups[g], r)
	}
	for _, g := range slices.SortedFunc(maps.Keys(groups), func(a, b group) int {
		return cmp.Or(cmp.Compare(a.slots, b.slots), cmp.Compare(a.size, b.size))
	}) {
		title := fmt.Sprintf("Elements of %d bytes, %d slots, %s", g.size, g.slots, d.regime)
		d.rates(title, groups[g], func(r bench.Row) string {
			name, _, _ := strings.Cut(r.Case, "/size=")
			if r.Crowded {
				name += " (oversubscribed)"
			}
			return name
		})
	}
}

// rates draws bars of millions a second.
func (d *drawing) rates(title string, rows []bench.Row, name func(bench.Row) string) {
	d.bars(title, "millions per second", rows, name, func(r bench.Row) float64 { return 1e3 / r.Median })
}

func (d *drawing) bars(title, x string, rows []bench.Row, name func(bench.Row) string, value func(bench.Row) float64) {
	var cases, entrants []string
	values := map[[2]string]float64{}
	for _, r := range rows {
		c := name(r)
		if !slices.Contains(cases, c) {
			cases = append(cases, c)
		}
		if !slices.Contains(entrants, r.By) {
			entrants = append(entrants, r.By)
		}
		values[[2]string{c, r.By}] = value(r)
	}
	svg, err := bars(title, x, cases, entrants, func(c, by string) float64 { return values[[2]string{c, by}] })
	d.add(title, svg, err)
}

// messages draws payload a second over the size of a message, of each entrant the better of its rings.
func (d *drawing) messages(title string, pass func(bench.Row) bool) {
	rows := d.of(func(r bench.Row) bool { return r.What == bench.Throughput && pass(r) })
	var lines []series
	add := func(name string, size int, mbs float64) {
		i := slices.IndexFunc(lines, func(s series) bool { return s.name == name })
		if i < 0 {
			i, lines = len(lines), append(lines, series{name: name})
		}
		at := slices.IndexFunc(lines[i].points, func(p plotter.XY) bool { return p.X == float64(size) })
		if at < 0 {
			lines[i].points = append(lines[i].points, plotter.XY{X: float64(size), Y: mbs})
		} else if p := &lines[i].points[at]; mbs > p.Y {
			p.Y = mbs
		}
	}
	for _, r := range rows {
		name := r.By
		if kind, _, ok := strings.Cut(r.Case, "/size="); ok && r.By == "ringway" {
			name = "ringway " + kind
		}
		if r.MBs > 0 {
			add(name, r.Size, r.MBs)
		}
		if r.Stream > 0 {
			add("raw stream", r.Size, r.Stream)
		}
	}
	lines = slices.DeleteFunc(lines, func(s series) bool { return len(s.points) < 2 })
	if len(lines) > 0 {
		title += ", " + d.regime
		svg, err := overSize(title, lines)
		d.add(title, svg, err)
	}
}

// peers draws the tables of bench/peers: a bar for each peer, and throughput over size of those that are in several.
func (d *drawing) peers() {
	tables := map[string][]bench.Row{}
	var order []string
	for _, r := range d.of(func(r bench.Row) bool { return strings.HasPrefix(r.Case, peersPrefix) }) {
		if tables[r.Case] == nil {
			order = append(order, r.Case)
		}
		tables[r.Case] = append(tables[r.Case], r)
	}
	for _, name := range order {
		rows := tables[name]
		title := strings.TrimPrefix(name, peersPrefix) + ", " + d.regime
		x, value := "millions per second", func(r bench.Row) float64 { return 1e3 / r.Median }
		if rows[0].What == bench.RoundTrip {
			x, value = "µs a round trip", func(r bench.Row) float64 { return r.Median / 1e3 }
		}
		one := slices.Clone(rows)
		for i := range one {
			one[i].By = "median" // a bar each, of one colour
		}
		d.bars(title, x, one, func(r bench.Row) string {
			return rows[slices.IndexFunc(rows, func(o bench.Row) bool { return o.Median == r.Median && o.Min == r.Min && o.Max == r.Max })].By
		}, value)
	}
	d.messages("Messages, Ringway and peers", func(r bench.Row) bool {
		return strings.HasPrefix(r.Case, peersPrefix) && !strings.Contains(r.Case, "one process")
	})
}
