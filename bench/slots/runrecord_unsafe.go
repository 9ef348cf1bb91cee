package main

import (
	"unsafe"

	"ringway/internal/order"
)

func numberOf(b []byte) *uint64 { return (*uint64)(unsafe.Pointer(unsafe.SliceData(b))) }

func (r *records) produce(n int) {
	msg := make([]byte, r.size)
	for i := range uint64(n) {
		*numberOf(msg) = i
		for !r.push(msg) {
		}
	}
}

func (r *records) produceWord(n int) {
	msg := make([]byte, r.size)
	for i := range uint64(n) {
		*numberOf(msg) = i
		for !r.pushWord(msg) {
		}
	}
}

func (r *records) consume(n int) {
	msg, ok := make([]byte, 0, r.size), false
	for i := range uint64(n) {
		for msg, ok = r.pop(msg[:0]); !ok; msg, ok = r.pop(msg[:0]) {
		}
		check(msg, r.size, i)
	}
}

func (r *records) consumeWord(n int) {
	msg, ok := make([]byte, 0, r.size), false
	for i := range uint64(n) {
		for msg, ok = r.popWord(msg[:0]); !ok; msg, ok = r.popWord(msg[:0]) {
		}
		check(msg, r.size, i)
	}
}

func check(msg []byte, size int, i uint64) {
	if len(msg) != size || *numberOf(msg) != i {
		wrong(*numberOf(msg), i)
	}
}

func (r *records) ping(back *records, n int, gaps []byte) {
	msg, ok := make([]byte, r.size), false
	for i := range uint64(n) {
		wait(gaps, i)
		*numberOf(msg) = i
		for !r.push(msg) {
			order.Pause()
		}
		for msg, ok = back.pop(msg[:0]); !ok; msg, ok = back.pop(msg[:0]) {
			order.Pause()
		}
		check(msg, r.size, i)
	}
}

func (r *records) pong(back *records, n int) {
	msg, ok := make([]byte, 0, r.size), false
	for range n {
		for msg, ok = r.pop(msg[:0]); !ok; msg, ok = r.pop(msg[:0]) {
			order.Pause()
		}
		for !back.push(msg) {
			order.Pause()
		}
	}
}

func (r *records) pingWord(back *records, n int, gaps []byte) {
	msg, ok := make([]byte, r.size), false
	for i := range uint64(n) {
		wait(gaps, i)
		*numberOf(msg) = i
		for !r.pushWord(msg) {
			order.Pause()
		}
		for msg, ok = back.popWord(msg[:0]); !ok; msg, ok = back.popWord(msg[:0]) {
			order.Pause()
		}
		check(msg, r.size, i)
	}
}

func (r *records) pongWord(back *records, n int) {
	msg, ok := make([]byte, 0, r.size), false
	for range n {
		for msg, ok = r.popWord(msg[:0]); !ok; msg, ok = r.popWord(msg[:0]) {
			order.Pause()
		}
		for !back.pushWord(msg) {
			order.Pause()
		}
	}
}

func (r *records) consumeGuess(n int) {
	msg, ok := make([]byte, 0, r.size), false
	for i := range uint64(n) {
		for msg, ok = r.popGuess(msg[:0]); !ok; msg, ok = r.popGuess(msg[:0]) {
		}
		check(msg, r.size, i)
	}
}

func (r *records) pingGuess(back *records, n int, gaps []byte) {
	msg, ok := make([]byte, r.size), false
	for i := range uint64(n) {
		wait(gaps, i)
		*numberOf(msg) = i
		for !r.push(msg) {
			order.Pause()
		}
		for msg, ok = back.popGuess(msg[:0]); !ok; msg, ok = back.popGuess(msg[:0]) {
			order.Pause()
		}
		check(msg, r.size, i)
	}
}

func (r *records) pongGuess(back *records, n int) {
	msg, ok := make([]byte, 0, r.size), false
	for range n {
		for msg, ok = r.popGuess(msg[:0]); !ok; msg, ok = r.popGuess(msg[:0]) {
			order.Pause()
		}
		for !back.push(msg) {
			order.Pause()
		}
	}
}
