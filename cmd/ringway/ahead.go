package main

import (
	"encoding/binary"
	"sync/atomic"

	"ringway/layout"
	"ringway/shm"
)

// ahead walks over the messages that wait in a ring, in place and without taking
// them, so that many can be written at once and released afterwards. Only the holder of
// the consumer's seat may use it: what lies between head and tail is the consumer's.
type ahead struct {
	control *layout.Control
	data    []byte
	mask    uint64
	longest uint64
	elem    uint64 // size of an element of a fixed ring, else 0
	at, end uint64
}

func aheadIn(s *shm.Segment) ahead {
	g := s.Header().Geometry
	a := ahead{control: s.Control(), data: s.Memory()[g.DataOff : g.DataOff+g.DataSize],
		mask: uint64(g.Spec.Cap - 1), longest: uint64(g.Spec.Elem.Size)}
	if g.Spec.Payload == layout.Fixed {
		a.elem = a.longest
	}
	return a
}

// restart begins with the oldest message again and sees what came meanwhile.
func (a *ahead) restart() {
	a.at = atomic.LoadUint64(&a.control.Head) // our own
	// acquire: everything below tail is written; pairs with the producer's release.
	a.end = atomic.LoadUint64(&a.control.Tail)
	// After tail: a tail read before the end was agreed lies before it. Observes the sealer's CAS.
	if final, sealed := layout.UnpackSeal(a.control.Seal.Load(), a.end); sealed && int64(a.end-final) > 0 {
		a.end = final
	}
	if a.end-a.at > a.mask+1 {
		a.end = a.at // damage; Peek says so
	}
}

// next returns the next message, or false if there is none, or damage instead.
func (a *ahead) next() ([]byte, bool) {
	for a.at != a.end {
		index := a.at & a.mask
		if a.elem != 0 {
			a.at++
			return a.data[index*a.elem : (index+1)*a.elem], true
		}
		if index&7 != 0 {
			return nil, false
		}
		rec := layout.Record(binary.LittleEndian.Uint64(a.data[index:]))
		if !rec.Fits(index, a.mask+1, a.end-a.at, a.longest) {
			return nil, false
		}
		n := rec.Len()
		a.at += layout.RecordSize(n)
		if rec.Kind() == layout.RecordData {
			return a.data[index+layout.RecordHeader:][:n:n], true
		}
	}
	return nil, false
}

// run returns the elements that lie next to each other from the next one on, at
// most n, as one piece of memory.
func (a *ahead) run(n uint64) (elements []byte, count int) {
	index := a.at & a.mask
	n = min(n, a.end-a.at, a.mask+1-index)
	a.at += n
	return a.data[index*a.elem : (index+n)*a.elem], int(n)
}
