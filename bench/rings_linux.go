package bench

import (
	"fmt"
	"path/filepath"
	"strings"

	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

// Elements of 8, 64 and 256 bytes; the first word carries the running number.
type (
	elem8   [1]uint64
	elem64  [8]uint64
	elem256 [32]uint64
)

type element interface{ elem8 | elem64 | elem256 }

// The scenarios of Ringway's rings of elements, over real segments, KIND ringway (SPSC) or mpmc:
//
//	KIND tp SIZE SLOTS        one way, TryPush and TryPop, polling when refused
//	KIND place SIZE SLOTS     one way, Reserve and Commit, Peek and Release, every byte written and read
//	KIND batch SIZE SLOTS     one way, TryPushN and TryPopN of 32; batch8, batch256 of as many
//	mpmc pack SIZE SLOTS      the same with 32 elements a block, SLOTS of them altogether; pack8, pack256
//	KIND rtt SIZE SLOTS       round trip over two rings, polling the Try calls
//	KIND place-rtt SIZE SLOTS the same in place: Reserve, Commit, Peek, Release
//	KIND default SIZE SLOTS   round trip, Push and Pop with the default wait strategy
//	KIND spin SIZE SLOTS      round trip, Push and Pop that never park
//	KIND parked SIZE SLOTS    round trip, parking as soon as a call would block
//	KIND rtt-timed …          and so on with the others: the same, each trip timed
//	KIND paced SIZE RATE      one way at RATE elements a second, each timed from when it was due; paced-spin never parks
//	KIND idle                 nothing comes for N milliseconds; the consumer waits as by default
func init() {
	for _, slots := range []int{1024, 65536} {
		registerRings[elem8](slots)
		registerRings[elem64](slots)
		registerRings[elem256](slots)
	}
}

func registerRings[T element](slots int) {
	rings := ringsOf[T]{"ringway", specOf[T](layout.SPSC, slots), slots}
	rings.register()
	rings = ringsOf[T]{"mpmc", specOf[T](layout.MPMC, slots), slots}
	rings.register()
	for _, k := range Batches {
		spec := rings.spec
		spec.Pack, spec.Cap = k, max(slots/k, 2)
		ringsOf[T]{"mpmc", spec, slots}.add("pack"+suffix(k), oneWay[T](k))
	}
}

func specOf[T any](k layout.Kind, slots int) layout.Spec {
	spec, err := ring.Spec[T](k, slots)
	if err != nil {
		panic(err) // a scenario that cannot be is a bug
	}
	return spec
}

// ringsOf is the rings of the scenarios of one kind, element and size.
type ringsOf[T element] struct {
	kind  string
	spec  layout.Spec
	slots int
}

// work is a scenario on its rings: what Scenario.Time returns.
type work func(side Side, seg []*shm.Segment) (func(int) []int64, error)

// add registers a scenario that goes one way, addTrips one that goes there and back.
func (r ringsOf[T]) add(what string, w work)      { addRings(r.name(what), r.spec, 1, w) }
func (r ringsOf[T]) addTrips(what string, w work) { addRings(r.name(what), r.spec, 2, w) }

func (r ringsOf[T]) name(what string) string {
	return fmt.Sprintf("%s %s %d %d", r.kind, what, r.spec.Elem.Size, r.slots)
}

// addRings registers a scenario over one or two rings.
func addRings(name string, spec layout.Spec, rings int, w work) {
	RegisterScenario(Scenario{Name: name, Time: func(side Side, dir string, _ []byte) (func(int) []int64, error) {
		seg := make([]*shm.Segment, rings)
		for i := range seg {
			path := filepath.Join(dir, fmt.Sprintf("%s.%d.ring", strings.ReplaceAll(name, " ", "-"), i))
			var err error
			if seg[i], err = shm.OpenOrCreate(path, spec, 0o600); err != nil {
				return nil, err
			}
		}
		return w(side, seg)
	}})
}

func (r ringsOf[T]) register() {
	r.add("tp", oneWay[T](1))
	r.add("place", inPlace[T]())
	for _, k := range Batches {
		r.add("batch"+suffix(k), oneWay[T](k))
	}
	if r.slots > 1024 {
		return // latency is that of an almost empty ring
	}
	r.addTrips("rtt", roundTrip(pollThereAndBack[T], nil, &ring.Options{Spin: -1}))
	r.addTrips("place-rtt", roundTrip(pollThereAndBackInPlace[T], nil, &ring.Options{Spin: -1}))
	r.addTrips("rtt-timed", roundTrip(pollThereAndBack[T], pollThereAndBackTimed[T], &ring.Options{Spin: -1}))
	for what, o := range map[string]*ring.Options{"spin": {Spin: -1}, "default": nil, "parked": {Spin: 1}} {
		r.addTrips(what, roundTrip(waitThereAndBack[T], nil, o))
		r.addTrips(what+"-timed", roundTrip(waitThereAndBack[T], waitThereAndBackTimed[T], o))
	}
	for _, rate := range r.rates() {
		addRings(fmt.Sprintf("%s paced %d %d", r.kind, r.spec.Elem.Size, rate), r.spec, 1, paced[T](nil, rate))
		addRings(fmt.Sprintf("%s paced-spin %d %d", r.kind, r.spec.Elem.Size, rate), r.spec, 1, paced[T](&ring.Options{Spin: -1}, rate))
	}
	if r.spec.Elem.Size == 8 {
		addRings(r.kind+" idle", r.spec, 1, idle[T])
	}
}

// rates is those at which this ring is measured.
func (r ringsOf[T]) rates() []int {
	if r.spec.Elem.Size != fixedRateSize {
		return nil
	}
	return Rates
}

// untimed is work that times nothing.
func untimed(do func(n int), err error) (func(int) []int64, error) {
	return func(n int) []int64 { do(n); return nil }, err
}

// oneWay is a stream from the producer to the consumer in batches.
func oneWay[T element](batch int) work {
	return func(side Side, seg []*shm.Segment) (func(int) []int64, error) {
		if side == ProducerSide {
			p, err := ring.NewProducer[T](seg[0], nil)
			if batch > 1 {
				return untimed(func(n int) { pushBatches(p, n, batch) }, err)
			}
			return untimed(func(n int) { pushEach(p, n) }, err)
		}
		c, err := ring.NewConsumer[T](seg[0], nil)
		if batch > 1 {
			return untimed(func(n int) { popBatches(c, n, batch) }, err)
		}
		return untimed(func(n int) { popEach(c, n) }, err)
	}
}

// inPlace is a stream of elements that both sides touch whole, in the ring.
func inPlace[T element]() work {
	return func(side Side, seg []*shm.Segment) (func(int) []int64, error) {
		if side == ProducerSide {
			p, err := ring.NewProducer[T](seg[0], nil)
			return untimed(func(n int) { pushInPlace(p, n) }, err)
		}
		c, err := ring.NewConsumer[T](seg[0], nil)
		return untimed(func(n int) { popInPlace(c, n) }, err)
	}
}

func pushEach[T element](p *ring.Producer[T], n int) {
	var v T
	for i := range n {
		v[0] = uint64(i)
		for p.TryPush(v) != nil {
		}
	}
}

func popEach[T element](c *ring.Consumer[T], n int) {
	for i := 0; i < n; {
		v, err := c.TryPop()
		if err != nil {
			continue
		}
		if v[0] != uint64(i) {
			panic(fmt.Sprintf("element %d carries %d", i, v[0]))
		}
		i++
	}
}

func pushBatches[T element](p *ring.Producer[T], n, batch int) {
	vs := make([]T, batch)
	for i := 0; i < n; {
		k := min(batch, n-i)
		for j := range k {
			vs[j][0] = uint64(i + j)
		}
		for left := vs[:k]; len(left) > 0; {
			m, _ := p.TryPushN(left)
			left = left[m:]
		}
		i += k
	}
}

func popBatches[T element](c *ring.Consumer[T], n, batch int) {
	vs := make([]T, batch)
	for i := 0; i < n; {
		k, _ := c.TryPopN(vs)
		for j := range k {
			if vs[j][0] != uint64(i+j) {
				panic(fmt.Sprintf("element %d carries %d", i+j, vs[j][0]))
			}
		}
		i += k
	}
}

func pushInPlace[T element](p *ring.Producer[T], n int) {
	for i := range n {
		v, err := p.Reserve()
		for err != nil {
			v, err = p.Reserve()
		}
		for k := range len(*v) {
			(*v)[k] = uint64(i)
		}
		for err = p.Commit(); err == ring.ErrFull; err = p.Commit() { // an MPMC ring says so only here
		}
		if err != nil {
			panic(err)
		}
	}
}

func popInPlace[T element](c *ring.Consumer[T], n int) {
	for i := 0; i < n; {
		v, err := c.Peek()
		if err != nil {
			continue
		}
		sum := uint64(0)
		for k := range len(*v) {
			sum += (*v)[k]
		}
		if sum != uint64(i)*uint64(len(*v)) {
			panic(fmt.Sprintf("element %d sums up to %d", i, sum))
		}
		c.Release()
		i++
	}
}
