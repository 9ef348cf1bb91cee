package bench

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

// The scenarios of messages, KIND ringway (SPSC, RING bytes) or mpmc (RING messages):
//
//	KIND msg copy SIZE RING          one way, TryPush from and TryPop into memory of one's own
//	KIND msg place SIZE RING         one way, Reserve and Commit, Peek and Release, every byte written and read
//	KIND msg rtt SIZE RING           round trip, TryPush and TryPop; default: Push and Pop
//	memcpy SIZE                      one core copies messages from one place to another, through no ring
func init() {
	for _, size := range MsgSizes {
		for _, capacity := range MsgRings(size) {
			spec, err := ring.MsgSpec(layout.SPSC, capacity, 0)
			registerMsgs("ringway", size, capacity, spec, err)
		}
		if size <= 64<<10 {
			spec, err := ring.MsgSpec(layout.MPMC, mpmcMessages, size)
			spec.Seats = 4 // each has a block of its own
			registerMsgs("mpmc", size, mpmcMessages, spec, err)
		}
		Register(fmt.Sprintf("memcpy %d", size), 0, memcpy(size), func([]byte, int) {})
	}
}

func registerMsgs(kind string, size, capacity int, spec layout.Spec, err error) {
	if err != nil {
		panic(err) // a scenario that cannot be is a bug
	}
	add := func(what string, rings int, w work) {
		addRings(fmt.Sprintf("%s msg %s %d %d", kind, what, size, capacity), spec, rings, w)
	}
	add("copy", 1, oneWayMsgs(size, pushCopies, popCopies))
	add("place", 1, oneWayMsgs(size, pushPlaced, popPlaced))
	add("rtt", 2, msgTrips(size, &ring.Options{Spin: -1}))
	add("default", 2, msgTrips(size, nil))
}

// oneWayMsgs gives each side a message of its own to work with.
func oneWayMsgs(size int, push func(*ring.MsgProducer, []byte, int), pop func(*ring.MsgConsumer, []byte, int)) work {
	return func(side Side, seg []*shm.Segment) (func(int) []int64, error) {
		m := message(size)
		if side == ProducerSide {
			p, err := ring.NewMsgProducer(seg[0], nil)
			return untimed(func(n int) { push(p, m, n) }, err)
		}
		c, err := ring.NewMsgConsumer(seg[0], nil)
		return untimed(func(n int) { pop(c, m, n) }, err)
	}
}

// message is size bytes that begin with a number.
func message(size int) []byte {
	m := make([]byte, size)
	fill(m)
	return m
}

func pushCopies(p *ring.MsgProducer, m []byte, n int) {
	for i := range n {
		binary.LittleEndian.PutUint64(m, uint64(i))
		for p.TryPush(m) != nil {
		}
	}
}

func popCopies(c *ring.MsgConsumer, m []byte, n int) {
	size := len(m)
	var err error
	for i := range n {
		for m, err = c.TryPop(m[:0]); err != nil; m, err = c.TryPop(m[:0]) {
		}
		checkNumber(m, size, i)
	}
	for at := 0; at < len(m); at += len(template) { // of the last message
		part := m[at:min(at+len(template), len(m))]
		if skip := max(8-at, 0); !bytes.Equal(part[skip:], template[skip:len(part)]) {
			panic(fmt.Sprintf("the message arrived changed beyond byte %d", at))
		}
	}
}

func checkNumber(m []byte, size, i int) {
	if len(m) != size || binary.LittleEndian.Uint64(m) != uint64(i) {
		panic(fmt.Sprintf("message %d has %d bytes and carries %d", i, len(m), binary.LittleEndian.Uint64(m)))
	}
}

func pushPlaced(p *ring.MsgProducer, m []byte, n int) {
	size := len(m)
	for i := range n {
		m, err := p.Reserve(size)
		for err != nil {
			m, err = p.Reserve(size)
		}
		fill(m)
		binary.LittleEndian.PutUint64(m, uint64(i))
		for err = p.Commit(size); err == ring.ErrFull; err = p.Commit(size) { // an MPMC ring says so only here
		}
		if err != nil {
			panic(err)
		}
	}
}

func popPlaced(c *ring.MsgConsumer, m []byte, n int) {
	size := len(m)
	binary.LittleEndian.PutUint64(m, 0)
	rest := sum(m)
	for i := range n {
		m, err := c.Peek()
		for err != nil {
			m, err = c.Peek()
		}
		checkNumber(m, size, i)
		if got := sum(m); got != rest+uint64(i) {
			panic(fmt.Sprintf("message %d arrived changed", i))
		}
		c.Release()
	}
}

// memcpy copies on the producer's core alone, between two places as far apart as the ends of a ring.
func memcpy(size int) func([]byte, int) {
	rings := MsgRings(size)
	span := max(rings[0]/size, 2)
	return func(_ []byte, n int) {
		mem := ownMemory((1 + span) * size)
		from, to := mem[:size], mem[size:]
		for i := range n {
			at := i % span * size
			copy(to[at:at+size], from)
		}
	}
}
