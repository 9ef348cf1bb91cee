//go:build race

package race

import (
	"runtime"
	"unsafe"
)

// Enabled says whether the race detector is built in.
const Enabled = true

// handover stands for every publishing word that the detector cannot see.
var handover uint64

// Acquire: everything before any earlier Release happens before what follows.
func Acquire() { runtime.RaceAcquire(unsafe.Pointer(&handover)) }

// Release: everything so far happens before what follows any later Acquire.
// It merges, because producers that know nothing of each other release too.
func Release() { runtime.RaceReleaseMerge(unsafe.Pointer(&handover)) }
