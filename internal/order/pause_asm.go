//go:build amd64 || arm64

package order

// Pause tells the processor that this is a spin-wait loop: it leaves execution
// units to the sibling thread and avoids the penalty of a mis-speculated
// poll. It takes some tens of nanoseconds at most, so spin by time, not by
// count. PAUSE on amd64; ISB on arm64, where YIELD is mostly a no-op.
func Pause()
