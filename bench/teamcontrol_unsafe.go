package bench

import (
	"structs"
	"unsafe"
)

// teamControl is the barrier of a team, by side and number, and what its consumers saw.
type teamControl struct {
	_  structs.HostLayout
	at [2][2]struct {
		round uint64
		sum   uint64 // written by the member before a barrier, read by others after it
		_     [112]byte
	}
}

const teamControlBytes = 4096

func teamControlOf(m []byte) *teamControl {
	_ = m[teamControlBytes-1]
	return (*teamControl)(unsafe.Pointer(&m[0]))
}
