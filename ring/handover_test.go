package ring

import (
	"errors"
	"testing"
)

// What was handed over is visible: plain memory that the producer wrote before
// its push, and the consumer reads after its pop. The race detector watches.
func TestHandOverOrdersOtherMemory(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		s := b.segment(t, specOf[uint64](t, 4))
		p, c := mustProducer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil)
		var plain [4]uint64 // not atomic; each word belongs to whoever has its slot
		const count = 2000
		done := make(chan error, 1)
		go func() {
			var err error
			for n := uint64(0); n < count && err == nil; n++ {
				if _, err = p.Reserve(); err == ErrFull {
					_, err = Wait(background, p)
					n--
					continue
				}
				plain[n%4] = n
				err = errors.Join(err, p.Commit())
			}
			done <- err
		}()
		for n := range uint64(count) {
			if n%2 == 0 {
				_, err := c.Pop(background)
				wantErr(t, "Pop", err, nil)
				continue
			}
			_, err := c.Peek()
			for err == ErrEmpty {
				if _, err = Wait(background, c); err == nil {
					_, err = c.Peek()
				}
			}
			wantErr(t, "Peek", err, nil)
			if plain[n%4] != n {
				t.Fatalf("the word behind element %d is %d", n, plain[n%4])
			}
			c.Release()
		}
		wantErr(t, "the producer", <-done, nil)
	})
}
