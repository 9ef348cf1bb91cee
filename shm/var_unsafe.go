package shm

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"ringway/internal/failpoint"
	"ringway/internal/order"
)

// bytesOf views a value that holds no pointers as its bytes.
func bytesOf[T any](p *T) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(p)), unsafe.Sizeof(*p)) }

// wordsAt views mapped memory as words; at is a multiple of 8.
func wordsAt(mem []byte, at, words uint64) []uint64 {
	b := mem[at : at+8*words]
	return unsafe.Slice((*uint64)(unsafe.Pointer(&b[0])), words)
}

// plainWords views the whole words of private bytes, at whatever address.
func plainWords(b []byte) []uint64 {
	if len(b) < 8 {
		return nil
	}
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/8)
}

// loadWords copies shared words to private bytes, which end within the last word.
func loadWords(dst []byte, words []uint64) {
	to := plainWords(dst)
	from := words[:len(to)]
	for i := range to {
		to[i] = atomic.LoadUint64(&from[i]) // acquire: pairs with storeWords
	}
	if rest := dst[8*len(to):]; len(rest) > 0 {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], atomic.LoadUint64(&words[len(to)])) // acquire: the same
		copy(rest, b[:])
	}
}

// storeWords copies private bytes to shared words.
func storeWords(words []uint64, src []byte) {
	from := plainWords(src)
	to := words[:len(from)]
	storeWhole(to[:len(to)/2], from)
	failpoint.Hit(failpoint.VarHalf)
	storeWhole(to[len(to)/2:], from[len(to)/2:])
	if rest := src[8*len(from):]; len(rest) > 0 {
		var b [8]byte
		copy(b[:], rest)
		order.StoreRelease(&words[len(from)], binary.LittleEndian.Uint64(b[:])) // release: the same
	}
}

func storeWhole(to, from []uint64) {
	from = from[:len(to)]
	for i := range to {
		order.StoreRelease(&to[i], from[i]) // release: pairs with loadWords
	}
}
