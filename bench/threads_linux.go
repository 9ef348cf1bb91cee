package bench

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// The work runs on whatever thread the Go scheduler likes, as it does in a program of one's own: a goroutine locked to its
// thread would pay for two thread switches at every runtime.Gosched. So CPU and policy are set for all threads, and threads
// to come inherit them.

// pin keeps this process on one CPU.
func pin(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	if set.Count() != 1 {
		return fmt.Errorf("bench: cannot pin to CPU %d: no such number", cpu)
	}
	err := eachThread(func(tid int) error { return unix.SchedSetaffinity(tid, &set) })
	if err != nil {
		return fmt.Errorf("bench: cannot pin to CPU %d: %w", cpu, err)
	}
	return nil
}

// realtime keeps other work of the guest off the CPU during a sample, where that is allowed; where not, the count of
// involuntary switches tells.
func realtime(on bool) {
	a := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL}
	if on {
		a.Policy, a.Priority = unix.SCHED_FIFO, 1
	}
	_ = eachThread(func(tid int) error { return unix.SchedSetAttr(tid, &a, 0) })
}

// eachThread visits the threads of this process, and those that came meanwhile.
func eachThread(do func(tid int) error) error {
	done := map[string]bool{}
	for more := true; more; {
		more = false
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		for _, t := range tasks {
			if done[t.Name()] {
				continue
			}
			done[t.Name()], more = true, true
			tid, err := strconv.Atoi(t.Name())
			if err != nil {
				return err
			}
			if err := do(tid); err != nil && err != unix.ESRCH { // it may have ended
				return err
			}
		}
	}
	return nil
}

// usage returns the involuntary switches and the processor time in ns of this process.
func usage() (switches, cpu int64) {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return u.Nivcsw, u.Utime.Nano() + u.Stime.Nano()
}
