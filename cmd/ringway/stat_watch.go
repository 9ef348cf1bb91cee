package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"ringway/ring"
)

// minWatch keeps --watch from being a busy loop.
const minWatch = 10 * time.Millisecond

// watchRing shows a ring again and again, in place on a terminal, until a signal.
func watchRing(path string, every time.Duration, asJSON bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	repaint := isTerminal(1) && !asJSON
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var before ring.Stats
	var at time.Time
	for {
		now := time.Now()
		info, err := ring.Inspect(path)
		if err != nil {
			return err
		}
		facts := statFactsOf(info)
		if seconds := now.Sub(at).Seconds(); !at.IsZero() {
			in := float64(info.Stats.Tail-before.Tail) / seconds
			out := float64(info.Stats.Head-before.Head) / seconds
			facts.In, facts.Out = &in, &out
		}
		before, at = info.Stats, now
		switch {
		case repaint:
			err = emit(append([]byte("\x1b[H\x1b[J"), facts.block()...)) // home, and erase what is below
		case asJSON:
			err = emitJSON(facts)
		default:
			err = emit(append(facts.block(), '\n'))
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
