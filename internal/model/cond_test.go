package model

import (
	"fmt"
	"testing"
)

// futex.Cond: waiters who take one item each, signallers who put one each. The mutex is taken for
// granted (mutex_test.go): free, or somebody's, and a dead owner's is free. The kernel wakes any
// sleeper it likes, also one who came after the signal.

// Steps of a waiter: lock, look, Cond.Wait. Of a signaller: lock, put, unlock, Cond.Signal or Broadcast.
const (
	cLock     = iota // and look, and take if there is something
	cLoad            // announce: load
	cRaise           // announce: CompareAndSwap
	cUnlock          // m.Unlock
	cPark            // the kernel's comparison
	cAsleep          //
	cWoken           // sleep: load
	cPut             // lock, put, unlock
	cSigLoad         // signal: load
	cSigSwap         // signal: CompareAndSwap
	cSigWake         // Wake
	cSigTidy         // signal: CompareAndSwap, the bit
	cSigAgain        // wakeAll
	cGone
	cDead
)

type condWord struct {
	signals uint8
	parked  bool
}

type condActor struct {
	at uint8
	w  condWord
}

type condWorld struct {
	word      condWord
	holder    int8 // of the mutex, 0: nobody
	items     int8
	a         [4]condActor
	kills     int8
	rescue    bool
	broadcast bool
	mutant    uint8
}

const (
	_ = iota
	unlockBeforeAnnounce
	signalLeavesWord
	signalDropsBit
	condTidiesSilently
	rescueNeedsSignal
)

func (x condWorld) next() (all []condWorld) {
	for i := range x.a {
		step := func(change func(x *condWorld, a *condActor)) {
			y := x
			change(&y, &y.a[i])
			all = append(all, y)
		}
		me, at := int8(i+1), x.a[i].at
		if at < cPut {
			x.waiter(me, x.a[i], step)
		} else {
			x.signaller(x.a[i], step)
		}
		if x.kills > 0 && at != cGone && at != cDead && at != cPut {
			step(func(x *condWorld, a *condActor) {
				x.kills--
				if x.holder == me {
					x.holder = 0 // passes on, see mutex_test.go
				}
				*a = condActor{at: cDead}
			})
		}
	}
	return all
}

func (x *condWorld) waiter(me int8, a condActor, step func(func(*condWorld, *condActor))) {
	switch a.at {
	case cLock:
		if x.holder != 0 {
			return
		}
		step(func(x *condWorld, a *condActor) {
			if x.items > 0 {
				x.items--
				a.at = cGone
				return
			}
			if a.at, x.holder = cLoad, me; x.mutant == unlockBeforeAnnounce {
				x.holder = 0
			}
		})
	case cLoad:
		step(func(x *condWorld, a *condActor) {
			if a.w, a.at = x.word, cRaise; a.w.parked {
				a.at = cUnlock
			}
		})
	case cRaise:
		step(func(x *condWorld, a *condActor) {
			if a.at = cLoad; x.word == a.w {
				x.word.parked, a.w.parked, a.at = true, true, cUnlock
			}
		})
	case cUnlock:
		step(func(x *condWorld, a *condActor) {
			if x.holder == me {
				x.holder = 0
			}
			a.at = cPark
		})
	case cPark:
		step(func(x *condWorld, a *condActor) {
			if a.at = cAsleep; x.word != a.w {
				a.at = cWoken
			}
		})
	case cAsleep:
		if x.rescue {
			step(func(x *condWorld, a *condActor) {
				if x.mutant != rescueNeedsSignal || x.word != a.w {
					a.at = cLock
				}
			})
		}
	case cWoken:
		step(func(x *condWorld, a *condActor) {
			if a.at = cLock; x.word == a.w {
				a.at = cPark
			}
		})
	}
}

func (x *condWorld) wakes(step func(func(*condWorld, *condActor)), then func(*condWorld, *condActor, bool)) {
	any := false
	for j := range x.a {
		if x.a[j].at == cAsleep {
			any = true
			step(func(x *condWorld, a *condActor) {
				x.a[j].at = cWoken
				then(x, a, true)
			})
		}
	}
	if !any {
		step(func(x *condWorld, a *condActor) { then(x, a, false) })
	}
}

func (x *condWorld) wakesAll() {
	for j := range x.a {
		if x.a[j].at == cAsleep {
			x.a[j].at = cWoken
		}
	}
}

func (x *condWorld) signaller(a condActor, step func(func(*condWorld, *condActor))) {
	next := condWord{a.w.signals + 1, !x.broadcast && x.mutant != signalDropsBit}
	switch a.at {
	case cPut:
		if x.holder == 0 {
			step(func(x *condWorld, a *condActor) {
				if x.items++; x.broadcast {
					x.items++
				}
				a.at = cSigLoad
			})
		}
	case cSigLoad:
		step(func(x *condWorld, a *condActor) {
			if a.w, a.at = x.word, cSigSwap; !a.w.parked {
				a.at = cGone
			}
		})
	case cSigSwap:
		step(func(x *condWorld, a *condActor) {
			if a.at = cSigLoad; x.word == a.w {
				a.at = cSigWake
				if x.mutant != signalLeavesWord {
					x.word = next
				}
			}
		})
	case cSigWake:
		if x.broadcast {
			step(func(x *condWorld, a *condActor) { x.wakesAll(); a.at = cGone })
			return
		}
		x.wakes(step, func(x *condWorld, a *condActor, woken bool) {
			if a.at = cSigTidy; woken {
				a.at = cGone
			}
		})
	case cSigTidy:
		step(func(x *condWorld, a *condActor) {
			if a.at = cGone; x.word == next {
				if x.word.parked = false; x.mutant != condTidiesSilently {
					a.at = cSigAgain
				}
			}
		})
	case cSigAgain:
		step(func(x *condWorld, a *condActor) { x.wakesAll(); a.at = cGone })
	}
}

// done: everybody is gone, or waits for something that is not there.
func (x condWorld) done() bool {
	for _, a := range x.a {
		if a.at != cGone && a.at != cDead && (x.items > 0 || a.at != cAsleep) {
			return false
		}
	}
	return true
}

func (x condWorld) lost(final bool) string {
	if final && !x.done() {
		return "a lost wake-up: somebody sleeps, there is something to take, and nobody goes on"
	}
	return ""
}

func waiting(waiters, signallers int, broadcast bool, kills int8, mutant uint8) condWorld {
	x := condWorld{kills: kills, rescue: kills > 0, broadcast: broadcast, mutant: mutant}
	for i := range x.a {
		switch {
		case i < waiters:
		case i < waiters+signallers:
			x.a[i].at = cPut
		default:
			x.a[i].at = cGone
		}
	}
	return x
}

func TestCond(t *testing.T) {
	for _, c := range []struct {
		waiters, signallers int
		broadcast           bool
		kills               int8
	}{{2, 2, false, 0}, {3, 1, false, 0}, {1, 3, false, 0}, {2, 1, true, 0}, {2, 2, true, 0}, {2, 2, false, 1}, {2, 2, false, 2}, {2, 1, true, 2}, {2, 2, true, 1}} {
		name := fmt.Sprintf("%d waiters, %d signallers, broadcast %v, %d kills", c.waiters, c.signallers, c.broadcast, c.kills)
		leads(t, name, waiting(c.waiters, c.signallers, c.broadcast, c.kills, 0), condWorld.next, condWorld.lost, condWorld.done)
	}
	for name, start := range map[string]condWorld{
		"unlock comes before the announcement":     waiting(1, 1, false, 0, unlockBeforeAnnounce),
		"a signal that leaves the word":            waiting(1, 1, false, 0, signalLeavesWord),
		"a signal that forgets the other sleepers": waiting(2, 2, false, 0, signalDropsBit),
		"who came to sleep meanwhile is not woken": waiting(2, 2, false, 0, condTidiesSilently),
		"only a signal ends a park":                waiting(2, 2, false, 1, rescueNeedsSignal),
	} {
		astray(t, name, start, condWorld.next, condWorld.lost, condWorld.done)
	}
}
