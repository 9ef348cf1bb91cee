package ring

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
	"ringway/layout"
	"ringway/shm"
)

func init() {
	// answer plays the far side of a volley over two rings.
	child.Register("answer", func(args []string) {
		there, back := inherited(0), inherited(1)
		c, err := NewConsumer[uint64](there, parkAtOnce)
		must(err)
		p, err := NewProducer[uint64](back, parkAtOnce)
		must(err)
		must(answer(p, c, number(args[0])))
	})
	// sleep blocks in one call, again and again, and says how long each answer took:
	// of a consumer since the time in the element, of a producer when it came back.
	child.Register("sleep", func(args []string) {
		s := inherited(0)
		if args[0] == "consumer" {
			c, err := NewConsumer[uint64](s, parkAtOnce)
			must(err)
			for {
				v, err := c.Pop(background)
				if err == shm.ErrClosed {
					return
				}
				must(err)
				fmt.Println(clock() - v)
			}
		}
		p, err := NewProducer[uint64](s, parkAtOnce)
		must(err)
		for {
			err := p.Push(background, 0)
			if err == shm.ErrClosed {
				return
			}
			must(err)
			fmt.Println(clock())
		}
	})
}

// clock is the same for all processes.
func clock() uint64 {
	var ts unix.Timespec
	must(unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts))
	return uint64(ts.Nano())
}

func TestPingPongParkedTwoProcesses(t *testing.T) {
	for _, fence := range []layout.Fence{layout.Asymmetric, layout.Full} {
		needFence(t, fence)
		b := bed{false, fence}
		rounds := uint64(5_000)
		there, back := b.segment(t, specOf[uint64](t, 1)), b.segment(t, specOf[uint64](t, 1))
		p, c := mustProducer[uint64](t, there, parkAtOnce), mustConsumer[uint64](t, back, parkAtOnce)
		cmd := child.Command("answer", fmt.Sprint(rounds))
		cmd.ExtraFiles = []*os.File{there.File(), back.File()}
		other := child.StartCmd(t, cmd)
		finishes(t, "the volley", func() { wantErr(t, "volley", volley(p, c, rounds), nil) })
		wantErr(t, "the other process", other.Wait(), nil)
		parked(t, rounds, there, back)
	}
}

// cpuTicks is the processor time of a process, in units of 10 ms.
func cpuTicks(t *testing.T, pid int) uint64 {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var sum uint64
	for _, f := range fields[11:13] { // utime, stime
		n, err := strconv.ParseUint(f, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// sleepers starts a process that sleeps in Pop and one that sleeps in Push, each
// on a ring of its own.
func sleepers(t *testing.T) (rings map[string]*shm.Segment, procs map[string]*child.Proc) {
	b := plainBed(t)
	rings, procs = map[string]*shm.Segment{}, map[string]*child.Proc{}
	for _, role := range []string{"consumer", "producer"} {
		s := b.segment(t, specOf[uint64](t, 1))
		if role == "producer" {
			p := mustProducer[uint64](t, s, nil)
			wantErr(t, "TryPush", p.TryPush(0), nil)
			wantErr(t, "Close", p.Close(), nil)
		}
		rings[role], procs[role] = s, startOn(t, s, "sleep", role)
		until(t, "a "+role+" sleeps", func() bool { return statsOf(s).Parks > 0 })
	}
	return rings, procs
}

// Blocking costs nothing: who waits uses less than 0.5 % of a CPU.
func TestIdleCostsNothing(t *testing.T) {
	const ticksPerSecond = 100
	wait := 2 * time.Second
	if long() {
		wait = 10 * time.Second
	}
	rings, procs := sleepers(t)
	for _, s := range rings { // past starting up: asleep for the third time
		until(t, "they settle", func() bool { return statsOf(s).Parks > 2 })
	}
	begin, before := time.Now(), map[string]uint64{}
	for role, p := range procs {
		before[role] = cpuTicks(t, p.Pid())
	}
	time.Sleep(wait) // what is measured
	for role, p := range procs {
		used := float64(cpuTicks(t, p.Pid())-before[role]) / ticksPerSecond / time.Since(begin).Seconds()
		t.Logf("a parked %s uses %.2f %% of a CPU, %d parks", role, 100*used, statsOf(rings[role]).Parks)
		if used >= 0.005 {
			t.Errorf("a parked %s uses %.2f %% of a CPU, want less than 0.5 %%", role, 100*used)
		}
	}
	for role, s := range rings {
		wantErr(t, "Shutdown", s.Shutdown(), nil)
		wantErr(t, role, procs[role].Wait(), nil)
	}
}

// How long a sleeper in another process takes to be back, from the call that wakes it.
func TestWakeLatency(t *testing.T) {
	const wakes = 300
	rings, procs := sleepers(t)
	p := mustProducer[uint64](t, rings["consumer"], nil)
	c := mustConsumer[uint64](t, rings["producer"], nil)
	report := func(role string, act func() (begin uint64)) {
		s := rings[role]
		var took []time.Duration
		for range wakes {
			parks := statsOf(s).Parks
			begin := act()
			line, err := procs[role].ReadLine()
			wantErr(t, "ReadLine", err, nil)
			took = append(took, time.Duration(number(line)-begin))
			until(t, "it sleeps again", func() bool { return statsOf(s).Parks > parks })
		}
		slices.Sort(took)
		st := statsOf(s)
		t.Logf("%s, parked in another process: %d wakes, p50 %v, p99 %v, worst %v; %d wakes, %d rescues",
			role, wakes, took[wakes/2], took[wakes*99/100], took[wakes-1], st.Wakes, st.Rescues)
		if st.Rescues != 0 || st.Wakes < wakes {
			t.Errorf("%s: %d wakes for %d sleeps, %d rescues", role, st.Wakes, wakes, st.Rescues)
		}
	}
	report("consumer", func() uint64 { wantErr(t, "TryPush", p.TryPush(clock()), nil); return 0 })
	report("producer", func() uint64 {
		begin := clock()
		_, err := c.TryPop()
		wantErr(t, "TryPop", err, nil)
		return begin
	})
	for role, s := range rings {
		wantErr(t, "Shutdown", s.Shutdown(), nil)
		wantErr(t, role, procs[role].Wait(), nil)
	}
}
