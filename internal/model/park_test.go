package model

import "testing"

// Parking: one publisher, one sleeper, and a third who interrupts (a context that is
// cancelled) or alerts. Nobody dies and no sleep is bounded here, so a lost wake-up is a
// sleeper who sleeps on.

const items = 3 // that the publisher publishes

// Steps of the publisher: Producer.TryPush, Event.Parked, Event.Notify.
const (
	pPublish   = iota // order.StoreRelease(tailWord)
	pParked           // Event.Parked
	pNotify           // Event.Notify: load
	pSwap             // Event.notify: CompareAndSwap
	pLookAgain        // Event.notify: the load after a failed swap
	pWake             // Event.wakeAll
	pDone
)

// Steps of the sleeper: end.park.
const (
	sLook    = iota // look before parking
	sLoad           // Event.Prepare: load
	sRaise          // Event.Prepare: CompareAndSwap
	sBarrier        // end.fence
	sRecheck        // look
	sContext        // ctx.Err
	sWait           // Event.Wait: the kernel's comparison, and falling asleep
	sAsleep
	sDone
)

// Steps of the third: cancel and Event.Interrupt, or Event.Alert.
const (
	tCancel = iota // ctx is done
	tLoad          // Event.Interrupt: load
	tSwap          // Event.Interrupt: CompareAndSwap
	tWake          // Event.wakeAll
	tAlert         // Event.Alert
	tDone
)

// word is an event's: epoch, alert, parked.
type word struct {
	epoch         uint8
	alert, parked bool
}

type parking struct {
	tail      uint8 // as memory has it
	buffered  uint8 // the publisher's store that memory does not have yet, 0: none
	event     word
	cancelled bool

	p, s, t      uint8 // what each does next
	published    uint8 // of the publisher's own stores
	head         uint8
	pw, sw, tw   word // what each loaded, or its token
	full         bool // a ring with a full fence: no buffer, no barrier
	mutant       uint8
	sleeperQuits bool // the context was seen done
}

const (
	noMutant = iota
	noBarrier
	checkBeforeRaise
	wakeLeavesWord
	alertEatsWake
	contextBeforeRaise
)

// drain puts the publisher's store into memory: by itself at any time, at a locked
// instruction of its own, at a barrier of anybody's.
func (x *parking) drain() {
	if x.buffered != 0 {
		x.tail, x.buffered = x.buffered, 0
	}
}

func (x parking) next() (all []parking) {
	step := func(change func(x *parking)) {
		y := x
		change(&y)
		all = append(all, y)
	}
	if x.buffered != 0 {
		step((*parking).drain)
	}
	x.publisher(step)
	x.sleeper(step)
	x.third(step)
	return all
}

func (x *parking) publisher(step func(func(*parking))) {
	again := func(x *parking) {
		x.p = pPublish
		if x.published == items {
			x.p = pDone
		}
	}
	switch x.p {
	case pPublish:
		step(func(x *parking) {
			x.drain() // the buffer of the model holds one store
			x.published++
			if x.buffered = x.published; x.full {
				x.drain()
			}
			x.p = pParked
		})
	case pParked:
		step(func(x *parking) {
			if x.p = pNotify; !x.event.parked && !x.event.alert {
				again(x)
			}
		})
	case pNotify:
		step(func(x *parking) {
			x.pw = x.event
			if x.p = pSwap; !x.pw.parked {
				again(x)
			}
		})
	case pSwap:
		step(func(x *parking) {
			x.drain() // locked
			if x.event != x.pw {
				x.p = pLookAgain
				return
			}
			if x.mutant != wakeLeavesWord {
				x.event.parked = false
				x.event.epoch++
			}
			x.p = pWake
		})
	case pLookAgain:
		step(func(x *parking) {
			now, was := x.event, x.pw
			now.alert, was.alert = true, true
			if x.pw, x.p = x.event, pSwap; now != was || x.mutant == alertEatsWake {
				again(x) // another waker came between
			}
		})
	case pWake:
		step(func(x *parking) { x.wake(); again(x) })
	}
}

func (x *parking) wake() {
	if x.s == sAsleep {
		x.s = sLook
	}
}

func (x *parking) sleeper(step func(func(*parking))) {
	take := func(x *parking) {
		x.head = x.tail
		if x.s = sLook; x.head == items {
			x.s = sDone
		}
	}
	prepared := func(x *parking) {
		switch {
		case x.mutant == checkBeforeRaise:
			x.s = sWait
		case x.mutant == noBarrier || x.full:
			x.s = sRecheck
		default:
			x.s = sBarrier
		}
	}
	switch x.s {
	case sLook:
		step(func(x *parking) {
			switch {
			case x.tail != x.head:
				take(x)
			case x.mutant == contextBeforeRaise && x.cancelled:
				x.s, x.sleeperQuits = sDone, true
			default:
				x.s = sLoad
			}
		})
	case sLoad:
		step(func(x *parking) {
			if x.sw, x.s = x.event, sRaise; x.sw.parked {
				prepared(x)
			}
		})
	case sRaise:
		step(func(x *parking) {
			if x.event != x.sw {
				x.s = sLoad
				return
			}
			x.event.parked = true
			x.sw = x.event
			prepared(x)
		})
	case sBarrier:
		step(func(x *parking) { x.drain(); x.s = sRecheck })
	case sRecheck:
		step(func(x *parking) {
			if x.s = sContext; x.tail != x.head {
				take(x)
			} else if x.mutant == contextBeforeRaise {
				x.s = sWait
			}
		})
	case sContext:
		step(func(x *parking) {
			if x.s = sWait; x.cancelled {
				x.s, x.sleeperQuits = sDone, true
			}
		})
	case sWait:
		step(func(x *parking) {
			if x.s = sAsleep; x.event != x.sw {
				x.s = sLook
			}
		})
	}
}

func (x *parking) third(step func(func(*parking))) {
	switch x.t {
	case tCancel:
		step(func(x *parking) { x.cancelled, x.t = true, tLoad })
	case tLoad:
		step(func(x *parking) { x.tw, x.t = x.event, tSwap })
	case tSwap:
		step(func(x *parking) {
			if x.t = tLoad; x.event == x.tw {
				x.event.parked = false
				x.event.epoch++
				x.t = tWake
			}
		})
	case tWake:
		step(func(x *parking) { x.wake(); x.t = tDone })
	case tAlert:
		step(func(x *parking) { x.event.alert, x.t = true, tDone })
	}
}

// lost says that somebody sleeps who has a reason not to and whom nobody is about to wake.
func (x parking) lost(final bool) string {
	publisherWakes := x.p != pPublish && x.p != pDone
	thirdWakes := x.t == tLoad || x.t == tSwap || x.t == tWake
	switch {
	case x.s == sAsleep && (x.tail != x.head || x.buffered != 0) && !publisherWakes && !thirdWakes:
		return "asleep, and there is something to take, and nobody wakes"
	case x.s == sAsleep && x.cancelled && !thirdWakes && !publisherWakes:
		return "asleep, cancelled, and nobody wakes"
	case final && x.p == pDone && x.s == sDone && !x.sleeperQuits && x.head != items:
		return "ended before everything was taken"
	case final && x.s != sDone && x.head != items && x.s != sAsleep:
		return "stuck"
	}
	return ""
}

func TestParking(t *testing.T) {
	for name, third := range map[string]uint8{"alone": tDone, "cancelled": tCancel, "alerted": tAlert} {
		for _, full := range []bool{false, true} {
			holds(t, map[bool]string{false: name, true: name + ", full fence"}[full], parking{t: third, full: full}, parking.next, parking.lost)
		}
	}
	for name, start := range map[string]parking{
		"no barrier":                         {t: tDone, mutant: noBarrier},
		"the check comes before the bit":     {t: tDone, mutant: checkBeforeRaise},
		"the same with a full fence":         {t: tDone, mutant: checkBeforeRaise, full: true},
		"a wake that leaves the word":        {t: tDone, mutant: wakeLeavesWord},
		"an alert that eats a wake":          {t: tAlert, mutant: alertEatsWake},
		"the context is looked at too early": {t: tCancel, mutant: contextBeforeRaise},
	} {
		breaks(t, name, start, parking.next, parking.lost)
	}
}
