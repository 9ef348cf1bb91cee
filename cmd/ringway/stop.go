package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// stopGrace is how long a verb that was told to stop may take to finish what it has
// begun, such as writing a message to a reader that takes nothing.
const stopGrace = 2 * time.Second

var errStopped = errors.New("stopped by a signal")

// stopper ends send and recv at SIGINT or SIGTERM. It is the context of their waits.
//
// It has no Done channel on purpose. A context with one makes the ring wake its
// parked caller from a goroutine of its own, where a file that was truncated
// meanwhile is a fault that nobody can turn into an error. Without one, a parked
// call looks at Err when its park ends, which is bounded (100 ms).
type stopper struct {
	context.Context
	stopped atomic.Bool
	done    chan struct{}
	pipe    *os.File // at its end once stopped: something to poll
}

func newStopper(verb, unfinished string) (*stopper, error) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s := &stopper{Context: context.Background(), done: make(chan struct{}), pipe: r}
	go func() {
		<-signals
		s.stopped.Store(true)
		close(s.done)
		_ = w.Close() // wakes the poll
		select {
		case <-signals:
		case <-time.After(stopGrace):
		}
		fmt.Fprintf(os.Stderr, "ringway %s: %s\n", verb, unfinished)
		os.Exit(exitFailed)
	}()
	return s, nil
}

// Err makes a wait return errStopped once a signal came.
func (s *stopper) Err() error {
	if s.stopped.Load() {
		return errStopped
	}
	return nil
}
