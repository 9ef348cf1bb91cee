package ring

import (
	"fmt"
	"time"

	"testing"

	"ringway/internal/child"
	"ringway/internal/order"
	"ringway/layout"
	"ringway/shm"
)

func init() {
	// enlist opens both ends before this process can answer to barriers.
	child.Register("enlist", func([]string) {
		spec, err := Spec[uint64](layout.SPSC, 8)
		must(err)
		spec.Fence = layout.Asymmetric
		s, err := shm.Heap(spec)
		must(err)
		p, err := NewProducer[uint64](s, nil)
		must(err)
		c, err := NewConsumer[uint64](s, nil)
		must(err)
		if !p.barrier || !c.barrier {
			panic("an end of an asymmetric ring parks without a barrier")
		}
		for n := uint64(0); !p.asym || !c.asym; n++ {
			if (p.asym || c.asym) && !order.Registered() {
				panic("an end publishes without a fence and does not answer to barriers")
			}
			must(p.TryPush(n))
			if v, err := c.TryPop(); v != n || err != nil {
				panic(fmt.Sprint("popped ", v, err, ", want ", n))
			}
			time.Sleep(time.Millisecond / 10) // let the kernel's grace period end
		}
		must(p.TryPush(1))
		if p.fast != p.limit || c.fast != c.tail {
			panic("the busy path does not follow")
		}
		fmt.Println("enlisted")
	})
}

// An end that is opened before the kernel has registered its process publishes with full
// fences, and goes over to none afterwards.
func TestEnlist(t *testing.T) {
	needFence(t, layout.Asymmetric)
	child.Start(t, "enlist").Expect("enlisted")
}
