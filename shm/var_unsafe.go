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

// loadWords copies shared words to private bytes, which end within the last word.
func loadWords(dst []byte, words []uint64) {
	whole := len(dst) / 8
	for i := range words[:whole] {
		binary.LittleEndian.PutUint64(dst[8*i:], atomic.LoadUint64(&words[i])) // acquire: pairs with storeWords
	}
	if rest := dst[8*whole:]; len(rest) > 0 {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], atomic.LoadUint64(&words[whole])) // acquire: the same
		copy(rest, b[:])
	}
}

// storeWords copies private bytes to shared words.
func storeWords(words []uint64, src []byte) {
	whole := len(src) / 8
	for i := range words[:whole] {
		if i == whole/2 {
			failpoint.Hit(failpoint.VarHalf)
		}
		order.StoreRelease(&words[i], binary.LittleEndian.Uint64(src[8*i:])) // release: pairs with loadWords
	}
	if rest := src[8*whole:]; len(rest) > 0 {
		var b [8]byte
		copy(b[:], rest)
		order.StoreRelease(&words[whole], binary.LittleEndian.Uint64(b[:])) // release: the same
	}
}
