// Package shm makes and maps segments: files that hold exactly one ring.
//
// # Overview
//
// A segment is an mmapped file in /dev/shm, on a local disk, or a memfd. One
// process creates it, any number open it, and those who produce or consume take
// a seat in it through package ring. The file system is the directory: a ring is
// found by its path, seen with ls, and goes away when it was removed and the
// last mapping is gone.
//
//	seg, err := shm.OpenOrCreate(shm.Path("ticks"), spec, 0o600)
//	if err != nil {
//		return err
//	}
//	defer seg.Close()
//
// # Guarantees
//
// Creation is all or nothing. The file is built without a name, every block of it
// reserved, its ready word stored last, and only then linked; link refuses to
// replace. So nobody ever opens half a segment, of any number of racing
// creators exactly one wins, and one that is killed leaves nothing behind (on file
// systems without O_TMPFILE: at most a hidden temporary file).
//
// Opening checks everything: that the path is a regular file and no link, its
// header's checksum, that each offset and the file's size follow from the
// ring's spec, that it was made since this machine booted.
//
// A seat is owned through a byte-range lock that the kernel drops only after
// the owner can execute no further store (open file description locks). Who is
// dead is decided by that lock alone, never by time, by process id or by a
// heartbeat: a stopped process keeps its seat.
//
// # Limits
//
// Linux only; elsewhere every entry point returns errors.ErrUnsupported. A segment
// on a network file system is not supported. Nothing survives a crash of the
// machine: a segment from an earlier boot is refused. Whoever may write the file may
// shrink it, and touching memory that is gone kills the process (SIGBUS), unless
// the goroutine asked for a panic instead with debug.SetPanicOnFault; memory from
// [CreateTemp] is sealed against that.
package shm
