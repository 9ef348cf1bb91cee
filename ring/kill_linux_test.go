package ring

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
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

// killRun is a stream between two children, of which somebody dies all the time.
type killRun struct {
	t        *testing.T
	s        *shm.Segment
	j        *journal
	journal  *os.File
	random   *rand.Rand
	messages bool
	sides    [2]*child.Proc // producer, consumer

	kills             int
	lost, doubled     uint64 // against the promise
	repeated          uint64 // of what was not released
	doubt             uint64 // units of calls in flight that had taken effect
	progress, drained time.Duration
	recovery          []time.Duration
}

const (
	producing = 0
	consuming = 1
)

func newKillRun(t *testing.T, s *shm.Segment, random *rand.Rand) *killRun {
	t.Helper()
	fd, err := unix.MemfdCreate("journal", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "journal")
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(int64(unsafe.Sizeof(journal{}))); err != nil {
		t.Fatal(err)
	}
	r := &killRun{t: t, s: s, j: mapJournal(f), journal: f, random: random, messages: s.Spec().Payload == layout.Message}
	if r.messages {
		r.j.Begun[0].Head.Store(loadPosition(&s.Control().Head))
	}
	return r
}

// start gives a side a new owner, which goes about it in a random way.
func (r *killRun) start(side int) {
	name := [2]string{"produce", "consume"}[side]
	if r.messages {
		name += " messages"
	}
	r.startWay(side, name, r.random.IntN(ways), r.random.IntN(2))
}

func (r *killRun) startWay(side int, name string, way, spin int) {
	cmd := child.Command("journalled", name, strconv.Itoa(way), strconv.Itoa(spin))
	cmd.ExtraFiles = []*os.File{r.s.File(), r.journal}
	r.sides[side] = child.StartCmd(r.t, cmd)
}

func (r *killRun) head() uint64 { return loadPosition(&r.s.Control().Head) }
func (r *killRun) tail() uint64 { return loadPosition(&r.s.Control().Tail) }

// kill kills some sides at once and checks what they left behind. Now and then somebody
// else takes a seat as soon as the kernel has freed it.
func (r *killRun) kill(sides ...int) {
	for _, side := range sides {
		if err := syscall.Kill(r.sides[side].Pid(), syscall.SIGKILL); err != nil {
			r.t.Fatal(err)
		}
	}
	if side := sides[r.random.IntN(len(sides))]; r.random.IntN(3) == 0 {
		r.takeSeat(side)
	}
	for _, side := range sides {
		err := r.sides[side].Wait()
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			r.t.Fatalf("side %d ended by itself: %v", side, err)
		}
		r.kills++
		if side == producing {
			r.auditProducer()
		} else {
			r.auditConsumer()
		}
	}
}

// auditProducer checks that what was committed is in the ring and that at most the
// call in flight is there besides.
func (r *killRun) auditProducer() {
	committed, intent := r.j.Committed.Load(), r.j.Intent.Load()
	if r.messages {
		r.doubt += r.j.nextToPush(r.tail()) - committed
		return // what the numbers say the consumer checks
	}
	tail := r.tail()
	if int64(tail-committed) < 0 || int64(intent-tail) < 0 {
		r.lost++
		r.t.Errorf("a producer died with everything below %d committed and at most %d in flight, and tail is %d", committed, intent, tail)
	}
	r.doubt += tail - committed
}

// auditConsumer checks that nothing is taken but what was handed over or in flight,
// and that nothing comes again but what was not released.
func (r *killRun) auditConsumer() {
	got, upto, next := r.j.Got.Load(), r.j.Upto.Load(), r.head()
	if r.messages {
		next, upto = r.j.nextToTake(next), got+1
	}
	way := r.j.Consuming.Load()
	again, taken := int64(got-next), int64(next-got)
	most := mostRepeated[way]
	if r.messages {
		most = min(most, 1)
	}
	repeats, loses := again > most, taken > int64(upto-got) || taken > 0 && way >= inPlace
	if repeats {
		r.doubled++
	}
	if loses {
		r.lost++
	}
	if repeats || loses {
		r.t.Errorf("a consumer (way %d) died with everything below %d handed over and at most %d taken; the next one begins with %d", way, got, upto, next)
	}
	if again > 0 {
		r.repeated += uint64(again)
	} else {
		r.doubt += uint64(taken)
	}
}

// takeSeat times how long the seat of a dead owner takes to be had once the kernel has
// freed its lock.
func (r *killRun) takeSeat(side int) {
	seat := [2]int{layout.ProducerSeat, layout.ConsumerSeat}[side]
	for end := time.Now().Add(hangLimit); ; {
		if alive, err := r.s.Alive(seat); err != nil || time.Now().After(end) {
			r.t.Fatalf("a killed process keeps its seat: %v", err)
		} else if !alive {
			break
		}
	}
	begin := time.Now()
	e, err := r.end(side)
	if err != nil {
		r.t.Fatalf("the seat of dead side %d: %v", side, err)
	}
	r.recovery = append(r.recovery, time.Since(begin))
	if err := e.Close(); err != nil {
		r.t.Fatal(err)
	}
}

// end takes a seat in this process.
func (r *killRun) end(side int) (interface{ Close() error }, error) {
	switch {
	case r.messages && side == producing:
		return NewMsgProducer(r.s, nil)
	case r.messages:
		return NewMsgConsumer(r.s, nil)
	case side == producing:
		return NewProducer[pair](r.s, nil)
	}
	return NewConsumer[pair](r.s, nil)
}

// flows waits until both sides have moved on.
func (r *killRun) flows() {
	tail, head := r.tail(), r.head()
	until(r.t, "both sides get on", func() bool { return r.tail() != tail && r.head() != head })
}

// round kills somebody at a random instant and has somebody else go on.
func (r *killRun) round() {
	victims := [][]int{{producing}, {consuming}, {producing, consuming}}[r.random.IntN(3)]
	time.Sleep(time.Duration(r.random.IntN(2_000)) * time.Microsecond)
	killed := time.Now()
	r.kill(victims...)
	if len(victims) == 1 && victims[0] == producing && r.random.IntN(2) == 0 {
		// What it published reaches a consumer that it may have died without waking.
		until(r.t, "the consumer drains the ring", func() bool { return r.head() == r.tail() })
		r.drained = max(r.drained, time.Since(killed))
	}
	for _, side := range victims {
		r.start(side)
	}
	if r.random.IntN(4) > 0 { // else: kill again, perhaps on the way in
		r.flows()
		r.progress = max(r.progress, time.Since(killed))
	}
}

// finish ends the ring in order and checks that both sides agree on all of it.
func (r *killRun) finish() {
	if err := r.s.Shutdown(); err != nil {
		r.t.Fatal(err)
	}
	for _, p := range r.sides {
		p.Expect("closed")
		if err := p.Wait(); err != nil {
			r.t.Error(err)
		}
	}
	final, err := r.s.Sealed()
	if err != nil || r.head() != final {
		r.t.Errorf("drained to %d, the ring ends at %d: %v", r.head(), final, err)
	}
	if got, committed := r.j.Got.Load(), r.j.Committed.Load(); got != committed || !r.messages && got != final {
		r.t.Errorf("%d were committed and %d handed over, the ring ends at %d", committed, got, final)
	}
}

// killBeds are the rings that the kill tests use.
func killBeds(t *testing.T) []*shm.Segment {
	full := bed{false, layout.Full}
	plain := plainBed(t)
	return []*shm.Segment{
		startAt(plain.segment(t, specOf[pair](t, 1)), starts[4]),
		startAt(plain.segment(t, specOf[pair](t, 64)), starts[3]),
		startAt(full.segment(t, specOf[pair](t, 1024)), starts[1]),
		startAt(plain.segment(t, msgSpec(t, 64)), starts[4]),
		startAt(plain.segment(t, msgSpec(t, 4096)), starts[3]),
		startAt(full.segment(t, msgSpec(t, 64<<10)), starts[2]),
	}
}

func TestKill(t *testing.T) {
	total := 100
	if text := os.Getenv("RINGWAY_KILLS"); text != "" {
		var err error
		if total, err = strconv.Atoi(text); err != nil {
			t.Fatal("RINGWAY_KILLS: ", err)
		}
	}
	seed := seed(t)
	var all killRun
	var units, rescues, reaped uint64
	beds := killBeds(t)
	for i, s := range beds {
		r := newKillRun(t, s, newRand(seed, uint64(i)))
		r.start(producing)
		r.start(consuming)
		r.flows()
		for r.kills < (total+len(beds)-1)/len(beds) && !t.Failed() {
			r.round()
		}
		if !t.Failed() {
			r.finish()
		}
		n := r.j.Got.Load() // of elements: a position
		if !r.messages {
			n -= [...]uint64{starts[4], starts[3], starts[1]}[i]
		}
		st := statsOf(s)
		units, rescues, reaped = units+n, rescues+st.Rescues, reaped+st.Reaped
		all.kills += r.kills
		all.lost += r.lost
		all.doubled += r.doubled
		all.doubt += r.doubt
		all.repeated += r.repeated
		all.progress = max(all.progress, r.progress)
		all.drained = max(all.drained, r.drained)
		all.recovery = append(all.recovery, r.recovery...)
	}
	t.Log(&tally{kills: all.kills, messages: units, lost: all.lost, doubled: all.doubled, again: all.repeated, recovery: all.recovery})
	t.Logf("%d units of calls in flight had taken effect; worst time from kill to progress %v (with the start of a process), to drained %v; %d seats settled, %d wake-ups rescued",
		all.doubt, all.progress, all.drained, reaped, rescues)
}
