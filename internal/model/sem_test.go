package model

import (
	"fmt"
	"testing"
)

// futex.Semaphore's accounts: processes that take a permit and give it back, killed between any two steps,
// and survivors that give back what the dead held. Sleeping is left out: who cannot go on looks again.

const ( // steps of Semaphore.change, and of reap
	nLoad    = iota // the word, and what to do
	nOld            // flush: the row's last copy
	nVerify         // flush: the word again
	nCopy           // flush: CompareAndSwap of the row
	nAccount        // account: our own row
	nSwap           // the word
	nEnd
	nDead
)

type semAccount struct{ held, writes int8 }

type semState struct{ free, row, held, version int8 } // row 0: nobody's

type holder struct {
	at      uint8
	w       semState
	old     semAccount
	had     int8
	forWhom int8 // whose account this operation changes: ours, or a dead one's
	has     int8 // the truth: what its successful swaps add up to
	left    int8 // operations: take, give, take, ...
}

type semWorld struct {
	word   semState
	rows   [3]semAccount
	p      [3]holder
	kills  int8
	total  int8
	mutant uint8
}

const (
	_ = iota
	flushSkipsWhatIsThere
	flushDoesNotVerify
	noFlush
)

func (x semWorld) next() (all []semWorld) {
	for i := range x.p {
		step := func(change func(x *semWorld, p *holder)) {
			y := x
			change(&y, &y.p[i])
			all = append(all, y)
		}
		p := x.p[i]
		x.holder(int8(i+1), p, step)
		if x.kills > 0 && p.at != nEnd && p.at != nDead {
			step(func(x *semWorld, p *holder) { x.kills--; *p = holder{at: nDead, has: p.has} })
		}
	}
	return all
}

func (x *semWorld) account(i int8) int8 {
	if x.word.row == i {
		return x.word.held
	}
	return x.rows[i-1].held
}

func (x *semWorld) holder(me int8, p holder, step func(func(*semWorld, *holder))) {
	ready := func(p *holder) {
		if p.at = nAccount; p.w.row == p.forWhom {
			p.had, p.at = p.w.held, nSwap
		}
	}
	begin := func(x *semWorld, p *holder, whom int8) {
		p.w, p.forWhom = x.word, whom
		if ready(p); p.w.row != 0 && p.w.row != whom && x.mutant != noFlush {
			p.at = nOld
		}
	}
	switch p.at {
	case nLoad:
		if p.has > 0 || x.word.free > 0 {
			step(func(x *semWorld, p *holder) { begin(x, p, me) })
		}
		for j := range x.p { // nobody has to wait to reap
			if d := int8(j + 1); x.p[j].at == nDead && x.account(d) > 0 {
				step(func(x *semWorld, p *holder) { begin(x, p, d) })
			}
		}
	case nOld:
		step(func(x *semWorld, p *holder) {
			p.old, p.at = x.rows[p.w.row-1], nVerify
			if x.mutant == flushSkipsWhatIsThere && p.old.held == p.w.held {
				ready(p)
			}
		})
	case nVerify:
		step(func(x *semWorld, p *holder) {
			if p.at = nCopy; x.word != p.w && x.mutant != flushDoesNotVerify {
				p.at = nLoad
			}
		})
	case nCopy:
		step(func(x *semWorld, p *holder) {
			if x.rows[p.w.row-1] != p.old {
				p.at = nLoad
				return
			}
			x.rows[p.w.row-1] = semAccount{p.w.held, p.old.writes + 1}
			ready(p)
		})
	case nAccount:
		step(func(x *semWorld, p *holder) { p.had, p.at = x.rows[p.forWhom-1].held, nSwap })
	case nSwap:
		step(func(x *semWorld, p *holder) { x.swap(me, p) })
	}
}

func (x *semWorld) swap(me int8, p *holder) {
	by := int8(1) // take one
	switch {
	case p.forWhom != me:
		by = -p.had
	case p.left%2 == 1:
		by = -1
	}
	if p.at = nLoad; x.word != p.w || by == 0 || p.w.free < by || p.had+by < 0 {
		return
	}
	x.word = semState{p.w.free - by, p.forWhom, p.had + by, p.w.version + 1}
	if whom := &x.p[p.forWhom-1]; p.forWhom == me {
		p.has += by
		if p.left--; p.left == 0 {
			p.at = nEnd
		}
	} else {
		whom.has = 0
	}
}

func (x semWorld) miscounted(final bool) string {
	sum := x.word.free
	for i := range x.p {
		held := x.account(int8(i + 1))
		if sum += held; held != x.p[i].has {
			return fmt.Sprintf("process %d holds %d and the semaphore says %d", i+1, x.p[i].has, held)
		}
	}
	if sum != x.total {
		return fmt.Sprintf("%d permits of %d", sum, x.total)
	}
	return ""
}

func (x semWorld) ended() bool {
	for _, p := range x.p {
		if p.at != nEnd && p.at != nDead {
			return false
		}
	}
	return true
}

func holders(n int, permits, operations, kills int8, mutant uint8) semWorld {
	x := semWorld{word: semState{free: permits}, total: permits, kills: kills, mutant: mutant}
	for i := range x.p {
		if x.p[i] = (holder{left: operations}); i >= n {
			x.p[i].at = nEnd
		}
	}
	return x
}

func TestSemaphoreAccounts(t *testing.T) {
	for _, c := range []struct {
		n                          int
		permits, operations, kills int8
	}{{2, 1, 4, 0}, {2, 2, 4, 1}, {3, 1, 2, 1}, {3, 2, 2, 1}, {3, 1, 2, 2}} {
		name := fmt.Sprintf("%d holders, %d permits, %d operations, %d kills", c.n, c.permits, c.operations, c.kills)
		leads(t, name, holders(c.n, c.permits, c.operations, c.kills, 0), semWorld.next, semWorld.miscounted, semWorld.ended)
	}
	for name, start := range map[string]semWorld{
		"a copy that is there already is not written": holders(3, 2, 4, 0, flushSkipsWhatIsThere),
		"a copy of long ago is written":               holders(3, 2, 2, 0, flushDoesNotVerify),
		"the last account is not copied":              holders(2, 2, 2, 0, noFlush),
	} {
		astray(t, name, start, semWorld.next, semWorld.miscounted, semWorld.ended)
	}
}
