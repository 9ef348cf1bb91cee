package order

import (
	"math/rand/v2"
	"testing"
)

// The words are a peer's: whatever they say, and wherever that leads, asking ahead does nothing
// but ask.
func TestPrefetchFaultsForNoWord(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	area := make([]byte, 64)
	for i := range area {
		area[i] = byte(i)
	}
	for round := range 20_000 {
		var words [10]uint64
		for i := range words {
			words[i] = random.Uint64() >> random.IntN(64)
		}
		before := words
		mask, stride := random.Uint64()>>random.IntN(64), random.Uint64()>>random.IntN(64)
		if round%4 == 0 { // as rings have them
			mask, stride = 1<<random.IntN(30)-1, 8<<random.IntN(4)
		}
		PrefetchEach(&words[1], mask, &area[0], stride)
		PrefetchEachWrite(&words[1], mask, &area[0], stride)
		PrefetchWrite(&area[random.IntN(len(area))])
		if words != before {
			t.Fatalf("the words changed from %x to %x", before, words)
		}
	}
	for i := range area {
		if area[i] != byte(i) {
			t.Fatalf("byte %d of what was asked for changed to %d", i, area[i])
		}
	}
}
