//go:build !linux

package bench

import (
	"errors"
	"time"
)

// Pair is pinned processes; it exists on Linux only.
type Pair struct {
	Realtime bool
	Patience time.Duration
}

// AllowedCPUs returns errors.ErrUnsupported here.
func AllowedCPUs() ([]int, error) { return nil, errors.ErrUnsupported }

// TwoCPUs returns errors.ErrUnsupported here.
func TwoCPUs() ([2]int, error) { return [2]int{}, errors.ErrUnsupported }

// StartPair returns errors.ErrUnsupported here.
func StartPair(cpus [2]int, size int) (*Pair, error) { return nil, errors.ErrUnsupported }

// StartSides returns errors.ErrUnsupported here.
func StartSides(cpus []int, sides, size int) (*Pair, error) { return nil, errors.ErrUnsupported }

// StartProducers returns errors.ErrUnsupported here.
func StartProducers(cpus []int, producers, size int) (*Pair, error) {
	return nil, errors.ErrUnsupported
}

// Close does nothing here.
func (p *Pair) Close() error { return nil }

// Crowded returns false here.
func (p *Pair) Crowded() bool { return false }

// Hide does nothing here.
func (p *Pair) Hide() error { return nil }

// Kill does nothing here.
func (p *Pair) Kill() {}

// Sample returns errors.ErrUnsupported here.
func (p *Pair) Sample(name string, n, trips int) (Sample, error) {
	return Sample{}, errors.ErrUnsupported
}

// Measure returns errors.ErrUnsupported here.
func (p *Pair) Measure(r Request) (Sample, error) { return Sample{}, errors.ErrUnsupported }

// ChildMain does nothing here.
func ChildMain() {}
