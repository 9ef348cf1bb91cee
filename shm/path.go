package shm

import (
	"path/filepath"
	"strings"
)

// Dir is where rings that have a name and no path live.
const Dir = "/dev/shm"

// Ext is what the file of a named ring ends with.
const Ext = ".ring"

// Path returns the file of a ring: "ticks" is /dev/shm/ticks.ring, and a name
// with a slash in it is a path already, like one of a System V segment ("sysv:0x1234").
func Path(name string) string {
	if strings.ContainsRune(name, '/') || strings.HasPrefix(name, SysVPrefix) {
		return name
	}
	return filepath.Join(Dir, name+Ext)
}
