package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"

	"ringway/internal/telemetry"
)

// childEnv tells a process that it is one side of a Pair: side, producers, consumers, crowded, CPU, bytes, directory.
const childEnv = "RINGWAY_BENCH_SIDE"

// ChildMain does not return in a process that StartPair started; everywhere else it returns at once. Call it first in
// main or TestMain.
func ChildMain() {
	first, second := os.Getenv(childEnv), os.Getenv(secondEnv)
	var err error
	switch {
	case first != "":
		err = (&sideMain{}).serve(first)
	case second != "":
		err = serveSecond(second)
	default:
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// command is what the owner asks of every side, one JSON object a line.
type command struct {
	Name   string
	N      int // operations of all producers together, and of all consumers
	Trips  int
	Stream int  // bytes of the buffer of the raw stream, 0 for none
	FIFO   bool // SCHED_FIFO during the sample
}

// reply is what a side answers.
type reply struct {
	Err           string  `json:",omitempty"`
	Begin, End    uint64  // ns of the clock that all processes share
	Before, After float64 // probes
	Stream        float64
	Switches      int64
	Allocs        uint64
	AllocBytes    uint64
	CPU           int64
	Spent         int64  `json:",omitempty"` // ns that count instead of all between Begin and End
	Latency       []byte `json:",omitempty"` // a compressed HdrHistogram
}

// attachedWork does n operations. It returns how long each took or how much of the time counts, if that is what its scenario tells.
type attachedWork func(n int) (each []int64, spent int64)

type sideMain struct {
	side     Side
	sides    []Side
	each     int  // sides of this one's role
	crowded  bool // sides share CPUs, so a barrier must not spin
	dir      string
	ctl      *control
	raw, mem []byte // of the raw stream; of the scenario
	round    uint64 // barriers passed
	attached map[string]attachedWork
	hist     *hdrhistogram.Histogram
}

func (c *sideMain) serve(v string) error {
	var producers, consumers, cpu, size int
	if _, err := fmt.Sscanf(v, "%d %d %d %t %d %d %s", &c.side, &producers, &consumers, &c.crowded, &cpu, &size, &c.dir); err != nil {
		return fmt.Errorf("bench: bad %s=%q: it is set by StartPair only, unset it", childEnv, v)
	}
	c.sides, c.each = sidesOf(producers, consumers), producers
	if c.side.Role() == ConsumerSide {
		c.each = consumers
	}
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP) // the owner ends us, or our thread of it dies
	debug.SetGCPercent(-1)
	if err := pin(cpu); err != nil {
		return err
	}
	m, err := unix.Mmap(5, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return fmt.Errorf("bench: cannot map %d bytes of shared memory: %w", size, err)
	}
	c.ctl, c.raw, c.mem = controlOf(m), m[controlBytes:controlBytes+streamMax], m[controlBytes+streamMax:]
	c.attached = map[string]attachedWork{}
	in, out := json.NewDecoder(bufio.NewReader(os.NewFile(3, "commands"))), json.NewEncoder(os.NewFile(4, "replies"))
	for {
		var cmd command
		if err := in.Decode(&cmd); err == io.EOF {
			return nil // the owner closed its end
		} else if err != nil {
			return fmt.Errorf("bench: unreadable command from the owner of the pair: %w", err)
		}
		if err := out.Encode(c.sample(cmd)); err != nil {
			return nil // the owner is gone
		}
	}
}

func (c *sideMain) sample(cmd command) (r reply) {
	work, err := c.work(scenarios[cmd.Name])
	if err != nil {
		return reply{Err: err.Error()}
	}
	if cmd.FIFO {
		realtime(true)
		defer realtime(false)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c.meet()
	r.Before = c.probe(cmd.Trips)
	if cmd.Stream > 0 {
		r.Stream = c.stream(cmd.Stream)
	}
	c.meet()
	s0, cpu0 := usage()
	r.Begin = telemetry.Now()
	each, spent := work(cmd.N / c.each)
	r.End = telemetry.Now()
	s1, cpu1 := usage()
	c.meet()
	r.After = c.probe(cmd.Trips)
	runtime.ReadMemStats(&after)
	r.Switches, r.CPU, r.Spent = s1-s0, cpu1-cpu0, spent
	r.Allocs, r.AllocBytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	if each != nil {
		r.Latency, err = c.encode(each)
		if err != nil {
			return reply{Err: err.Error()}
		}
	}
	return r
}

// work attaches to a scenario, the first time.
func (c *sideMain) work(s Scenario) (attachedWork, error) {
	mem := c.mem[:s.Bytes]
	if s.Attach == nil && s.Time == nil && s.Spend == nil {
		if c.side == ProducerSide {
			clear(mem)
		}
		do := s.Producer
		if c.side.Role() == ConsumerSide {
			do = s.Consumer
		}
		return func(n int) ([]int64, int64) { do(mem, n); return nil, 0 }, nil
	}
	run := c.attached[s.Name]
	if run != nil {
		return run, nil
	}
	if c.side != ProducerSide {
		c.meet()
	}
	run, err := s.attach(c.side, c.dir, mem)
	if err != nil {
		return nil, err
	}
	c.attached[s.Name] = run
	if c.side == ProducerSide {
		c.meet()
	}
	return run, nil
}

// attach gives all kinds of work one shape.
func (s Scenario) attach(side Side, dir string, mem []byte) (attachedWork, error) {
	switch {
	case s.Spend != nil:
		run, err := s.Spend(side, dir, mem)
		return func(n int) ([]int64, int64) { return nil, run(n) }, err
	case s.Time != nil:
		run, err := s.Time(side, dir, mem)
		return func(n int) ([]int64, int64) { return run(n), 0 }, err
	}
	run, err := s.Attach(side, dir, mem)
	return func(n int) ([]int64, int64) { run(n); return nil, 0 }, err
}

// encode packs latencies for the owner.
func (c *sideMain) encode(each []int64) ([]byte, error) {
	if c.hist == nil {
		c.hist = newHistogram()
	}
	c.hist.Reset()
	for _, ns := range each {
		if err := c.hist.RecordValue(min(max(ns, 0), histogramMax)); err != nil {
			return nil, err
		}
	}
	return c.hist.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
}
