//go:build failpoint

package model

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringway/internal/failpoint"
	"ringway/layout"
)

// A choice is what happens next: a step of an actor, or its death.
type choice struct {
	actor int
	kill  bool
}

func (w *world) choices() (all []choice) {
	for i, a := range w.actors {
		if a.life != alive || a.ready != nil && a.at == atStart && !a.ready(w) {
			continue
		}
		all = append(all, choice{i, false})
		if a.mortal && w.kills > 0 && a.at != atStart {
			all = append(all, choice{i, true})
		}
	}
	return all
}

func (w *world) apply(c choice) {
	if a := w.actors[c.actor]; c.kill {
		w.kill(a)
	} else {
		w.step(a)
	}
}

// search visits every state that the actors can reach, by running the code from
// the beginning for every way that has not been gone yet, and audits each.
// Two states are the same if shared memory, locks, truth and every actor's private
// words are, and what each has read since its locals began to matter.
func (w *world) search(t *testing.T) (s searched) {
	type frame struct {
		all    []choice
		next   int
		chains [][2]uint64
	}
	began := time.Now()
	visited := map[[2]uint64]struct{}{}
	var path []choice
	push := func(stack []frame) []frame {
		f := frame{all: w.choices()}
		for _, a := range w.actors {
			f.chains = append(f.chains, [2]uint64{a.chain, a.settled})
		}
		if len(f.all) == 0 {
			s.ends++
		}
		return append(stack, f)
	}
	w.reset()
	stack := push(nil)
	stale := false
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if top.next == len(top.all) {
			stack = stack[:len(stack)-1]
			if len(path) > 0 {
				path = path[:len(path)-1]
			}
			stale = true
			continue
		}
		c := top.all[top.next]
		top.next++
		if stale {
			w.reset()
			w.replay = true
			for _, c := range path {
				w.apply(c)
			}
			w.replay = false
			for i, a := range w.actors {
				a.chain, a.settled = top.chains[i][0], top.chains[i][1]
			}
			s.replays++
			stale = false
		}
		w.replay = false
		w.apply(c)
		s.steps++
		path = append(path, c)
		s.deepest = max(s.deepest, len(path))
		key := w.key()
		_, seen := visited[key]
		if w.bad == "" && !seen {
			visited[key] = struct{}{}
			w.audit()
		}
		if w.bad != "" {
			bad := w.bad
			t.Fatalf("%s\n%s", bad, w.tell(path))
		}
		if seen {
			path = path[:len(path)-1]
			stale = true
			continue
		}
		stack = push(stack)
	}
	w.reset()
	s.states, s.took = len(visited), time.Since(began)
	if s.ends == 0 { // everybody's script is finite: states that differ were taken for one
		t.Errorf("no way to the end was seen: %v", s)
	}
	return s
}

type searched struct {
	states, steps, replays, ends, deepest int
	took                                  time.Duration
}

func (s searched) String() string {
	return fmt.Sprintf("every state: %d states, %d transitions, %d runs, %d ends, at most %d steps, %v", s.states, s.steps, s.replays+1, s.ends, s.deepest, s.took.Round(time.Millisecond))
}

// tell names the steps of a path.
func (w *world) tell(path []choice) string {
	var b strings.Builder
	w.reset()
	w.replay = true
	for _, c := range path {
		w.apply(c)
		a := w.actors[c.actor]
		if c.kill {
			fmt.Fprintf(&b, "\t%s dies\n", a.name)
			continue
		}
		fmt.Fprintf(&b, "\t%s %s\n", a.name, pointName(a.at))
	}
	return b.String()
}

func pointName(at int) string {
	switch {
	case at == atBegin:
		return "begins a call"
	case at == atStart:
		return "ends"
	case at >= atLook:
		return [...]string{"has loaded a slot", "looks at a slot", "looks at a header", "looks at a record", "looks at a lock", "looks for the end", "looks at a slot for the end", "looks before the end"}[at-atLook]
	}
	return failpoint.Point(at).String()
}

// hash is two independent sums.
type hash [2]uint64

func (h *hash) add(x uint64) {
	h[0] = (h[0] ^ x) * 0x9e3779b97f4a7c15
	h[0] ^= h[0] >> 29
	h[1] = (h[1] + x + 0x632be59bd9b4e019) * 0xd6e8feb86659fd93
	h[1] ^= h[1] >> 32
}

func (h *hash) flag(b bool) {
	if b {
		h.add(1)
	} else {
		h.add(2)
	}
}

// words adds what a send or a take may load.
func (w *world) words(h *hash) {
	c := w.seg.Control()
	for _, x := range layout.WordsAt(w.mem, &w.g) {
		h.add(x)
	}
	h.add(c.Head)
	h.add(c.Tail)
	h.add(c.Orphans.Load())
	h.add(uint64(c.State.Load()))
}

// memory adds all that anybody may load.
func (w *world) memory(h *hash) {
	w.words(h)
	for i := range w.seats() {
		line := &w.seats()[i]
		h.add(uint64(line.State.Load())<<32 | uint64(line.Role.Load()))
		h.add(atomic.LoadUint64(&line.Rec))
		h.add(line.Ver)
		h.add(line.Part)
		for _, at := range [...]int64{layout.LockByte(i), layout.TenureByte(i)} {
			id, held := w.locks[at]
			h.flag(held)
			h.add(uint64(id))
		}
	}
	for b := range w.g.Blocks {
		sent, freed, value := w.block(b)
		h.add(sent)
		h.add(freed)
		h.add(value)
	}
}

func (w *world) key() [2]uint64 {
	var h hash
	w.memory(&h)
	h.add(uint64(w.taken))
	h.add(uint64(w.kills))
	h.add(w.gone)
	h.flag(w.closed)
	for _, m := range w.log {
		h.add(m)
	}
	for _, a := range w.actors {
		h.add(uint64(a.life))
		h.add(a.hand)
		h.flag(a.ended)
		if a.life != alive {
			continue
		}
		h.add(uint64(a.at)<<32 | uint64(a.ops))
		h.add(a.chain)
		h.add(a.msg)
		h.flag(a.sent)
		h.flag(a.full && a.prod != nil)
		h.flag(a.empty && a.cons != nil)
		h.flag(a.flagged)
		h.add(a.last)
		h.add(a.orphans)
		for _, own := range a.private {
			h.add(own())
		}
	}
	return h
}

// visible is a sum of what an actor that stopped at a point may load next.
func (w *world) visible(from int) uint64 {
	var h hash
	switch p := failpoint.Point(from); {
	case from == atBegin, from == atLook+failpoint.LookedAtSlot,
		p == failpoint.SendFilled, p == failpoint.SendFailed, p == failpoint.TakeFailed,
		from == atLook+failpoint.LooksForEnd, from == atLook+failpoint.LooksAtEnd, from == atLook+failpoint.LooksBeforeEnd:
		w.words(&h)
	case from >= atLook || p >= failpoint.SettleBegin:
		w.memory(&h)
	}
	return h[0]
}

// remember keeps in chain whatever the locals of the call under way may depend on: the
// way that it came, and what it saw on the way as long as that matters.
func (a *actor) remember(to int, seen uint64) {
	var h hash
	h.add(uint64(to))
	switch to {
	case atBegin, int(failpoint.SendFilled), int(failpoint.SendFailed), int(failpoint.TakeFailed), int(failpoint.SendSettled), int(failpoint.TakeUnacked), int(failpoint.TakeReleased), atLook + failpoint.LooksForEnd:
		// No local outlives this point but through the handle.
	case atLook + failpoint.LookedAtSlot:
		h.add(seen) // loaded anew
	case int(failpoint.SendHeader), int(failpoint.TakeHeader), int(failpoint.SettleBegin), int(failpoint.AdoptTaken):
		h.add(a.chain) // the lock says whose seat it is
	case atLook + failpoint.LooksAtSlot, atLook + failpoint.LooksAtHeader, atLook + failpoint.LooksAtSeat, atLook + failpoint.LooksAtLock:
		h.add(a.chain) // that what was seen so far did not decide is all that is left of it
	case int(failpoint.SettleOwned):
		a.settled = a.chain
		h.add(a.chain)
		h.add(seen)
	case int(failpoint.SettleRecord):
		h.add(a.settled) // the record says now what was decided
	default:
		h.add(a.chain)
		h.add(seen)
	}
	a.chain = h[0]
}
