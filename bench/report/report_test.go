package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"ringway/bench"
)

func latency(count int64) *bench.Latency {
	return &bench.Latency{Count: count, P50: 200, P90: 210, P99: 300, P999: 2000, Max: 50_000,
		Curve: []bench.At{{Percentile: 0, Ns: 150}, {Percentile: 50, Ns: 200}, {Percentile: 99, Ns: 300}, {Percentile: 100, Ns: 50_000}}}
}

func sample() *bench.Report {
	return &bench.Report{Format: bench.Format, Machine: "a <machine>", Command: "ringway bench", Rows: []bench.Row{
		{Case: "SPSC/RoundTrip/wait=spin/size=64/slots=1024", What: bench.RoundTrip, By: "ringway", Regime: "N", Size: 64, Slots: 1024, Samples: 7, Median: 200, Latency: latency(10_000)},
		{Case: "SPSC/RoundTrip/wait=blocked/size=64/slots=1024", What: bench.RoundTrip, By: "ringway", Regime: "any", Size: 64, Slots: 1024, Samples: 7, Median: 9000, Latency: latency(500)},
		{Case: "SPSC/FixedRate/wait=spin/size=64/slots=1024/rate=10000", What: bench.OneWay, By: "ringway", Regime: "N", Size: 64, Slots: 1024, Samples: 7, Latency: latency(200)},
		{Case: "SPSC/Single/size=64/slots=1024", What: bench.Throughput, By: "ringway", Regime: "N", Size: 64, Slots: 1024, Samples: 7, Median: 10, MBs: 6400, Stream: 20000},
		{Case: "SPSC/Single/size=64/slots=1024", What: bench.Throughput, By: "<script>alert(1)</script>", Regime: "N", Size: 64, Slots: 1024, Samples: 6, Median: 20, MBs: 3200},
		{Case: "SPSC/Single/size=64/slots=1024", What: bench.Throughput, By: "ringway", Regime: "F", Size: 64, Slots: 1024, Samples: 1, Median: 30, MBs: 2133},
		{Case: "Msg/Copy/size=64/ring=128KiB", What: bench.Throughput, By: "ringway", Regime: "N", Size: 64, Samples: 7, Median: 20, MBs: 3200, Stream: 20000},
		{Case: "Msg/Copy/size=64/ring=8MiB", What: bench.Throughput, By: "ringway", Regime: "N", Size: 64, Samples: 7, Median: 10, MBs: 6400, Stream: 20000},
		{Case: "Msg/Copy/size=1KiB/ring=2MiB", What: bench.Throughput, By: "ringway", Regime: "N", Size: 1024, Samples: 7, Median: 100, MBs: 10240, Stream: 21000},
		{Case: "Grow/slots=64/size=8", What: bench.Throughput, By: "ringway", Regime: "N", Size: 8, Samples: 7, Min: 2, Median: 3, Max: 1000},
		{Case: "Grow/slots=256/size=8", What: bench.Throughput, By: "ringway", Regime: "N", Size: 8, Samples: 7, Min: 2, Median: 2, Max: 2},
		{Case: "Grow/rings=8/size=8/slots=1024", What: bench.Throughput, By: "ringway", Regime: "N", Size: 8, Samples: 7, Min: 2, Median: 2, Max: 2},
	}}
}

const peersText = `{"command":"peers","machine":"m","groups":[
{"name":"SPSC round trip, spinning, 8 B","rows":[{"peer":"Ringway","regime":"N","ns":200,"min":190,"max":210,"samples":9,"probe":140},{"peer":"lost","failed":2}]},
{"name":"Stream, blocking calls, 64 B","rows":[{"peer":"Ringway","regime":"-","ns":20,"min":19,"max":21,"samples":9,"probe":140},{"peer":"pipe","regime":"-","ns":900,"min":800,"max":990,"samples":9,"probe":140}]},
{"name":"Messages of 64 KiB","rows":[{"peer":"pipe","regime":"-","ns":30000,"min":1,"max":2,"samples":9,"probe":140}]}]}`

func TestHTML(t *testing.T) {
	peers, err := Read(strings.NewReader(peersText))
	if err != nil {
		t.Fatal(err)
	}
	if len(peers.Rows) != 4 || peers.Rows[1].Regime != "any" || peers.Rows[3].Size != 64<<10 || peers.Rows[0].What != bench.RoundTrip {
		t.Errorf("rows of the peers: %+v", peers.Rows)
	}
	var page bytes.Buffer
	if err := HTML(&page, sample(), peers); err != nil {
		t.Fatal(err)
	}
	text := page.String()
	for _, want := range []string{"N: two cores under one", "F: two different", "asleep", "a &lt;machine&gt;", `<tr class="few"><td>SPSC/Single`, "peers/Stream, blocking calls, 64 B"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(text, "<script") || strings.Contains(text, "<?xml") || strings.Contains(text, "src=") {
		t.Error("the page holds a script, a declaration in its midst or something from elsewhere")
	}
	if n := strings.Count(text, "<tr"); n != 1+len(sample().Rows)+len(peers.Rows) {
		t.Errorf("%d lines in the table", n)
	}
}

func TestPlots(t *testing.T) {
	peers, err := Read(strings.NewReader(peersText))
	if err != nil {
		t.Fatal(err)
	}
	plots, err := Plots(sample(), peers)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range plots {
		names = append(names, p.Name)
		if err := wellFormed(p.SVG); err != nil || !strings.HasPrefix(strings.TrimSpace(p.SVG[strings.Index(p.SVG, "-->")+3:]), "<svg") {
			t.Errorf("%s is no SVG: %v", p.Name, err)
		}
	}
	if slices.Contains(names, "cost-as-it-grows--rings--n") {
		t.Error("a curve of one point")
	}
	for _, want := range []string{"round-trip--64-bytes--n", "one-way-at-a-fixed-rate--from-when-each-was-due--64-bytes--n", "elements-of-64-bytes--1024-slots--n",
		"elements-of-64-bytes--1024-slots--f", "messages--n", "cost-as-it-grows--slots--n", "spsc-round-trip--spinning--8-b--n", "stream--blocking-calls--64-b--any", "messages--ringway-and-peers--any"} {
		if !slices.Contains(names, want) {
			t.Errorf("no plot %s among %q", want, names)
		}
	}
}

// Every text of a plot says how wide it was measured, legends apart, so that another face moves nothing into anything.
func TestTextsKeepTheirWidths(t *testing.T) {
	svg, err := bars("a title", "x", []string{"a & b", "none"}, []string{"one", "two"}, func(name, by string) float64 {
		return map[string]float64{"a & bone": 2}[name+by]
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(svg, "<text "); n < 4 || strings.Count(svg, " textLength=") != n {
		t.Errorf("%d texts, %d with a width", n, strings.Count(svg, " textLength="))
	}
	for label, anchor := range map[string]string{"a &amp; b": "end", "one": "start", "a title": "middle"} {
		at := strings.Index(svg, ">"+label+"</text>")
		if at < 0 {
			t.Fatalf("no text %q", label)
		}
		if begin := strings.LastIndex(svg[:at], "<text "); !strings.Contains(svg[begin:at], `text-anchor="`+anchor+`"`) {
			t.Errorf("%q: %s, want the anchor %s", label, svg[begin:at], anchor)
		}
	}
	if strings.Contains(svg, ">two<") || strings.Contains(svg, ">none<") {
		t.Error("something without a value has a name")
	}
}

func wellFormed(text string) error {
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// A report may hold next to nothing, and figures that no scale has room for.
func TestPlotsOfOddRows(t *testing.T) {
	for _, r := range []bench.Row{
		{},
		{Case: "SPSC/Single/size=8/slots=2", What: bench.Throughput, Regime: "N", Median: 0},
		{Case: "SPSC/Single/size=8/slots=2", What: bench.Throughput, Regime: "N", Median: 1},
		{Case: "Msg/Copy/size=0", What: bench.Throughput, Regime: "N"},
		{Case: "SPSC/RoundTrip/wait=spin/size=8", What: bench.RoundTrip, Regime: "N", Latency: &bench.Latency{}},
		{Case: "SPSC/RoundTrip/wait=spin/size=8", What: bench.RoundTrip, Regime: "N", Latency: &bench.Latency{Count: 1, Max: 5, Curve: []bench.At{{Percentile: 100, Ns: 5}}}},
		{Case: "SPSC/RoundTrip/wait=spin/size=8", What: bench.RoundTrip, Regime: "N", Latency: &bench.Latency{Count: 2, Max: 5, Curve: []bench.At{{Percentile: 50, Ns: 5}}}},
	} {
		twice := &bench.Report{Rows: []bench.Row{r, r}}
		if err := HTML(io.Discard, twice); err != nil {
			t.Errorf("%+v: %v", r, err)
		}
	}
}
