// A counting semaphore that knows who holds what, with one swap an operation. The word carries the account
// of whoever changed it last; whoever changes it next first copies that account into the
// table. It is the helping of detectable objects (Attiya, Ben-Baruch and Hendler, "Nesting-Safe
// Recoverable Linearizability", 2018) with the answer itself in the word.

package futex

import (
	"context"
	"fmt"
	"math/rand/v2"
	"structs"
	"sync"
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

// The word of a Semaphore: flags in bits 0 and 1, free permits in bits 2 to 17, a version in bits 18 to 41
// (14 bits of it stand in the half that waiters sleep on), in bits 42 to 47 the row of the table, counted from
// 1, whose account stands in bits 48 to 63: what its process holds.
const (
	semParked    = 1 << 0 // somebody sleeps or is about to
	semMany      = 1 << 1 // somebody sleeps who wants more than one or goes first: a single wake may miss him
	semFlags     = semParked | semMany
	freeShift    = 2
	versionShift = 18
	versionMask  = (1<<24 - 1) << versionShift
	rowShift     = 42
	rowMask      = 1<<6 - 1
	heldShift    = 48
)

type semWord uint64

func (w semWord) free() int  { return int(w >> freeShift & MaxPermits) }
func (w semWord) row() int   { return int(w>>rowShift&rowMask) - 1 }
func (w semWord) held() int  { return int(w >> heldShift) }
func (w semWord) flags() int { return int(w & semFlags) }

// next is the word after an operation of row that leaves free and held, and flags.
func (w semWord) next(row, free, held, flags int) semWord {
	return semWord(flags) | semWord(free)<<freeShift | (w+1<<versionShift)&versionMask |
		semWord(row+1)<<rowShift | semWord(held)<<heldShift
}

// sound reports whether some method can have written w.
func (w semWord) sound() error {
	if w.row() >= MaxHolders || w.row() < 0 && w.held() != 0 {
		return fmt.Errorf("futex: semaphore: %w (%#x); zero it while nobody uses it", ErrCorrupt, uint64(w))
	}
	return nil
}

// row is a process and, unless the word has it, what it holds.
type row struct {
	owner atomic.Uint64 // its number, see owner.go; 0: the row was never used
	held  atomic.Uint64 // permits in the low 16 bits, above them how often this was written
}

const heldMask = 1<<16 - 1

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
	if r := last.Load(); r != nil && r.covers(address(s)) && s.home.Load() == r.home {
		// observes the last operation: acquires what was published with the permits.
		w := semWord(s.word.Load())
		if i := w.row(); uint(i) < MaxHolders && s.rows[i].owner.Load() == r.id && s.first.Load() == 0 &&
			n > 0 && n <= w.free() && w.held()+n <= MaxPermits &&
			s.word.CompareAndSwap(uint64(w), uint64(w.next(i, w.free()-n, w.held()+n, w.flags()))) {
			failpoint.Lock(failpoint.SemaphoreTaken)
			race.Acquire()
			return nil
		}
	}
	return s.acquireSlow(nil, n, false)
}

// AcquireContext is Acquire that gives up when ctx is done, with context.Cause.
func (s *Semaphore) AcquireContext(ctx context.Context, n int) error {
	return s.acquireSlow(ctx, n, false)
}

// TryAcquire is Acquire that returns ErrBusy instead of waiting.
func (s *Semaphore) TryAcquire(n int) error { return s.acquireSlow(nil, n, true) }

// Release gives back n permits that this process holds; ErrNotOwner if it holds fewer.
func (s *Semaphore) Release(n int) error {
	race.Release()
	if r := last.Load(); r != nil && r.covers(address(s)) && s.home.Load() == r.home {
		w := semWord(s.word.Load()) // observes the last operation
		if i := w.row(); uint(i) < MaxHolders && s.rows[i].owner.Load() == r.id && w.flags() == 0 &&
			n > 0 && n <= w.held() && w.free()+n <= MaxPermits &&
			s.word.CompareAndSwap(uint64(w), uint64(w.next(i, w.free()+n, w.held()-n, 0))) { // publishes with the permits
			return nil
		}
	}
	return s.releaseSlow("release", n, n)
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

// Held returns how many permits this process holds; an error as of Acquire.
func (s *Semaphore) Held() (n int, err error) {
	defer guard(&err)()
	r, err := s.region()
	if err != nil {
		return 0, err
	}
	i, err := s.seat(r)
	if err != nil {
		return 0, err
	}
	for {
		w := semWord(s.word.Load()) // observes the last operation
		n, err := s.account(w, i)
		if err != nil || semWord(s.word.Load()) == w { // again: between the two it may have moved to the table
			return n, err
		}
	}
}

func wanted(what string, n int) error {
	if n < 1 || n > MaxPermits {
		return fmt.Errorf("futex: %s %d permits: pass 1 to %d: %w", what, n, MaxPermits, ErrTooMany)
	}
	return nil
}

func (s *Semaphore) region() (*region, error) {
	r := last.Load()
	if r != nil && r.covers(address(s)) && s.home.Load() == r.home {
		return r, nil
	}
	r, err := find(address(s), semaphoreSize, &s.home)
	if err == nil && s.home.Load() != r.home {
		s.home.Store(r.home) // publishes, as in Mutex.region
	}
	return r, err
}

// account is what a row's process holds: in the word, if it was the last, else in the table.
func (s *Semaphore) account(w semWord, i int) (int, error) {
	if err := w.sound(); err != nil {
		return 0, err
	}
	if w.row() == i {
		return w.held(), nil
	}
	return int(s.rows[i].held.Load() & heldMask), nil // observes the copy that was made before the word was changed
}

// flush copies the account in the word into the table, so that the word may be changed. It reports
// false if the word is not w any more. It writes even what is there already: the count of writes is
// what stops a copy of long ago.
func (s *Semaphore) flush(w semWord) bool {
	if w.row() < 0 {
		return true
	}
	held := &s.rows[w.row()].held
	old := held.Load() // observes the last copy
	if semWord(s.word.Load()) != w {
		return false // or this might undo a later copy
	}
	// publishes the account to whoever finds another row in the word.
	if !held.CompareAndSwap(old, (old>>16+1)<<16|uint64(w.held())) {
		return false
	}
	failpoint.Lock(failpoint.SemaphoreFlushed)
	return true
}

// change does one operation of row i: free and held grow by so much. It reports false if somebody
// else came between.
func (s *Semaphore) change(w semWord, i, free, held, flags int) (bool, error) {
	if err := w.sound(); err != nil {
		return false, err
	}
	if w.row() != i && !s.flush(w) {
		return false, nil
	}
	had, err := s.account(w, i)
	if err != nil {
		return false, err
	}
	if had+held < 0 || had+held > MaxPermits || w.free()+free > MaxPermits {
		return false, nil // seen between two operations; the swap would fail
	}
	next := w.next(i, w.free()+free, had+held, flags)
	if free > 0 {
		return s.give(w, next), nil
	}
	// acquires what was published with the permits; publishes the account with them.
	return s.word.CompareAndSwap(uint64(w), uint64(next)), nil
}

// give swaps in a word with more free permits and wakes those who can have them.
func (s *Semaphore) give(w, next semWord) bool {
	// publishes what was done before; pairs with the swap in Acquire, and with the one that raised the flags.
	if !s.word.CompareAndSwap(uint64(w), uint64(next)) {
		return false
	}
	failpoint.Lock(failpoint.SemaphoreGiven)
	s.wake(w, next)
	return true
}

func (s *Semaphore) wake(w, next semWord) {
	switch {
	case w.flags() == 0:
	case w.flags()&semMany != 0:
		_, _ = wakeAll(low(&s.word)) // the word was just written, so this cannot fail
	default:
		_, _ = Wake(low(&s.word), next.free())
	}
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
			if w := semWord(s.word.Load()); w.free() > 0 {
				s.wake(w, w)
			}
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

// claims keeps goroutines of one process from taking two rows for it.
var claims sync.Mutex

// seat finds our row of the table, or takes one: unused, or of a process that died. Rows never
// become unused again, so a search may end at an unused one.
func (s *Semaphore) seat(r *region) (int, error) {
	for k := range MaxHolders {
		i := int((r.id + uint64(k)) % MaxHolders)
		switch s.rows[i].owner.Load() { // observes: our own store, or another's, who then is not us
		case r.id:
			return i, nil
		case 0:
			return s.claim(r)
		}
	}
	return s.claim(r)
}

func (s *Semaphore) claim(r *region) (int, error) {
	claims.Lock()
	defer claims.Unlock()
	for _, old := range [...]bool{false, true} {
		for k := range MaxHolders {
			i := int((r.id + uint64(k)) % MaxHolders)
			owner := s.rows[i].owner.Load() // observes another's swap below
			if owner == r.id {
				return i, nil
			}
			if owner != 0 {
				if !old {
					continue
				}
				if dead, err := r.dead(owner & idMask); err != nil || !dead {
					if err != nil {
						return 0, err
					}
					continue
				}
				if _, err := s.reapRow(i, owner); err != nil {
					return 0, err
				}
			}
			// publishes: the row is ours, and its account is 0: the dead cannot add to it.
			if s.rows[i].owner.CompareAndSwap(owner, r.id) {
				failpoint.Lock(failpoint.SemaphoreSeated)
				return i, nil
			}
		}
	}
	return 0, fmt.Errorf("futex: semaphore: %w: %d living processes use it already", ErrTooMany, MaxHolders)
}

// reap frees what the dead hold and reports whether there was any.
func (s *Semaphore) reap(r *region) (found bool, err error) {
	for i := range s.rows {
		owner := s.rows[i].owner.Load() // observes claim's swap
		if owner == 0 || owner == r.id {
			continue
		}
		if had, err := s.account(semWord(s.word.Load()), i); err != nil || had == 0 {
			if err != nil {
				return found, err
			}
			continue // perhaps seen between two operations; then the next look finds it
		}
		dead, err := r.dead(owner & idMask)
		if err != nil {
			return found, err
		}
		if !dead {
			continue
		}
		got, err := s.reapRow(i, owner)
		found = found || got
		if err != nil {
			return found, err
		}
	}
	return found, nil
}

// reapRow gives back what row i holds, in one operation on its dead owner's behalf: whoever does it
// again, after our death or at the same time, finds that it holds nothing.
func (s *Semaphore) reapRow(i int, owner uint64) (bool, error) {
	for {
		w := semWord(s.word.Load()) // observes the last operation
		// observes claim's swap. A row passes on only after it held nothing, so if the word is still
		// w when we swap it and the row held something, it was this owner's all the time.
		if s.rows[i].owner.Load() != owner {
			return false, nil
		}
		had, err := s.account(w, i)
		if err != nil {
			return false, err
		}
		if had == 0 {
			if semWord(s.word.Load()) != w {
				continue
			}
			return false, nil
		}
		if w.free()+had > MaxPermits {
			return false, fmt.Errorf("futex: semaphore: %w: %d are free and the dead hold %d", ErrTooMany, w.free(), had)
		}
		if ok, err := s.change(w, i, had, -had, 0); err != nil {
			return false, err
		} else if ok {
			failpoint.Lock(failpoint.SemaphoreReaped)
			return true, nil
		}
	}
}
