package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"ringway/bench"
	"ringway/internal/order"
)

// inProcess is one process whose two sides are goroutines, each locked to a thread and that to a CPU: for queues that cannot live in
// shared memory. It runs samples as bench.Pair does.
type inProcess struct {
	cmd   *exec.Cmd
	in    *os.File
	out   *bufio.Reader
	close func()
}

// inProcessEnv tells a process that it is one: the two CPUs.
const inProcessEnv = "RINGWAY_PEERS_INPROCESS"

// childMain does not return in a process that this program started.
func childMain() {
	bench.ChildMain()
	if name := os.Getenv(natsEnv); name != "" {
		must(serveNATS(name))
		os.Exit(0)
	}
	v := os.Getenv(inProcessEnv)
	if v == "" {
		return
	}
	var cpus [2]int
	if _, err := fmt.Sscan(v, &cpus[0], &cpus[1]); err != nil {
		fmt.Fprintf(os.Stderr, "peers: bad %s=%q: it is set by this program only, unset it\n", inProcessEnv, v)
		os.Exit(1)
	}
	serveInProcess(cpus, os.NewFile(3, "commands"), os.NewFile(4, "replies"))
	os.Exit(0)
}

func startInProcess(cpus [2]int) (*inProcess, error) {
	cr, cw, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	rr, rw, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.Command(exe)
	c.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d", inProcessEnv, cpus[0], cpus[1]), "GODEBUG=asyncpreemptoff=1", "GOMAXPROCS=3")
	c.ExtraFiles = []*os.File{cr, rw}
	c.Stderr = os.Stderr
	c.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	err = c.Start()
	cr.Close()
	rw.Close()
	return &inProcess{c, cw, bufio.NewReader(rr), func() { cw.Close(); rr.Close() }}, err
}

// Sample runs n operations of a queue between two probes of trips round trips each.
func (p *inProcess) Sample(name string, n, trips int) (bench.Sample, error) {
	if _, err := fmt.Fprintf(p.in, "%q %d %d\n", name, n, trips); err != nil {
		return bench.Sample{}, fmt.Errorf("peers: the process of the in-process queues has ended: %w", err)
	}
	t := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
	defer t.Stop()
	var s bench.Sample
	if _, err := fmt.Fscanf(p.out, "%g %g %g %d\n", &s.Ns, &s.Before, &s.After, &s.Switches); err != nil {
		return s, fmt.Errorf("peers: %s: it ended or hung: %w", name, err)
	}
	return s, nil
}

func (p *inProcess) Close() {
	p.close()
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// job is one command for one side.
type job struct {
	work  func(n int)
	polls bool // it needs no other thread of the process while it works
	n     int
	trips int
	done  chan<- bench.Sample
}

// line keeps a word away from others.
type line struct {
	v uint64
	_ [120]byte
}

// bout is what both sides share besides the queue.
type bout struct {
	_    line
	at   [2]line
	ball [2]line
}

func serveInProcess(cpus [2]int, in io.Reader, out io.Writer) {
	debug.SetGCPercent(-1) // it would wait for threads that spin
	queues := inProcessQueues()
	var b bout
	var jobs [2]chan job
	for side := range jobs {
		jobs[side] = make(chan job)
		go b.serve(side, cpus[side], jobs[side])
	}
	made := map[string][2]func(int){}
	for r := bufio.NewReader(in); ; {
		var name string
		var n, trips int
		if _, err := fmt.Fscanf(r, "%q %d %d\n", &name, &n, &trips); err != nil {
			return // the owner closed its end
		}
		if made[name][0] == nil {
			made[name] = queues[name]()
		}
		done := [2]chan bench.Sample{make(chan bench.Sample, 1), make(chan bench.Sample, 1)}
		for side := range jobs {
			jobs[side] <- job{made[name][side], !strings.HasPrefix(name, "channel "), n, trips, done[side]}
		}
		s, c := <-done[0], <-done[1]
		fmt.Fprintf(out, "%g %g %g %d\n", s.Ns, s.Before, s.After, s.Switches+c.Switches)
	}
}

func (b *bout) serve(side, cpu int, jobs <-chan job) {
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(cpu)
	must(unix.SchedSetaffinity(0, &set))
	round := uint64(0)
	meet := func() {
		round++
		atomic.StoreUint64(&b.at[side].v, round)         // publishes all work so far; pairs with the load below
		for atomic.LoadUint64(&b.at[1-side].v) < round { // observes the other side's work; pairs with the store above
			order.Pause()
		}
	}
	for j := range jobs {
		var s bench.Sample
		meet()
		_ = realtime(0, j.polls) // not allowed everywhere; the count of involuntary switches tells
		s.Before = b.probe(side, j.trips, meet)
		meet()
		switches, t := involuntary(), time.Now()
		j.work(j.n)
		meet()
		s.Ns = float64(time.Since(t).Nanoseconds()) / float64(j.n)
		if j.polls { // who sleeps is preempted by those who wake him
			s.Switches = involuntary() - switches
		}
		s.After = b.probe(side, j.trips, meet)
		_ = realtime(0, false)
		j.done <- s
	}
}

// probe times trips raw round trips of two cache lines.
func (b *bout) probe(side, trips int, meet func()) float64 {
	ping, pong := &b.ball[0].v, &b.ball[1].v
	base := atomic.LoadUint64(pong)
	meet()
	t := time.Now()
	for i := base + 1; i <= base+uint64(trips); i++ {
		if side == 0 {
			order.StoreRelease(ping, i)        // pairs with the load in the other branch
			for atomic.LoadUint64(pong) != i { // observes the echo
			}
		} else {
			for atomic.LoadUint64(ping) != i { // observes the ball
			}
			order.StoreRelease(pong, i) // pairs with the load in the other branch
		}
	}
	return float64(time.Since(t).Nanoseconds()) / float64(trips)
}

func involuntary() int {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &u)
	return int(u.Nivcsw)
}
