package child

import (
	"fmt"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// Stop stops the child with SIGSTOP and returns when all its threads stand
// still, or with an error if it is gone.
func (p *Proc) Stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for {
		// Stopping is not immediate: threads on other CPUs run on until they see it.
		err := unix.Waitid(unix.P_PID, p.Pid(), nil, unix.WSTOPPED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return err
		}
	}
}

// Cont lets a stopped child run on.
func (p *Proc) Cont() error { return p.cmd.Process.Signal(syscall.SIGCONT) }

// Pin locks the calling goroutine to its thread and the thread to one CPU.
// There is no way back: the thread ends with the goroutine. Threads and
// processes started from it inherit the CPU, see Launch.
func Pin(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	if set.Count() != 1 {
		return fmt.Errorf("child: cannot pin to CPU %d: no such number", cpu)
	}
	runtime.LockOSThread()
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("child: cannot pin to CPU %d, see which ones we may use with taskset -p: %w", cpu, err)
	}
	return nil
}
