package bench

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Pair is two child processes of this program, one pinned to each of two CPUs, that share memory and run scenarios
// together. Between runs both sleep in the kernel, so that whoever is measured in turn has the CPUs to himself; the
// program that owns the Pair sleeps during a run. One goroutine at a time.
type Pair struct {
	// Realtime runs each sample under SCHED_FIFO where that is allowed, to keep other work of the guest away; StartPair
	// sets it. A scenario that needs other threads of its process while it spins (timers, contexts) must clear it.
	Realtime bool

	cpus [2]int
	dir  string
	turn turn
	side [2]sideProcess
}

type sideProcess struct {
	cmd     *exec.Cmd
	command *os.File
	reply   *bufio.Reader
	close   func()
}

// TwoCPUs returns the first two CPUs that this process may run on, or an error if there is only one.
func TwoCPUs() ([2]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return [2]int{}, fmt.Errorf("bench: cannot tell which CPUs are allowed: %w", err)
	}
	var cpus []int
	for i := range len(set) * strconv.IntSize {
		if set.IsSet(i) {
			cpus = append(cpus, i)
		}
	}
	if len(cpus) < 2 {
		return [2]int{}, errors.New("bench: two processes that spin need two CPUs, and this one may use only one")
	}
	return [2]int(cpus), nil
}

// hangLimit ends a run whose two sides do not finish: a lost message would otherwise spin for ever.
const hangLimit = 60 * time.Second

// StartPair starts the two sides with size bytes of shared memory; 0 is enough for every scenario registered so far. The
// program must call ChildMain first in its main or TestMain, after its scenarios are registered.
func StartPair(cpus [2]int, size int) (*Pair, error) {
	if cpus[0] == cpus[1] {
		return nil, fmt.Errorf("bench: both sides spin, so they need two different CPUs, not CPU %d twice", cpus[0])
	}
	for _, s := range scenarios {
		size = max(size, s.Bytes)
	}
	dir, err := os.MkdirTemp("/dev/shm", "ringway-bench-")
	if err != nil {
		return nil, fmt.Errorf("bench: no shared memory directory: %w", err)
	}
	p := &Pair{Realtime: true, cpus: cpus, dir: dir}
	if p.turn, err = openTurn(); err != nil {
		p.Close()
		return nil, err
	}
	mem, err := os.Create(dir + "/memory")
	if err == nil {
		defer mem.Close()
		err = unix.Fallocate(int(mem.Fd()), 0, 0, int64(controlBytes+size))
	}
	for i := range p.side {
		if err == nil {
			err = p.start(i, mem, controlBytes+size)
		}
	}
	os.Remove(dir + "/memory") // both sides have it; a killed owner leaves only an empty directory
	if err != nil {
		p.Close()
		return nil, fmt.Errorf("bench: cannot start a pair of processes: %w", err)
	}
	return p, nil
}

func (p *Pair) start(i int, mem *os.File, size int) error {
	cr, cw, err := os.Pipe()
	if err != nil {
		return err
	}
	rr, rw, err := os.Pipe()
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	c := exec.Command(exe)
	c.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %d %s", childEnv, i, p.cpus[i], size, p.dir),
		"GODEBUG=asyncpreemptoff=1") // the poll loops never give way, a signal every 10 ms would only be noise
	c.ExtraFiles = []*os.File{cr, rw, mem}
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	c.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	err = c.Start()
	cr.Close()
	rw.Close()
	p.side[i] = sideProcess{c, cw, bufio.NewReader(rr), func() { cw.Close(); rr.Close() }}
	return err
}

// Close ends both sides.
func (p *Pair) Close() error {
	for _, s := range p.side {
		if s.cmd != nil && s.cmd.Process != nil {
			s.cmd.Process.Kill()
			s.cmd.Wait()
			s.close()
		}
	}
	p.turn.close()
	return os.RemoveAll(p.dir)
}

// Sample runs n operations, at least 1, of a scenario between two raw probes of trips round trips each. It waits its turn if
// another Pair or Native of this machine measures. An error means that the pair is no longer usable.
func (p *Pair) Sample(name string, n, trips int) (Sample, error) {
	if _, ok := scenarios[name]; !ok {
		return Sample{}, fmt.Errorf("bench: no scenario %q is registered", name)
	}
	if err := p.turn.take(); err != nil {
		return Sample{}, err
	}
	defer p.turn.give()
	stolen := stolenTicks(p.cpus)
	for _, s := range p.side {
		if _, err := fmt.Fprintf(s.command, "%q %d %d %t\n", name, n, trips, p.Realtime); err != nil {
			return Sample{}, fmt.Errorf("bench: a side has ended: %w", err)
		}
	}
	t := time.AfterFunc(hangLimit, p.kill)
	defer t.Stop()
	var v [2][]float64
	var first error
	replies := make(chan reply)
	for i := range p.side {
		go func() { replies <- p.read(Side(i)) }()
	}
	for range p.side {
		r := <-replies
		if r.err != nil && first == nil {
			first = fmt.Errorf("bench: scenario %s: side %d: %w", name, r.side, r.err)
			p.kill() // the other side waits for this one
		}
		v[r.side] = r.v
	}
	if first != nil {
		return Sample{}, first
	}
	return Sample{Ns: v[0][0], Before: v[0][1], After: v[0][2], Switches: int(v[0][3] + v[1][3]),
		Stolen: stolenTicks(p.cpus) - stolen}, nil
}

// reply is what one side said about a sample: ns, probe before, probe after, switches.
type reply struct {
	side Side
	v    []float64
	err  error
}

func (p *Pair) read(side Side) reply {
	l, err := p.side[side].reply.ReadString('\n')
	if err != nil {
		return reply{side, nil, errors.New("it ended or hung, see its message on standard error")}
	}
	v := make([]float64, 4)
	if _, err := fmt.Sscan(l, &v[0], &v[1], &v[2], &v[3]); err != nil {
		return reply{side, nil, errors.New(strings.TrimSpace(l))}
	}
	return reply{side, v, nil}
}

func (p *Pair) kill() {
	for _, s := range p.side {
		s.cmd.Process.Kill()
	}
}

// stolenTicks returns the host-steal ticks of the two CPUs so far, as far as the kernel shows them.
func stolenTicks(cpus [2]int) (ticks int) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	for l := range strings.Lines(string(b)) {
		f := strings.Fields(l)
		if len(f) > 8 && (f[0] == "cpu"+strconv.Itoa(cpus[0]) || f[0] == "cpu"+strconv.Itoa(cpus[1])) {
			n, _ := strconv.Atoi(f[8])
			ticks += n
		}
	}
	return ticks
}
