package main

import (
	"fmt"
	"os"
	"sync"
	"time"
)

// progressEvery is how often the line is painted anew.
const progressEvery = 500 * time.Millisecond

// showProgress paints bytes and rate on standard error, if that is a terminal, until
// the function that it returns is called, which leaves an empty line. Calling it again
// does nothing.
func showProgress(t *tally) (end func()) {
	if !isTerminal(2) {
		return func() {}
	}
	stop, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		ticker := time.NewTicker(progressEvery)
		defer ticker.Stop()
		start, before, at := time.Now(), int64(0), time.Now()
		for {
			select {
			case <-stop:
				fmt.Fprint(os.Stderr, "\r\x1b[K")
				return
			case now := <-ticker.C:
				n := t.bytes.Load()
				rate := float64(n-before) / now.Sub(at).Seconds()
				before, at = n, now
				fmt.Fprintf(os.Stderr, "\r\x1b[K%s, %s/s, %v", roughSize(uint64(n)), roughSize(uint64(rate)), now.Sub(start).Round(time.Second))
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(stop)
		<-gone
	})
}
