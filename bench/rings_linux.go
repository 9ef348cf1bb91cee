package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"ringway/internal/order"
	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

// Elements of 8, 64 and 256 bytes; the first word carries the running number.
type (
	elem8   [1]uint64
	elem64  [8]uint64
	elem256 [32]uint64
)

// The scenarios of Ringway's own rings, over real segments:
//
//	ringway tp SIZE SLOTS       one way, TryPush and TryPop, polling when refused
//	ringway place SIZE SLOTS    one way, Reserve and Commit, Peek and Release, every byte written and read
//	ringway batch SIZE SLOTS    one way, TryPushN and TryPopN of 32
//	ringway rtt SIZE SLOTS      round trip over two rings, never parking
//	ringway default SIZE SLOTS  round trip, the default wait strategy
//	ringway parked SIZE SLOTS   round trip, parking as soon as a call would block
func init() {
	for _, slots := range []int{1024, 65536} {
		registerRings[elem8](slots)
		registerRings[elem64](slots)
		registerRings[elem256](slots)
	}
}

func registerRings[T elem8 | elem64 | elem256](slots int) {
	spec, err := ring.Spec[T](layout.SPSC, slots)
	if err != nil {
		panic(err) // a scenario that cannot be is a bug
	}
	add := func(what string, attach func(side Side, seg [2]*shm.Segment) (func(int), error)) {
		name := fmt.Sprintf("ringway %s %d %d", what, spec.Elem.Size, slots)
		RegisterScenario(Scenario{Name: name, Attach: func(side Side, dir string, _ []byte) (func(int), error) {
			var seg [2]*shm.Segment
			for i := range seg {
				path := filepath.Join(dir, fmt.Sprintf("%s-%d-%d.%d.ring", what, spec.Elem.Size, slots, i))
				if seg[i], err = shm.OpenOrCreate(path, spec, 0o600); err != nil {
					return nil, err
				}
			}
			return attach(side, seg)
		}})
	}
	add("tp", oneWay[T](1))
	add("place", inPlace[T]())
	add("batch", oneWay[T](32))
	add("rtt", roundTrip[T](&ring.Options{Spin: -1}))
	add("default", roundTrip[T](nil))
	add("parked", roundTrip[T](&ring.Options{Spin: 1}))
}

// oneWay is a stream from the producer to the consumer in batches.
func oneWay[T elem8 | elem64 | elem256](batch int) func(Side, [2]*shm.Segment) (func(int), error) {
	return func(side Side, seg [2]*shm.Segment) (func(int), error) {
		if side == ProducerSide {
			p, err := ring.NewProducer[T](seg[0], nil)
			if batch > 1 {
				return func(n int) { pushBatches(p, n, batch) }, err
			}
			return func(n int) { pushEach(p, n) }, err
		}
		c, err := ring.NewConsumer[T](seg[0], nil)
		if batch > 1 {
			return func(n int) { popBatches(c, n, batch) }, err
		}
		return func(n int) { popEach(c, n) }, err
	}
}

// inPlace is a stream of elements that both sides touch whole, in the ring.
func inPlace[T elem8 | elem64 | elem256]() func(Side, [2]*shm.Segment) (func(int), error) {
	return func(side Side, seg [2]*shm.Segment) (func(int), error) {
		if side == ProducerSide {
			p, err := ring.NewProducer[T](seg[0], nil)
			return func(n int) { pushInPlace(p, n) }, err
		}
		c, err := ring.NewConsumer[T](seg[0], nil)
		return func(n int) { popInPlace(c, n) }, err
	}
}

func pushEach[T elem8 | elem64 | elem256](p *ring.Producer[T], n int) {
	var v T
	for i := range n {
		v[0] = uint64(i)
		for p.TryPush(v) != nil {
		}
	}
}

func popEach[T elem8 | elem64 | elem256](c *ring.Consumer[T], n int) {
	for i := 0; i < n; {
		v, err := c.TryPop()
		if err != nil {
			continue
		}
		if v[0] != uint64(i) {
			panic(fmt.Sprintf("element %d carries %d", i, v[0]))
		}
		i++
	}
}

func pushBatches[T elem8 | elem64 | elem256](p *ring.Producer[T], n, batch int) {
	vs := make([]T, batch)
	for i := 0; i < n; {
		k := min(batch, n-i)
		for j := range k {
			vs[j][0] = uint64(i + j)
		}
		for left := vs[:k]; len(left) > 0; {
			m, _ := p.TryPushN(left)
			left = left[m:]
		}
		i += k
	}
}

func popBatches[T elem8 | elem64 | elem256](c *ring.Consumer[T], n, batch int) {
	vs := make([]T, batch)
	for i := 0; i < n; {
		k, _ := c.TryPopN(vs)
		for j := range k {
			if vs[j][0] != uint64(i+j) {
				panic(fmt.Sprintf("element %d carries %d", i+j, vs[j][0]))
			}
		}
		i += k
	}
}

// roundTrip sends each element there and back, through the blocking calls unless
// the options say never to park.
func roundTrip[T elem8 | elem64 | elem256](o *ring.Options) func(Side, [2]*shm.Segment) (func(int), error) {
	spinning := o != nil && o.Spin < time.Duration(0)
	return func(side Side, seg [2]*shm.Segment) (func(int), error) {
		p, err := ring.NewProducer[T](seg[side], o)
		if err != nil {
			return nil, err
		}
		c, err := ring.NewConsumer[T](seg[1-side], o)
		if err != nil {
			return nil, err
		}
		if spinning {
			return func(n int) { pollThereAndBack(p, c, side, n) }, nil
		}
		return func(n int) { waitThereAndBack(p, c, side, n) }, nil
	}
}

// pollThereAndBack has no calls but those it measures, so that nothing else copies the element.
func pollThereAndBack[T elem8 | elem64 | elem256](p *ring.Producer[T], c *ring.Consumer[T], side Side, n int) {
	var v T
	var err error
	for i := range n {
		if side == ProducerSide {
			v[0] = uint64(i)
			for p.TryPush(v) != nil {
				order.Pause()
			}
		}
		for v, err = c.TryPop(); err != nil; v, err = c.TryPop() {
			order.Pause()
		}
		if v[0] != uint64(i) {
			panic(fmt.Sprintf("round trip %d carries %d", i, v[0]))
		}
		if side == ConsumerSide {
			for p.TryPush(v) != nil {
				order.Pause()
			}
		}
	}
}

func waitThereAndBack[T elem8 | elem64 | elem256](p *ring.Producer[T], c *ring.Consumer[T], side Side, n int) {
	ctx := context.Background()
	var v T
	var err error
	for i := range n {
		if side == ProducerSide {
			v[0] = uint64(i)
			if err := p.Push(ctx, v); err != nil {
				panic(err)
			}
		}
		if v, err = c.Pop(ctx); err != nil || v[0] != uint64(i) {
			panic(fmt.Sprintf("round trip %d carries %d: %v", i, v[0], err))
		}
		if side == ConsumerSide {
			if err := p.Push(ctx, v); err != nil {
				panic(err)
			}
		}
	}
}

func pushInPlace[T elem8 | elem64 | elem256](p *ring.Producer[T], n int) {
	for i := range n {
		v, err := p.Reserve()
		for err != nil {
			v, err = p.Reserve()
		}
		for k := range len(*v) {
			(*v)[k] = uint64(i)
		}
		if err := p.Commit(); err != nil {
			panic(err)
		}
	}
}

func popInPlace[T elem8 | elem64 | elem256](c *ring.Consumer[T], n int) {
	for i := 0; i < n; {
		v, err := c.Peek()
		if err != nil {
			continue
		}
		sum := uint64(0)
		for k := range len(*v) {
			sum += (*v)[k]
		}
		if sum != uint64(i)*uint64(len(*v)) {
			panic(fmt.Sprintf("element %d sums up to %d", i, sum))
		}
		c.Release()
		i++
	}
}
