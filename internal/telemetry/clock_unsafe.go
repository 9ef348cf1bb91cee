package telemetry

import _ "unsafe" // for go:linkname

// The clock behind time.Now's monotonic part, CLOCK_MONOTONIC on Linux, read without a
// system call. Package time offers only differences to a start of its own, which two
// processes cannot compare. The runtime exports the name (runtime/time_nofake.go), and would rather see
// time.Since used, which does not do here.
//
//go:linkname nanotime runtime.nanotime
func nanotime() int64

// Now returns nanoseconds since some instant before this machine booted, the same
// instant in every process on it (time namespaces apart).
func Now() uint64 { return uint64(nanotime()) }
