// A robust mutex in one word, after Ulrich Drepper's "Futexes Are Tricky" (mutex 3) and, for
// fairness, the starvation mode of Go's sync.Mutex; who is dead the kernel says, see owner.go.

package futex

import (
	"context"
	"fmt"
	"math"
	"structs"
	"sync/atomic"
	"time"

	"ringway/internal/failpoint"
	"ringway/internal/race"
)

// The word of a Mutex: a check of the number in bits 52 to 63, the number of its owner in bits 4 to
// 51, and flags.
//
//	0                      free
//	owner                  held
//	owner, inconsistent    held, what it guards needs repair
//	inconsistent           nobody repaired it: unusable, for good
//	starving, parked       free, for somebody who has slept for it already
const (
	mutexParked   = 1 << 0 // somebody sleeps or is about to
	starving      = 1 << 1 // who has not slept yet must not take it
	inconsistent  = 1 << 2
	mutexFlags    = 1<<4 - 1
	idShift       = 4
	lowIDMask     = 1<<(32-idShift) - 1 // what of a number stands in the half that waiters sleep on
	checkShift    = idShift + idBits
	lockSlice     = 100 * time.Millisecond // of a park: who should wake us may have died
	starvingAfter = time.Millisecond
)

// Mutex is a mutual exclusion lock between processes, and between the goroutines of one. It is
// 32 bytes, free of pointers, lives in shared or Go memory, must not be copied, and its zero value is ready.
//
// Its owner is the process: nothing tells goroutines of one process apart, so unlocking what another
// goroutine of the process locked is not noticed, and locking twice hangs, as with sync.Mutex.
// In memory of a segment (package shm), of a mapped file, or announced with [Attach] it is robust: if a
// process dies, or closes the segment, while it holds the mutex, the next one to lock gets
// ErrOwnerDead and the lock. All methods may be called concurrently. Those that fail with any
// other error have changed nothing.
type Mutex struct {
	_    structs.HostLayout
	word atomic.Uint64
	home atomic.Uint64 // hash of the file it lies in, once known; see owner.go
	spin atomic.Uint32 // what recent locks needed, a hint
	_    uint32
	_    uint64
}

// lockWord is a number as it stands in a held mutex, with its check.
func lockWord(id uint64) uint64 { return id<<idShift | mix(id)>>(64-12)<<checkShift }

func mutexOwner(w uint64) uint64 { return w >> idShift & idMask }

// sound reports whether some Mutex method can have written w.
func sound(w uint64) bool {
	id, flags := mutexOwner(w), w&mutexFlags
	if id == 0 {
		return w == flags && flags&^(mutexParked|starving|inconsistent) == 0
	}
	return w == lockWord(id)|flags && flags&^(mutexParked|starving|inconsistent) == 0
}

// Lock locks m, waiting as long as it takes. The error is nil, or ErrOwnerDead and the lock is held, or
// it is not held: ErrNotRecoverable, ErrCorrupt, ErrFault (which is os.ErrClosed if the
// segment was closed), or errors.ErrUnsupported.
func (m *Mutex) Lock() error {
	if r := recently(address(m)); r != nil && m.home.Load() == r.home && m.word.CompareAndSwap(0, r.lock) {
		failpoint.Lock(failpoint.MutexTaken)
		race.Acquire()
		return nil
	}
	return m.lockSlow(context.Background(), false)
}

// LockContext is Lock that gives up when ctx is done, with context.Cause.
func (m *Mutex) LockContext(ctx context.Context) error { return m.lockSlow(ctx, false) }

// TryLock is Lock that returns ErrBusy instead of waiting.
func (m *Mutex) TryLock() error {
	return m.lockSlow(context.Background(), true)
}

// Unlock unlocks m. The error is ErrNotOwner if this process does not hold it, or as of Lock.
// After ErrOwnerDead and without Recovered it makes m unusable.
func (m *Mutex) Unlock() error {
	race.Release()
	// publishes what was done under the lock. If it has our number it is the file we take it for.
	if r := recently(address(m)); r == nil || !m.word.CompareAndSwap(r.lock, 0) {
		return m.unlockSlow()
	}
	return nil
}

// region finds out who we are in m's memory.
func (m *Mutex) region() (*region, error) {
	r := recently(address(m))
	if r != nil && m.home.Load() == r.home {
		return r, nil
	}
	r, err := find(address(m), mutexSize, &m.home)
	if err == nil && m.home.Load() != r.home {
		m.home.Store(r.home) // publishes: a process that takes this for another file's memory looks again
	}
	return r, err
}

func (m *Mutex) lockSlow(ctx context.Context, try bool) (err error) {
	defer guard(&err)()
	r, err := m.region()
	if err != nil {
		return err
	}
	t := attempt{ctx: ctx}
	defer t.end()
	asked := false
	for {
		// observes the owner's swap or unlock; all of the word is checked before it is used.
		w := m.word.Load()
		id := mutexOwner(w)
		switch {
		case !sound(w):
			return fmt.Errorf("futex: lock: %w (%#x); zero it while nobody uses it", ErrCorrupt, w)
		case id == 0 && w&inconsistent != 0:
			return fmt.Errorf("futex: lock: %w; zero it while nobody uses it", ErrNotRecoverable)
		case id == 0 && (w&starving == 0 || t.parks > 0 || try):
			if m.take(r, w, &t) {
				m.learn(&t)
				return nil
			}
			continue
		case id == r.id || id == 0:
		case try || t.ranOut || t.spun && !asked:
			// It is asked before the first sleep and after each that ran out.
			asked, t.ranOut = true, false
			if dead, err := r.dead(id); err != nil {
				return err
			} else if dead {
				if m.usurp(r, w) {
					return fmt.Errorf("futex: %w; you hold it now: repair what it guards, call Recovered, unlock", ErrOwnerDead)
				}
				continue
			}
		}
		if try {
			return ErrBusy
		}
		if !t.spun && w&starving == 0 {
			t.spin(m.spin.Load(), func() bool { return mutexOwner(m.word.Load()) != id }) // observes an unlock
			continue
		}
		t.spun = true
		if err := m.sleep(w, &t); err != nil {
			return err
		}
	}
}

// take swaps a free word for ours. Who has slept leaves the parked bit: others may sleep.
func (m *Mutex) take(r *region, w uint64, t *attempt) bool {
	next := r.lock | w&mutexParked
	if t.parks > 0 {
		next |= mutexParked
		// Keep it among those who have slept while waits are long, but not on the word of
		// sleepers that may be dead.
		if w&starving != 0 && t.waited() > starvingAfter && !t.ranOut {
			next |= starving
		}
	}
	// publishes nothing; acquires what the last owner published with its unlock.
	if !m.word.CompareAndSwap(w, next) {
		return false
	}
	failpoint.Lock(failpoint.MutexTaken)
	race.Acquire()
	return true
}

// usurp takes the place of a dead owner.
func (m *Mutex) usurp(r *region, w uint64) bool {
	// observes the dead owner's word, which nobody but who usurps it can change any more; its stores
	// happened before the kernel let go of its lock.
	if !m.word.CompareAndSwap(w, r.lock|inconsistent|mutexParked) {
		return false
	}
	failpoint.Lock(failpoint.MutexUsurped)
	race.Acquire()
	return true
}

// sleep parks until the word may have changed.
func (m *Mutex) sleep(w uint64, t *attempt) error {
	next := w | mutexParked
	if t.parks > 0 && t.waited() > starvingAfter {
		next |= starving
	}
	// publishes that somebody sleeps; pairs with the swap of unlock, which finds the bit and wakes.
	if next != w && !m.word.CompareAndSwap(w, next) {
		return nil
	}
	failpoint.Lock(failpoint.MutexParking)
	err := t.park(low(&m.word), uint32(next))
	failpoint.Lock(failpoint.MutexWoken)
	return err
}

func (m *Mutex) unlockSlow() (err error) {
	defer guard(&err)()
	r, err := m.region()
	if err != nil {
		return err
	}
	for {
		w := m.word.Load() // observes sleepers' bits
		if !sound(w) {
			return fmt.Errorf("futex: unlock: %w (%#x); zero it while nobody uses it", ErrCorrupt, w)
		}
		if mutexOwner(w) != r.id {
			return notOurs("unlock", w)
		}
		next := uint64(0)
		switch {
		case w&inconsistent != 0:
			next = inconsistent
		case w&starving != 0 && w&mutexParked != 0:
			next = starving | mutexParked
		}
		// publishes what was done under the lock; pairs with the swap of the next owner.
		if !m.word.CompareAndSwap(w, next) {
			continue
		}
		failpoint.Lock(failpoint.MutexUnlocked)
		if w&mutexParked != 0 {
			m.wake(next)
		}
		return nil
	}
}

// wake wakes the longest sleeper, or all if the mutex has become unusable.
func (m *Mutex) wake(w uint64) {
	n := 1
	if w&inconsistent != 0 {
		n = math.MaxInt32
	}
	// It cannot fail on a word that was just written.
	woken, _ := Wake(low(&m.word), n)
	if woken == 0 && w == starving|mutexParked && m.word.CompareAndSwap(w, 0) {
		_, _ = Wake(low(&m.word), 1) // nobody slept, so it is for anybody; but somebody may have come meanwhile
	}
}

func notOurs(what string, w uint64) error {
	if mutexOwner(w) == 0 {
		return fmt.Errorf("futex: %s: %w: the mutex is not locked", what, ErrNotOwner)
	}
	return fmt.Errorf("futex: %s: %w: another process locked it", what, ErrNotOwner)
}

// Recovered says that what m guards is in order again after Lock returned
// ErrOwnerDead. m stays locked. On a mutex that is in order it does nothing. ErrNotOwner if
// this process does not hold m.
func (m *Mutex) Recovered() (err error) {
	defer guard(&err)()
	r, err := m.region()
	if err != nil {
		return err
	}
	for {
		w := m.word.Load() // observes sleepers' bits; the rest is ours
		if !sound(w) {
			return fmt.Errorf("futex: recovered: %w (%#x); zero it while nobody uses it", ErrCorrupt, w)
		}
		if mutexOwner(w) != r.id {
			return notOurs("recovered", w)
		}
		if w&inconsistent == 0 || m.word.CompareAndSwap(w, w&^inconsistent) {
			failpoint.Lock(failpoint.MutexRecovered)
			return nil
		}
	}
}

// learn keeps the spin hint near what recent locks needed.
func (m *Mutex) learn(t *attempt) {
	if t.polls > 0 {
		m.spin.Store(nextSpin(m.spin.Load(), t))
	}
}
