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
	_, start := statOf(pid)
	return start
}

// Stopped reports whether a process is stopped (SIGSTOP, a debugger), as far as /proc tells.
func Stopped(pid int) bool {
	state, _ := statOf(pid)
	return state == "T" || state == "t"
}

// ProcessOf says what the process of this pid and start time (as in a seat's line) is
// doing. It is for people: nothing may depend on it.
func ProcessOf(pid int, start uint64) Process {
	state, started := statOf(pid)
	switch {
	case state == "" || start == 0 || started != start:
		return ProcessUnknown
	case state == "T" || state == "t":
		return ProcessStopped
	case frozen(pid):
		return ProcessFrozen
	}
	return ProcessRunning
}

// frozen reports whether a freezer, of cgroup v1 or v2, holds a process.
func frozen(pid int) bool {
	const root = "/sys/fs/cgroup"
	groups, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return false
	}
	says := func(word string, file ...string) bool {
		text, err := os.ReadFile(filepath.Join(file...))
		return err == nil && strings.Contains(string(text), word)
	}
	for line := range strings.Lines(string(groups)) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch kind, group, _ := strings.Cut(rest, ":"); kind {
		case "":
			if says("frozen 1", root, group, "cgroup.events") || says("frozen 1", root, "unified", group, "cgroup.events") {
				return true
			}
		case "freezer":
			if says("FROZEN", root, "freezer", group, "freezer.state") {
				return true
			}
		}
	}
	return false
}

// statOf returns state and start time from /proc/PID/stat, fields 3 and 22, beyond the
// command's name, which may hold blanks and parentheses; "" if there is no such process.
func statOf(pid int) (state string, start uint64) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", 0
	}
	_, rest, _ := strings.Cut(string(text[max(0, strings.LastIndexByte(string(text), ')')):]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 20 {
		return "", 0
	}
	start, _ = strconv.ParseUint(fields[22-3], 10, 64)
	return fields[0], start
}
