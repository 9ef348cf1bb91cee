package main

import "time"

// A pipe wakes whoever waits at one end as soon as the other end has moved a page or so.
// Between programs that share processors that is a switch for each small piece, and
// switches cost more than the copies. So in the midst of a stream, where a wide pipe has
// enough in it to keep the other end busy, we sleep for a moment instead and then
// move much at once. Nobody waits for us meanwhile, and each nap is bounded.

const (
	// napPipe is from which size on a pipe outlasts a nap, whoever is at its other end.
	napPipe = 256 << 10
	// inNap is how long an empty input may fill.
	inNap = 100 * time.Microsecond
	// An input whose waits are shorter than streamGap and whose reads bring streamBytes or
	// more is a stream. One message after the other, or to and fro, is not.
	streamGap   = 3 * inNap
	streamBytes = 4 << 10

	firstOutNap, leastOutNap, mostOutNap = 200 * time.Microsecond, 50 * time.Microsecond, time.Millisecond
	// outNaps bounds the naps before one write. A reader that takes nothing meanwhile is
	// better waited for in the write itself.
	outNaps = 4
)

// outlet is a pipe that we write to. The zero value never naps.
type outlet struct {
	size int           // what it holds, 0 if it is no pipe
	nap  time.Duration // what its reader takes to drain a good part of it, roughly
}

func newOutlet(fd int) outlet { return outlet{size: widen(fd), nap: firstOutNap} }

// ease waits while a pipe that is nearly full drains to the half.
func (o *outlet) ease(fill func() int, sleep func(time.Duration)) {
	if o.size < napPipe || fill() < o.size/4*3 {
		return
	}
	sleep(o.nap)
	left, again := fill(), o.nap/2
	if left < o.size/8 {
		o.nap = max(o.nap/2, leastOutNap) // a little longer, and the reader waits for us
	} else if left > o.size/2 {
		o.nap = min(o.nap*5/4, mostOutNap)
	}
	for n := 1; n < outNaps && left > o.size/2; n++ {
		sleep(again)
		left = fill()
	}
}

// inlet is a pipe that we read from. The zero value never naps.
type inlet struct {
	size    int // what it holds, 0 if it is no pipe
	got     int // what the last read brought
	streams bool
}

// waited takes in how long it took until there was something to read.
func (i *inlet) waited(took time.Duration) {
	i.streams = i.size >= napPipe && i.got >= streamBytes && took < streamGap
}
