package lab

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// nameless makes a file of memory that has no name and goes with its last user.
func nameless(size int) (*os.File, error) {
	fd, err := unix.MemfdCreate("ringway-lab", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot make a piece of shared memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), "shared memory of the lab")
	if err := f.Truncate(int64(size)); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// dieWithParent makes the kernel kill the worker when we die, kill -9 included.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// allowedCPUs are those that may run us; none if the kernel does not say.
func allowedCPUs() (cpus []int) {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil
	}
	for cpu := range len(set) * 64 {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}
