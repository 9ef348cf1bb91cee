//go:build failpoint

package failpoint

// Enabled says whether points are built in.
const Enabled = true

// Hook is called at every point with the point's name. A test sets it before
// any handle is used.
var Hook func(Point)

// OnLook is called between two loads, where a kill shows nothing new but a schedule may.
var OnLook func(where int)

// HeapLocks stands in for the kernel's locks on heap segments, so that a test can let
// several segments share memory, and their owners die.
var HeapLocks interface {
	TryLock(at int64) bool
	Unlock(at int64)
	Locked(at int64) bool
}

// Hit calls the hook.
func Hit(p Point) {
	if Hook != nil {
		Hook(p)
	}
}

// Look calls its hook.
func Look(where int) {
	if OnLook != nil {
		OnLook(where)
	}
}

// TryLock takes a lock of a heap segment if nobody has it.
func TryLock(at int64) bool { return HeapLocks == nil || HeapLocks.TryLock(at) }

// Unlock gives it back.
func Unlock(at int64) {
	if HeapLocks != nil {
		HeapLocks.Unlock(at)
	}
}

// Locked reports whether somebody else has it.
func Locked(at int64) bool { return HeapLocks != nil && HeapLocks.Locked(at) }

// OnLock is called at every point of a lock.
var OnLock func(LockPoint)

// Lock calls its hook.
func Lock(p LockPoint) {
	if OnLock != nil {
		OnLock(p)
	}
}
