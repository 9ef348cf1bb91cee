package ring

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
	"ringway/internal/order"
	"ringway/shm"
)

// The children of the kill tests, and the journal in which each notes what it is about
// to do and what it has done, so that whoever survives can tell exactly
// what a death may and may not have cost.
//
// Elements carry their position. Messages carry a number, and the journal says
// at which head or tail each call began: whether the call in doubt took effect is
// then whether the shared word has moved since.
type journal struct {
	// Of the producer: everything below Committed was answered with nil, the call in
	// flight, if any, may bring it up to Intent. Before: tail when it began, for messages.
	Committed, Intent, Before atomic.Uint64

	// Of the consumer: everything below Got was handed to the application, the call in
	// flight may take what lies below Upto (elements).
	Got, Upto atomic.Uint64

	// Of a message consumer: message Seq begins at Head, twice, so that Current
	// switches from one to the next in one store.
	Begun   [2]struct{ Seq, Head atomic.Uint64 }
	Current atomic.Uint64

	// How the present owners go about it.
	Producing, Consuming atomic.Uint64
}

// mostRepeated is what may come again after a death, by the way of consuming.
var mostRepeated = [ways]int64{byTry: 0, byBatch: 0, inPlace: 1, byAll: releaseEvery}

func mapJournal(f *os.File) *journal {
	b, err := unix.Mmap(int(f.Fd()), 0, int(unsafe.Sizeof(journal{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(err)
	return (*journal)(unsafe.Pointer(&b[0]))
}

func init() {
	roles := map[string]func(s *shm.Segment, j *journal, way int, o *Options) error{
		"produce": journalledProducer, "consume": journalledConsumer,
		"produce messages": journalledMsgProducer, "consume messages": journalledMsgConsumer,
	}
	child.Register("journalled", func(args []string) {
		j := mapJournal(os.NewFile(4, "journal"))
		err := roles[args[0]](inherited(0), j, int(number(args[1])), &Options{Spin: time.Duration(number(args[2]))})
		if err != shm.ErrClosed {
			panic(err)
		}
		fmt.Println("closed")
	})
}

// again waits after a refusal; any other error ends the role.
func again(err error, e End) error {
	if err == ErrFull || err == ErrEmpty {
		_, err = Wait(context.Background(), e)
	}
	return err
}

// work is what an application does now and then with what it holds.
func work(n uint64) {
	if n%8 == 0 {
		for range 500 {
			order.Pause()
		}
	}
}

func journalledProducer(s *shm.Segment, j *journal, way int, o *Options) error {
	p, err := NewProducer[pair](s, o)
	must(err)
	pos := p.Stats().Tail
	j.Committed.Store(pos)
	j.Intent.Store(pos)
	j.Producing.Store(uint64(way))
	batch := make([]pair, killBatch)
	for err == nil {
		n := uint64(1)
		if way == byBatch {
			n = 1 + pos%killBatch
		}
		j.Intent.Store(pos + n)
		switch way {
		case byBatch:
			for i := range n {
				batch[i] = pairOf(pos + i)
			}
			var k int
			k, err = p.PushN(background, batch[:n])
			n = uint64(k)
		case inPlace:
			var slot *pair
			if slot, err = p.Reserve(); err == nil {
				*slot = pairOf(pos)
				err = p.Commit()
			}
		case byAll:
			err = p.Push(background, pairOf(pos))
		default:
			err = p.TryPush(pairOf(pos))
		}
		if err == nil || way == byBatch {
			pos += n
			j.Committed.Store(pos)
		}
		if err != nil {
			j.Intent.Store(pos) // the ring said that nothing came of it
			err = again(err, p)
		}
	}
	return err
}

func journalledConsumer(s *shm.Segment, j *journal, way int, o *Options) error {
	c, err := NewConsumer[pair](s, o)
	must(err)
	pos := c.Stats().Head
	j.Upto.Store(pos)
	j.Got.Store(pos)
	j.Consuming.Store(uint64(way))
	got := func(vs ...pair) { // hands vs to the application
		for _, v := range vs {
			if v != pairOf(pos) {
				panic(fmt.Sprintf("at position %d: element %x", pos, v))
			}
			pos++
		}
		j.Upto.Store(pos)
		j.Got.Store(pos)
	}
	dst := make([]pair, killBatch)
	for err == nil {
		switch way {
		case byBatch:
			k := 1 + pos%killBatch
			j.Upto.Store(pos + k)
			var n int
			n, err = c.TryPopN(dst[:k])
			got(dst[:n]...)
		case inPlace:
			var v *pair
			if v, err = c.Peek(); err == nil {
				got(*v)
				work(pos)
				c.Release()
			}
		case byAll:
			for v, bad := range c.All(background) {
				must(bad)
				got(v)
				work(pos)
			}
			return shm.ErrClosed
		default:
			j.Upto.Store(pos + 1)
			var v pair
			if v, err = c.TryPop(); err == nil {
				got(v)
			}
		}
		if err != nil {
			err = again(err, c)
		}
	}
	return err
}
