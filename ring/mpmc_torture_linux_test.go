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

// torture is an MPMC ring on which some producers and as many consumers work, each in a
// process of its own, of which somebody dies or is stopped all the time.
type torture struct {
	t      *testing.T
	s      *shm.Segment
	j      *workJournal
	memory []byte
	file   *os.File
	random *rand.Rand
	exact  bool          // consumers note what they got before they release it
	packed bool          // producers fill blocks with more than one element
	steady bool          // everybody works in the same way and does not park, so that speeds compare
	pool   []*child.Proc // producers and consumers in turn; each has the line of its number
	tally
}

// newTorture makes the ring for a pool of pairs of processes, somewhere near a wrap.
func newTorture(t *testing.T, spec layout.Spec, pairs int, random *rand.Rand, exact bool) *torture {
	t.Helper()
	spec.Seats = 8 + 4*pairs
	starts := exchangeStarts(spec)
	s := exchangeAt(roundExchange(t, bed{false, layout.Full}, spec), starts[random.IntN(len(starts))])
	fd, err := unix.MemfdCreate("journal", unix.MFD_CLOEXEC)
	wantErr(t, "MemfdCreate", err, nil)
	x := &torture{t: t, s: s, file: os.NewFile(uintptr(fd), "journal"), random: random, exact: exact, pool: make([]*child.Proc, 2*pairs)}
	wantErr(t, "Truncate", x.file.Truncate(int64(unsafe.Sizeof(workJournal{}))), nil)
	x.memory, x.j = mapWorkJournal(x.file)
	return x
}

// start starts a child: "produce", "consume" or "reap", on a line of the journal.
func (x *torture) start(role string, line int, point string, nth int, action string) *child.Proc {
	x.t.Helper()
	way, spin := x.random.IntN(ways), x.random.IntN(2)
	if x.steady {
		way, spin = byTry, int(time.Second)
	}
	if role == "consume" && x.exact {
		way = inPlace + x.random.IntN(2)
	}
	if role == "produce" && x.packed {
		way = byBatch
	}
	cmd := child.Command("torture", role, strconv.Itoa(line), strconv.Itoa(way), strconv.Itoa(spin), point, strconv.Itoa(nth), action)
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

// everybody is the whole pool.
func (x *torture) everybody() (all []int) {
	for i := range x.pool {
		all = append(all, i)
	}
	return all
}

func (x *torture) others(victims ...int) (rest []int) {
	for i := range x.pool {
		if !slices.Contains(victims, i) {
			rest = append(rest, i)
		}
	}
	return rest
}

// fallen is a seat whose owner was killed, and when the kernel had freed its lock.
type fallen struct {
	seat  int
	epoch uint32
	free  time.Time
}

// kill kills some of the pool, stopped ones too, and watches the locks of their seats
// until the kernel has freed them.
func (x *torture) kill(victims ...int) (all []fallen) {
	x.t.Helper()
	seats := layout.SeatsAt(x.s.Memory(), x.s.Spec().Seats)
	for _, v := range victims {
		for i := range seats {
			if line := &seats[i]; line.State.Load() == layout.SeatTaken && int(line.PID.Load()) == x.pool[v].Pid() {
				all = append(all, fallen{seat: i, epoch: line.Epoch.Load()})
			}
		}
		wantErr(x.t, "kill", syscall.Kill(x.pool[v].Pid(), syscall.SIGKILL), nil)
	}
	for i := range all {
		for end := time.Now().Add(progressLimit); !all[i].dead(x); {
			if line := &seats[all[i].seat]; line.Epoch.Load() != all[i].epoch || line.State.Load() != layout.SeatTaken {
				break // somebody else has settled it already
			}
			if time.Now().After(end) {
				x.t.Fatalf("a killed process keeps the lock of seat %d", all[i].seat)
			}
		}
		all[i].free = time.Now()
	}
	return all
}

// dead reports whether the seat is as its owner left it.
func (f *fallen) dead(x *torture) bool {
	line := &layout.SeatsAt(x.s.Memory(), x.s.Spec().Seats)[f.seat]
	alive, err := x.s.Alive(f.seat)
	wantErr(x.t, "Alive", err, nil)
	return !alive && line.State.Load() == layout.SeatTaken && line.Epoch.Load() == f.epoch
}

// settle settles the seats of the dead, and times those that were just freed, or all that
// it finds free now.
func (x *torture) settle(of ...fallen) {
	x.t.Helper()
	if of == nil {
		for i, seats := 0, layout.SeatsAt(x.s.Memory(), x.s.Spec().Seats); i < len(seats); i++ {
			of = append(of, fallen{i, seats[i].Epoch.Load(), time.Now()})
		}
	}
	left := of[:0]
	for _, f := range of {
		if f.dead(x) {
			left = append(left, f)
		}
	}
	_, err := x.s.Reap()
	now := time.Now()
	wantErr(x.t, "Reap", err, nil)
	for _, f := range left {
		if !f.dead(x) {
			x.recovery = append(x.recovery, now.Sub(f.free))
		}
	}
	x.inDoubt += uint64(deadSeats(x.t, x.s))
}

// round kills or stops somebody at a random instant.
func (x *torture) round() {
	time.Sleep(time.Duration(x.random.IntN(800)) * time.Microsecond)
	n := len(x.pool)
	victims := []int{x.random.IntN(n)}
	for len(victims) < n/2 && x.random.IntN(4) == 0 {
		if v := x.random.IntN(n); !slices.Contains(victims, v) {
			victims = append(victims, v)
		}
	}
	if x.random.IntN(5) == 0 {
		for _, i := range victims {
			wantErr(x.t, "Stop", x.pool[i].Stop(), nil)
			x.stops++
		}
		x.flows("somebody is stopped", x.others(victims...)...)
		if x.random.IntN(2) == 0 {
			for _, i := range victims {
				wantErr(x.t, "Cont", x.pool[i].Cont(), nil)
			}
			x.flows("somebody was stopped")
			return
		}
	}
	fell := x.kill(victims...)
	if x.random.IntN(2) == 0 {
		x.settle(fell...)
	}
	for _, i := range victims {
		x.died(x.pool[i], i)
		x.fill(i)
	}
	x.flows("somebody was killed", x.others(victims...)...)
	if x.random.IntN(4) == 0 { // else: kill again, perhaps on the way in
		x.flows("somebody was replaced", x.everybody()...)
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
	var tried [5]int
	for n := 0; all.kills < total && !t.Failed(); n++ {
		pairs := [...]int{2, 4, 2, 1, 4}[n%5]
		exact := (n+n/len(specs))%2 == 0
		t.Run(fmt.Sprint(n), func(t *testing.T) { // so that what it leaves is cleaned up soon
			x := newTorture(t, specs[n%len(specs)], pairs, newRand(seed, uint64(n)), exact)
			for i := range x.pool {
				x.fill(i)
			}
			x.flows("the start", x.everybody()...)
			for x.kills < each && x.j.Next.Load() < journalIDs/2 && !t.Failed() {
				x.round()
			}
			if !t.Failed() {
				x.finish(x.pool...)
			}
			tried[pairs]++
			all.add(&x.tally)
		})
	}
	t.Logf("rings tortured by 1, 2 and 4 pairs: %d, %d, %d", tried[1], tried[2], tried[4])
	all.print(t)
}
