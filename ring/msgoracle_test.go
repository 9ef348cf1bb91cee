package ring

import (
	"bytes"
	"testing"

	"ringway/layout"
	"ringway/shm"
)

// The same for messages, whose room depends on where they lie: a slow model of
// the byte ring says what fits.
func TestMsgOracle(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		seed := seed(t)
		for n, done := uint64(0), 0; done < steps(); n++ {
			random := newRand(seed, n)
			capacity := uint64(64) << random.IntN(5)
			start := starts[random.IntN(len(starts))]
			s := startAt(b.segment(t, msgSpec(t, int(capacity))), start)
			p, c := mustMsgProducer(t, s, nil), mustMsgConsumer(t, s, nil)
			var queue [][]byte
			head, tail, pushed, shut := start, start, uint64(0), false
			ends := []uint64{} // where each message in the queue ends
			for range 3000 {
				done++
				if random.IntN(2) == 0 {
					m := content(pushed, random.IntN(p.MaxLen()+1))
					size := layout.RecordSize(uint64(len(m)))
					at := tail
					if left := capacity - at%capacity; left < size {
						at += left
					}
					var want error
					if at+size-head > capacity {
						want = ErrFull
					}
					if shut {
						want = shm.ErrClosed
					}
					var err error
					if random.IntN(2) == 0 {
						err = p.TryPush(m)
					} else {
						var slot []byte
						if slot, err = p.Reserve(len(m)); err == nil {
							copy(slot, m)
							err = p.Commit(len(m))
						}
					}
					if err != want {
						t.Fatalf("push of %d at %d, head %d, of %d = %v, want %v", len(m), tail, head, capacity, err, want)
					}
					if err == nil {
						queue, tail = append(queue, m), at+size
						ends = append(ends, tail)
						pushed++
					}
				} else {
					var m []byte
					var err error
					way := random.IntN(3)
					if way == 0 {
						m, err = c.TryPop(nil)
					} else if m, err = c.Peek(); err == nil {
						m = bytes.Clone(m)
						if way == 1 {
							c.Release()
						}
					}
					switch {
					case len(queue) > 0:
						if err != nil || !bytes.Equal(m, queue[0]) {
							t.Fatalf("took %x, %v, want %x", m, err, queue[0])
						}
						if way != 2 {
							head, queue, ends = ends[0], queue[1:], ends[1:]
						}
					case shut:
						wantErr(t, "TryPop at the end", err, shm.ErrClosed)
					default:
						wantErr(t, "TryPop of an empty ring", err, ErrEmpty)
					}
				}
				if random.IntN(2000) == 0 && !shut {
					wantErr(t, "Shutdown", s.Shutdown(), nil)
					shut = true
				}
				switch random.IntN(500) {
				case 0:
					wantErr(t, "Close", p.Close(), nil)
					p = mustMsgProducer(t, s, nil)
				case 1:
					wantErr(t, "Close", c.Close(), nil)
					c = mustMsgConsumer(t, s, nil)
				}
				if st := p.Stats(); st.Len != int(tail-head) {
					t.Fatalf("Stats = %+v, want Len %d", st, tail-head)
				}
			}
			wantErr(t, "Shutdown", s.Shutdown(), nil)
			for m, err := range c.All(background) {
				if err != nil || !bytes.Equal(m, queue[0]) {
					t.Fatalf("the rest: %x, %v, want %x", m, err, queue[0])
				}
				queue = queue[1:]
			}
			if len(queue) != 0 {
				t.Fatalf("%d messages never came", len(queue))
			}
			p.Close()
			c.Close()
		}
	})
}
