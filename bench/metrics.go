package bench

// Metric is one figure of a row, as Go's benchmarks print it.
type Metric struct {
	Unit  string
	Value float64
}

// Metrics returns the figures that there are, the same units for every commit so that benchstat pairs them.
func (r Row) Metrics() (ms []Metric) {
	add := func(unit string, v float64) { ms = append(ms, Metric{unit, v}) }
	if r.Median > 0 && r.What != Idle {
		add("ns/op", r.Median)
		add("min-ns/op", r.Min)
		add("max-ns/op", r.Max)
	}
	add("probe-ns", r.Probe)
	if r.XProbe > 0 {
		add("xprobe", r.XProbe)
	}
	if r.MBs > 0 {
		add("MB/s", r.MBs)
	}
	if r.Stream > 0 {
		add("stream-MB/s", r.Stream)
		add("xstream", r.XLimit)
	}
	if r.XBound > 0 {
		add("xbound", r.XBound)
	}
	if l := r.Latency; l != nil {
		add("p50-ns", float64(l.P50))
		add("p90-ns", float64(l.P90))
		add("p99-ns", float64(l.P99))
		add("p99.9-ns", float64(l.P999))
		add("max-ns", float64(l.Max))
	}
	if r.What == Idle {
		add("cpu-%", r.Load)
		return ms
	}
	if r.CPU > 0 { // not of native peers
		add("allocs/op", r.Allocs)
		add("B/op", r.AllocBytes)
		add("cpu-ns/op", r.CPU)
	}
	return ms
}
