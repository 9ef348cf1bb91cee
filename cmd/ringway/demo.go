package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"ringway/internal/telemetry"
	"ringway/layout"
	"ringway/ring"
)

// demoOptions is the demo as asked for.
type demoOptions struct {
	spell time.Duration // for the ring; a pipe and a socket get a third each
	rate  uint64
	slots int
	cpus  [2]int // of producer and consumer; -1 is any
	json  bool
}

const (
	demoRate    = 50_000
	demoMaxRate = 10_000_000
	demoMinFor  = 100 * time.Millisecond
	demoMaxFor  = 24 * time.Hour
)

func demoCmd() *cobra.Command {
	o := demoOptions{}
	var size, cpus string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Move this machine's telemetry between two processes, and compare with a pipe and a socket",
		Long: `Demo moves live counters of this machine, sampled from /proc into records of 256
bytes, from one process into another: through a ring, then the same through a
pipe and through a Unix socket. Producer and consumer are real processes; the
consumer checks that every record arrives once, in order and intact.

Each transport is used in three ways. Paced: --rate records a second, one per
call; the latency runs from the capture of a record in one process to its use in
the other. Flat out: as fast as it goes, one record per call, and 64 per call.

Reading one file in /proc takes some microseconds, so at high rates a record
re-reads one of them or none; it carries its real time of capture and the age of
each value. The ring is visible while the demo runs (ringway stat --watch 1s NAME)
and removed at its end, whatever ends it.

The exit status is 0 if everything arrived, 1 if not or if something failed, 2
for wrong use, 130 after Ctrl-C (SIGINT), 143 after SIGTERM and 129 after SIGHUP.`,
		Example: `  ringway demo
  ringway demo --for 10s --rate 200000 --cpus 0,1
  ringway demo --for 1s --json | jq .verified`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.complete(size, cpus); err != nil {
				return err
			}
			return demo(c.Context(), o)
		},
	}
	f := c.Flags()
	f.DurationVar(&o.spell, "for", 5*time.Second, "use the ring for `DURATION`; a pipe and a socket get a third of it each")
	f.Uint64Var(&o.rate, "rate", demoRate, "`N` records per second when paced")
	f.StringVar(&size, "cap", "1MiB", "`SIZE` of the ring's slots together, a power of two")
	f.StringVar(&cpus, "cpus", "", "keep the producer and the consumer on these two `CPUS`, such as 0,1")
	f.BoolVar(&o.json, "json", false, "print one JSON object at the end, and nothing else")
	c.AddCommand(demoPeerCmd())
	return c
}

// complete checks the flags and fills in what they mean.
func (o *demoOptions) complete(size, cpus string) error {
	if o.spell < demoMinFor || o.spell > demoMaxFor {
		return usagef("--for %v is out of range; use %v to %v", o.spell, demoMinFor, demoMaxFor)
	}
	if o.rate == 0 {
		o.rate = demoRate
	}
	if o.rate > demoMaxRate {
		return usagef("--rate %d is too high; use at most %d, flat out is measured anyway", o.rate, demoMaxRate)
	}
	n, err := parseSize("cap", size)
	if err != nil {
		return err
	}
	if err := powerOfTwo("cap", size, n, exactSize); err != nil {
		return err
	}
	if o.slots = n / telemetry.Size; o.slots == 0 {
		return usagef("--cap %s holds no record of %d bytes; use 1MiB", size, telemetry.Size)
	}
	if _, err := o.spec(); err != nil {
		return specUsage(err)
	}
	o.cpus = [2]int{-1, -1}
	if cpus == "" {
		return nil
	}
	a, b, ok := strings.Cut(cpus, ",")
	for i, text := range []string{a, b} {
		cpu, err := strconv.ParseUint(text, 10, 16)
		if err != nil || !ok {
			return usagef("--cpus %q are not two CPUs; write them like 0,1", cpus)
		}
		o.cpus[i] = int(cpu)
	}
	return nil
}

func (o *demoOptions) spec() (layout.Spec, error) {
	return ring.Spec[telemetry.Sample](layout.SPSC, o.slots)
}

// demoExit is an error with an exit status of its own; without text it is silent.
type demoExit struct {
	status int
	text   string
}

func (e demoExit) Error() string   { return e.text }
func (e demoExit) ExitStatus() int { return e.status }

// demo runs all of it and cleans up, whatever happens.
func demo(ctx context.Context, o demoOptions) error {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	go func() {
		select {
		case s := <-signals:
			cancel(interrupted(s))
		case <-ctx.Done():
		}
	}()
	d := newDemoRun(o, cancel)
	result, err := d.all(ctx)
	if err == nil {
		err = result.write(d.out, o)
	}
	if errors.Is(err, context.Canceled) {
		err = interrupted(os.Interrupt)
	}
	return err
}

func interrupted(s os.Signal) error {
	n, _ := s.(syscall.Signal)
	return demoExit{status: 128 + int(n), text: "stopped by a signal (" + s.String() + "), everything is cleaned up"}
}
