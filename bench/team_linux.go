package bench

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A team is two producer processes on the first CPU and two consumer processes on the second: four on two CPUs, that is
// oversubscribed. Each side of the pair starts the second process of its side, which sleeps except during the work.
//
// teamWork joins one member to its ring and returns what it does: n elements as number me of its side. A consumer returns
// the sum of the running numbers it saw.
type teamWork func(side Side, dir string, first bool) (run func(me, n int) uint64, err error)

// teams are the scenarios of four processes by name.
var teams = map[string]teamWork{}

// secondEnv tells a process that it is the second of its side in a team: side, name, directory.
const secondEnv = "RINGWAY_BENCH_SECOND"

// registerTeam adds a scenario of four processes. Its n counts the elements of the whole team.
func registerTeam(name string, work teamWork) {
	teams[name] = work
	RegisterScenario(Scenario{Name: name, Attach: func(side Side, dir string, _ []byte) (func(int), error) {
		m, err := joinTeam(name, side, dir, 0)
		if err != nil {
			return nil, err
		}
		second, err := startSecond(name, side, dir)
		return func(n int) {
			if _, err := fmt.Fprintln(second, n); err != nil {
				panic(err)
			}
			defer ordinary()()
			m.run(n)
			m.account(n)
		}, err
	}})
}

type member struct {
	side     Side
	me       int
	ctl      *teamControl
	gathered uint64
	work     func(me, n int) uint64
}

func joinTeam(name string, side Side, dir string, me int) (*member, error) {
	mem, err := mapFile(filepath.Join(dir, "team "+name), teamControlBytes)
	if err != nil {
		return nil, err
	}
	work, err := teams[name](side, dir, me == 0 && side == ProducerSide)
	return &member{side: side, me: me, ctl: teamControlOf(mem), work: work}, err
}

// run does this member's half of its side's n elements, together with the others.
func (m *member) run(n int) {
	m.gather()
	m.ctl.at[m.side][m.me].sum = m.work(m.me, n/2)
	m.gather()
}

// account panics unless the consumers saw every element.
func (m *member) account(n int) {
	half := uint64(n / 2)
	if got := m.ctl.at[ConsumerSide][0].sum + m.ctl.at[ConsumerSide][1].sum; got != half*(half-1) {
		panic(fmt.Sprintf("the running numbers of %d elements sum up to %d", n, got))
	}
}

// gather waits for the whole team, all of which get their share of the CPUs meanwhile.
func (m *member) gather() {
	m.gathered++
	atomic.StoreUint64(&m.ctl.at[m.side][m.me].round, m.gathered) // publishes all work so far; pairs with the load below
	for i := range m.ctl.at {
		for k := range m.ctl.at[i] {
			for atomic.LoadUint64(&m.ctl.at[i][k].round) < m.gathered { // observes that member's work; pairs with its store
				yieldCPU()
			}
		}
	}
}

// startSecond returns the command pipe of a process on this CPU, which ends with this one.
func startSecond(name string, side Side, dir string) (*os.File, error) {
	cr, cw, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer cr.Close()
	rr, rw, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer rr.Close()
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.Command(exe)
	c.Env = append(os.Environ(), childEnv+"=", fmt.Sprintf("%s=%d %q %q", secondEnv, side, name, dir))
	c.ExtraFiles = []*os.File{cr, rw}
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	c.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	err = c.Start()
	rw.Close()
	if err != nil {
		return nil, err
	}
	if _, err := rr.Read(make([]byte, 1)); err != nil {
		return nil, fmt.Errorf("bench: the second process of side %d ended, see its message on standard error", side)
	}
	return cw, nil
}

// serveSecond is the life of the process that startSecond started.
func serveSecond(v string) error {
	var side Side
	var name, dir string
	if _, err := fmt.Sscanf(v, "%d %q %q", &side, &name, &dir); err != nil || teams[name] == nil {
		return fmt.Errorf("bench: bad %s=%q: it is set by a team only, unset it", secondEnv, v)
	}
	m, err := joinTeam(name, side, dir, 1)
	if err != nil {
		return err
	}
	in, out := bufio.NewReader(os.NewFile(3, "commands")), os.NewFile(4, "ready")
	if _, err := out.Write([]byte{1}); err != nil {
		return err
	}
	for {
		var n int
		if _, err := fmt.Fscanln(in, &n); err != nil {
			return nil // the first process closed its end
		}
		m.run(n)
	}
}

// ordinary puts this thread under ordinary scheduling, and returns what undoes that: four processes on two CPUs take turns, but
// the probes before and after, when two of them sleep, want the CPUs to themselves.
func ordinary() func() {
	a, err := unix.SchedGetAttr(0, 0)
	if err != nil || a.Policy == unix.SCHED_NORMAL {
		return func() {}
	}
	realtime(false)
	return func() { realtime(true) }
}

// patience gives the CPU away after 64 tries in a row without progress, as the native peer does.
type patience int

func (p *patience) progress() { *p = 0 }

func (p *patience) none() {
	if *p++; *p == 64 {
		*p = 0
		yieldCPU()
	}
}

func yieldCPU() { _, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }
