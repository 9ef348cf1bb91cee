package bench

import (
	"context"
	"fmt"

	"ringway/ring"
)

// Of many producers each marks its elements with its number and counts them; every consumer checks that the elements of one
// producer come in order. That none is lost or doubled follows from the number that all sides wait for.
const markShift = 56

func mark(side Side, i int) uint64 { return uint64(side.Number())<<markShift | uint64(i+1) }

// seen is how far one consumer has seen each producer.
type seen [maxProducers]uint64

func (s *seen) next(m uint64) {
	who, i := m>>markShift, m&(1<<markShift-1)
	if who >= uint64(len(s)) || i <= s[who] {
		panic(fmt.Sprintf("element %d of producer %d came after %d", i, who, s[who&(maxProducers-1)]))
	}
	s[who] = i
}

// triesBeforeYield is how many tries in vain a side makes before it yields its CPU to the other one on it.
const triesBeforeYield = 64

// stuck counts tries in vain.
type stuck int

func (s *stuck) retry() {
	if *s++; *s%triesBeforeYield == 0 {
		yield()
	}
}

// The loops below differ in one call each; it is not passed in, so that nothing but it is measured.

func pushMany[T element](p *ring.Producer[T], side Side, n int) {
	var wait stuck
	var v T
	for i := range n {
		v[0] = mark(side, i)
		for p.TryPush(v) != nil {
			wait.retry()
		}
	}
}

func popMany[T element](c *ring.Consumer[T], n int) {
	var wait stuck
	var s seen
	for i := 0; i < n; {
		v, err := c.TryPop()
		if err != nil {
			wait.retry()
			continue
		}
		s.next(v[0])
		i++
	}
}

func pushManyWaiting[T element](p *ring.Producer[T], side Side, n int) {
	ctx := context.Background()
	var v T
	for i := range n {
		v[0] = mark(side, i)
		if err := p.Push(ctx, v); err != nil {
			panic(err)
		}
	}
}

func popManyWaiting[T element](c *ring.Consumer[T], n int) {
	ctx := context.Background()
	var s seen
	for range n {
		v, err := c.Pop(ctx)
		if err != nil {
			panic(err)
		}
		s.next(v[0])
	}
}

func pushManyVyukov[T element](q *vyukov[T], side Side, n int) {
	var wait stuck
	var v T
	for i := range n {
		v[0] = mark(side, i)
		for !q.push(&v) {
			wait.retry()
		}
	}
}

func popManyVyukov[T element](q *vyukov[T], n int) {
	var wait stuck
	var v T
	var s seen
	for range n {
		for !q.pop(&v) {
			wait.retry()
		}
		s.next(v[0])
	}
}

func pushManyBatches[T element](p *ring.Producer[T], side Side, n, batch int) {
	var wait stuck
	vs := make([]T, batch)
	for i := 0; i < n; {
		k := min(batch, n-i)
		for j := range k {
			vs[j][0] = mark(side, i+j)
		}
		for left := vs[:k]; len(left) > 0; {
			m, err := p.TryPushN(left)
			if err != nil {
				wait.retry()
			}
			left = left[m:]
		}
		i += k
	}
}

// popManyBatches takes no more than n, or another consumer would wait for what this one took.
func popManyBatches[T element](c *ring.Consumer[T], n, batch int) {
	var wait stuck
	vs := make([]T, batch)
	var s seen
	for i := 0; i < n; {
		k, err := c.TryPopN(vs[:min(batch, n-i)])
		if err != nil {
			wait.retry()
		}
		for j := range k {
			s.next(vs[j][0])
		}
		i += k
	}
}
