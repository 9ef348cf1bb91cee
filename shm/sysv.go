package shm

import (
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"

	"ringway/layout"
)

// SysVPrefix begins the name of a System V segment: "sysv:0x1234" is the one with that key,
// wherever a path is taken. A file of such a name is "./sysv:0x1234".
const SysVPrefix = "sysv:"

// SysVName returns the name of the System V segment with a key.
func SysVName(key int) string { return fmt.Sprintf("%s%#x", SysVPrefix, uint32(key)) }

// CreateSysV makes a System V segment (shmget) with the permission bits perm. It is used
// like any other; C programs attach to it with shmat, see docs/FORMAT.md. Its locks lie on
// an empty file beside it, in [Dir]. It has no File, and lives until it is removed:
// [Remove] with its SysVName, or ipcrm. The error matches fs.ErrExist if the key is
// taken, by whatever; ErrSpec; and says which kernel limit is in the way.
func CreateSysV(key int, spec layout.Spec, perm fs.FileMode) (*Segment, error) {
	return CreateWith(SysVName(key), spec, perm, nil)
}

// OpenSysV maps the System V segment with a key for reading and writing. The error
// matches fs.ErrNotExist, fs.ErrPermission, ErrFormat or ErrVersion.
func OpenSysV(key int) (*Segment, error) { return open(SysVName(key), false, nil) }

// sysvKey returns the key that a name stands for.
func sysvKey(name string) (int, bool) {
	text, ok := strings.CutPrefix(name, SysVPrefix)
	if !ok {
		return 0, false
	}
	key, err := strconv.ParseInt(text, 0, 64)
	if err != nil || key < math.MinInt32 || key > math.MaxUint32 {
		return 0, true // no segment has key 0, which is what everybody refuses
	}
	return int(int32(key)), true
}

// SysVKey returns the key of a name like "sysv:0x1234"; ok is false if it is no such
// name or stands for no key.
func SysVKey(name string) (key int, ok bool) {
	key, ok = sysvKey(name)
	return key, ok && key != 0
}
