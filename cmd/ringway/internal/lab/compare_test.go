package lab

import (
	"math"
	"strings"
	"testing"
)

func TestMessagesAreChecked(t *testing.T) {
	for _, size := range []int{8, 16, 24, 32, 40, 4096, 4104} {
		m := make([]byte, size)
		fill(m, 1<<40)
		if last, err := read(m, 1<<40); last || err != nil {
			t.Errorf("%d bytes: %v %v", size, last, err)
		}
		if _, err := read(m, 7); err == nil {
			t.Errorf("%d bytes: the wrong message was taken", size)
		}
		for _, at := range []int{8, size - 1} {
			if at < size && at >= 8 {
				m[at] ^= 0x10
				if _, err := read(m, 1<<40); err == nil {
					t.Errorf("%d bytes: byte %d was changed and nobody noticed", size, at)
				}
				m[at] ^= 0x10
			}
		}
		fill(m, lastMessage)
		if last, err := read(m, 3); !last || err != nil {
			t.Errorf("%d bytes: the last one: %v %v", size, last, err)
		}
	}
}

// curve makes one from bytes per second at 8, 64, 512, ...; 0 is missing. Round trips
// are its inverse.
func curve(name string, shared bool, mark rune, rates ...float64) Curve {
	c := Curve{Transport: Transport{Name: name, Shared: shared, Mark: mark}}
	for i, rate := range rates {
		p := Point{Size: 8 << (3 * i), BytesPerSecond: rate}
		if rate == 0 {
			p.Missing = "too large"
		} else {
			p.RoundTripNs = 1e12 / rate
		}
		c.Points = append(c.Points, p)
	}
	return c
}

func TestCrossings(t *testing.T) {
	for _, c := range []struct {
		name       string
		s, p       []float64
		first      string
		at         []float64
		least, top float64
		measured   int
	}{
		{"ahead", []float64{20, 40}, []float64{10, 10}, "shared", nil, 2, 4, 2},
		{"behind", []float64{10, 10}, []float64{20, 40}, "passing", nil, 0.25, 0.5, 2},
		{"level", []float64{10, 10}, []float64{11, 9}, "neither", nil, 10.0 / 11, 10.0 / 9, 2},
		{"crosses half way", []float64{10, 20}, []float64{20, 10}, "passing", []float64{math.Sqrt(8 * 64)}, 0.5, 2, 2},
		{"crosses over a level stretch", []float64{10, 10, 20}, []float64{20, 10, 10}, "passing", []float64{64}, 0.5, 2, 3},
		{"to and fro", []float64{20, 10, 20}, []float64{10, 20, 10}, "shared", []float64{math.Sqrt(8 * 64), math.Sqrt(64 * 512)}, 0.5, 2, 3},
		{"ends early", []float64{10, 20}, []float64{5, 0}, "shared", nil, 2, 2, 1},
		{"never both", []float64{0, 20}, []float64{5, 0}, "neither", nil, 0, 0, 0},
	} {
		for _, got := range crossings([]Curve{curve("s", true, 'S', c.s...), curve("p", false, 'P', c.p...)}) {
			good := got.First == c.first && len(got.At) == len(c.at) && math.Abs(got.Least-c.least) < 1e-9 && math.Abs(got.Most-c.top) < 1e-9 && got.Measured == c.measured
			for i := range c.at {
				good = good && math.Abs(got.At[i]-c.at[i]) < 1e-6*c.at[i]
			}
			if !good {
				t.Errorf("%s: %+v", c.name, got)
			}
		}
	}
}

// A plot has a mark for every point, wherever they lie.
func TestPlot(t *testing.T) {
	for _, c := range []struct {
		name   string
		curves []Curve
		marks  string
	}{
		{"two", []Curve{curve("a", true, 'A', 1e6, 1e7, 1e8), curve("b", false, 'B', 1e7, 2e7, 3e7)}, "AAABBB"},
		{"one missing", []Curve{curve("a", true, 'A', 1e6, 0, 1e8)}, "AA"},
		{"flat, at a power of ten", []Curve{curve("a", true, 'A', 1e6, 1e6, 1e6)}, "AAA"},
		{"nothing", []Curve{curve("a", true, 'A', 0, 0)}, ""},
	} {
		var sizes []int
		for _, p := range c.curves[0].Points {
			sizes = append(sizes, p.Size)
		}
		for _, measure := range []string{Throughput, RoundTrip} {
			text := Plot(&CompareResult{Curves: c.curves, Sizes: sizes}, measure, func(int) string { return "" })
			var marks string
			for _, want := range "AB" {
				grid := text[:strings.LastIndex(text, "+-")+1]
				for l := range strings.Lines(grid) {
					_, l, _ = strings.Cut(l, "|")
					marks += strings.Repeat(string(want), strings.Count(l, string(want)))
				}
			}
			if marks != c.marks {
				t.Errorf("%s, %s: marks %q, want %q:\n%s", c.name, measure, marks, c.marks, text)
			}
		}
	}
}

func TestTicks(t *testing.T) {
	for exponent, want := range map[int]string{6: "1 MB/s", 7: "10 MB/s", 10: "10 GB/s", 0: "1 B/s"} {
		if got := tick(Throughput, exponent); got != want {
			t.Errorf("10^%d: %q, want %q", exponent, got, want)
		}
	}
	if got := tick(RoundTrip, -7); got != "100 ns" {
		t.Errorf("10^-7 s: %q", got)
	}
}

// What crosses is on the axis, at the size where it does.
func TestPlotShowsCrossings(t *testing.T) {
	r := &CompareResult{Curves: []Curve{curve("a", true, 'A', 1e6, 1e8), curve("b", false, 'B', 1e7, 1e7)}, Sizes: []int{8, 64}}
	r.Cross = crossings(r.Curves)
	for _, measure := range []string{Throughput, RoundTrip} {
		text := Plot(r, measure, func(int) string { return "" })
		_, axis, _ := strings.Cut(text, " +")
		if at := strings.Index(axis, "^"); at < plotWidth/2-1 || at > plotWidth/2 || strings.Count(text, "^") != 1 {
			t.Errorf("%s: no ^ in the middle of the axis:\n%s", measure, text)
		}
	}
}
