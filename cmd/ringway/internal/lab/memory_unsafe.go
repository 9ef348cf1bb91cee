package lab

import (
	"errors"
	"os"
	"structs"
	"sync/atomic"
	"unsafe"

	"github.com/edsrzf/mmap-go"

	"ringway/futex"
)

// line is the distance between words that different processes write: two cache lines,
// since processors fetch lines in pairs.
const line = 128

// word is a number in shared memory on lines of its own.
type word struct {
	_ structs.HostLayout
	atomic.Uint64
	_ [line - 8]byte
}

// attach maps a piece of shared memory as a T, which holds no pointers, and returns how
// to detach from it. What follows T in the file is the second result. Locks in it ask f
// who is alive, so f stays open until then.
func attach[T any](f *os.File) (board *T, rest []byte, detach func() error, err error) {
	m, err := mmap.Map(f, mmap.RDWR, 0)
	if err != nil {
		return nil, nil, nil, err
	}
	owners := futex.Attach(m, f)
	detach = func() error {
		err := m.Unmap()
		return errors.Join(err, owners.Detach())
	}
	size := int(unsafe.Sizeof(*board))
	return (*T)(unsafe.Pointer(&m[0])), m[size:], detach, nil
}

// sizeOf is what a T takes in shared memory.
func sizeOf[T any]() int {
	var t T
	return int(unsafe.Sizeof(t))
}

// words returns memory, which is aligned to 8 bytes, as numbers.
func words(memory []byte) []atomic.Uint64 {
	return unsafe.Slice((*atomic.Uint64)(unsafe.Pointer(unsafe.SliceData(memory))), len(memory)/8)
}
