// Package shm makes and maps segments: files that hold exactly one ring, one variable or one shared struct.
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
// # Variables
//
// A [Var] is a segment that holds one value of a type without pointers. One process at a time
// updates it, all or nothing; everybody reads it, without a lock and without holding up
// anybody.
//
//	v, err := shm.OpenOrCreateVar[Limits](shm.Path("limits"), 0o600)
//	err = v.Update(ctx, func(l *Limits) error { l.Rate = 100; return nil })
//	now := v.Load()
//	err = v.Changed(ctx) // waits until it is another than we looked at
//
// # Lifecycle
//
// Create, or CreateWith; Open, by any number; Close; Remove. [Segment.Attached] says how many
// have a segment open for writing, who, and since when. A removed segment lives on for those
// who have it open. One that is marked ([Segment.RemoveOnLast]) is removed by the last who
// closes it, or, if that one is killed, by the next who opens, creates or reaps it. No
// order of these, in any number of processes, removes a new segment that has taken the name over.
//
// # Memory
//
// A segment's blocks are reserved when it is made, but a page costs each process a fault when
// it is first used. [Options] Prefault pays for all of them at once, Lock keeps them from being
// swapped out, and HugePages asks for large ones; docs/bench/LOG.md has what each buys.
//
// # System V
//
// [CreateSysV] and [OpenSysV] do the same on shmget and shmat, for the sake of programs that are
// written for them. Such a segment is called sysv:KEY wherever a path is taken.
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
