package bench

import (
	"math"
	"sync/atomic"

	"ringway/futex"
	"ringway/internal/order"
	"ringway/internal/telemetry"
)

// meet waits for all other sides. A side that never comes has died; the owner notices and ends this one too.
func (c *sideMain) meet() {
	if c.crowded {
		c.meetAsleep()
		return
	}
	c.round++
	atomic.StoreUint64(&c.ctl.at[c.side].round, c.round) // publishes all work so far; pairs with the loads of the others
	for _, i := range c.sides {
		for atomic.LoadUint64(&c.ctl.at[i].round) < c.round { // observes the work of side i; pairs with its store
			order.Pause()
		}
	}
}

// meetAsleep is meet for sides that share a CPU: whoever waits must not keep it from the one waited for.
func (c *sideMain) meetAsleep() {
	c.round++
	gate := &c.ctl.gate.round
	if atomic.AddUint64(&c.ctl.arrived.v, 1) == c.round*uint64(len(c.sides)) { // publishes this side's work, observes all others'
		gate.Store(uint32(c.round)) // publishes them; pairs with the load below
		_, _ = futex.Wake(gate, math.MaxInt32)
		return
	}
	for {
		v := gate.Load() // observes all other sides' work; pairs with the store of the last to come
		if int32(v-uint32(c.round)) >= 0 {
			return
		}
		_ = futex.Wait(gate, v, -1) // whatever it says, look again
	}
}

// warmUp is how many balls go first, so that a side which was woken late is not part of what is timed.
const warmUp = 16

// probe times trips raw round trips of two cache lines between the first two sides, without PAUSE, and returns ns per
// round trip on the producer side.
func (c *sideMain) probe(trips int) float64 {
	if c.side > ConsumerSide {
		return 0 // asleep at the next barrier
	}
	if !c.crowded {
		c.meet()
	}
	base := atomic.LoadUint64(&c.ctl.pong.v)
	c.balls(base, warmUp)
	t := telemetry.Now()
	c.balls(base+warmUp, uint64(trips))
	return float64(telemetry.Now()-t) / float64(trips)
}

// balls exchanges the balls base+1 to base+n.
func (c *sideMain) balls(base, n uint64) {
	ping, pong := &c.ctl.ping.v, &c.ctl.pong.v
	if c.side == ProducerSide {
		for i := base + 1; i <= base+n; i++ {
			order.StoreRelease(ping, i)
			for atomic.LoadUint64(pong) != i { // observes the echo
			}
		}
		return
	}
	for i := base + 1; i <= base+n; i++ {
		for atomic.LoadUint64(ping) != i { // observes the ball
		}
		order.StoreRelease(pong, i)
	}
}

// streamMax is the largest buffer of the raw stream: larger ones fall out of the caches and are slower, not faster.
const streamMax = 4 << 20

// stream moves bytes from the producer to the consumer through a buffer of the given size, in chunks of an eighth of it,
// with nothing around them but two positions on lines of their own. Every byte is written and read. It returns bytes
// per ns on the producer side: what the machine gives to a ring that costs nothing. The chunks are Go, copied in and summed up.
func (c *sideMain) stream(size int) float64 {
	if c.side > ConsumerSide {
		return 0 // asleep at the next barrier
	}
	size = min(max(size, 16<<10), streamMax) &^ (16<<10 - 1)
	chunk := min(size/8, 64<<10)
	size -= size % chunk
	total := max(2*size, 1<<20) / chunk * chunk
	filled, read := &c.ctl.filled.v, &c.ctl.read.v
	base := atomic.LoadUint64(read) // the producer waits for the last of it below
	end := base + uint64(total)
	t := telemetry.Now()
	for pos, at := base, 0; pos < end; pos, at = pos+uint64(chunk), (at+chunk)%size {
		b := c.raw[at : at+chunk]
		if c.side == ProducerSide {
			for pos+uint64(chunk)-atomic.LoadUint64(read) > uint64(size) { // observes free space; pairs with the consumer's store
			}
			fill(b)
			order.StoreRelease(filled, pos+uint64(chunk)) // publishes the chunk; pairs with the load below
			continue
		}
		for int64(atomic.LoadUint64(filled)-pos) < int64(chunk) { // observes a chunk; pairs with the producer's store
		}
		if got := sum(b); chunk%len(template) == 0 && got != templateSum*uint64(chunk/len(template)) {
			panic("the raw stream carried something else")
		}
		order.StoreRelease(read, pos+uint64(chunk)) // publishes free space; pairs with the load above
	}
	for c.side == ProducerSide && atomic.LoadUint64(read) != end { // observes the end of the last chunk
	}
	return float64(total) / float64(telemetry.Now()-t)
}
