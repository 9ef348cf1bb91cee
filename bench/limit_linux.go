package bench

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync/atomic"

	"ringway/internal/order"
	"ringway/internal/telemetry"
	"ringway/layout"
	"ringway/ring"
)

// The scenarios of what messages in place cost beside what the machine takes for their bytes. All fill and compare by the same two
// functions, the fastest of those tried in plain Go, and all go through as much memory as the ring has:
//
//	ringway msg whole SIZE RING   Reserve, fill, Commit; Peek, compare every byte, Release
//	write SIZE RING               one core fills, nobody reads
//	read SIZE RING                one core compares what the other one filled just before; only the reading counts
//	rewrite SIZE RING             the same, but only the filling counts, of memory that the other core has read
//	bare SIZE RING                both at a time, with nothing around the messages but two positions
//	pieces SIZE RING              one core copies messages in pieces, from one place to another
func init() {
	for _, capacity := range MsgRings(limitSize) {
		spec, err := ring.MsgSpec(layout.SPSC, capacity, 0)
		if err != nil {
			panic(err) // a scenario that cannot be is a bug
		}
		at := fmt.Sprintf(" %d %d", limitSize, capacity)
		addRings("ringway msg whole"+at, spec, 1, oneWayMsgs(limitSize, pushWhole, popWhole))
		alone := func([]byte, int) {}
		Register("write"+at, 0, func(_ []byte, n int) { writeAlone(capacity, n) }, alone)
		Register("pieces"+at, 0, func(_ []byte, n int) { copyPieces(capacity, n) }, alone)
		RegisterScenario(Scenario{Name: "bare" + at, Attach: func(side Side, dir string, _ []byte) (func(int), error) {
			return bare(capacity, side, dir)
		}})
		RegisterScenario(Scenario{Name: "read" + at, Spend: turns(capacity, ConsumerSide)})
		RegisterScenario(Scenario{Name: "rewrite" + at, Spend: turns(capacity, ProducerSide)})
	}
}

func pushWhole(p *ring.MsgProducer, m []byte, n int) {
	size := len(m)
	for i := range n {
		m, err := p.Reserve(size)
		for err != nil {
			m, err = p.Reserve(size)
		}
		fill(m)
		binary.LittleEndian.PutUint64(m, uint64(i))
		if err := p.Commit(size); err != nil {
			panic(err)
		}
	}
}

func popWhole(c *ring.MsgConsumer, m []byte, n int) {
	size := len(m)
	for i := range n {
		m, err := c.Peek()
		for err != nil {
			m, err = c.Peek()
		}
		checkNumber(m, size, i)
		if !filled(m, 8) {
			panic(fmt.Sprintf("message %d arrived changed", i))
		}
		c.Release()
	}
}

// filled compares every byte of b from the given one on with what fill writes.
func filled(b []byte, from int) bool {
	for from < len(b) {
		at := from % len(template)
		end := min(from+len(template)-at, len(b))
		if !bytes.Equal(b[from:end], template[at:at+end-from]) {
			return false
		}
		from = end
	}
	return true
}

// spans calls do with n messages' places in mem, one after the other and round again.
func spans(mem []byte, n int, do func(m []byte)) {
	for i := range n {
		at := i * limitSize % len(mem)
		do(mem[at : at+limitSize])
	}
}

// writeAlone is the least that a producer needs. Its memory is its own, and warm.
func writeAlone(size, n int) {
	mem := ownMemory(size)
	spans(mem, n, fill)
}

// pieceBytes is some way below the size from which Go's copy bypasses the caches.
const pieceBytes = 16 << 10

func copyPieces(size, n int) {
	from, to := ownMemory(2 * size)[:size], ownMemory(2 * size)[size:]
	spans(to, n, func(m []byte) {
		for at := 0; at < len(m); at += pieceBytes {
			copy(m[at:at+pieceBytes], from[at:])
		}
	})
}

// own is the memory of ownMemory by size: touched once, it stays.
var own = map[int][]byte{}

func ownMemory(size int) []byte {
	if own[size] == nil {
		own[size] = message(size)
	}
	return own[size]
}

// bare is a ring of messages that costs nothing: no records, no checks of what the other side wrote, nobody who could sleep.
func bare(size int, side Side, dir string) (func(int), error) {
	mem, err := mapFile(filepath.Join(dir, fmt.Sprintf("bare-%d", size)), controlBytes+size)
	if err != nil {
		return nil, err
	}
	ctl, mem := controlOf(mem), mem[controlBytes:]
	written, taken := &ctl.filled.v, &ctl.read.v
	places := uint64(size / limitSize)
	var pos uint64
	return func(n int) {
		for end := pos + uint64(n); pos < end; pos++ {
			at := pos % places * limitSize
			m := mem[at : at+limitSize]
			if side == ProducerSide {
				for pos-atomic.LoadUint64(taken) >= places { // observes free space; pairs with the consumer's store
				}
				fill(m)
				order.StoreRelease(written, pos+1) // publishes the message; pairs with the load below
				continue
			}
			for atomic.LoadUint64(written) <= pos { // observes a message; pairs with the producer's store
			}
			if !filled(m, 0) {
				panic(fmt.Sprintf("message %d arrived changed", pos))
			}
			order.StoreRelease(taken, pos+1) // publishes free space; pairs with the load above
		}
	}, nil
}

// turns is two cores that take turns: one fills as many messages as memory holds, then the other compares them all. The time of one
// side counts.
func turns(size int, counts Side) func(Side, string, []byte) (func(int) int64, error) {
	return func(side Side, dir string, _ []byte) (func(int) int64, error) {
		mem, err := mapFile(filepath.Join(dir, fmt.Sprintf("turns-%d-%d", size, counts)), controlBytes+size)
		if err != nil {
			return nil, err
		}
		turn, mem := &words(mem[:8])[0], mem[controlBytes:]
		var taken uint64 // turns, of both sides
		return func(n int) (ns int64) {
			for n > 0 {
				k := min(n, size/limitSize)
				n -= k
				for atomic.LoadUint64(turn) != taken+uint64(side) { // observes the other's turn; pairs with its store below
					order.Pause()
				}
				begin := telemetry.Now()
				if side == ProducerSide {
					spans(mem, k, fill)
				} else if !filled(mem[:k*limitSize], 0) {
					panic("what the other core wrote arrived changed")
				}
				if side == counts {
					ns += int64(telemetry.Now() - begin)
				}
				order.StoreRelease(turn, taken+uint64(side)+1) // publishes the turn; pairs with the load above
				taken += 2
			}
			return ns
		}, nil
	}
}
