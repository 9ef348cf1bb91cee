//lint:file-ignore U1000 the payloads are reached by address only; their fields give the size

package main

import (
	"fmt"
	"math/rand/v2"
	"unsafe"

	"ringway/bench"
)

// variant is one design at one payload and one ring size; design is its row in the tables.
type variant struct {
	payload string
	slots   int
	design  string
	n       int // elements one way per sample, at least four laps
}

func (v variant) name(what string) string {
	return fmt.Sprintf("slots/%s/%d/%s/%s", v.payload, v.slots, v.design, what)
}

var variants []variant

// loops are what the two sides of a ring R do; produceN and consumeN may be missing.
type loops[R any] struct {
	produce, consume   func(r R, n int)
	ping               func(out, back R, n int, gaps []byte)
	pong               func(in, back R, n int)
	produceN, consumeN func(r R, n int)
}

func add[R any](v variant, ringBytes uintptr, open func(mem []byte) R, l loops[R]) {
	variants = append(variants, v)
	bytes := int(ringBytes+linesSize+4095) &^ 4095
	oneWay := func(f func(R, int)) func([]byte, int) {
		return func(mem []byte, n int) { f(open(mem), n) }
	}
	bench.Register(v.name("tp"), bytes, oneWay(l.produce), oneWay(l.consume))
	if l.produceN != nil {
		bench.Register(v.name("batch"), bytes, oneWay(l.produceN), oneWay(l.consumeN))
	}
	for what, gaps := range map[string][]byte{"rtt": {0}, "irr": irregularGaps()} {
		bench.Register(v.name(what), 2*bytes,
			func(mem []byte, n int) { l.ping(open(mem), open(mem[bytes:]), n, gaps) },
			func(mem []byte, n int) { l.pong(open(mem), open(mem[bytes:]), n) })
	}
}

const roundTrips = 4000

// irregularGaps returns 0 to 31 PAUSEs per round trip, the same for every variant.
func irregularGaps() []byte {
	r, g := rand.New(rand.NewPCG(1, 2)), make([]byte, roundTrips)
	for i := range g {
		g[i] = byte(r.IntN(32))
	}
	return g
}

func addBase[T any](payload string, slots, n int) {
	var t T
	size := unsafe.Sizeof(t) * uintptr(slots)
	open := func(mem []byte) *base[T] { return &base[T]{newEnd(mem, slots)} }
	add(variant{payload, slots, "base", n}, size, open, loops[*base[T]]{(*base[T]).produce, (*base[T]).consume,
		(*base[T]).ping, (*base[T]).pong, (*base[T]).produceN, (*base[T]).consumeN})
	add(variant{payload, slots, "base, stepped head", n}, size, open, loops[*base[T]]{(*base[T]).produce, (*base[T]).consumeStep,
		(*base[T]).pingStep, (*base[T]).pongStep, nil, nil})
}

func addSeq[T, S any](payload string, slots, n int) {
	var s S
	stride := unsafe.Sizeof(s)
	size := stride * uintptr(slots)
	open := func(mem []byte) *seq[T, S] { return &seq[T, S]{newEnd(mem, slots)} }
	design := fmt.Sprintf("slot word, stride %d", stride)
	add(variant{payload, slots, design, n}, size, open, loops[*seq[T, S]]{(*seq[T, S]).produce, (*seq[T, S]).consume,
		(*seq[T, S]).ping, (*seq[T, S]).pong, (*seq[T, S]).produceN, (*seq[T, S]).consumeN})
	add(variant{payload, slots, design + ", stepped head", n}, size, open, loops[*seq[T, S]]{(*seq[T, S]).produce,
		(*seq[T, S]).consumeStep, (*seq[T, S]).pingStep, (*seq[T, S]).pongStep, nil, nil})
}

// addRecords makes a ring of bytes for at least slots records.
func addRecords(size, slots, n int) {
	bytes := 1
	for bytes < slots*int(recordSize(uint64(size))) {
		bytes *= 2
	}
	payload := fmt.Sprintf("record %d B", size)
	open := func(mem []byte) *records { return &records{end: newEnd(mem, bytes), size: size} }
	add(variant{payload, slots, "base", n}, uintptr(bytes), open, loops[*records]{(*records).produce, (*records).consume,
		(*records).ping, (*records).pong, nil, nil})
	add(variant{payload, slots, "base, guessed length", n}, uintptr(bytes), open, loops[*records]{(*records).produce,
		(*records).consumeGuess, (*records).pingGuess, (*records).pongGuess, nil, nil})
	add(variant{payload, slots, "header word last", n}, uintptr(bytes), open, loops[*records]{(*records).produceWord,
		(*records).consumeWord, (*records).pingWord, (*records).pongWord, nil, nil})
}

// slot is the word and the payload, reached by address only; padded rounds them up to a stride.
type (
	slot[T any] struct {
		seq uint64
		v   T
	}
	padded[T, Pad any] struct {
		slot slot[T]
		_    Pad
	}
)

func init() {
	for _, slots := range []int{1024, 65536} {
		n := max(4*slots, 1<<17)
		addBase[p8]("8 B", slots, n)
		addSeq[p8, slot[p8]]("8 B", slots, n)
		addBase[p24]("24 B", slots, n)
		addSeq[p24, slot[p24]]("24 B", slots, n)
		addBase[p56]("56 B", slots, n)
		addSeq[p56, slot[p56]]("56 B", slots, n)
		addBase[p64]("64 B", slots, n)
		addSeq[p64, slot[p64]]("64 B", slots, n)
		addSeq[p64, padded[p64, [7]uint64]]("64 B", slots, n)
		addRecords(16, slots, n)
		addRecords(64, slots, n)
		n = max(4*slots, 1<<16)
		addBase[p256]("256 B", slots, n)
		addSeq[p256, padded[p256, uint64]]("256 B", slots, n)
		addSeq[p256, padded[p256, [7]uint64]]("256 B", slots, n)
		addRecords(256, slots, n)
	}
}
