// Who holds how many permits, with one swap an operation. The word carries the account of whoever changed
// it last; whoever changes it next first copies that account into the table. It is the helping of
// detectable objects (Attiya, Ben-Baruch and Hendler, "Nesting-Safe Recoverable Linearizability",
// 2018) with the answer itself in the word. docs/LOCKS.md has the argument, internal/model every interleaving.

package futex

import (
	"fmt"
	"sync"
	"sync/atomic"

	"ringway/internal/failpoint"
)

// The word of a Semaphore: flags in bits 0 and 1, free permits in bits 2 to 17, and an account: in bits 34 to
// 39 a row of the table, counted from 1, in bits 18 to 33 what its process holds. The rest is a
// version. Flags and free permits stand in the half that waiters sleep on, and nothing else there
// keeps anybody awake who has a reason to sleep.
const (
	semParked    = 1 << 0 // somebody sleeps or is about to
	semMany      = 1 << 1 // somebody sleeps who wants more than one or goes first: a single wake may miss him
	semFlags     = semParked | semMany
	freeShift    = 2
	heldShift    = 18
	rowShift     = 34
	rowMask      = 1<<6 - 1
	versionShift = 40

	oneTaken = 1<<heldShift - 1<<freeShift // from free to held
)

type semWord uint64

func (w semWord) free() int  { return int(w >> freeShift & MaxPermits) }
func (w semWord) held() int  { return int(w >> heldShift & MaxPermits) }
func (w semWord) row() int   { return int(w>>rowShift&rowMask) - 1 }
func (w semWord) flags() int { return int(w & semFlags) }

// next is the word after an operation of row that leaves free and held, and flags.
func (w semWord) next(row, free, held, flags int) semWord {
	return semWord(flags) | semWord(free)<<freeShift | semWord(held)<<heldShift | semWord(row+1)<<rowShift | (w>>versionShift+1)<<versionShift
}

// moved is the word after its own row took n permits; n may be negative. They must be there.
func (w semWord) moved(n int) semWord { return w + semWord(n)*oneTaken + 1<<versionShift }

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
