package lab

import (
	"encoding/binary"
	"fmt"
)

// A message of an exchange is a run of 64-bit numbers that begins with its own number n
// and goes on n+1, n+2, ... Its maker writes every byte and its user reads every byte, as
// programs that have something to tell each other do.

// lastMessage is the number of the message that says that there are no more.
const lastMessage = 1 << 63

// fill writes message n.
func fill(m []byte, n uint64) {
	for ; len(m) >= 32; m, n = m[32:], n+4 {
		binary.LittleEndian.PutUint64(m, n)
		binary.LittleEndian.PutUint64(m[8:], n+1)
		binary.LittleEndian.PutUint64(m[16:], n+2)
		binary.LittleEndian.PutUint64(m[24:], n+3)
	}
	for ; len(m) >= 8; m, n = m[8:], n+1 {
		binary.LittleEndian.PutUint64(m, n)
	}
}

// read reads a message to its end, checks that it is message n or the last, and reports
// whether it is the last.
func read(m []byte, n uint64) (last bool, err error) {
	if first := binary.LittleEndian.Uint64(m); first != n {
		if first != lastMessage {
			return false, fmt.Errorf("message %d came where %d was due; this is a bug", first, n)
		}
		last, n = true, first
	}
	words := uint64(len(m) / 8)
	want := words*n + words*(words-1)/2
	var a, b, c, d uint64
	for ; len(m) >= 32; m = m[32:] {
		a += binary.LittleEndian.Uint64(m)
		b += binary.LittleEndian.Uint64(m[8:])
		c += binary.LittleEndian.Uint64(m[16:])
		d += binary.LittleEndian.Uint64(m[24:])
	}
	for ; len(m) >= 8; m = m[8:] {
		a += binary.LittleEndian.Uint64(m)
	}
	if a+b+c+d != want {
		return false, fmt.Errorf("message %d came with other contents than it left with; this is a bug", n)
	}
	return last, nil
}
