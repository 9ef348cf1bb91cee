package shm

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ringway/layout"
)

// A System V segment has no file, so its locks lie on one beside it: empty, of the same
// owner and mode, named by the key and by the random id in the segment's header. So who
// recreates a key never meets the locks of the old segment's users, and nobody can
// plant the file before the segment is there.

// lockPathOf is where the locks of a segment lie.
func lockPathOf(key int, id []byte) string {
	return filepath.Join(Dir, fmt.Sprintf("%s%08x-%s.lock", lockPrefix, uint32(key), hex.EncodeToString(id)))
}

const lockPrefix = "ringway-sysv-"

// openLocks opens a segment's lock file, unless somebody else may have put it there.
func openLocks(path string, st *unix.SysvShmDesc, readOnly bool) (*os.File, error) {
	flags := unix.O_RDWR
	if readOnly {
		flags = unix.O_RDONLY
	}
	fd, err := openRetry(path, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: its lock file %s cannot be opened (%w); end its users, remove it and create the ring again", ErrFormat, path, err)
	}
	f := os.NewFile(uintptr(fd), path)
	var have unix.Stat_t
	err = unix.Fstat(fd, &have)
	switch {
	case err != nil:
	case have.Mode&unix.S_IFMT != unix.S_IFREG || have.Nlink > 1 || have.Size != 0:
		err = fmt.Errorf("%w: its lock file %s is no empty regular file of one name; remove it and create the ring again", ErrFormat, path)
	case have.Uid != st.Perm.Cuid && have.Uid != 0:
		err = fmt.Errorf("%w: its lock file %s belongs to uid %d, the segment was made by uid %d", fs.ErrPermission, path, have.Uid, st.Perm.Cuid)
	case have.Mode&0o7777&^(st.Perm.Mode&0o777) != 0:
		err = fmt.Errorf("%w: its lock file %s has mode %04o, the segment %04o; it is open to more than the segment's users", fs.ErrPermission, path, have.Mode&0o7777, st.Perm.Mode&0o777)
	}
	if err != nil {
		_ = f.Close() // the error that matters is err
		return nil, err
	}
	return f, nil
}

// sweepLocks removes lock files of a key but one, whose segments somebody removed with
// other tools and whose users are gone. It is housekeeping: what fails is left.
func sweepLocks(key int, but string) {
	names, _ := filepath.Glob(filepath.Join(Dir, fmt.Sprintf("%s%08x-*.lock", lockPrefix, uint32(key))))
	for _, name := range names {
		if name == but {
			continue
		}
		fd, err := openRetry(name, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		f := os.NewFile(uintptr(fd), name)
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil && st.Uid == uint32(os.Geteuid()) && st.Size == 0 {
			if alone, err := setLock(f, unix.F_WRLCK, layout.AttachByte); err == nil && alone {
				_, _ = unlinkSame(f, name)
			}
		}
		_ = f.Close()
	}
}

// ListSysV returns the names, such as "sysv:0x1234", of the System V segments that hold rings or
// variables, as far as their lock files tell. One may be gone by now, or be another's.
func ListSysV() ([]string, error) {
	files, err := filepath.Glob(filepath.Join(Dir, lockPrefix+"*-*.lock"))
	if err != nil {
		return nil, err
	}
	var names []string
	seen := map[int]bool{}
	for _, f := range files {
		text, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(f), lockPrefix), "-")
		key, err := strconv.ParseUint(text, 16, 32)
		if err != nil || key == 0 || seen[int(key)] {
			continue
		}
		seen[int(key)] = true
		if _, err := unix.SysvShmGet(int(int32(key)), 0, 0); err == nil {
			names = append(names, SysVName(int(key)))
		}
	}
	return names, nil
}
