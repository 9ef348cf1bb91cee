package model

import (
	"fmt"
	"testing"
)

// futex.Mutex: three processes lock, change what is guarded, unlock. They may be killed between any two
// steps. The kernel wakes any sleeper it likes: order is a matter of fairness. How long somebody has
// waited is unknown, so everything that depends on it may go either way.

// Steps of a process: Mutex.Lock, Mutex.Unlock, Mutex.Recovered.
const (
	mFast       = iota // Lock: CompareAndSwap(0, ours)
	mLoad              // lockSlow: load, and the questions that follow
	mTake              // take
	mUsurp             // usurp
	mRaise             // sleep: CompareAndSwap
	mPark              // the kernel's comparison
	mAsleep            //
	mInside            // the critical section begins
	mRecover           // Recovered, or not
	mUnlock            // Unlock: CompareAndSwap(ours, 0)
	mUnlockLoad        // unlockSlow: load
	mUnlockSwap        // unlockSlow: CompareAndSwap
	mWake              // wake: the system call
	mTidy              // wake: CompareAndSwap(w, 0)
	mGone              // done, or told that the mutex is unusable
	mDead
)

type mutexWord struct {
	owner                          int8 // 0: none
	parked, starving, inconsistent bool
}

type locker struct {
	at      uint8
	w       mutexWord // loaded or expected
	parks   bool      // has slept
	ranOut  bool
	usurped bool
	tidy    bool // the wake is for a lock that is reserved
	rounds  int8 // left after this one
}

type mutexWorld struct {
	word   mutexWord
	p      [3]locker
	dirty  bool // somebody died inside, and nobody repaired it
	kills  int8
	rescue bool // parks run out
	mutant uint8
	wrong  string
}

const (
	_ = iota
	unlockWakesNobody
	takeForgetsSleepers
	sleepsUnannounced
	usurpsBlindly
	judgesByTime
	wokenOnlyMayTake
	usurpForgetsDamage
	tidiesSilently
)

func (x mutexWorld) next() (all []mutexWorld) {
	for i := range x.p {
		step := func(change func(x *mutexWorld, p *locker)) {
			y := x
			change(&y, &y.p[i])
			all = append(all, y)
		}
		x.locker(int8(i+1), x.p[i], step)
		if at := x.p[i].at; x.kills > 0 && at != mGone && at != mDead {
			step(func(x *mutexWorld, p *locker) {
				x.kills--
				if at == mInside || at == mRecover {
					x.dirty = true
				}
				*p = locker{at: mDead}
			})
		}
	}
	return all
}

// wakes lets the kernel wake one sleeper, any of them, or nobody if nobody sleeps.
func (x *mutexWorld) wakes(step func(func(*mutexWorld, *locker)), then func(*mutexWorld, *locker, bool)) {
	any := false
	for j := range x.p {
		if x.p[j].at == mAsleep {
			any = true
			step(func(x *mutexWorld, p *locker) {
				x.p[j].at, x.p[j].parks, x.p[j].ranOut = mLoad, true, false
				then(x, p, true)
			})
		}
	}
	if !any {
		step(func(x *mutexWorld, p *locker) { then(x, p, false) })
	}
}

func (x *mutexWorld) locker(me int8, p locker, step func(func(*mutexWorld, *locker))) {
	entered := func(x *mutexWorld, p *locker, usurped bool) {
		p.at, p.usurped = mInside, usurped
		if x.dirty && !usurped {
			x.wrong = "let in without being told of a death"
		}
		for j := range x.p {
			if at := x.p[j].at; int8(j+1) != me && (at == mInside || at == mRecover) {
				x.wrong = "two are inside"
			}
		}
	}
	again := func(x *mutexWorld, p *locker) {
		*p = locker{at: mFast, rounds: p.rounds - 1}
		if p.rounds == 0 {
			p.at = mGone
		}
	}
	switch p.at {
	case mFast:
		step(func(x *mutexWorld, p *locker) {
			if p.at = mLoad; x.word == (mutexWord{}) {
				x.word = mutexWord{owner: me}
				entered(x, p, false)
			}
		})
	case mLoad:
		x.look(p, step)
	case mTake:
		for _, keep := range []bool{false, true} {
			step(func(x *mutexWorld, p *locker) {
				next := mutexWord{owner: me, parked: p.w.parked}
				if p.parks && x.mutant != takeForgetsSleepers {
					next.parked = true
					next.starving = keep && p.w.starving && !p.ranOut
				}
				if p.at = mLoad; x.word == p.w {
					x.word = next
					entered(x, p, false)
				}
			})
		}
	case mUsurp:
		step(func(x *mutexWorld, p *locker) {
			if p.at = mLoad; x.word == p.w || x.mutant == usurpsBlindly {
				x.word = mutexWord{owner: me, parked: true, inconsistent: x.mutant != usurpForgetsDamage}
				entered(x, p, true)
			}
		})
	case mRaise:
		for _, long := range []bool{false, true} {
			if long && !p.parks {
				continue
			}
			step(func(x *mutexWorld, p *locker) {
				next := p.w
				next.parked, next.starving = x.mutant != sleepsUnannounced, p.w.starving || long
				if p.at = mLoad; x.word == p.w {
					x.word, p.w, p.at = next, next, mPark
				}
			})
		}
	case mPark:
		step(func(x *mutexWorld, p *locker) {
			if p.at = mAsleep; x.word != p.w {
				p.at, p.parks, p.ranOut = mLoad, true, false
			}
		})
	case mAsleep:
		if x.rescue {
			step(func(x *mutexWorld, p *locker) { p.at, p.parks, p.ranOut = mLoad, true, true })
		}
	case mInside:
		step(func(x *mutexWorld, p *locker) {
			if p.at = mUnlock; p.usurped {
				p.at = mRecover
			}
		})
	case mRecover:
		step(func(x *mutexWorld, p *locker) { // x.word is ours but for what sleepers add
			x.dirty, x.word.inconsistent, p.at = false, false, mUnlock
		})
		step(func(x *mutexWorld, p *locker) { p.at = mUnlock })
	case mUnlock, mUnlockLoad, mUnlockSwap, mWake, mTidy:
		x.unlocker(me, p, step, again)
	}
}

// look is what lockSlow makes of the word.
func (x *mutexWorld) look(p locker, step func(func(*mutexWorld, *locker))) {
	w := x.word
	to := func(at uint8) { step(func(x *mutexWorld, p *locker) { p.w, p.at = w, at }) }
	dead := w.owner > 0 && x.p[w.owner-1].at == mDead
	mayTake := p.parks
	if x.mutant == wokenOnlyMayTake {
		mayTake = p.parks && !p.ranOut
	}
	switch {
	case w.owner == 0 && w.inconsistent:
		to(mGone)
	case w.owner == 0 && (!w.starving || mayTake):
		to(mTake)
	case dead, w.owner > 0 && x.mutant == judgesByTime && p.ranOut:
		to(mUsurp)
	default:
		to(mRaise)
	}
}

func (x *mutexWorld) unlocker(me int8, p locker, step func(func(*mutexWorld, *locker)), again func(*mutexWorld, *locker)) {
	switch p.at {
	case mUnlock:
		step(func(x *mutexWorld, p *locker) {
			if p.at = mUnlockLoad; x.word == (mutexWord{owner: me}) {
				x.word = mutexWord{}
				again(x, p)
			}
		})
	case mUnlockLoad:
		step(func(x *mutexWorld, p *locker) {
			p.w, p.at = x.word, mUnlockSwap
			if p.w.owner != me {
				x.wrong = "the mutex was taken from a living owner"
			}
		})
	case mUnlockSwap:
		step(func(x *mutexWorld, p *locker) {
			w, next := p.w, mutexWord{}
			switch {
			case w.inconsistent:
				next.inconsistent = true
			case w.starving && w.parked:
				next = mutexWord{parked: true, starving: true}
			}
			if p.at = mUnlockLoad; x.word == w {
				x.word, p.at, p.tidy = next, mWake, next.starving
				if !w.parked || x.mutant == unlockWakesNobody {
					again(x, p)
				}
			}
		})
	case mWake:
		if p.w.inconsistent {
			step(func(x *mutexWorld, p *locker) {
				for j := range x.p {
					if x.p[j].at == mAsleep {
						x.p[j].at, x.p[j].parks = mLoad, true
					}
				}
				again(x, p)
			})
			return
		}
		x.wakes(step, func(x *mutexWorld, p *locker, woken bool) {
			if p.tidy && !woken {
				p.at = mTidy
				return
			}
			again(x, p)
		})
	case mTidy:
		step(func(x *mutexWorld, p *locker) {
			if x.word != (mutexWord{parked: true, starving: true}) {
				again(x, p)
				return
			}
			x.word = mutexWord{}
			if p.tidy, p.at = false, mWake; x.mutant == tidiesSilently {
				again(x, p)
			}
		})
	}
}

// lockersDone says what is wrong in a state; that everybody gets to the end is checked by leads.
func (x mutexWorld) lockersWrong(final bool) string {
	if x.wrong != "" {
		return x.wrong
	}
	if final && !x.done() {
		return "a lost wake-up: nobody can go on, and not everybody is done"
	}
	return ""
}

func (x mutexWorld) done() bool {
	for _, p := range x.p {
		if p.at != mGone && p.at != mDead {
			return false
		}
	}
	return true
}

func lockers(n int, rounds int8, kills int8, mutant uint8) mutexWorld {
	x := mutexWorld{kills: kills, rescue: kills > 0, mutant: mutant}
	for i := range x.p {
		if x.p[i] = (locker{rounds: rounds}); i >= n {
			x.p[i].at = mGone
		}
	}
	return x
}

func TestMutex(t *testing.T) {
	for _, c := range []struct {
		n             int
		rounds, kills int8
	}{{2, 3, 0}, {3, 2, 0}, {2, 3, 2}, {3, 1, 2}} {
		name := fmt.Sprintf("%d lockers, %d rounds, %d kills", c.n, c.rounds, c.kills)
		leads(t, name, lockers(c.n, c.rounds, c.kills, 0), mutexWorld.next, mutexWorld.lockersWrong, mutexWorld.done)
	}
	for name, start := range map[string]mutexWorld{
		"unlock wakes nobody":                          lockers(2, 2, 0, unlockWakesNobody),
		"who has slept forgets the others":             lockers(3, 1, 0, takeForgetsSleepers),
		"a sleep that nobody is told of":               lockers(2, 1, 0, sleepsUnannounced),
		"a dead owner's place is taken without a look": lockers(3, 1, 1, usurpsBlindly),
		"a long wait counts as a death":                lockers(2, 1, 1, judgesByTime),
		"a reserved lock is only for who was woken":    lockers(3, 1, 1, wokenOnlyMayTake),
		"who came to sleep meanwhile is not woken":     lockers(3, 2, 0, tidiesSilently),
		"the next but one is not told of the damage":   lockers(3, 1, 2, usurpForgetsDamage),
	} {
		astray(t, name, start, mutexWorld.next, mutexWorld.lockersWrong, mutexWorld.done)
	}
}
