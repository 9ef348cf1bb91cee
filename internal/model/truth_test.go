//go:build failpoint

package model

import (
	"errors"
	"fmt"
	"sync/atomic"

	"ringway/internal/failpoint"
	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

// send pushes message m, at most tries times.
func (a *actor) send(m uint64, tries int) {
	for ; tries > 0; tries-- {
		a.msg, a.sent = m, false
		a.begin()
		err := a.prod.TryPush(m)
		switch {
		case err == nil && !a.sent:
			a.w.fail("%s: TryPush(%d) = nil, and it was never exchanged", a.name, m)
		case err != nil && a.sent:
			a.w.fail("%s: TryPush(%d) = %v, and it was exchanged", a.name, m, err)
		case err == ring.ErrFull && !a.full:
			a.w.fail("%s: ErrFull, and the ring was never full meanwhile", a.name)
		case errors.Is(err, shm.ErrClosed) && a.w.seg.Control().State.Load() != layout.StateShutdown:
			a.w.fail("%s: %v, and nobody shut the ring down", a.name, err)
		case err != nil && err != ring.ErrFull && !errors.Is(err, shm.ErrClosed):
			a.w.fail("%s: TryPush: %v", a.name, err)
		}
		a.msg = 0
		if err == nil || a.w.bad != "" {
			return
		}
	}
}

// receive pops once. It is false once the ring has ended.
func (a *actor) receive() bool {
	a.last = 0
	a.begin()
	a.orphans = a.w.doubt(true)
	v, err := a.cons.TryPop()
	switch {
	case err == nil && v != a.last:
		a.w.fail("%s: TryPop = %d, and it released %d", a.name, v, a.last)
	case err == nil && a.cons.Redelivered() != a.flagged:
		a.w.fail("%s: TryPop = %d, flagged %v, should be %v", a.name, v, a.cons.Redelivered(), a.flagged)
	case err == ring.ErrEmpty && !a.empty && a.w.seg.Control().State.Load() == layout.StateOpen:
		a.w.fail("%s: ErrEmpty, and the ring was never empty meanwhile", a.name)
	case errors.Is(err, shm.ErrClosed):
		if a.w.closed = true; a.w.taken != len(a.w.log) {
			a.w.fail("%s: ErrClosed with %d of %d messages taken", a.name, a.w.taken, len(a.w.log))
		}
		if !a.ended && a.w.kills0 == 1 && a.w.doubt(true) != 0 { // with a second death, it may have come after the look at that seat
			a.w.fail("%s: ErrClosed, and messages %b of the dead are still to come", a.name, a.w.doubt(true))
		}
		a.ended = true
		if left := a.orphans & a.w.doubt(true); left != 0 {
			a.w.fail("%s: ErrClosed, and messages %b that a dead consumer had were not looked for", a.name, left)
		}
	case err != nil && err != ring.ErrEmpty:
		a.w.fail("%s: TryPop: %v", a.name, err)
	}
	if err != nil && a.last != 0 {
		a.w.fail("%s: TryPop = %v, and it released %d", a.name, err, a.last)
	}
	return !errors.Is(err, shm.ErrClosed)
}

// reap settles the dead.
func (a *actor) reap(times int) {
	for range times {
		a.begin()
		if _, err := a.seg.Reap(); err != nil {
			a.w.fail("%s: Reap: %v", a.name, err)
		}
	}
}

// shutDown ends the ring.
func (a *actor) shutDown() {
	a.begin()
	if err := a.seg.Shutdown(); err != nil {
		a.w.fail("%s: Shutdown: %v", a.name, err)
	}
}

// inherit takes a seat, somebody else's if it is free by then.
func (a *actor) inherit(producer bool) {
	a.begin()
	var err error
	if producer {
		a.prod, err = ring.NewProducer[uint64](a.seg, &ring.Options{Name: a.name})
	} else {
		a.cons, err = ring.NewConsumer[uint64](a.seg, &ring.Options{Name: a.name})
	}
	if err != nil {
		a.w.fail("%s: %v", a.name, err)
		return
	}
	if !producer {
		if p := a.inHand(); p != 0 {
			for _, b := range a.w.actors {
				if b.hand == p {
					b.hand = 0
				}
			}
			a.hand, a.flagged = p, true
		}
	}
}

// inHand is the message that came with the seat.
func (a *actor) inHand() uint64 {
	blocks := parts(a.cons)[1]
	if !blocks.FieldByName("hand").Bool() {
		return 0
	}
	_, _, v := a.w.block(blocks.FieldByName("block").Uint())
	return v
}

// observe notes what the step before a point did.
func (a *actor) observe(p int) {
	w := a.w
	switch failpoint.Point(p) {
	case failpoint.SendExchanged:
		w.log = append(w.log, a.msg)
		a.sent = true
		if w.closed {
			w.fail("%s: %d was sent after the end was announced", a.name, a.msg)
		}
		if len(w.log)-w.taken > w.spec.Cap {
			w.fail("%s: %d messages in %d slots", a.name, len(w.log)-w.taken, w.spec.Cap)
		}
	case failpoint.TakeExchanged:
		rec := layout.SeatRec(atomic.LoadUint64(&w.line(a).Rec))
		_, _, v := w.block(rec.Get())
		if w.taken >= len(w.log) || w.log[w.taken] != v {
			w.fail("%s: took %d as number %d of %v", a.name, v, w.taken, w.log)
			return
		}
		w.taken++
		a.hand, a.flagged = v, false
	case failpoint.AdoptTaken:
		v := w.orphan(a)
		for _, b := range w.actors {
			if b.hand == v && b.life != dead {
				w.fail("%s adopts %d, which %s has", a.name, v, b.name)
			}
			if b.hand == v {
				b.hand = 0
			}
		}
		a.hand, a.flagged = v, true
	case failpoint.SitTaken: // what lies in the seat has a living owner from here on
		for i := range w.seats() {
			rec := layout.SeatRec(atomic.LoadUint64(&w.seats()[i].Rec))
			if id, ok := w.locks[layout.TenureByte(i)]; !ok || id != a.id || rec.Kind() != layout.RecUnacked {
				continue
			}
			_, _, v := w.block(rec.Give())
			for _, b := range w.actors {
				if b.hand == v && b.life != dead {
					w.fail("%s inherits %d, which %s has", a.name, v, b.name)
				}
				if b.hand == v {
					b.hand = 0
				}
			}
			a.hand, a.flagged = v, true
		}
	case failpoint.TakeReleased, failpoint.AdoptDone:
		if a.hand == 0 || w.gone>>a.hand&1 == 1 {
			w.fail("%s: releases %d again", a.name, a.hand)
		}
		w.gone |= 1 << a.hand
		a.last, a.hand = a.hand, 0
	}
}

// line is the seat of an actor's handle.
func (w *world) line(a *actor) *layout.Seat {
	if a.seat != nil {
		return a.seat
	}
	var handle any = a.cons
	if a.cons == nil {
		handle = a.prod
	}
	return (*shm.Seat)(parts(handle)[0].FieldByName("seat").UnsafePointer()).Line
}

// orphan is the message that an actor is just adopting: the last seat that it locked.
func (w *world) orphan(a *actor) uint64 {
	for i := range w.seats() {
		line := &w.seats()[i]
		if id, ok := w.locks[layout.LockByte(i)]; ok && id == a.id && line.State.Load() == layout.SeatOrphan {
			_, _, v := w.block(layout.SeatRec(atomic.LoadUint64(&line.Rec)).Give())
			return v
		}
	}
	w.fail("%s adopts nothing", a.name)
	return 0
}

// audit looks at a state twice and leaves it as it was. First everybody is stopped where
// they are: the ring must serve others all the same. Then everybody is dead: recovery
// must find every block and every message.
func (w *world) audit() {
	copy(w.saved, w.mem)
	locks := map[int64]int{}
	w.heldAt = map[int64]bool{}
	for at, id := range w.locks {
		locks[at] = id
		w.heldAt[at] = true
	}
	for _, everybodyDead := range []bool{false, true} {
		n := len(w.actors)
		if everybodyDead {
			for at, id := range w.locks {
				if id < n {
					delete(w.locks, at)
				}
			}
		}
		if err := w.inspect(everybodyDead); err != nil {
			w.fail("%v (all others %s)", err, map[bool]string{false: "stopped", true: "dead"}[everybodyDead])
		}
		copy(w.mem, w.saved)
		w.relock(locks)
		for _, f := range w.back[len(w.back)-4:] { // the auditor's and the filler's
			f()
		}
	}
}

// doubt is the set of messages that somebody took and did not release, as a bit set.
func (w *world) doubt(deadOnly bool) (set uint64) {
	for _, a := range w.actors {
		if a.hand != 0 && (!deadOnly || a.life == dead) {
			set |= 1 << a.hand
		}
	}
	return set
}

func (w *world) inspect(everybodyDead bool) error {
	w.cur = w.auditor
	defer func() { w.cur = nil }()
	if everybodyDead {
		*w.auditor.looked = w.alreadyLooked(*w.auditor.looked)
		for range 2 { // what one verdict needs another may have settled
			if _, err := w.auditor.seg.Reap(); err != nil {
				return err
			}
		}
	}
	shut := w.seg.Control().State.Load() == layout.StateShutdown
	again := uint64(0)
	next := w.taken
	for tries := 0; ; {
		v, err := w.auditor.cons.TryPop()
		if err == ring.ErrEmpty && shut && tries < 2 {
			tries++ // finishes the seal
			continue
		}
		if err == ring.ErrEmpty && !shut || errors.Is(err, shm.ErrClosed) && shut {
			break
		}
		if err == ring.ErrEmpty && !everybodyDead && w.unsettled() {
			break // rather no end yet than a message that nobody gets
		}
		if err != nil {
			return fmt.Errorf("TryPop: %w", err)
		}
		if w.auditor.cons.Redelivered() {
			if w.doubt(!everybodyDead)>>v&1 == 0 || again>>v&1 == 1 {
				return fmt.Errorf("message %d comes again", v)
			}
			again |= 1 << v
			continue
		}
		if next >= len(w.log) || w.log[next] != v {
			return fmt.Errorf("message %d comes as number %d of %v", v, next, w.log)
		}
		next++
	}
	if next != len(w.log) {
		return fmt.Errorf("%d messages of %v came", next, w.log)
	}
	if everybodyDead && again != w.doubt(false) {
		return fmt.Errorf("messages %b came again, in doubt were %b", again, w.doubt(false))
	}
	if !shut {
		if err := w.refill(); err != nil {
			return err
		}
	}
	if everybodyDead {
		return w.conserved()
	}
	return nil
}

// unsettled reports whether a dead owner's seat, which somebody who is stopped has a hand on
// or must decide with its next step, may yet turn out to hold a message.
func (w *world) unsettled() bool {
	for i := range w.seats() {
		line := &w.seats()[i]
		_, owned := w.locks[layout.TenureByte(i)]
		k := layout.SeatRec(atomic.LoadUint64(&line.Rec)).Kind()
		if !owned && line.State.Load() != layout.SeatFree && (k == layout.RecTaking || k == layout.RecUnacked) {
			return true
		}
	}
	return false
}

// alreadyLooked is what the auditor remembers of the orphans if it looked a moment ago.
// It would have taken one that nobody had.
func (w *world) alreadyLooked(before uint64) uint64 {
	for i := range w.seats() {
		if w.seats()[i].State.Load() == layout.SeatOrphan && !w.heldAt[layout.LockByte(i)] {
			return before
		}
	}
	return w.seg.Control().Orphans.Load()
}

// refill fills and empties the ring.
func (w *world) refill() error {
	for i := range uint64(w.spec.Cap) + 1 {
		w.cur = w.push
		err := w.push.prod.TryPush(50 + i)
		if i < uint64(w.spec.Cap) && err != nil || i == uint64(w.spec.Cap) && err != ring.ErrFull {
			return fmt.Errorf("push %d into an empty ring: %v", i, err)
		}
	}
	w.cur = w.auditor
	for i := range uint64(w.spec.Cap) + 1 {
		v, err := w.auditor.cons.TryPop()
		if i < uint64(w.spec.Cap) && (err != nil || v != 50+i) || i == uint64(w.spec.Cap) && err != ring.ErrEmpty {
			return fmt.Errorf("pop %d of a full ring: %d, %v", i, v, err)
		}
	}
	return nil
}

// conserved checks that every block is in one slot or in one seat.
func (w *world) conserved() error {
	var owners [64]int
	codec := w.g.SlotCodec()
	for i, word := range layout.WordsAt(w.mem, &w.g) {
		_, b := codec.Unpack(layout.SlotWord(word), uint64(i))
		owners[b]++
	}
	for i := range w.seats() {
		line := &w.seats()[i]
		rec := layout.SeatRec(line.Rec)
		if rec.Kind() != layout.RecHeld {
			return fmt.Errorf("seat %d is still at record %d", i, rec.Kind())
		}
		owners[rec.Give()]++
	}
	for b := range w.g.Blocks {
		if owners[b] != 1 {
			return fmt.Errorf("block %d has %d owners", b, owners[b])
		}
	}
	return nil
}
