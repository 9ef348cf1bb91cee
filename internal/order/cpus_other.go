//go:build !linux

package order

import "runtime"

// CPUs returns how many processors the calling thread may run on.
func CPUs() int { return runtime.NumCPU() }
