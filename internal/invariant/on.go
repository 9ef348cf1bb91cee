//go:build race || invariants

package invariant

import "sync/atomic"

// Enabled says whether assertions are built in.
const Enabled = true

// InUse detects that something for one goroutine at a time is used by two. The
// zero value is ready. Not the last field of a struct: it may be of size zero.
type InUse struct{ busy atomic.Bool }

// Enter begins a use and panics if another is going on; what names the thing.
// It is not re-entrant.
func (u *InUse) Enter(what string) {
	if !u.busy.CompareAndSwap(false, true) {
		panic("ringway: " + what + " used by two goroutines at once")
	}
}

// Leave ends the use that Enter began.
func (u *InUse) Leave() { u.busy.Store(false) }
