package bench

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// What a killed bench leaves in shared memory carries its process id behind one of these. The next bench
// removes it.
const (
	pairPrefix = "ringway-bench-" // a directory of a Pair
	lockPrefix = "ringway-locks-" // a file of BenchmarkLocks
	peerPrefix = "ringway-peer-"  // of the peers in C and C++
)

// claimed marks a file or directory as in use for as long as the returned file is open.
func claimed(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// removeStale removes what benches that are gone have left in dir, of our own user. Two witnesses: no process has the
// id, and nobody holds the lock; one in another container may have no id here, one that is just starting no lock.
func removeStale(dir string) {
	for _, prefix := range []string{pairPrefix, lockPrefix, peerPrefix} {
		paths, _ := filepath.Glob(filepath.Join(dir, prefix+"*-*")) // the pattern is good
		for _, path := range paths {
			text, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), prefix), "-")
			pid, err := strconv.Atoi(text)
			if err != nil || pid <= 0 || unix.Kill(pid, 0) != unix.ESRCH {
				continue
			}
			var st unix.Stat_t
			if unix.Lstat(path, &st) != nil || int(st.Uid) != os.Geteuid() || st.Mode&unix.S_IFMT == unix.S_IFLNK {
				continue
			}
			removeUnclaimed(path)
		}
	}
}

func removeUnclaimed(path string) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == nil {
		_ = os.RemoveAll(path) // somebody else may have been faster
	}
}
