package failpoint

// LockPoint is one place between two operations on the shared words of package futex's
// locks. They have a hook of their own, OnLock.
type LockPoint uint8

// The points, in the order in which a lock, a semaphore and a condition pass them.
const (
	MutexTaken       LockPoint = iota // the word names us
	MutexParking                      // the parked bit is up; next: sleep
	MutexWoken                        // awake again; next: the word
	MutexUsurped                      // a dead owner's mutex is ours
	MutexUnlocked                     // the word is free; next: the wake
	MutexRecovered                    // good again, still held
	SemaphoreSeated                   // a row of the table is ours
	SemaphoreFlushed                  // the last one's account is in its row; next: the word
	SemaphoreTaken                    // permits are ours
	SemaphoreParking                  // the parked bit is up; next: sleep
	SemaphoreWoken                    // awake again; next: the word
	SemaphoreGiven                    // permits are free; next: the wake
	SemaphoreReaped                   // a dead holder's permits are free; next: the wake
	CondAnnounced                     // the parked bit is up; next: unlock
	CondUnlocked                      // next: sleep
	CondWoken                         // next: lock
	CondSignalled                     // the word has moved on; next: the wake
	lockPoints
)

// LockPoints is how many there are.
const LockPoints = int(lockPoints)

var lockNames = [...]string{
	"mutex-taken", "mutex-parking", "mutex-woken", "mutex-usurped", "mutex-unlocked", "mutex-recovered",
	"semaphore-seated", "semaphore-flushed", "semaphore-taken", "semaphore-parking", "semaphore-woken", "semaphore-given", "semaphore-reaped",
	"cond-announced", "cond-unlocked", "cond-woken", "cond-signalled",
}

func (p LockPoint) String() string { return lockNames[p] }
