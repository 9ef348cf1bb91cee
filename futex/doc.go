// Package futex lets goroutines of different processes wait for each other
// on 32-bit words of shared memory, without a kernel call while nobody waits.
//
// Wait, Wake and WaitAny are the kernel's futex as it is. Event is an
// eventcount built on it: sleep until a condition that is not itself one
// word may have changed. The words live in a mapped segment or in Go memory.
// Linux only; elsewhere everything that would sleep or wake returns an error
// that matches errors.ErrUnsupported.
//
// # Wait and Wake
//
// Wait(addr, val) compares and falls asleep in one step: whoever changes *addr
// first and then calls Wake either is seen by the comparison or finds the
// sleeper. Returning means "look again" and nothing else: wakes meant for others,
// signals and lost comparisons all look alike. A sleeping goroutine holds its OS thread
// (not its P: other goroutines and the garbage collector go on), so a
// thousand sleepers are a thousand threads.
//
// # The event protocol
//
//	sleeper                                    waker
//	S1 token := e.Prepare()   raise the bit    W1 change the condition
//	S2 barrier                                 W2 if e.Parked() { e.Notify() }
//	S3 condition true, or cancelled? go on
//	S4 e.Wait(token, limit), then start over
//
// No wake is lost. Suppose W1 is not seen at S3. The barrier between S1 and S3,
// and its counterpart between W1 and W2, then imply that W2 comes after S1 in
// the order of the event's word, so W2 finds the bit, or finds that another
// waker has moved the epoch on since S1. Either way the word differs from the
// token before anybody is woken: if the sleeper is not asleep yet, the kernel's
// comparison in S4 sends it back to look again, and if it is, the wake reaches
// it. That holds also where S1 found the bit already raised by another sleeper,
// provided S2 is executed all the same. The epoch returns to the same
// value after 2^30 wakes; the limit of S4 covers a sleeper that was held up for
// exactly that long between S1 and S4.
//
// The barriers are the caller's. Where the waker's W1 is a full fence Prepare is
// enough; an atomic read-modify-write is one, and so is an atomic.Store except under
// -race, where it is only a release store on mapped memory. Where W1 is only a release
// store, the sleeper must make the waker's processor execute a fence at S2:
// the asymmetric fence of membarrier(2).
//
// # Processes die
//
// Parked is a flag, not a count of sleepers: a sleeper that is killed leaves a
// bit that costs one needless wake, where a count would stay wrong for ever.
// The idea, and that of one word for both, is concurrencykit's (ck_ec). The
// price is that a wake wakes all who sleep.
//
// A waker that is killed between W1 and the end of W2 takes its wake with it.
// Nothing in the word can cure that, so the limit at S4 must be finite: after it
// the sleeper looks at the condition itself.
//
// # Cancelling
//
// Interrupt always changes the word and wakes all. If a caller is marked as cancelled
// before Interrupt and looks for the mark at S3, it is not held up: either it
// sees the mark, or Interrupt came after S1 and its token is stale.
//
// # Alerting
//
// Alert raises a second bit, for good, that makes Parked true without waking anybody.
// It takes publishers off their busy path, by the same argument as the parked bit:
// whoever alerts, executes the barrier and then misses a publication knows that its
// publisher sees the alert.
//
// # Mutex, Semaphore, Cond
//
// The textbook's cures for a race, robust between processes: if one dies, the next to lock is told so by
// ErrOwnerDead and has the lock, and its permits come back. They work in a segment of package shm, in any
// file that is mapped shared and writable, and in Go memory for the goroutines of one process. A
// monitor is a Mutex and a Cond for each thing that is waited for.
//
// An owner is a process. It is alive as long as the kernel holds a lock for it on a byte of the mapped
// file; nothing else decides that. docs/LOCKS.md has states, ordering, what is left when somebody
// dies, and why.
package futex
