package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"ringway/internal/order"
	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

// framing is how messages lie in a stream of bytes.
type framing int

const (
	lines  framing = iota // each ends with a newline
	frames                // each begins with its length, u32 little-endian
	raw                   // nothing in between
)

// attachFlags are what send and recv have in common.
type attachFlags struct {
	lines, frames, raw bool
	name               string
	spin               time.Duration
	wait, verbose      bool
	prefault, lock     bool
	changed            func(flag string) bool
}

// defaultSpin is short, because what a verb waits for is often a program that needs
// the processor it would spin on.
const defaultSpin = 10 * time.Microsecond

func addAttachFlags(c *cobra.Command) *attachFlags {
	set := c.Flags()
	f := &attachFlags{changed: set.Changed}
	set.BoolVar(&f.lines, "lines", false, "a message is a line, without its newline (default)")
	set.BoolVar(&f.frames, "frames", false, "a message follows its length, 4 bytes little-endian")
	set.BoolVar(&f.raw, "raw", false, "a stream of bytes, whose cuts mean nothing")
	set.StringVar(&f.name, "name", "", "`NAME` shown by stat for the seat, at most 32 bytes (default ringway)")
	set.DurationVar(&f.spin, "spin", defaultSpin, "poll for `DURATION` before sleeping in the kernel; 0: never poll")
	set.BoolVar(&f.wait, "wait", false, "wait until the ring exists")
	set.BoolVar(&f.prefault, "prefault", false, "make all pages of the ring present before the first message")
	set.BoolVar(&f.lock, "lock", false, "keep the ring in memory: it is never swapped out")
	set.BoolVarP(&f.verbose, "verbose", "v", false, "say at the end how much was moved (always on a terminal)")
	return f
}

// framing returns the mode, or wrong use.
func (f *attachFlags) framing() (framing, error) {
	n, mode := 0, lines
	for _, m := range [...]struct {
		set  bool
		mode framing
	}{{f.lines, lines}, {f.frames, frames}, {f.raw, raw}} {
		if m.set {
			n++
			mode = m.mode
		}
	}
	switch {
	case n > 1:
		return 0, usagef("--lines, --frames and --raw exclude each other")
	case f.spin < 0:
		return 0, usagef("--spin must be 0 or more, not %v", f.spin)
	case len(f.name) > layout.MaxName:
		return 0, usagef("--name has %d bytes, at most %d are possible", len(f.name), layout.MaxName)
	}
	return mode, nil
}

// patience is how this verb waits: as told, or else without polling in vain.
func (f *attachFlags) patience(stop *stopper) patience {
	return patience{stop: stop, spin: f.spin, thrifty: !f.changed("spin")}
}

func (f *attachFlags) options() *ring.Options { return &ring.Options{Name: f.name} }

// memory is how the ring's memory is to be treated.
func (f *attachFlags) memory() *shm.Options {
	return &shm.Options{Prefault: f.prefault, Lock: f.lock}
}

// seekEvery is how often --wait looks for the ring.
const seekEvery = 50 * time.Millisecond

// open opens the ring at path, with --wait as soon as it exists.
func (f *attachFlags) open(path string, stop *stopper) (*shm.Segment, error) {
	for {
		s, err := shm.OpenWith(path, f.memory())
		if !f.wait || !errors.Is(err, fs.ErrNotExist) {
			return s, err
		}
		select {
		case <-stop.done:
			return nil, errStopped
		case <-time.After(seekEvery):
		}
	}
}

// named puts the ring's path in front of an error that does not have it, such as a
// fault in its memory.
func named(path string, err *error) {
	if *err != nil && !errors.Is(*err, errStopped) && errors.Is(*err, shm.ErrFormat) && !strings.Contains((*err).Error(), path) {
		*err = fmt.Errorf("%s: %w", path, *err)
	}
}

// tally counts what was moved; progress reads it while the mover writes it.
type tally struct{ messages, bytes atomic.Int64 }

func (t *tally) add(messages, bytes int) {
	t.messages.Add(int64(messages))
	t.bytes.Add(int64(bytes))
}

// summary goes to standard error when asked for, or when that is a terminal.
func (t *tally) summary(what string, verbose bool) {
	if verbose || isTerminal(2) {
		fmt.Fprintf(os.Stderr, "%s, %s %s\n", counted(t.messages.Load(), "message"), counted(t.bytes.Load(), "byte"), what)
	}
}

// patience is how a refused call waits: poll for a while, then park.
type patience struct {
	stop  *stopper
	spin  time.Duration
	until time.Time // of the polling for the call in hand; zero before it

	thrifty bool // poll less often when that did not help
	vain    int  // grows with each poll in vain
	skip    int  // waits that are left to go without a poll
}

// mostVain bounds the waits without a poll after polls in vain.
const mostVain = 255

// pauses is how many PAUSE instructions lie between two tries.
const pauses = 16

// wait returns nil when the call that end refused should be tried again, and errStopped
// at a signal.
func (w *patience) wait(end ring.End) error {
	polled := !w.until.IsZero()
	if !polled && w.skip > 0 {
		w.skip--
	} else if w.spin > 0 && w.stop.Err() == nil {
		now := time.Now()
		if w.until.IsZero() {
			w.until = now.Add(w.spin)
		}
		if now.Before(w.until) {
			for range pauses {
				order.Pause()
			}
			return nil
		}
	}
	if polled && w.thrifty { // the other side may need the processor that we polled on
		w.vain = min(2*w.vain+1, mostVain)
		w.skip = w.vain
		w.until = time.Time{}
	}
	_, err := ring.Wait(w.stop, end)
	return err
}

// served tells that the call succeeded; the next one polls anew.
func (w *patience) served() {
	if !w.until.IsZero() { // while we polled
		w.vain, w.skip, w.until = 0, 0, time.Time{}
	}
}
