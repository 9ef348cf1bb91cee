package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"ringway/ring"
	"ringway/shm"
)

// demoPrefix begins the name of every demo's ring; the demo's pid follows.
const demoPrefix = "ringway-demo-"

func demoRingName(pid int) string { return demoPrefix + strconv.Itoa(pid) }

// removeStaleDemos removes the rings of demos that were killed and could not do so
// themselves: nobody has the demo's lock on it, no process has its pid, no seat is alive.
// Three witnesses, because a demo that is just starting has no seats yet, and one in
// another container no pid here.
func removeStaleDemos(dir string) {
	paths, _ := filepath.Glob(filepath.Join(dir, demoPrefix+"*"+shm.Ext)) // the pattern is good
	for _, path := range paths {
		text := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), demoPrefix), shm.Ext)
		pid, err := strconv.Atoi(text)
		if err != nil || pid != os.Getpid() && processExists(pid) || demoLocked(path) {
			continue
		}
		info, err := ring.Inspect(path)
		if err != nil {
			continue // not a ring, or not ours to look at
		}
		alive := false
		for _, seat := range info.Seats {
			alive = alive || seat.Alive
		}
		if !alive {
			_ = shm.Remove(path) // somebody else may have been faster
		}
	}
}
