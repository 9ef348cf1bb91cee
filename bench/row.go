package bench

import (
	"github.com/HdrHistogram/hdrhistogram-go"
)

// Row is what is reported of one entrant in one placement class. Times are in ns; what was not measured is 0 or absent.
type Row struct {
	Case    string `json:"case"`
	What    string `json:"what"`
	By      string `json:"by"`
	Regime  string `json:"regime"`            // S, N, F: see Class; any: the sides slept
	Crowded bool   `json:"crowded,omitempty"` // oversubscribed: more processes than CPUs
	Size    int    `json:"size"`              // bytes of an element or message
	Slots   int    `json:"slots,omitempty"`
	Samples int    `json:"samples"`

	Min    float64 `json:"min_ns,omitempty"` // per operation, of the samples
	Median float64 `json:"median_ns,omitempty"`
	Max    float64 `json:"max_ns,omitempty"`

	MBs    float64 `json:"mb_per_s,omitempty"`        // of payload, from the median
	Stream float64 `json:"stream_mb_per_s,omitempty"` // the raw one-way stream through as many bytes, same samples
	XLimit float64 `json:"x_stream,omitempty"`        // MBs / Stream, median of the samples

	XBound float64 `json:"x_bound,omitempty"` // the slowest part of the work alone / Median, median of the samples: 1 is the limit

	Probe  float64 `json:"probe_ns"`          // raw line round trip, median
	XProbe float64 `json:"x_probe,omitempty"` // Median / Probe, median of the samples; of a fixed rate P50 / Probe

	Allocs     float64 `json:"allocs_per_op"` // heap allocations of all processes, the least of the samples
	AllocBytes float64 `json:"alloc_bytes_per_op"`
	CPU        float64 `json:"cpu_ns_per_op"`         // processor time of all processes, median
	Load       float64 `json:"cpu_percent,omitempty"` // of one CPU, while idle

	Latency *Latency `json:"latency,omitempty"`
}

// Latency is the distribution of all timed operations of the samples together, in ns.
type Latency struct {
	Count int64 `json:"count"`
	P50   int64 `json:"p50"`
	P90   int64 `json:"p90"`
	P99   int64 `json:"p99"`
	P999  int64 `json:"p99.9"`
	Max   int64 `json:"max"`
	Curve []At  `json:"curve"`
}

// At is one point of a percentile curve.
type At struct {
	Percentile float64 `json:"p"`
	Ns         int64   `json:"ns"`
}

// cell collects the samples of one entrant in one class.
type cell struct {
	ns, probe, xprobe, stream, xstream, cpu []float64
	xbound                                  []float64
	allocs, allocBytes                      []float64
	samples                                 int
	hist                                    *hdrhistogram.Histogram
}

func (x *cell) add(e entry, c Case) {
	x.samples++
	for _, s := range []*Sample{e.plain, e.timed} {
		if s == nil {
			continue
		}
		x.probe = append(x.probe, (s.Before+s.After)/2)
		x.allocs = append(x.allocs, s.Allocs)
		x.allocBytes = append(x.allocBytes, s.AllocBytes)
		if s == e.plain || e.plain == nil {
			x.cpu = append(x.cpu, s.CPU)
		}
		if s.Latency != nil {
			if x.hist == nil {
				x.hist = newHistogram()
			}
			x.hist.Merge(s.Latency)
		}
	}
	if s := e.plain; s != nil {
		x.ns = append(x.ns, s.Ns)
		x.xprobe = append(x.xprobe, s.Ns/((s.Before+s.After)/2))
		if s.Stream > 0 {
			x.stream = append(x.stream, s.Stream)
			x.xstream = append(x.xstream, float64(c.Size)/s.Ns/s.Stream)
		}
	}
}

// bounded takes in how long the slowest part of the work took in the same round, if that was measured.
func (x *cell) bounded(e entry, bound float64) {
	if bound > 0 && e.plain != nil {
		x.xbound = append(x.xbound, bound/e.plain.Ns)
	}
}

// Rows returns what was found out, entrants in their order within each class.
func (run *Run) Rows() (rows []Row) {
	for _, class := range Classes {
		for _, e := range run.Case.By {
			if x := run.cells[cellKey{e.Name, class}]; x != nil {
				rows = append(rows, x.row(run, e.Name, class))
			}
		}
	}
	return rows
}

func (x *cell) row(run *Run, by string, class Class) Row {
	c, ns := run.Case, SpreadOf(x.ns)
	r := Row{Case: c.Name, What: c.What, By: by, Regime: class.String(), Crowded: run.pair.Crowded(), Size: c.Size,
		Slots: c.Slots, Samples: x.samples, Min: ns.Min, Median: ns.Median, Max: ns.Max,
		Probe: SpreadOf(x.probe).Median, Allocs: SpreadOf(x.allocs).Min, AllocBytes: SpreadOf(x.allocBytes).Min, CPU: SpreadOf(x.cpu).Median}
	switch c.What {
	case Throughput:
		r.MBs = float64(c.Size) / r.Median * 1e3
		r.Stream = SpreadOf(x.stream).Median * 1e3
		r.XLimit, r.XBound = SpreadOf(x.xstream).Median, SpreadOf(x.xbound).Median
	case RoundTrip:
		r.XProbe = SpreadOf(x.xprobe).Median
	case Idle:
		r.Load = 100 * r.CPU / r.Median
	}
	if x.hist != nil {
		r.Latency = latencyOf(x.hist)
		if c.What == OneWay {
			r.XProbe = float64(r.Latency.P50) / r.Probe
		}
	}
	return r
}

func latencyOf(h *hdrhistogram.Histogram) *Latency {
	at := h.ValueAtPercentilesSlice([]float64{50, 90, 99, 99.9})
	l := &Latency{Count: h.TotalCount(), P50: at[0], P90: at[1], P99: at[2], P999: at[3], Max: h.Max()}
	for _, b := range h.CumulativeDistributionWithTicks(4) {
		l.Curve = append(l.Curve, At{b.Quantile, b.ValueAt})
	}
	return l
}
