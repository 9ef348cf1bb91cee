package report

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// ink is the colours of the entrants in their order, Ringway first: the palette of Okabe and Ito, which colour-blind people
// can tell apart (https://jfly.uni-koeln.de/color/).
var ink = []color.RGBA{
	{0x00, 0x72, 0xb2, 0xff}, {0xd5, 0x5e, 0x00, 0xff}, {0x00, 0x9e, 0x73, 0xff}, {0xcc, 0x79, 0xa7, 0xff},
	{0xe6, 0x9f, 0x00, 0xff}, {0x56, 0xb4, 0xe9, 0xff}, {0x55, 0x55, 0x55, 0xff}, {0xa0, 0x90, 0x20, 0xff},
}

var pale = color.RGBA{0xdd, 0xdd, 0xdd, 0xff}

// colour of the i-th entrant; after the last they begin again with other dashes.
func colour(i int) color.RGBA { return ink[i%len(ink)] }

func dashes(i int) []vg.Length {
	return [][]vg.Length{nil, {vg.Points(6), vg.Points(3)}, {vg.Points(2), vg.Points(2)}}[i/len(ink)%3]
}

// picture is a plot with its legend beside it, where it hides nothing.
type picture struct {
	*plot.Plot
	legend plot.Legend
	names  []string
	labels []string // of groups of bars, each of which ends at the axis
}

// wider is how much wider than the face that gonum measures with another may be.
const wider = 0.18

func (p *picture) name(name string, t plot.Thumbnailer) {
	p.legend.Add(name, t)
	p.names = append(p.names, name)
}

// newPlot has a title, axes without a box, a grid behind and a sans-serif face.
func newPlot(title, x, y string) *picture {
	p, legend := plot.New(), plot.NewLegend()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	for _, s := range []*font.Font{&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font,
		&p.X.Tick.Label.Font, &p.Y.Tick.Label.Font, &legend.TextStyle.Font} {
		s.Variant, s.Size = "Sans", vg.Points(9)
	}
	p.Title.TextStyle.Font.Size, p.Title.Padding = vg.Points(11), vg.Points(6)
	g := plotter.NewGrid()
	g.Horizontal.Color, g.Vertical.Color = pale, pale
	p.Add(g)
	legend.Top, legend.Left, legend.Padding, legend.ThumbnailWidth = true, true, vg.Points(2), vg.Points(18)
	return &picture{Plot: p, legend: legend}
}

// tickGap keeps a label off its tick.
const tickGap = "\u00a0"

// logTicks labels 1, 2 and 5 of each decade, in units a reader knows.
type logTicks struct{ label func(v float64) string }

func (t logTicks) Ticks(lo, hi float64) (ticks []plot.Tick) {
	for decade := math.Pow(10, math.Floor(math.Log10(lo))); decade <= hi; decade *= 10 {
		for m := 1.0; m < 10; m++ {
			v := m * decade
			if v < lo*0.999 || v > hi*1.001 {
				continue
			}
			tick := plot.Tick{Value: v}
			if m == 1 || m == 2 || m == 5 {
				tick.Label = t.label(v) + tickGap
			}
			ticks = append(ticks, tick)
		}
	}
	return ticks
}

// duration writes ns.
func duration(ns float64) string {
	switch {
	case ns >= 1e9:
		return short(ns/1e9) + " s"
	case ns >= 1e6:
		return short(ns/1e6) + " ms"
	case ns >= 1e3:
		return short(ns/1e3) + " µs"
	}
	return short(ns) + " ns"
}

// short writes three digits.
func short(v float64) string {
	if v >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

func bytesName(n float64) string {
	units := []string{" B", " KiB", " MiB", " GiB"}
	i := 0
	for n >= 1024 && i < len(units)-1 {
		n, i = n/1024, i+1
	}
	return short(n) + units[i]
}

// svg draws p in the given size, the legend to the right of that.
func (p *picture) svg(width, height vg.Length) (string, error) {
	wide := vg.Length(0)
	for _, name := range p.names {
		wide = max(wide, p.legend.TextStyle.Width(name))
	}
	const gap = vg.Length(14) // also for half of the last label of the axis
	wide += wider*wide + p.legend.ThumbnailWidth + 3*gap
	c := vgsvg.New(width+wide, height)
	all := draw.New(c)
	left := vg.Points(4)
	for _, label := range p.labels {
		left = max(left, wider*p.legend.TextStyle.Width(label))
	}
	p.Draw(draw.Crop(all, left, -wide, vg.Points(4), -vg.Points(4)))
	p.legend.Draw(draw.Crop(all, width+gap+gap/2, 0, 0, -vg.Points(30)))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return "", fmt.Errorf("cannot draw %q: %w", p.Title.Text, err)
	}
	_, text, _ := strings.Cut(b.String(), "?>") // an XML declaration has no place within HTML
	return strings.TrimSpace(p.keepWidths(text, width+gap)), nil
}

var textPattern = regexp.MustCompile(`<text x="([-\d.e]+)"([^>]*)font-size:([\d.]+)px">([^<]*)</text>`)

// keepWidths prepares for viewers without the face that gonum measures with: each text says how wide it is, and where that is not
// heeded it still ends at the bars, begins behind its line in the legend, which is right of legendAt, or else spreads to both sides.
func (p *picture) keepWidths(svg string, legendAt vg.Length) string {
	svg = textPattern.ReplaceAllStringFunc(svg, func(element string) string {
		m := textPattern.FindStringSubmatch(element)
		x, err1 := strconv.ParseFloat(m[1], 64)
		size, err2 := strconv.ParseFloat(m[3], 64)
		if err1 != nil || err2 != nil {
			return element
		}
		style := p.legend.TextStyle
		style.Font.Size = vg.Length(size)
		label := html.UnescapeString(m[4])
		wide := style.Width(label).Points()
		anchor := "middle"
		switch {
		case x >= legendAt.Points():
			anchor = "start"
		case slices.Contains(p.labels, label):
			anchor, x = "end", x+wide
		default:
			x += wide / 2
		}
		return fmt.Sprintf(`<text x="%.2f" text-anchor="%s" textLength="%.2f" lengthAdjust="spacingAndGlyphs"%sfont-size:%spx">%s</text>`,
			x, anchor, wide, m[2], m[3], m[4])
	})
	return strings.ReplaceAll(svg, "font-family:Liberation Sans", "font-family:Liberation Sans,Arial,Helvetica,sans-serif")
}
