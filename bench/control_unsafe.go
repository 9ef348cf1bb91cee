package bench

import (
	"structs"
	"sync/atomic"
	"unsafe"
)

// maxSides bounds how many processes measure together in pairs, maxProducers how many beside one consumer.
const (
	maxSides     = 8
	maxProducers = 16
)

// sideNumbers bounds Side: the producers have the even ones.
const sideNumbers = 2 * maxProducers

// control is the first two pages of the shared memory: barriers, and the lines of the raw probes.
type control struct {
	_  structs.HostLayout
	at [sideNumbers]struct {
		round, _ uint64
		_        [112]byte
	}
	ping, pong   line
	filled, read line // bytes of the raw stream so far
	arrived      line // sides at the sleeping barrier, ever
	gate         struct {
		round atomic.Uint32
		_     [124]byte
	}
}

type line struct {
	v uint64
	_ [120]byte
}

const controlBytes = 8192

func controlOf(m []byte) *control { return (*control)(unsafe.Pointer(&m[0])) }

// words views b, which begins on a word, without a rest.
func words(b []byte) []uint64 {
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/8)
}
