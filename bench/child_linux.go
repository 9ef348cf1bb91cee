package bench

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"ringway/internal/order"
)

// childEnv tells a process that it is one side of a Pair: side, CPU, bytes, directory.
const childEnv = "RINGWAY_BENCH_SIDE"

// ChildMain does not return in a process that StartPair started; everywhere else it returns at once. Call it first in
// main or TestMain.
func ChildMain() {
	v := os.Getenv(childEnv)
	if v == "" {
		return
	}
	c := child{}
	if err := c.serve(v); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

type child struct {
	side     Side
	dir      string
	ctl      *control
	mem      []byte
	round    uint64 // barriers passed
	attached map[string]func(n int)
}

func (c *child) serve(v string) error {
	var cpu, size int
	if _, err := fmt.Sscanf(v, "%d %d %d %s", &c.side, &cpu, &size, &c.dir); err != nil {
		return fmt.Errorf("bench: bad %s=%q: it is set by StartPair only, unset it", childEnv, v)
	}
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("bench: cannot pin to CPU %d: %w", cpu, err)
	}
	m, err := unix.Mmap(5, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return fmt.Errorf("bench: cannot map %d bytes of shared memory: %w", size, err)
	}
	c.ctl, c.mem = controlOf(m), m[controlBytes:]
	c.attached = map[string]func(int){}
	in, out := bufio.NewReader(os.NewFile(3, "commands")), os.NewFile(4, "replies")
	for {
		var name string
		var n, trips int
		var fifo bool
		if _, err := fmt.Fscanf(in, "%q %d %d %t\n", &name, &n, &trips, &fifo); err == io.EOF {
			return nil // the owner closed its end
		} else if err != nil {
			return fmt.Errorf("bench: unreadable command from the owner of the pair: %w", err)
		}
		fmt.Fprintln(out, c.sample(name, n, trips, fifo))
	}
}

func (c *child) sample(name string, n, trips int, fifo bool) string {
	s := scenarios[name]
	work, err := c.work(s, name)
	if err != nil {
		return err.Error()
	}
	if fifo {
		realtime(true)
		defer realtime(false)
	}
	c.meet()
	before := c.probe(trips)
	c.meet()
	s0, t0 := switches(), time.Now()
	work(n)
	c.meet()
	d, s1 := time.Since(t0), switches()
	after := c.probe(trips)
	return fmt.Sprintf("%g %g %g %d", float64(d.Nanoseconds())/float64(n), before, after, s1-s0)
}

func (c *child) work(s Scenario, name string) (func(int), error) {
	if s.Attach != nil {
		run := c.attached[name]
		if run == nil {
			if c.side == ConsumerSide {
				c.meet()
			}
			var err error
			if run, err = s.Attach(c.side, c.dir, c.mem[:s.Bytes]); err != nil {
				return nil, err
			}
			c.attached[name] = run
			if c.side == ProducerSide {
				c.meet()
			}
		}
		return run, nil
	}
	mem := c.mem[:s.Bytes]
	if c.side == ProducerSide {
		clear(mem)
		return func(n int) { s.Producer(mem, n) }, nil
	}
	return func(n int) { s.Consumer(mem, n) }, nil
}

// meet waits for the other side. A side that never comes has died; the owner notices and ends this one too.
func (c *child) meet() {
	c.round++
	mine, other := &c.ctl.at[c.side].round, &c.ctl.at[1-c.side].round
	atomic.StoreUint64(mine, c.round)        // publishes all work so far; pairs with the load of the other side below
	for atomic.LoadUint64(other) < c.round { // observes the other side's work; pairs with the store above
		order.Pause()
	}
}

// probe times trips raw round trips of two cache lines, without PAUSE, and returns ns per round trip on the producer side.
func (c *child) probe(trips int) float64 {
	ping, pong := &c.ctl.ping.v, &c.ctl.pong.v
	base := *pong
	c.meet()
	t := time.Now()
	if c.side == ProducerSide {
		for i := base + 1; i <= base+uint64(trips); i++ {
			order.StoreRelease(ping, i)
			for atomic.LoadUint64(pong) != i { // observes the echo
			}
		}
	} else {
		for i := base + 1; i <= base+uint64(trips); i++ {
			for atomic.LoadUint64(ping) != i { // observes the ball
			}
			order.StoreRelease(pong, i)
		}
	}
	return float64(time.Since(t).Nanoseconds()) / float64(trips)
}

// realtime keeps other work of the guest off the CPU during a sample, where that is allowed; where not, the count of
// involuntary switches tells.
func realtime(on bool) {
	a := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL}
	if on {
		a.Policy, a.Priority = unix.SCHED_FIFO, 1
	}
	_ = unix.SchedSetAttr(0, &a, 0)
}

func switches() int64 {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &u)
	return int64(u.Nivcsw)
}
