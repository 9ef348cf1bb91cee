package order

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

// CPUs returns how many processors this machine has online. It is not how many
// may run this process: two processes pinned to one processor each still run
// at the same time. Where it is 1, spinning for somebody else is in vain.
var CPUs = sync.OnceValue(func() int {
	text, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return runtime.NumCPU()
	}
	return countCPUs(strings.TrimSpace(string(text)))
})

// countCPUs counts a kernel list of ranges such as "0-3,8".
func countCPUs(list string) int {
	n := 0
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		a, err := strconv.Atoi(from)
		if err != nil {
			return runtime.NumCPU()
		}
		b := a
		if isRange {
			if b, err = strconv.Atoi(to); err != nil || b < a {
				return runtime.NumCPU()
			}
		}
		n += b - a + 1
	}
	return n
}
