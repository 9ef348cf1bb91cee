package main

import (
	"testing"
	"time"
)

// reader drains a pipe by a fixed number of bytes a microsecond, while we sleep.
type reader struct {
	fill, rate, naps int
	slept            time.Duration
}

func (r *reader) left() int { return r.fill }

func (r *reader) sleep(d time.Duration) {
	r.naps++
	r.slept += d
	r.fill = max(0, r.fill-r.rate*int(d/time.Microsecond))
}

// A nearly full pipe is left alone until it is half empty, whatever the reader's pace,
// and once the pace is known it never runs dry.
func TestOutletNaps(t *testing.T) {
	for _, rate := range []int{1, 100, 300, 1000, 5000} { // MB/s
		o := outlet{size: widePipe, nap: firstOutNap}
		dry := 0
		for round := range 100 {
			r := reader{fill: o.size - 1, rate: rate}
			o.ease(r.left, r.sleep)
			if r.naps == 0 || r.naps > outNaps || r.slept > outNaps*mostOutNap {
				t.Fatalf("%d MB/s: %d naps, %v in all", rate, r.naps, r.slept)
			}
			if r.fill > o.size/2 && r.naps < outNaps {
				t.Errorf("%d MB/s: back with %d bytes in the pipe", rate, r.fill)
			}
			if r.fill == 0 && round > 10 {
				dry++
			}
		}
		if dry > 0 {
			t.Errorf("%d MB/s: the reader had to wait %d times", rate, dry)
		}
	}
}

// What is no pipe, a narrow pipe, and one with room are written to at once.
func TestOutletDoesNotNap(t *testing.T) {
	for _, test := range []struct{ size, fill int }{{0, 0}, {64 << 10, 64 << 10}, {widePipe, 0}, {widePipe, widePipe / 2}} {
		o := outlet{size: test.size, nap: firstOutNap}
		r := reader{fill: test.fill, rate: 1}
		o.ease(r.left, r.sleep)
		if r.naps != 0 {
			t.Errorf("%d bytes in a pipe for %d: %d naps", test.fill, test.size, r.naps)
		}
	}
}

// Only a stream is left to gather: large pieces at short intervals, in a wide pipe.
func TestInletStreams(t *testing.T) {
	for _, test := range []struct {
		size, got int
		took      time.Duration
		want      bool
	}{
		{widePipe, 10 << 10, 0, true},
		{widePipe, streamBytes, streamGap - 1, true},
		{widePipe, 10 << 10, streamGap, false},      // it made us wait
		{widePipe, 100, 0, false},                   // one message after the other
		{napPipe - 1, 10 << 10, 0, false},           // it would be full before we are back
		{0, 10 << 10, 0, false},                     // a file
		{widePipe, 64 << 10, time.Second, false},    // idle
		{widePipe, 0, 10 * time.Microsecond, false}, // nothing yet
	} {
		i := inlet{size: test.size, got: test.got, streams: !test.want}
		i.waited(test.took)
		if i.streams != test.want {
			t.Errorf("%+v: streams = %v", test, i.streams)
		}
	}
}
