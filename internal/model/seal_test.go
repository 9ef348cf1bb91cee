package model

import "testing"

// The exact end: a producer that pushes until it is refused and may die and be followed by
// another, a consumer, and a caller of Shutdown who may die at any step. Each of
// the three may be the one who seals. Positions are elements: position k is delivered
// exactly if its push returned nil.

const pushes = 3 // that are tried at most

// Steps of Segment.Sealed, for whoever executes it.
const (
	zSeal    = iota // load of Seal
	zAlert          // NotEmpty.Alert
	zBarrier        // order.Barrier
	zTail           // load of Tail
	zSwap           // CompareAndSwap of Seal
	zFinal          // load of Seal
	zEnd
)

// Steps of the producer around Sealed.
const (
	wRoom   = iota // spscProducer.room: the state, where the cached limit is used up
	wStore         // order.StoreRelease(tailWord)
	wParked        // Event.Parked
	wState         // spscProducer.published: the state
	wSealed        // Segment.Sealed
	wDone
)

// Steps of the consumer: spscConsumer.refresh.
const (
	cTail   = iota // load of Tail
	cState         // end.state
	cSealed        // Segment.Sealed
	cDone
)

// Steps of the caller: Segment.Shutdown.
const (
	kState = iota // CompareAndSwap of State
	kSealed
	kDone // or dead
)

// sealing is where somebody is in Sealed.
type sealing struct{ at, tail uint8 }

type ending struct {
	// Shared memory.
	tail, buffered uint8
	shut, alert    bool
	seal           uint8 // final tail + 1, 0: none

	w, c, k    uint8 // what producer, consumer and caller do next
	wz, cz, kz sealing
	own        uint8 // the producer's private tail
	deaths     uint8 // of producers
	nils       uint8 // bit k: the push of position k returned nil
	refused    uint8 // bit k: it was refused
	doubtful   uint8 // bit k: the producer died in it
	seen       uint8 // the consumer's load of Tail
	delivered  uint8 // positions 1 to delivered
	full       bool
	mutant     uint8
}

const (
	stateBeforeTail = 1 + iota
	tailBeforeBarrier
	noAlert
	refuseAllAfterShutdown
)

func (x *ending) drain() {
	if x.buffered != 0 {
		x.tail, x.buffered = x.buffered, 0
	}
}

func (x ending) next() (all []ending) {
	step := func(change func(x *ending)) {
		y := x
		change(&y)
		all = append(all, y)
	}
	if x.buffered != 0 {
		step((*ending).drain)
	}
	x.producer(step)
	x.consumer(step)
	x.caller(step)
	return all
}

// sealed makes one step of Sealed; producer says whether the store buffer is the caller's
// own. It reports the agreed end once at == zEnd.
func (x *ending) sealed(z *sealing, producer bool) (final uint8) {
	locked := func() {
		if producer {
			x.drain()
		}
	}
	afterAlert := uint8(zBarrier)
	if x.full || x.mutant == tailBeforeBarrier {
		afterAlert = zTail
	}
	switch z.at {
	case zSeal:
		if z.at = zFinal; x.seal == 0 {
			z.at = zAlert
		}
	case zAlert:
		if locked(); x.mutant != noAlert {
			x.alert = true
		}
		z.at = afterAlert
	case zBarrier:
		x.drain()
		if z.at = zTail; x.mutant == tailBeforeBarrier {
			z.at = zSwap
		}
	case zTail:
		z.tail = x.tail
		if producer && x.buffered != 0 {
			z.tail = x.buffered // its own store
		}
		if z.at = zSwap; x.mutant == tailBeforeBarrier && !x.full {
			z.at = zBarrier
		}
	case zSwap:
		if locked(); x.seal == 0 {
			x.seal = z.tail + 1
		}
		z.at = zFinal
	case zFinal:
		z.at = zEnd
		return x.seal - 1
	}
	return 0
}

func (x *ending) producer(step func(func(*ending))) {
	if x.w == wDone {
		return
	}
	pushed := func(x *ending) { // TryPush returns nil
		x.nils |= 1 << x.own
		if x.w = wStore; x.own == pushes {
			x.w = wDone
		}
	}
	if x.deaths == 0 { // and the next owner begins where the shared word stands
		step(func(x *ending) {
			if x.w > wStore {
				x.doubtful |= 1 << x.own
			}
			x.drain()
			x.own, x.deaths, x.wz = x.tail, 1, sealing{}
			if x.w = wRoom; x.own == pushes {
				x.w = wDone
			}
		})
	}
	switch x.w {
	case wRoom:
		step(func(x *ending) {
			if x.w = wStore; x.shut {
				x.w = wDone
			}
		})
	case wStore:
		step(func(x *ending) { // or the cached limit is used up
			if x.shut {
				x.w = wDone
			}
		})
		step(func(x *ending) {
			x.drain()
			x.own++
			if x.buffered = x.own; x.full {
				x.drain()
			}
			x.w = wParked
		})
	case wParked:
		step(func(x *ending) {
			if x.w = wState; !x.alert {
				pushed(x)
			}
		})
	case wState:
		step(func(x *ending) {
			switch {
			case !x.shut:
				pushed(x)
			case x.mutant == refuseAllAfterShutdown:
				x.refused |= 1 << x.own
				x.w = wDone
			default:
				x.w, x.wz = wSealed, sealing{}
			}
		})
	case wSealed:
		step(func(x *ending) {
			final := x.sealed(&x.wz, true)
			if x.wz.at != zEnd {
				return
			}
			if final >= x.own {
				pushed(x)
			} else {
				x.refused |= 1 << x.own
			}
			x.w = wDone
		})
	}
}

func (x *ending) consumer(step func(func(*ending))) {
	got := func(x *ending, tail uint8) {
		x.delivered = max(x.delivered, tail)
		x.c = cTail
		if x.mutant == stateBeforeTail {
			x.c = cState
		}
	}
	switch x.c {
	case cTail:
		step(func(x *ending) {
			x.seen, x.c = x.tail, cState
			if x.mutant == stateBeforeTail {
				got(x, x.seen)
			}
		})
	case cState:
		step(func(x *ending) {
			switch {
			case x.shut:
				x.c, x.cz = cSealed, sealing{}
			case x.mutant == stateBeforeTail:
				x.c = cTail
			default:
				got(x, x.seen)
			}
		})
	case cSealed:
		step(func(x *ending) {
			final := x.sealed(&x.cz, false)
			if x.cz.at != zEnd {
				return
			}
			if final <= x.delivered {
				x.c = cDone
			} else {
				got(x, final)
			}
		})
	}
}

func (x *ending) caller(step func(func(*ending))) {
	if x.k == kDone {
		return
	}
	step(func(x *ending) { x.k = kDone }) // dies
	switch x.k {
	case kState:
		step(func(x *ending) { x.shut, x.k = true, kSealed })
	case kSealed:
		step(func(x *ending) {
			x.sealed(&x.kz, false)
			if x.kz.at == zEnd {
				x.k = kDone
			}
		})
	}
}

// wrong says what does not add up once both sides have ended, whether or not the caller
// still has steps to make.
func (x ending) wrong(final bool) string {
	if final && x.shut && x.c != cDone {
		return "the consumer never ends"
	}
	if x.w != wDone || x.c != cDone {
		return ""
	}
	for k := uint8(1); k <= pushes; k++ {
		bit, there := uint8(1)<<k, k <= x.delivered
		switch {
		case x.nils&bit != 0 && !there:
			return "a push returned nil and was not delivered"
		case x.refused&bit != 0 && there:
			return "a push was refused and delivered"
		case there && x.nils&bit == 0 && x.doubtful&bit == 0:
			return "something was delivered that nobody pushed"
		}
	}
	return ""
}

func TestSealing(t *testing.T) {
	holds(t, "asymmetric", ending{}, ending.next, ending.wrong)
	holds(t, "full fence", ending{full: true}, ending.next, ending.wrong)
	for name, start := range map[string]ending{
		"the consumer reads the state before the tail": {mutant: stateBeforeTail, c: cState},
		"the sealer reads the tail before the barrier": {mutant: tailBeforeBarrier},
		"no alert":                         {mutant: noAlert},
		"no alert, full fence":             {mutant: noAlert, full: true},
		"refuse whatever follows Shutdown": {mutant: refuseAllAfterShutdown},
	} {
		breaks(t, name, start, ending.next, ending.wrong)
	}
}
