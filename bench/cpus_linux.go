package bench

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// AllowedCPUs returns the CPUs that this process may run on.
func AllowedCPUs() (cpus []int, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("bench: cannot tell which CPUs are allowed: %w", err)
	}
	for i := range len(set) * strconv.IntSize {
		if set.IsSet(i) {
			cpus = append(cpus, i)
		}
	}
	return cpus, nil
}

// TwoCPUs returns the first two CPUs that this process may run on, or an error if there is only one.
func TwoCPUs() ([2]int, error) {
	cpus, err := AllowedCPUs()
	if err != nil {
		return [2]int{}, err
	}
	if len(cpus) < 2 {
		return [2]int{}, errors.New("bench: two processes that spin need two CPUs, and this one may use only one")
	}
	return [2]int(cpus), nil
}

// stolenTicks returns the host-steal ticks of the CPUs so far, as far as the kernel shows them.
func stolenTicks(cpus []int) (ticks int) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	for l := range strings.Lines(string(b)) {
		f := strings.Fields(l)
		if len(f) <= 8 || !strings.HasPrefix(f[0], "cpu") {
			continue
		}
		if cpu, err := strconv.Atoi(f[0][3:]); err == nil && slices.Contains(cpus, cpu) {
			n, _ := strconv.Atoi(f[8])
			ticks += n
		}
	}
	return ticks
}
