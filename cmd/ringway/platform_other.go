//go:build !linux

package main

import (
	"errors"
	"time"
)

// Rings need Linux; every verb that opens one says so before it comes here.

func seatsLocked(string) (bool, error) { return false, errors.ErrUnsupported }
func nowhere(int) bool                 { return false }
func isTerminal(int) bool              { return false }
func widen(int) int                    { return 0 }
func pending(int) int                  { return 0 }
func datagrams(int) bool               { return false }
func nap(time.Duration)                {}
func writeAll([][]byte) error          { return errors.ErrUnsupported }
func readable(int, int, bool) (ready, stopped bool, err error) {
	return false, false, errors.ErrUnsupported
}
