package ring

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
	"ringway/layout"
	"ringway/shm"
)

// progressLimit is what survivors may take to get on; no measure of speed.
const progressLimit = 5 * time.Second

// torture is an MPMC ring on which two producers and two consumers work, each in a process of
// its own, of which somebody dies or is stopped all the time.
type torture struct {
	t      *testing.T
	s      *shm.Segment
	j      *workJournal
	memory []byte
	file   *os.File
	random *rand.Rand
	exact  bool // consumers note what they got before they release it
	packed bool // producers fill blocks with more than one element
	pool   [4]*child.Proc
	tally
}

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
	recovery                         []time.Duration
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

func (a *tally) print(t *testing.T) {
	t.Helper()
	t.Logf("%d kills, %d stops, %d messages: %d lost, %d doubled, %d never sent, %d out of order, %d damaged, %d redelivered with the flag",
		a.kills, a.stops, a.messages, a.lost, a.doubled, a.phantom, a.disorder, a.damaged, a.again)
	t.Logf("%d stuck, %d rings with leaked blocks, worst time to progress %v; calls in flight that copy out may have taken %d along and took %d",
		a.stuck, a.leaked, a.progress, a.doubt, a.missing)
	if n := len(a.recovery); n > 0 {
		slices.Sort(a.recovery)
		t.Logf("a dead owner's seat, once its lock was free, settled %d times: p50 %v, p99 %v, worst %v", n, a.recovery[n/2], a.recovery[n*99/100], a.recovery[n-1])
	}
	t.Logf("%d seats settled in all, %d in doubt at first, %d wake-ups rescued", a.reaped, a.inDoubt, a.rescues)
}

func newTorture(t *testing.T, spec layout.Spec, random *rand.Rand, exact bool) *torture {
	t.Helper()
	spec.Seats = 16
	starts := exchangeStarts(spec)
	s := exchangeAt(roundExchange(t, bed{false, layout.Full}, spec), starts[random.IntN(len(starts))])
	fd, err := unix.MemfdCreate("journal", unix.MFD_CLOEXEC)
	wantErr(t, "MemfdCreate", err, nil)
	x := &torture{t: t, s: s, file: os.NewFile(uintptr(fd), "journal"), random: random, exact: exact}
	wantErr(t, "Truncate", x.file.Truncate(int64(unsafe.Sizeof(workJournal{}))), nil)
	x.memory, x.j = mapWorkJournal(x.file)
	return x
}

// start starts a child: "produce", "consume" or "reap", on a line of the journal.
func (x *torture) start(role string, line int, point string, nth int, action string) *child.Proc {
	x.t.Helper()
	way := x.random.IntN(ways)
	if role == "consume" && x.exact {
		way = inPlace + x.random.IntN(2)
	}
	if role == "produce" && x.packed {
		way = byBatch
	}
	cmd := child.Command("torture", role, strconv.Itoa(line), strconv.Itoa(way), strconv.Itoa(x.random.IntN(2)), point, strconv.Itoa(nth), action)
	cmd.ExtraFiles = []*os.File{x.s.File(), x.file}
	return child.StartCmd(x.t, cmd)
}

func (x *torture) fill(i int) {
	x.pool[i] = x.start([]string{"produce", "consume"}[i%2], i, "", 0, "")
}

// sum is how far both sides are, counting some members of the pool.
func (x *torture) sum(members ...int) (by [2]uint64) {
	for _, i := range members {
		by[i%2] += x.j.Lines[i].Progress.Load()
	}
	return by
}

// flows checks that some members of the pool get on, on every side that has one.
func (x *torture) flows(what string, members ...int) {
	x.t.Helper()
	var has [2]bool
	for _, i := range members {
		has[i%2] = true
	}
	if !has[0] || !has[1] {
		return // one side alone cannot
	}
	before, begin := x.sum(members...), time.Now()
	for {
		now := x.sum(members...)
		if now[0] != before[0] && now[1] != before[1] {
			break
		}
		if time.Since(begin) > progressLimit {
			x.stuck++
			st := statsOf(x.s)
			x.t.Errorf("%s: stuck for %v: %v, then %v, %+v, %d dead seats", what, progressLimit, before, now, st, deadSeats(x.t, x.s))
			return
		}
		time.Sleep(20 * time.Microsecond)
	}
	x.progress = max(x.progress, time.Since(begin))
}

// died waits for a child that was killed.
func (x *torture) died(p *child.Proc, line int) {
	x.t.Helper()
	err := p.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		x.t.Fatalf("child %d ended by itself: %v", line, err)
	}
	x.kills++
	x.doubt += x.j.Lines[line].Calling.Swap(0)
}

// settle times how long it takes to settle the seats of the dead. Their locks are free.
func (x *torture) settle() {
	x.t.Helper()
	begin := time.Now()
	n, err := x.s.Reap()
	took := time.Since(begin)
	wantErr(x.t, "Reap", err, nil)
	if n > 0 {
		x.recovery = append(x.recovery, took)
	}
	x.inDoubt += uint64(deadSeats(x.t, x.s))
}

func others(victims ...int) (rest []int) {
	for i := range 4 {
		if !slices.Contains(victims, i) {
			rest = append(rest, i)
		}
	}
	return rest
}

// round kills or stops somebody at a random instant.
func (x *torture) round() {
	time.Sleep(time.Duration(x.random.IntN(1500)) * time.Microsecond)
	first := x.random.IntN(4)
	victims := []int{first}
	if x.random.IntN(4) == 0 {
		victims = append(victims, (first+1+x.random.IntN(3))%4)
	}
	stop := x.random.IntN(5) == 0
	if stop {
		for _, i := range victims {
			wantErr(x.t, "Stop", x.pool[i].Stop(), nil)
			x.stops++
		}
		x.flows("somebody is stopped", others(victims...)...)
		if x.random.IntN(2) == 0 {
			for _, i := range victims {
				wantErr(x.t, "Cont", x.pool[i].Cont(), nil)
			}
			x.flows("somebody was stopped")
			return
		}
	}
	for _, i := range victims { // stopped ones too
		wantErr(x.t, "kill", syscall.Kill(x.pool[i].Pid(), syscall.SIGKILL), nil)
	}
	for _, i := range victims {
		x.died(x.pool[i], i)
	}
	if x.random.IntN(2) == 0 {
		x.settle()
	}
	for _, i := range victims {
		x.fill(i)
	}
	x.flows("somebody was killed", others(victims...)...)
	if x.random.IntN(4) == 0 { // else: kill again, perhaps on the way in
		x.flows("somebody was replaced", 0, 1, 2, 3)
	}
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

// tortureSpecs are the rings that are tortured.
func tortureSpecs(t *testing.T) (specs []layout.Spec) {
	for _, slots := range []int{4, 64, 1, 1024} {
		specs = append(specs, exchangeSpec[labelled](t, slots, 1), exchangeSpec[labelled](t, slots, 8), exchangeMsgSpec(t, slots, 64))
	}
	return specs
}

// Whoever is killed or stopped at whatever instant: nothing that was committed is lost,
// nothing comes twice without saying so, nobody else is held up, no block leaks.
func TestExchangeTorture(t *testing.T) {
	needSegments(t)
	total := 150
	if text := os.Getenv("RINGWAY_KILLS"); text != "" {
		var err error
		if total, err = strconv.Atoi(text); err != nil {
			t.Fatal("RINGWAY_KILLS: ", err)
		}
	}
	seed := seed(t)
	var all tally
	specs := tortureSpecs(t)
	each := max(13, min(100, total/len(specs)))
	for n := 0; all.kills < total && !t.Failed(); n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) { // so that what it leaves is cleaned up soon
			x := newTorture(t, specs[n%len(specs)], newRand(seed, uint64(n)), n%3 != 2)
			for i := range x.pool {
				x.fill(i)
			}
			x.flows("the start", 0, 1, 2, 3)
			for x.kills < each && x.j.Next.Load() < journalIDs/2 && !t.Failed() {
				x.round()
			}
			if !t.Failed() {
				x.finish(x.pool[:]...)
			}
			all.add(&x.tally)
		})
	}
	all.print(t)
}
