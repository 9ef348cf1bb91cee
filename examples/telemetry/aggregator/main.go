// Aggregator reads the samples that sampler puts into a ring and prints a line for every
// second of them. Either may start first, stop, be killed and start again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"

	"ringway/internal/telemetry"
	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

func main() {
	name := flag.String("ring", "telemetry", "name or path of the ring")
	every := flag.Duration("every", time.Second, "one line per this much time")
	spell := flag.Duration("for", 0, "stop after this long; 0 is never")
	flag.Parse()
	if *every <= 0 || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "aggregator: -every must be more than 0, and there are no arguments")
		os.Exit(2)
	}
	if err := run(*name, *every, *spell); err != nil {
		fmt.Fprintln(os.Stderr, "aggregator:", err)
		os.Exit(1)
	}
}

func run(name string, every, spell time.Duration) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if spell > 0 {
		ctx, stop = context.WithTimeout(ctx, spell)
		defer stop()
	}
	spec, err := ring.Spec[telemetry.Sample](layout.SPSC, 4096)
	if err != nil {
		return err
	}
	seg, err := shm.OpenOrCreate(shm.Path(name), spec, 0o600)
	if err != nil {
		return err
	}
	defer seg.Close()
	c, err := ring.NewConsumer[telemetry.Sample](seg, &ring.Options{Name: "aggregator"})
	if err != nil {
		return err
	}
	defer c.Close()

	w := window{every: uint64(every)}
	// All waits as long as it takes, costs nothing meanwhile, and ends when ctx does.
	for sample, err := range c.All(ctx) {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
		w.add(&sample)
	}
	return nil // somebody shut the ring down
}

// window collects the samples of one line.
type window struct {
	every       uint64 // ns
	first, last telemetry.Sample
	samples     uint64
	missing     uint64 // dropped by a sampler that found the ring full
	damaged     uint64
}

func (w *window) add(s *telemetry.Sample) {
	if !s.Intact() {
		w.damaged++
		return
	}
	if w.samples == 0 || s.Seq <= w.last.Seq { // the first ever, or another sampler
		w.first, w.last, w.samples, w.missing = *s, *s, 1, 0
		return
	}
	w.missing += s.Seq - w.last.Seq - 1
	w.samples++
	w.last = *s
	if s.Captured-w.first.Captured >= w.every {
		fmt.Println(w)
		w.first, w.samples, w.missing = *s, 1, 0
	}
}

func (w *window) String() string {
	a, b := &w.first, &w.last
	seconds := float64(b.Captured-a.Captured) / 1e9
	perSecond := func(before, after uint64) float64 { return float64(after-before) / seconds }
	busy := (b.User + b.Nice + b.System + b.IRQ + b.SoftIRQ + b.Steal) - (a.User + a.Nice + a.System + a.IRQ + a.SoftIRQ + a.Steal)
	all := busy + (b.Idle + b.IOWait) - (a.Idle + a.IOWait)
	cpu := "-" // less than a tick passed
	if all > 0 {
		cpu = fmt.Sprintf("%.0f%%", 100*float64(busy)/float64(all))
	}
	// The first sample of a window is the last one of the window before.
	return fmt.Sprintf("%s  %d samples, %d missing, %d damaged  cpu %s  %s switches/s  %s faults/s  %s available  rx %s/s  load %.2f",
		time.Now().Format(time.TimeOnly), w.samples-1, w.missing, w.damaged, cpu,
		humanize.Comma(int64(perSecond(a.ContextSwitches, b.ContextSwitches))), humanize.Comma(int64(perSecond(a.PageFaults, b.PageFaults))),
		humanize.IBytes(b.MemAvailable*1024), humanize.IBytes(uint64(perSecond(a.RxBytes, b.RxBytes))), float64(b.Load1)/100)
}
