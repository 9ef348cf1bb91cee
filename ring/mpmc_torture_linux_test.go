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
