package main

import (
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// settle prepares a process whose work is done by more than its first thread: every thread goes to the CPU of this one, those
// to come too.
func settle() error {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return err
	}
	return eachThread(func(tid int) error { return unix.SchedSetaffinity(tid, &set) })
}

func eachThread(do func(tid int) error) error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range tasks {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := do(tid); err != nil && err != unix.ESRCH {
			return err
		}
	}
	return nil
}

// nap is at the end of a run whose last message another goroutine of this process has to bring out: afterwards this one spins
// on the CPU that the other needs. It is part of the sample, which is some hundred times longer.
const nap = 300 * time.Microsecond

// relaxed is for peers with threads of their own: the collector may run during the work, since these peers allocate. At other
// times the first thread may spin, which the collector would wait for, and everybody else for the collector.
func relaxed(run func(n int)) func(n int) {
	return func(n int) {
		debug.SetGCPercent(100)
		run(n)
		time.Sleep(nap)
		debug.SetGCPercent(-1)
	}
}

// undisturbed has all threads under SCHED_FIFO during the work, as those with one thread are.
func undisturbed(run func(n int)) func(n int) {
	return relaxed(func(n int) {
		_ = eachThread(func(tid int) error { return realtime(tid, true) }) // not allowed everywhere
		run(n)
		time.Sleep(nap)
		_ = eachThread(func(tid int) error { return realtime(tid, false) })
	})
}

// realtime keeps other work off the CPU of a thread, 0 for this one, where that is allowed.
func realtime(tid int, on bool) error {
	a := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL}
	if on {
		a.Policy, a.Priority = unix.SCHED_FIFO, 1
	}
	return unix.SchedSetAttr(tid, &a, 0)
}
