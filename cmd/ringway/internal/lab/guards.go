package lab

import (
	"structs"

	"ringway/futex"
)

// guards are the locks on a board. Each kind has lines of its own.
type guards struct {
	_       structs.HostLayout
	mutex   futex.Mutex
	_       [line]byte
	inside  futex.Semaphore // one permit: who has it may go on
	empty   futex.Semaphore // a permit for each slot to fill
	full    futex.Semaphore // and one for each filled slot
	notFull futex.Cond
	_       [line]byte
	filled  futex.Cond
	_       [line]byte
}

// prepare opens the semaphores, with as many empty slots.
func (g *guards) prepare(slots int) error {
	if err := g.inside.Post(1); err != nil {
		return err
	}
	return g.empty.Post(slots)
}

// locked adds 1 to x inside a mutex.
func (b *counterBoard) locked(n uint64) error {
	for ; n > 0; n-- {
		if err := b.mutex.Lock(); err != nil {
			return err
		}
		x := b.x.Load()
		b.x.Store(x + 1)
		if err := b.mutex.Unlock(); err != nil {
			return err
		}
	}
	return nil
}

// permitted adds 1 to x with the one permit of a semaphore.
func (b *counterBoard) permitted(n uint64) error {
	for ; n > 0; n-- {
		if err := b.inside.Acquire(1); err != nil {
			return err
		}
		x := b.x.Load()
		b.x.Store(x + 1)
		if err := b.inside.Release(1); err != nil {
			return err
		}
	}
	return nil
}

// putSemaphores is the textbook's producer: P(empty), P(mutex), V(mutex), V(full). P of a
// permit that the other side makes anew is Acquire and, once the slot is filled, Spend.
func (b *boundedBuffer) putSemaphores(item uint64) error {
	if err := b.empty.Acquire(1); err != nil {
		return err
	}
	if err := b.inside.Acquire(1); err != nil {
		return err
	}
	b.put(item)
	if err := b.inside.Release(1); err != nil {
		return err
	}
	if err := b.empty.Spend(1); err != nil {
		return err
	}
	return b.full.Post(1)
}

func (b *boundedBuffer) takeSemaphores() (item uint64, err error) {
	if err := b.full.Acquire(1); err != nil {
		return 0, err
	}
	if err := b.inside.Acquire(1); err != nil {
		return 0, err
	}
	item = b.take()
	if err := b.inside.Release(1); err != nil {
		return 0, err
	}
	if err := b.full.Spend(1); err != nil {
		return 0, err
	}
	return item, b.empty.Post(1)
}

// putMonitor is the producer in a monitor: one at a time inside, and who must wait for
// the other side leaves for as long.
func (b *boundedBuffer) putMonitor(item uint64) error {
	if err := b.mutex.Lock(); err != nil {
		return err
	}
	for b.count.Load() == uint64(len(b.slots)) {
		if err := b.notFull.Wait(&b.mutex); err != nil {
			return err
		}
	}
	b.put(item)
	b.count.Store(b.count.Load() + 1)
	if err := b.filled.Signal(); err != nil {
		return err
	}
	return b.mutex.Unlock()
}

func (b *boundedBuffer) takeMonitor() (item uint64, err error) {
	if err := b.mutex.Lock(); err != nil {
		return 0, err
	}
	for b.count.Load() == 0 {
		if err := b.filled.Wait(&b.mutex); err != nil {
			return 0, err
		}
	}
	item = b.take()
	b.count.Store(b.count.Load() - 1)
	if err := b.notFull.Signal(); err != nil {
		return 0, err
	}
	return item, b.mutex.Unlock()
}
