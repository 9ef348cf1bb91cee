package ring

import "ringway/internal/failpoint"

// The typed calls on an MPMC ring. A block holds up to Spec.Pack elements; what goes
// through one call of TryPush, or Reserve and Commit, has a block of its own.

func (p *Producer[T]) pushBlocks(vs []T) (int, error) {
	if err := p.fillable(); err != nil {
		return 0, err
	}
	done := 0
	for done < len(vs) {
		n := min(uint64(len(vs)-done), p.x.max)
		copy(elementsIn[T](p.x.payload(p.x.own), 0, n), vs[done:])
		if err := p.sendBlock(n); err != nil {
			if err == ErrFull && done > 0 {
				return done, nil
			}
			return done, err
		}
		done += int(n)
		p.x.since = p.x.pos // a batch is no burst of single elements
	}
	return done, nil
}

func (p *Producer[T]) reserveBlock() (*T, error) {
	if err := p.fillable(); err != nil {
		return nil, err
	}
	p.reserved = true
	return elementIn[T](p.x.payload(p.x.own), 0), nil
}

// commitBlock sends the reserved block. A full ring leaves the reservation alone.
func (p *spscProducer) commitBlock(n uint64) error {
	err := p.sendBlock(n)
	p.reserved = err == ErrFull
	return err
}

// quick takes an element in the usual case: blocks of one, nothing in hand, no orphans. If
// it reports neither true nor an error, a message is in hand.
func (c *Consumer[T]) quick(v *T) (bool, error) {
	x := c.x
	// observes, in Orphans: settle, Leave
	if !x.single || x.hand || x.lent || c.err != nil || x.orphans != c.control.Orphans.Load() {
		return false, c.receive()
	}
	if err := x.take(); err != nil {
		if err = c.took(err); err != nil {
			return false, c.nothing(err) // which may find an orphan instead
		}
	}
	*v = *elementOf[T](x.area, x.own*x.stride)
	x.told = false
	x.hold()
	failpoint.Hit(failpoint.TakeReleased)
	return true, nil
}

// popHand returns the next element of the message in hand.
func (c *Consumer[T]) popHand() (T, error) {
	v := *elementIn[T](c.x.payload(c.x.block), c.x.index)
	c.x.told = c.x.again
	return v, c.drop(1)
}

func (c *Consumer[T]) popBlocks(dst []T) (int, error) {
	done := 0
	for done < len(dst) {
		ok, err := c.quick(&dst[done])
		switch {
		case ok:
			done++
			c.x.since = c.x.pos // a batch is no burst of single elements, and must not wait for more
			continue
		case err != nil && done > 0:
			return done, nil
		case err != nil:
			return 0, err
		case done > 0 && c.x.again:
			return done, nil // so that Redelivered speaks for all that one call returns
		}
		n := min(c.x.left, uint64(len(dst)-done))
		copy(dst[done:], elementsIn[T](c.x.payload(c.x.block), c.x.index, n))
		done += int(n)
		again := c.x.again
		c.x.told = again
		c.x.since = c.x.pos
		if err := c.drop(n); err != nil || again {
			return done, err
		}
	}
	return done, nil
}

func (c *Consumer[T]) peekBlock() (*T, error) {
	if err := c.receive(); err != nil {
		return nil, err
	}
	c.held, c.x.told = 1, c.x.again
	return elementIn[T](c.x.payload(c.x.block), c.x.index), nil
}

// anything makes sure that there is something to yield.
func (c *spscConsumer) anything() error {
	if c.x != nil {
		return c.receive()
	}
	return c.refresh()
}

// yieldBlock yields the elements of the message in hand and releases each when the
// loop body has ended, or takes something itself.
func (c *Consumer[T]) yieldBlock(yield func(T, error) bool) bool {
	for c.x.hand {
		if !c.yieldOne(*elementIn[T](c.x.payload(c.x.block), c.x.index), yield) {
			return false
		}
	}
	return c.err == nil
}

func (c *Consumer[T]) yieldOne(v T, yield func(T, error) bool) bool {
	c.held, c.x.lent, c.x.told = 0, true, c.x.again
	defer func() {
		if c.err == nil {
			_ = c.settleBlock() // an error sticks
		}
	}()
	return yield(v, nil) && c.err == nil
}
