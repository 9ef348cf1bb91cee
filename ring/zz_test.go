package ring

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"ringway/layout"
	"ringway/shm"
)

func TestZSmokeMPMC(t *testing.T) {
	for _, pack := range []int{1, 8} {
		for _, slots := range []int{1, 2, 4, 1024} {
			sp, err := Spec[uint64](layout.MPMC, slots)
			if err != nil {
				t.Fatal(err)
			}
			sp.Pack = pack
			s, err := shm.CreateTemp(sp)
			if err != nil {
				t.Fatal(err)
			}
			const P, C, N = 3, 3, 30000
			ctx := context.Background()
			var wg, cw sync.WaitGroup
			seen := make([][]uint64, C)
			t0 := time.Now()
			for i := range C {
				c, err := NewConsumer[uint64](s, nil)
				if err != nil {
					t.Fatal(err)
				}
				cw.Go(func() {
					defer c.Close()
					for {
						v, err := c.Pop(ctx)
						if err != nil {
							if !errors.Is(err, shm.ErrClosed) {
								t.Error(err)
							}
							return
						}
						seen[i] = append(seen[i], v)
					}
				})
			}
			for i := range P {
				p, err := NewProducer[uint64](s, nil)
				if err != nil {
					t.Fatal(err)
				}
				wg.Go(func() {
					defer p.Close()
					for k := range uint64(N) {
						if err := p.Push(ctx, uint64(i)<<32|k); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			s.Shutdown()
			cw.Wait()
			count := map[uint64]int{}
			for _, vs := range seen {
				last := map[uint64]int64{0: -1, 1: -1, 2: -1}
				for _, v := range vs {
					count[v]++
					if int64(v&0xffffffff) <= last[v>>32] {
						t.Fatal("order")
					}
					last[v>>32] = int64(v & 0xffffffff)
				}
			}
			if len(count) != P*N {
				t.Fatal(len(count))
			}
			t.Log(pack, slots, time.Since(t0)/(P*N), statsOf(s))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
