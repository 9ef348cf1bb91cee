package ring

import (
	"testing"

	"ringway/layout"
)

// Messages about as long as what is copied at once, and some times as long, come out as they went in, whichever
// way they go.
func TestMsgLongerThanAPiece(t *testing.T) {
	r := newMsgRing(t, bed{heap: true, fence: layout.Asymmetric}, 16*piece, 0)
	for _, length := range []int{piece - 1, piece, piece + 1, 2 * piece, 3*piece + 13, r.p.MaxLen()} {
		for way := range 3 {
			if !r.put(length, false) {
				t.Fatalf("no room for %d bytes in an empty ring", length)
			}
			r.take(way)
		}
	}
	r.empty("a ring that long messages went through")
}
