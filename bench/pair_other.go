//go:build !linux

package bench

import "errors"

// Pair is two pinned processes; it exists on Linux only.
type Pair struct{ Realtime bool }

// TwoCPUs returns errors.ErrUnsupported here.
func TwoCPUs() ([2]int, error) { return [2]int{}, errors.ErrUnsupported }

// StartPair returns errors.ErrUnsupported here.
func StartPair(cpus [2]int, size int) (*Pair, error) { return nil, errors.ErrUnsupported }

// Close does nothing here.
func (p *Pair) Close() error { return nil }

// Sample returns errors.ErrUnsupported here.
func (p *Pair) Sample(name string, n, trips int) (Sample, error) {
	return Sample{}, errors.ErrUnsupported
}

// ChildMain does nothing here.
func ChildMain() {}
