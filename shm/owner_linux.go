package shm

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"ringway/layout"
)

// bootID tells this boot of the machine from all others; zero if /proc hides it.
var bootID = sync.OnceValue(func() (id [16]byte) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return id
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(string(text)), "-", ""))
	if err == nil && len(raw) == len(id) {
		copy(id[:], raw)
	}
	return id
})

func newOrigin() layout.Origin {
	o := layout.Origin{UID: uint32(os.Geteuid()), PID: uint32(os.Getpid()), Created: time.Now(), Boot: bootID()}
	rand.Read(o.ID[:]) // never fails
	return o
}

// processName is what a seat is called when its owner gave no name.
func processName() string { return filepath.Base(os.Args[0]) }

// startTime returns when a process started, in clock ticks after boot, 0 if /proc
// does not tell. Together with the pid it names a process, for people.
func startTime(pid int) uint64 {
	t, _ := strconv.ParseUint(statField(pid, 22), 10, 64)
	return t
}

// Stopped reports whether a process is stopped (SIGSTOP, a debugger), as far as /proc tells.
func Stopped(pid int) bool {
	state := statField(pid, 3)
	return state == "T" || state == "t"
}

// statField returns a field of /proc/PID/stat, counted from 1 as proc(5) does,
// beyond the command's name, which may hold blanks and parentheses.
func statField(pid, n int) string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(text[max(0, strings.LastIndexByte(string(text), ')')):]), " ")
	fields := strings.Fields(rest)
	if n-3 >= len(fields) {
		return ""
	}
	return fields[n-3]
}
