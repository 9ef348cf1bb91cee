package bench

import "github.com/HdrHistogram/hdrhistogram-go"

// histogramMax bounds what a latency may be: the hang limit ends a run before.
const histogramMax = int64(100e9)

// newHistogram holds latencies in ns, to three digits.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, histogramMax, 3) }
