package ring

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
	"ringway/shm"
)

// tally adds up what tortures found.
type tally struct {
	frozen                           int
	kills, stops                     int
	messages, again                  uint64
	lost, doubled, phantom           uint64
	disorder, damaged, stuck, leaked uint64
	doubt                            uint64 // messages that calls in flight may have taken with them
	missing                          uint64 // of these, those that did not come
	inDoubt                          uint64 // seats that could not be judged at first
	reaped, rescues                  uint64
	recovery                         []time.Duration // from the moment that the kernel freed the lock
	progress                         time.Duration
}

func (a *tally) add(b *tally) {
	a.frozen += b.frozen
	a.kills += b.kills
	a.stops += b.stops
	a.messages += b.messages
	a.again += b.again
	a.lost += b.lost
	a.doubled += b.doubled
	a.phantom += b.phantom
	a.disorder += b.disorder
	a.damaged += b.damaged
	a.stuck += b.stuck
	a.leaked += b.leaked
	a.doubt += b.doubt
	a.missing += b.missing
	a.inDoubt += b.inDoubt
	a.reaped += b.reaped
	a.rescues += b.rescues
	a.recovery = append(a.recovery, b.recovery...)
	a.progress = max(a.progress, b.progress)
}

// String is one line that a script can add up; doubled are those without the flag.
func (a *tally) String() string {
	slices.Sort(a.recovery)
	at := func(percent int) time.Duration {
		if len(a.recovery) == 0 {
			return 0
		}
		return a.recovery[min(len(a.recovery)-1, len(a.recovery)*percent/100)]
	}
	return fmt.Sprintf("torture: kills=%d stops=%d messages=%d lost=%d doubled=%d stuck=%d leaked=%d disorder=%d damaged=%d unsent=%d redelivered=%d recoveries=%d p50=%v p99=%v max=%v",
		a.kills, a.stops, a.messages, a.lost, a.doubled, a.stuck, a.leaked, a.disorder, a.damaged, a.phantom, a.again, len(a.recovery), at(50), at(99), at(100))
}

func (a *tally) print(t *testing.T) {
	t.Helper()
	t.Log(a)
	t.Logf("worst time to progress %v; %d seats settled in all, %d in doubt at first, %d wake-ups rescued; calls in flight that copy out may have taken %d messages along and took %d",
		a.progress, a.reaped, a.inDoubt, a.rescues, a.doubt, a.missing)
}

// finish ends the ring in order, takes what the dead left, and adds up.
func (x *torture) finish(running ...*child.Proc) {
	x.t.Helper()
	wantErr(x.t, "Shutdown", x.s.Shutdown(), nil)
	for _, p := range running {
		p.Expect("closed")
		wantErr(x.t, "a child", p.Wait(), nil)
	}
	x.audit()
}

// audit takes what is left in a ring that was shut down and compares the journal.
func (x *torture) audit() {
	x.t.Helper()
	wantSound(x.t, "with the dead not settled", x.s)
	if _, err := x.s.Reap(); err != nil {
		x.t.Fatal(err)
	}
	wantSound(x.t, "with the dead settled", x.s)
	line := &x.j.Lines[len(x.j.Lines)-1]
	finishes(x.t, "draining", func() {
		if err := takeAll(x.s, x.j, line, inPlace, nil); err != shm.ErrClosed {
			x.t.Errorf("draining: %v", err)
		}
	})
	if n := deadSeats(x.t, x.s); n > 0 {
		x.leaked++
		x.t.Errorf("%d seats can never be judged", n)
	}
	if err := conserved(x.s); err != nil {
		x.leaked++
		x.t.Error("blocks:", err)
	}
	ids := min(x.j.Next.Load(), journalIDs)
	for id := range ids {
		committed, intent := x.j.IDs[id].Committed.Load(), x.j.IDs[id].Intent.Load()
		for seq := range min(intent+1000, journalSeqs) {
			switch n := x.j.Seen[id][seq].Load(); {
			case n == 0 && seq < committed:
				x.missing++
			case n != 0 && seq >= intent:
				x.phantom++
			case n != 0:
				x.messages++
			}
		}
	}
	for i := range x.j.Lines {
		l := &x.j.Lines[i]
		x.again += l.Again.Load()
		x.doubled += l.Doubled.Load()
		x.disorder += l.Disorder.Load()
		x.damaged += l.Damaged.Load()
	}
	if x.missing > x.doubt {
		x.lost = x.missing - x.doubt
	}
	st := statsOf(x.s)
	x.reaped, x.rescues = st.Reaped, st.Rescues
	if x.lost+x.doubled+x.phantom+x.disorder+x.damaged > 0 || st.Len != 0 {
		x.t.Errorf("cap %d, pack %d: %d lost, %d doubled, %d never sent, %d out of order, %d damaged, %d missing, %d of them in doubt, %+v",
			st.Cap, x.s.Spec().Pack, x.lost, x.doubled, x.phantom, x.disorder, x.damaged, x.missing, x.doubt, st)
	}
	wantErr(x.t, "unmap", unix.Munmap(x.memory), nil)
	wantErr(x.t, "Close", x.file.Close(), nil)
	wantErr(x.t, "Close", x.s.Close(), nil)
}
