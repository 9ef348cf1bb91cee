// A counting semaphore: Dijkstra's P and V (EWD 123, 1965), with permits that come back from the dead.
// permits.go says who holds how many; here is who waits.

package futex

import (
	"context"
	"fmt"
	"math/rand/v2"
	"structs"
	"sync/atomic"

	"ringway/internal/failpoint"
	"ringway/internal/race"
)

const (
	// MaxPermits is how many permits a Semaphore can count.
	MaxPermits = 1<<16 - 1
	// MaxHolders is how many processes can hold permits of one Semaphore at the same time.
	MaxHolders = 62
)

// Semaphore counts permits, between processes and between the goroutines of one. It is 1,024
// bytes, free of pointers, lives in shared or Go memory, must not be copied, and its zero value is ready
// and has no permits: Post makes them.
//
// It serves two uses. To limit how many do something at once, Post the limit once, then Acquire and
// Release: what a process holds when it dies, or closes the segment, comes back by itself, found by
// whoever next has to wait or tries in vain. To count things for others, Acquire and Spend on
// one side and Post on the other: the textbook's P and V.
//
// Permits are held by the process, not by a goroutine. Robustness is as for [Mutex]. All methods may be
// called concurrently; those that fail have changed nothing.
type Semaphore struct {
	_     structs.HostLayout
	word  atomic.Uint64
	home  atomic.Uint64 // as in Mutex
	first atomic.Uint64 // a random number of the one waiter who goes first, 0: none
	spin  atomic.Uint32
	_     uint32
	rows  [MaxHolders]row
}

// Post makes n more permits, held by nobody, and wakes who waits for them. Anybody may.
func (s *Semaphore) Post(n int) (err error) {
	defer guard(&err)()
	if _, err := s.region(); err != nil {
		return err
	}
	if err := wanted("post", n); err != nil {
		return err
	}
	race.Release()
	for {
		w := semWord(s.word.Load()) // observes the last operation; its account stays in the word
		if err := w.sound(); err != nil {
			return err
		}
		if w.free()+n > MaxPermits {
			return fmt.Errorf("futex: post %d: %w: %d are free, %d is the most", n, ErrTooMany, w.free(), MaxPermits)
		}
		if s.give(w, w.next(w.row(), w.free()+n, w.held(), 0)) {
			return nil
		}
	}
}

// Acquire takes n permits, waiting as long as it takes. Errors as of Mutex.Lock but for the
// dead: nobody's death is an error here. ErrTooMany if more than MaxHolders living processes use s.
func (s *Semaphore) Acquire(n int) error {
	r := recently(address(s))
	if r == nil {
		return s.acquireSlow(context.Background(), n, false)
	}
	// observes the last operation: acquires what was published with the permits. If it was ours, this is the
	// file that we take it for: nobody else has our number, and no other file.
	w := semWord(s.word.Load())
	i := r.row // a guess, so that the next load need not wait for the word
	if w.row() != i {
		i = w.row()
	}
	if uint(i) >= MaxHolders || s.rows[i].owner.Load() != r.id || s.first.Load() != 0 {
		return s.acquireSlow(context.Background(), n, false)
	}
	if uint(n-1) >= uint(w.free()) || w.held()+n > MaxPermits || !s.word.CompareAndSwap(uint64(w), uint64(w.moved(n))) {
		return s.acquireSlow(context.Background(), n, false)
	}
	failpoint.Lock(failpoint.SemaphoreTaken)
	race.Acquire()
	return nil
}

// AcquireContext is Acquire that gives up when ctx is done, with context.Cause.
func (s *Semaphore) AcquireContext(ctx context.Context, n int) error {
	return s.acquireSlow(ctx, n, false)
}

// TryAcquire is Acquire that returns ErrBusy instead of waiting.
func (s *Semaphore) TryAcquire(n int) error { return s.acquireSlow(context.Background(), n, true) }

// Release gives back n permits that this process holds; ErrNotOwner if it holds fewer.
func (s *Semaphore) Release(n int) error {
	race.Release()
	r := recently(address(s))
	if r == nil {
		return s.releaseSlow("release", n, n)
	}
	w := semWord(s.word.Load()) // observes the last operation, as in Acquire
	i := r.row
	if w.row() != i {
		i = w.row()
	}
	if uint(i) >= MaxHolders || s.rows[i].owner.Load() != r.id || w&semFlags != 0 {
		return s.releaseSlow("release", n, n)
	}
	// publishes what was done with the permits.
	if uint(n-1) >= uint(w.held()) || w.free()+n > MaxPermits || !s.word.CompareAndSwap(uint64(w), uint64(w.moved(-n))) {
		return s.releaseSlow("release", n, n)
	}
	return nil
}

// Spend uses up n permits that this process holds: they are gone for good, and its death does not
// bring them back. ErrNotOwner if it holds fewer.
func (s *Semaphore) Spend(n int) error { return s.releaseSlow("spend", n, 0) }

// Free returns how many permits are free now; an error as of Acquire.
func (s *Semaphore) Free() (n int, err error) {
	defer guard(&err)()
	if _, err := s.region(); err != nil {
		return 0, err
	}
	w := semWord(s.word.Load()) // observes the last operation
	return w.free(), w.sound()
}

func wanted(what string, n int) error {
	if n < 1 || n > MaxPermits {
		return fmt.Errorf("futex: %s %d permits: pass 1 to %d: %w", what, n, MaxPermits, ErrTooMany)
	}
	return nil
}

func (s *Semaphore) region() (*region, error) {
	r := recently(address(s))
	if r != nil && s.home.Load() == r.home {
		return r, nil
	}
	r, err := find(address(s), semaphoreSize, &s.home)
	if err == nil && s.home.Load() != r.home {
		s.home.Store(r.home) // publishes, as in Mutex.region
	}
	return r, err
}

func (s *Semaphore) acquireSlow(ctx context.Context, n int, try bool) (err error) {
	if err := wanted("acquire", n); err != nil {
		return err
	}
	defer guard(&err)()
	r, err := s.region()
	if err != nil {
		return err
	}
	i, err := s.seat(r)
	if err != nil {
		return err
	}
	t := attempt{ctx: ctx}
	defer t.end()
	var me uint64 // our number if we go first
	defer func() {
		if me != 0 && s.first.CompareAndSwap(me, 0) { // publishes: anybody may go again
			s.stir()
		}
	}()
	for asked := false; ; {
		w := semWord(s.word.Load()) // observes the last operation; checked in change
		first := s.first.Load()     // observes who waits for long
		if w.free() >= n {
			if first != 0 && first != me && t.ranOut {
				s.first.CompareAndSwap(first, 0) // it had a whole park to take its turn: dead or stopped
				continue
			}
			if first == 0 || first == me || try {
				flags := w.flags()
				if t.parks > 0 {
					flags |= semParked // others may sleep
				}
				ok, err := s.change(w, i, -n, n, flags)
				if err != nil {
					return err
				}
				if ok {
					s.taken(w, n, &t)
					return nil
				}
				if had, err := s.account(w, i); err != nil || had+n > MaxPermits && semWord(s.word.Load()) == w {
					return tooMany(err, n, had)
				}
				continue
			}
		} else if try && !asked || t.ranOut || t.spun && !asked {
			asked, t.ranOut = true, false
			if found, err := s.reap(r); err != nil {
				return err
			} else if found {
				continue
			}
		}
		if try {
			return ErrBusy
		}
		if !t.spun && first == 0 {
			t.spin(s.spin.Load(), func() bool { return semWord(s.word.Load()).free() >= n }) // observes give
			continue
		}
		t.spun = true
		if me == 0 && first == 0 && t.parks > 0 && t.waited() > starvingAfter {
			if me = rand.Uint64() | 1; !s.first.CompareAndSwap(0, me) { // publishes: let me go first
				me = 0
			}
		}
		if err := s.sleep(w, n > 1 || me != 0, &t); err != nil {
			return err
		}
	}
}

// stir wakes those who left free permits to the one who goes first. It changes the word: who still saw
// that one and is on the way to sleep finds another word and looks again.
func (s *Semaphore) stir() {
	for {
		w := semWord(s.word.Load()) // observes the last operation; its account stays in the word
		if w.free() == 0 || s.give(w, w.next(w.row(), w.free(), w.held(), 0)) {
			return
		}
	}
}

func tooMany(err error, n, had int) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("futex: acquire %d: %w: this process holds %d already, %d is the most", n, ErrTooMany, had, MaxPermits)
}

// taken passes a wake on if there is more to have, and learns how long to spin.
func (s *Semaphore) taken(w semWord, n int, t *attempt) {
	failpoint.Lock(failpoint.SemaphoreTaken)
	race.Acquire()
	if t.parks > 0 && w.free() > n {
		s.wake(w|semParked, w.next(0, w.free()-n, 0, 0))
	}
	if t.polls > 0 {
		s.spin.Store(nextSpin(s.spin.Load(), t))
	}
}

// sleep parks until the word may have changed.
func (s *Semaphore) sleep(w semWord, many bool, t *attempt) error {
	next := w | semParked
	if many {
		next |= semMany
	}
	// publishes that somebody sleeps; pairs with the swap in give.
	if next != w && !s.word.CompareAndSwap(uint64(w), uint64(next)) {
		return nil
	}
	failpoint.Lock(failpoint.SemaphoreParking)
	err := t.park(low(&s.word), uint32(next))
	failpoint.Lock(failpoint.SemaphoreWoken)
	return err
}

// releaseSlow takes n from our account and makes free of them free.
func (s *Semaphore) releaseSlow(what string, n, free int) (err error) {
	if err := wanted(what, n); err != nil {
		return err
	}
	defer guard(&err)()
	r, err := s.region()
	if err != nil {
		return err
	}
	i, err := s.seat(r)
	if err != nil {
		return err
	}
	for {
		w := semWord(s.word.Load()) // observes the last operation
		had, err := s.account(w, i)
		if err != nil {
			return err
		}
		if had < n || w.free()+free > MaxPermits {
			if semWord(s.word.Load()) != w {
				continue
			}
			if had >= n {
				return fmt.Errorf("futex: %s %d: %w: %d are free, %d is the most", what, n, ErrTooMany, w.free(), MaxPermits)
			}
			return fmt.Errorf("futex: %s %d permits: %w: it holds %d", what, n, ErrNotOwner, had)
		}
		flags := 0
		if free == 0 {
			flags = w.flags()
		}
		if ok, err := s.change(w, i, free, -n, flags); ok || err != nil {
			return err
		}
	}
}
