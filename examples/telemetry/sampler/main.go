// Sampler puts this machine's counters into a ring, so many times a second. Run it
// beside aggregator; either may start first, stop, be killed and start again.
//
//	go run ./examples/telemetry/sampler &
//	go run ./examples/telemetry/aggregator
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

	"ringway/internal/telemetry"
	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

func main() {
	name := flag.String("ring", "telemetry", "name or path of the ring")
	rate := flag.Int("rate", 100, "samples per second")
	spell := flag.Duration("for", 0, "stop after this long; 0 is never")
	flag.Parse()
	if *rate < 1 || *rate > 1_000_000 || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "sampler: -rate must be 1 to 1000000, and there are no arguments")
		os.Exit(2)
	}
	if err := run(*name, *rate, *spell); err != nil {
		fmt.Fprintln(os.Stderr, "sampler:", err)
		os.Exit(1)
	}
}

func run(name string, rate int, spell time.Duration) error {
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
	// Whoever comes first creates the ring; nobody removes it, so that the other
	// side finds it after a restart. "ringway rm telemetry" does.
	seg, err := shm.OpenOrCreate(shm.Path(name), spec, 0o600)
	if err != nil {
		return err
	}
	defer seg.Close()
	p, err := ring.NewProducer[telemetry.Sample](seg, &ring.Options{Name: "sampler"})
	if err != nil {
		return err
	}
	defer p.Close()
	s, err := telemetry.Open()
	if err != nil {
		return err
	}
	defer s.Close()

	pushed, dropped := 0, 0
	period := uint64(time.Second) / uint64(rate)
	due := telemetry.Now()
	for seq := uint64(0); ctx.Err() == nil; seq++ {
		if err := s.Pace(due); err != nil {
			return err
		}
		sample, err := s.Take(seq)
		if err != nil {
			return err
		}
		// Telemetry is about now: when nobody reads and the ring is full, a sample is
		// dropped rather than waited for. The reader sees the gap in Seq.
		switch err := p.TryPush(*sample); {
		case err == nil:
			pushed++
		case errors.Is(err, ring.ErrFull):
			dropped++
		default:
			return err
		}
		due = max(due+period, sample.Captured) // late is late: no burst afterwards
	}
	fmt.Printf("%d samples pushed, %d dropped because nobody read them\n", pushed, dropped)
	return nil
}
