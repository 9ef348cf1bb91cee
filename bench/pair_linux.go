package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"

	"ringway/internal/child"
)

// Pair is child processes of this program, two of them and one pinned to each of two CPUs unless StartSides asks for more,
// that share memory and run scenarios together. Between runs all sleep in the kernel, so that whoever is measured in turn
// has the CPUs to himself; the program that owns the Pair sleeps during a run. One goroutine at a time.
type Pair struct {
	// Realtime runs each sample under SCHED_FIFO where that is allowed, to keep other work of the guest away; StartPair
	// sets it. A scenario that needs other threads of its process while it spins (timers, contexts) must clear it.
	Realtime bool

	// Patience ends a run whose sides do not finish; 0 means three minutes.
	Patience time.Duration

	cpus  []int
	dir   string
	turn  turn
	claim *os.File // of dir
	side  []sideProcess
}

type sideProcess struct {
	cmd     *exec.Cmd
	command *os.File
	reply   *bufio.Reader
	close   func()
}

// patienceOr is how long a run may take: a lost message would otherwise spin for ever.
func patienceOr(d time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return 3 * time.Minute
}

// StartPair starts two sides with size bytes of shared memory; 0 is enough for every scenario registered so far. The
// program must call ChildMain first in its main or TestMain, after its scenarios are registered.
func StartPair(cpus [2]int, size int) (*Pair, error) {
	if cpus[0] == cpus[1] {
		return nil, fmt.Errorf("bench: both sides spin, so they need two different CPUs, not CPU %d twice", cpus[0])
	}
	return StartSides(cpus[:], 2, size)
}

// StartSides starts any even number of sides up to 8, producers and consumers in turn, on the CPUs in turn: with two CPUs
// all producers share the first and all consumers the second.
func StartSides(cpus []int, sides, size int) (*Pair, error) {
	if len(cpus) < 2 || sides < 2 || sides > maxSides || sides%2 != 0 {
		return nil, fmt.Errorf("bench: %d sides on %d CPUs: give 2 to %d sides, an even number, and at least 2 CPUs", sides, len(cpus), maxSides)
	}
	return launch(cpus, sides/2, sides/2, size)
}

// StartProducers is StartSides with 1 to 16 producers and a single consumer. With two CPUs the consumer has the second to itself.
func StartProducers(cpus []int, producers, size int) (*Pair, error) {
	if len(cpus) < 2 || producers < 1 || producers > maxProducers {
		return nil, fmt.Errorf("bench: %d producers on %d CPUs: give 1 to %d producers and at least 2 CPUs", producers, len(cpus), maxProducers)
	}
	return launch(cpus, producers, 1, size)
}

func launch(cpus []int, producers, consumers, size int) (*Pair, error) {
	sides := sidesOf(producers, consumers)
	for _, s := range scenarios {
		size = max(size, s.Bytes)
	}
	size += controlBytes + streamMax
	removeStale("/dev/shm")
	dir, err := os.MkdirTemp("/dev/shm", fmt.Sprintf("%s%d-", pairPrefix, os.Getpid()))
	if err != nil {
		return nil, fmt.Errorf("bench: no shared memory directory: %w", err)
	}
	p := &Pair{Realtime: true, cpus: cpus[:min(len(cpus), len(sides))], dir: dir, side: make([]sideProcess, len(sides))}
	if p.claim, err = claimed(dir); err != nil {
		p.Close()
		return nil, err
	}
	if p.turn, err = openTurn(); err != nil {
		p.Close()
		return nil, err
	}
	mem, err := os.Create(dir + "/memory")
	if err == nil {
		defer mem.Close()
		err = unix.Fallocate(int(mem.Fd()), 0, 0, int64(size))
	}
	for i, side := range sides {
		if err == nil {
			p.side[i], err = p.start(side, fmt.Sprintf("%d %d", producers, consumers), mem, size)
		}
	}
	os.Remove(dir + "/memory") // all sides have it; a killed owner leaves only an empty directory
	if err != nil {
		p.Close()
		return nil, fmt.Errorf("bench: cannot start processes that share %d bytes: %w", size, err)
	}
	return p, nil
}

// Crowded reports whether sides share CPUs.
func (p *Pair) Crowded() bool { return len(p.side) > len(p.cpus) }

func (p *Pair) start(side Side, counts string, mem *os.File, size int) (s sideProcess, err error) {
	cr, cw, err := os.Pipe()
	if err != nil {
		return s, err
	}
	rr, rw, err := os.Pipe()
	if err != nil {
		return s, err
	}
	exe, err := os.Executable()
	if err != nil {
		return s, err
	}
	c := exec.Command(exe)
	c.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s %t %d %d %s", childEnv, side, counts, p.Crowded(), p.cpus[int(side)%len(p.cpus)], size, p.dir),
		// The poll loops never give way: a signal every 10 ms would only be noise, and a runtime that saw that it is pinned and
		// took processors away would stop the world for as long as somebody polls.
		"GODEBUG=asyncpreemptoff=1,updatemaxprocs=0")
	c.ExtraFiles = []*os.File{cr, rw, mem}
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	c.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL, Setpgid: true} // an interrupt at the terminal is the owner's
	err = child.Launch(c)
	cr.Close()
	rw.Close()
	return sideProcess{c, cw, bufio.NewReader(rr), func() { cw.Close(); rr.Close() }}, err
}

// Hide removes the files of the scenarios measured so far, which the sides have open: who is killed from now on leaves
// nothing behind. No other scenario can be measured afterwards.
func (p *Pair) Hide() error { return os.RemoveAll(p.dir) }

// Close ends all sides.
func (p *Pair) Close() error {
	for _, s := range p.side {
		if s.cmd != nil && s.cmd.Process != nil {
			s.cmd.Process.Kill()
			s.cmd.Wait()
			s.close()
		}
	}
	p.turn.close()
	if p.claim != nil {
		defer p.claim.Close()
	}
	return os.RemoveAll(p.dir)
}

// Sample is Measure without a stream.
func (p *Pair) Sample(name string, n, trips int) (Sample, error) {
	return p.Measure(Request{Scenario: name, N: n, Trips: trips})
}

// Measure takes one sample of a scenario between two raw probes. It waits its turn if another Pair or Native of this
// machine measures. An error means that the pair is no longer usable.
func (p *Pair) Measure(r Request) (Sample, error) {
	if !Registered(r.Scenario) {
		return Sample{}, fmt.Errorf("bench: no scenario %q is registered", r.Scenario)
	}
	if err := p.turn.take(); err != nil {
		return Sample{}, err
	}
	defer p.turn.give()
	stolen := stolenTicks(p.cpus)
	line, err := json.Marshal(command{r.Scenario, r.N, r.Trips, r.Stream, p.Realtime && !r.Sleeps && !p.Crowded()})
	if err != nil {
		return Sample{}, err
	}
	for _, s := range p.side {
		if _, err := s.command.Write(append(line, '\n')); err != nil {
			return Sample{}, fmt.Errorf("bench: a side has ended: %w", err)
		}
	}
	replies, err := p.replies(r.Scenario)
	if err != nil {
		return Sample{}, err
	}
	s, err := joined(replies, r)
	s.Stolen = stolenTicks(p.cpus) - stolen
	s.Crowded = p.Crowded()
	return s, err
}

// replies waits for all sides.
func (p *Pair) replies(name string) ([]reply, error) {
	t := time.AfterFunc(patienceOr(p.Patience), p.Kill)
	defer t.Stop()
	type answer struct {
		side int
		r    reply
	}
	answers := make(chan answer)
	for i := range p.side {
		go func() { answers <- answer{i, p.read(i)} }()
	}
	all := make([]reply, len(p.side))
	var first error
	for range p.side {
		a := <-answers
		if a.r.Err != "" && first == nil {
			first = fmt.Errorf("bench: scenario %s: side %d: %s", name, a.side, a.r.Err)
			p.Kill() // the other sides wait for this one
		}
		all[a.side] = a.r
	}
	return all, first
}

func (p *Pair) read(i int) (r reply) {
	l, err := p.side[i].reply.ReadBytes('\n')
	if err != nil {
		return reply{Err: "it ended or hung, see its message on standard error"}
	}
	if err := json.Unmarshal(l, &r); err != nil {
		return reply{Err: "it answered nonsense: " + err.Error()}
	}
	return r
}

// joined makes one sample of what the sides say. The first producer has the probes.
func joined(replies []reply, r Request) (s Sample, err error) {
	first := replies[0]
	begin, end, spent := first.Begin, first.End, int64(0)
	n := float64(r.N)
	s = Sample{Before: first.Before, After: first.After, Stream: first.Stream, Sleeps: r.Sleeps}
	for _, x := range replies {
		begin, end = min(begin, x.Begin), max(end, x.End)
		spent += x.Spent
		s.Switches += int(x.Switches)
		s.Allocs += float64(x.Allocs) / n
		s.AllocBytes += float64(x.AllocBytes) / n
		s.CPU += float64(x.CPU) / n
		if x.Latency == nil {
			continue
		}
		h, err := hdrhistogram.Decode(x.Latency)
		if err != nil {
			return s, fmt.Errorf("bench: scenario %s: unreadable histogram: %w", r.Scenario, err)
		}
		if s.Latency == nil {
			s.Latency = h
		} else {
			s.Latency.Merge(h)
		}
	}
	s.Ns = float64(end-begin) / n
	if spent > 0 {
		s.Ns = float64(spent) / n
	}
	return s, nil
}

// Kill ends all sides now, from any goroutine: a sample that is under way returns an error. Close is still needed.
func (p *Pair) Kill() {
	for _, s := range p.side {
		if s.cmd != nil && s.cmd.Process != nil {
			_ = s.cmd.Process.Kill() // fails only if it is gone
		}
	}
}
