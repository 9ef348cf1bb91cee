package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

// memoryModes are the ways to treat a segment's memory that are compared.
var memoryModes = []struct {
	name string
	o    shm.Options
}{
	{"none", shm.Options{}},
	{"Prefault", shm.Options{Prefault: true}},
	{"Lock", shm.Options{Lock: true}},
	{"HugePages", shm.Options{HugePages: true}},
	{"HugePages, Prefault", shm.Options{HugePages: true, Prefault: true}},
}

// memorySlots of 64 bytes are 64 MiB.
const memorySlots = 1 << 20

// The scenarios of a large ring in each mode: ringway memory MODE, as ringway tp.
func init() {
	for _, m := range memoryModes {
		name := "ringway memory " + m.name
		RegisterScenario(Scenario{Name: name, Time: func(side Side, dir string, _ []byte) (func(int) []int64, error) {
			path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			seg, err := shm.OpenOrCreateWith(path, specOf[elem64](layout.SPSC, memorySlots), 0o600, &m.o)
			if err != nil {
				return nil, err
			}
			return oneWay[elem64](1)(side, []*shm.Segment{seg})
		}})
	}
}

// lapCost is what a lap through a ring costs.
type lapCost struct {
	open   time.Duration
	ns     [2]float64 // an element in the first and the second lap
	faults [2]int64   // in the first lap, of the producer and the consumer
	huge   int64
}

func threadFaults() int64 {
	var r unix.Rusage
	must(unix.Getrusage(unix.RUSAGE_THREAD, &r))
	return r.Minflt + r.Majflt
}

// lap fills and drains a new ring twice, with a mapping for each side.
func lap(o *shm.Options) (c lapCost, err error) {
	dir, err := os.MkdirTemp(shm.Dir, fmt.Sprintf("%s%d-", pairPrefix, os.Getpid()))
	if err != nil {
		return c, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "r")
	began := time.Now()
	made, err := shm.CreateWith(path, specOf[elem64](layout.SPSC, memorySlots), 0o600, o)
	if err != nil {
		return c, err
	}
	defer made.Close()
	opened, err := shm.OpenWith(path, o)
	if err != nil {
		return c, err
	}
	defer opened.Close()
	c.open = time.Since(began)
	p, err := ring.NewProducer[elem64](made, nil)
	if err != nil {
		return c, err
	}
	defer p.Close()
	q, err := ring.NewConsumer[elem64](opened, nil)
	if err != nil {
		return c, err
	}
	defer q.Close()
	for i := range c.ns {
		before := threadFaults()
		began = time.Now()
		pushEach(p, memorySlots)
		between := threadFaults()
		popEach(q, memorySlots)
		c.ns[i] = float64(time.Since(began)) / memorySlots
		if i == 0 {
			c.faults = [2]int64{between - before, threadFaults() - between}
		}
	}
	c.huge, err = made.HugePages()
	return c, err
}

// BenchmarkMemory says what shm.Options Prefault, Lock and HugePages buy on a ring of 2^20 slots of 64 bytes. An iteration is
// one sample of each mode. FirstLap fills and drains a new ring in one thread; Steady is a stream between two processes.
func BenchmarkMemory(b *testing.B) {
	b.Log(Machine())
	b.Run("FirstLap", func(b *testing.B) {
		runtime.LockOSThread() // its page faults are counted
		defer runtime.UnlockOSThread()
		all := make([][]lapCost, len(memoryModes))
		for b.Loop() {
			for i, m := range memoryModes {
				c, err := lap(&m.o)
				if err != nil {
					b.Fatal(err)
				}
				all[i] = append(all[i], c)
			}
		}
		b.ReportMetric(0, "ns/op") // an iteration's duration says nothing
		var t strings.Builder
		for i, m := range memoryModes {
			of := func(f func(lapCost) float64) float64 { return median(all[i], f) }
			fmt.Fprintf(&t, "\n| %s | %.1f | %.0f | %.0f | %.1f | %.1f | %.0f |", m.name,
				of(func(c lapCost) float64 { return float64(c.open) / 1e6 }),
				of(func(c lapCost) float64 { return float64(c.faults[0]) }), of(func(c lapCost) float64 { return float64(c.faults[1]) }),
				of(func(c lapCost) float64 { return c.ns[0] }), of(func(c lapCost) float64 { return c.ns[1] }),
				of(func(c lapCost) float64 { return float64(c.huge) / (1 << 20) }))
		}
		b.Logf("%d samples, medians\n| options | create and open, ms | faults, fill | drain | first lap, ns | second | huge, MiB |\n|---|---|---|---|---|---|---|%s", len(all[0]), t.String())
	})
	b.Run("Steady", func(b *testing.B) {
		cpus, err := TwoCPUs()
		if err != nil {
			b.Skip(err)
		}
		p, err := StartPair(cpus, 0)
		if err != nil {
			b.Fatal(err)
		}
		defer p.Close()
		all := make([][]float64, len(memoryModes))
		for warm := true; warm || b.Loop(); warm = false {
			for i, m := range memoryModes {
				s, err := p.Sample("ringway memory "+m.name, 4*memorySlots, 1000)
				if err != nil {
					b.Fatal(err)
				}
				if !warm {
					all[i] = append(all[i], s.Ns)
				}
			}
		}
		b.ReportMetric(0, "ns/op")
		var t strings.Builder
		for i, m := range memoryModes {
			least, most := all[i][0], all[i][0]
			for _, ns := range all[i] {
				least, most = min(least, ns), max(most, ns)
			}
			fmt.Fprintf(&t, "\n| %s | %.1f | %.1f | %.1f |", m.name, least, median(all[i], func(ns float64) float64 { return ns }), most)
		}
		b.Logf("%d samples\n| options | ns least | median | most |\n|---|---|---|---|%s", len(all[0]), t.String())
	})
}
