package lab

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The picture of a comparison, drawn by hand: two charts of some lines each need no
// library, and whoever imports Ringway should not have to download one.

const (
	chartWidth  = 760
	chartHeight = 380
	marginLeft  = 90
	marginRight = 110
	marginTop   = 44
	marginUnder = 52
)

// colors are told apart by most eyes, on white and on black (Okabe and Ito, 2008).
var colors = map[string]string{"ring": "#d55e00", "monitor": "#cc79a7", "pipe": "#0072b2", "socket": "#009e73", "mq": "#e69f00"}

// SVG draws throughput and round trip over the size of messages, one below the other.
func SVG(r *CompareResult, machine string, label func(int) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12" fill="#222">`+"\n",
		chartWidth, 2*chartHeight+24, chartWidth, 2*chartHeight+24)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/>`+"\n")
	chart(&b, r, Throughput, "Throughput between two processes", 0, label)
	chart(&b, r, RoundTrip, "Round trip between two processes (median)", chartHeight, label)
	fmt.Fprintf(&b, `<text x="%d" y="%d" font-size="10" fill="#666">%s</text>`+"\n</svg>\n", marginLeft, 2*chartHeight+12, html.EscapeString("ringway lab compare; "+machine))
	return b.String()
}

func chart(b *strings.Builder, r *CompareResult, measure, title string, top int, label func(int) string) {
	x, y := axisOf(r.Sizes), scaleOf(r.Curves, measure)
	wide, high := float64(chartWidth-marginLeft-marginRight), float64(chartHeight-marginTop-marginUnder)
	px := func(size float64) float64 { return marginLeft + x.at(size)*wide }
	py := func(v float64) float64 { return float64(top+marginTop) + (1-y.at(v))*high }
	fmt.Fprintf(b, `<text x="%d" y="%d" font-size="15">%s</text>`+"\n", marginLeft, top+26, title)
	for e := int(y.low); e <= int(y.high); e++ {
		at := py(math.Pow10(e))
		fmt.Fprintf(b, `<path d="M%d %.1fh%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", marginLeft, at, wide, marginLeft-8, at+4, tick(measure, e))
	}
	for _, size := range r.Sizes {
		at := px(float64(size))
		fmt.Fprintf(b, `<path d="M%.1f %dv%.1f" stroke="#eee"/><text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`+"\n", at, top+marginTop, high, at, float64(top+marginTop)+high+18, label(size))
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle">size of a message, bytes</text>`+"\n", marginLeft+wide/2, float64(top+marginTop)+high+38)
	for _, c := range r.Cross {
		for _, at := range c.At {
			if c.Measure == measure {
				fmt.Fprintf(b, `<path d="M%.1f %dv%.1f" stroke="%s" stroke-dasharray="4 4"><title>%s crosses %s at %s</title></path>`+"\n",
					px(at), top+marginTop, high, colors[c.Passing], c.Shared, c.Passing, label(int(at)))
			}
		}
	}
	below := math.Inf(-1) // so that names at the ends of lines do not lie on each other
	for _, c := range byEnd(r.Curves, measure) {
		path, last := "M", ""
		var endX, endY float64
		for i := range c.Points {
			if v, ok := c.Points[i].shown(measure); ok {
				endX, endY = px(float64(c.Points[i].Size)), py(v)
				path += fmt.Sprintf("%.1f %.1f ", endX, endY)
				last += fmt.Sprintf(`<circle cx="%.1f" cy="%.1f" r="3"><title>%s, %s</title></circle>`, endX, endY, c.Name, label(c.Points[i].Size))
			}
		}
		if last == "" {
			continue
		}
		name := endY
		if endX > px(float64(r.Sizes[len(r.Sizes)-1]))-1 {
			name = max(endY, below+14)
			below = name
		}
		fmt.Fprintf(b, `<g fill="%s"><path d="%s" fill="none" stroke="%s" stroke-width="2"/>%s<text x="%.1f" y="%.1f">%s</text></g>`+"\n",
			colors[c.Name], strings.TrimSpace(path), colors[c.Name], last, endX+8, name+4, c.Name)
	}
}

// byEnd sorts the curves by where they end in the chart, from the top.
func byEnd(curves []Curve, measure string) []Curve {
	sorted := append([]Curve(nil), curves...)
	end := func(c Curve) (v float64) {
		for i := range c.Points {
			if w, ok := c.Points[i].shown(measure); ok {
				v = w
			}
		}
		return v
	}
	for i := range sorted { // a handful
		for k := i; k > 0 && end(sorted[k]) > end(sorted[k-1]); k-- {
			sorted[k], sorted[k-1] = sorted[k-1], sorted[k]
		}
	}
	return sorted
}

// HTML is a page of its own with the picture, the figures and the text that explains them.
func HTML(r *CompareResult, machine, lesson, figures string, label func(int) string) string {
	return fmt.Sprintf(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Shared memory against message passing</title>
<style>body{font:16px/1.5 sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}pre{overflow-x:auto;font-size:13px}svg{max-width:100%%;height:auto}</style>
<h1>Shared memory against message passing</h1>
<p>%s</p>
%s<pre>%s</pre>
<p><small>ringway lab compare; %s</small></p>
</html>
`, html.EscapeString(lesson), SVG(r, machine, label), html.EscapeString(figures), html.EscapeString(machine))
}
