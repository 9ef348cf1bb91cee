package order

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// CPUs returns how many processors the calling thread may run on. Where it is 1,
// spinning for somebody else is in vain.
func CPUs() int {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return runtime.NumCPU()
	}
	return set.Count()
}
