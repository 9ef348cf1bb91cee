package bench

import (
	"fmt"
	"path/filepath"

	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

// The scenarios of four processes, by names like those of two:
//
//	mpmc tp2 SIZE SLOTS     TryPush and TryPop
//	mpmc pack2 SIZE SLOTS   TryPushN and TryPopN of 32, 32 elements a block; n is a multiple of 64
//	vyukov tp2 SIZE SLOTS   the same as tp2 over Vyukov's queue
func init() {
	registerTeams[elem8](1024)
	registerTeams[elem64](1024)
}

func registerTeams[T elem8 | elem64](slots int) {
	spec, err := ring.Spec[T](layout.MPMC, slots)
	if err != nil {
		panic(err) // a scenario that cannot be is a bug
	}
	add := func(what string, batch int) {
		spec := spec
		spec.Pack = batch
		registerTeam(fmt.Sprintf("mpmc %s %d %d", what, spec.Elem.Size, slots), func(side Side, dir string, _ bool) (func(int, int) uint64, error) {
			seg, err := shm.OpenOrCreate(filepath.Join(dir, fmt.Sprintf("mpmc-%s-%d.ring", what, spec.Elem.Size)), spec, 0o600)
			if err != nil {
				return nil, err
			}
			if side == ProducerSide {
				p, err := ring.NewProducer[T](seg, nil)
				return func(me, n int) uint64 { return teamPush(p, me, n, batch) }, err
			}
			c, err := ring.NewConsumer[T](seg, nil)
			return func(_, n int) uint64 { return teamPop(c, n, batch) }, err
		})
	}
	add("tp2", 1)
	add("pack2", 32)
	registerTeam(fmt.Sprintf("vyukov tp2 %d %d", spec.Elem.Size, slots), func(side Side, dir string, first bool) (func(int, int) uint64, error) {
		mem, err := mapFile(filepath.Join(dir, fmt.Sprintf("vyukov2-%d", spec.Elem.Size)), vyukovBytes[T](slots))
		if err != nil {
			return nil, err
		}
		q := vyukovIn[T](mem, slots)
		if first {
			q.init() // attaches first
		}
		if side == ProducerSide {
			return func(me, n int) uint64 { return teamPushVyukov(q, me, n) }, nil
		}
		return func(_, n int) uint64 { return teamPopVyukov(q, n) }, nil
	})
}

// An element carries its producer and running number; from each producer the numbers must rise.
const producerShift = 48

type teamOrder struct {
	next [2]uint64
	sum  uint64
}

func (o *teamOrder) saw(mark uint64) {
	p, i := mark>>producerShift, mark&(1<<producerShift-1)
	if p > 1 || i < o.next[p] {
		panic(fmt.Sprintf("element %d of producer %d came out of order", i, p))
	}
	o.next[p] = i + 1
	o.sum += i
}

func teamPush[T elem8 | elem64](p *ring.Producer[T], me, n, batch int) uint64 {
	var wait patience
	if batch > 1 {
		vs := make([]T, batch)
		for i := 0; i < n; {
			k := min(batch, n-i)
			for j := range k {
				vs[j][0] = uint64(me)<<producerShift | uint64(i+j)
			}
			for left := vs[:k]; len(left) > 0; {
				m, _ := p.TryPushN(left)
				if m > 0 {
					wait.progress()
				} else {
					wait.none()
				}
				left = left[m:]
			}
			i += k
		}
		return 0
	}
	var v T
	for i := range n {
		v[0] = uint64(me)<<producerShift | uint64(i)
		for p.TryPush(v) != nil {
			wait.none()
		}
		wait.progress()
	}
	return 0
}

func teamPop[T elem8 | elem64](c *ring.Consumer[T], n, batch int) uint64 {
	var wait patience
	var order teamOrder
	if batch > 1 {
		vs := make([]T, batch)
		for i := 0; i < n; {
			k, _ := c.TryPopN(vs[:min(batch, n-i)])
			if k > 0 {
				wait.progress()
			} else {
				wait.none()
			}
			for j := range k {
				order.saw(vs[j][0])
			}
			i += k
		}
		return order.sum
	}
	for i := 0; i < n; {
		v, err := c.TryPop()
		if err != nil {
			wait.none()
			continue
		}
		wait.progress()
		order.saw(v[0])
		i++
	}
	return order.sum
}

func teamPushVyukov[T elem8 | elem64](q *vyukov[T], me, n int) uint64 {
	var wait patience
	var v T
	for i := range n {
		v[0] = uint64(me)<<producerShift | uint64(i)
		for !q.push(&v) {
			wait.none()
		}
		wait.progress()
	}
	return 0
}

func teamPopVyukov[T elem8 | elem64](q *vyukov[T], n int) uint64 {
	var wait patience
	var order teamOrder
	var v T
	for range n {
		for !q.pop(&v) {
			wait.none()
		}
		wait.progress()
		order.saw(v[0])
	}
	return order.sum
}
