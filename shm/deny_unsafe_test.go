//go:build linux

package shm_test

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// denyTmpfile makes every open with O_TMPFILE fail from now on, as on a file
// system that has no nameless files. O_TMPFILE's own bit is the third argument's 22nd.
func denyTmpfile() error {
	return denyCall(unix.SYS_OPENAT, 2, unix.BPF_JSET, unix.O_TMPFILE&^unix.O_DIRECTORY, unix.EOPNOTSUPP)
}

// denyCall makes a system call fail from now on, if a comparison of the low half of its argument
// (from 0) with value holds.
func denyCall(nr uint32, argument uint32, compare uint16, value uint32, errno unix.Errno) error {
	const nrOff = 0 // in struct seccomp_data
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: nrOff},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 3, K: nr},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 16 + 8*argument},
		{Code: unix.BPF_JMP | compare | unix.BPF_K, Jf: 1, K: value},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	runtime.LockOSThread() // both calls must come from one thread
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if r, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog))); e != 0 || r != 0 {
		return fmt.Errorf("install a seccomp filter: %w (thread %d)", e, r)
	}
	return nil
}
