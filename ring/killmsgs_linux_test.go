package ring

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"ringway/shm"
)

// numbered is message n, of a length that depends on n.
func numbered(scratch []byte, n uint64) []byte {
	most := uint64(min(len(scratch)-8, 120))
	m := scratch[:8+(n*7)%(most+1)]
	fill(m, n)
	binary.LittleEndian.PutUint64(m, n)
	return m
}

// nextToPush decides the push in doubt: it happened exactly if tail has moved.
func (j *journal) nextToPush(tail uint64) uint64 {
	if j.Intent.Load() != j.Committed.Load() && j.Before.Load() != tail {
		return j.Intent.Load()
	}
	return j.Committed.Load()
}

// nextToTake decides the take in doubt: it happened exactly if head has moved.
func (j *journal) nextToTake(head uint64) uint64 {
	at := &j.Begun[j.Current.Load()%2]
	if at.Head.Load() != head {
		return at.Seq.Load() + 1
	}
	return at.Seq.Load()
}

// begin notes that message n begins at head.
func (j *journal) begin(n, head uint64) {
	at := &j.Begun[n%2]
	at.Seq.Store(n)
	at.Head.Store(head)
	j.Current.Store(n)
}

func journalledMsgProducer(s *shm.Segment, j *journal, way int, o *Options) error {
	p, err := NewMsgProducer(s, o)
	must(err)
	scratch := make([]byte, p.MaxLen())
	n := j.nextToPush(loadPosition(&s.Control().Tail))
	j.Committed.Store(n)
	j.Intent.Store(n)
	j.Producing.Store(uint64(way))
	for err == nil {
		m := numbered(scratch, n)
		j.Before.Store(loadPosition(&s.Control().Tail))
		j.Intent.Store(n + 1)
		switch way {
		case inPlace:
			var b []byte
			if b, err = p.Reserve(len(m)); err == nil {
				copy(b, m)
				err = p.Commit(len(m))
			}
		case byAll, byBatch:
			err = p.Push(background, m)
		default:
			err = p.TryPush(m)
		}
		if err == nil {
			n++
			j.Committed.Store(n)
			continue
		}
		j.Intent.Store(n)
		err = again(err, p)
	}
	return err
}

func journalledMsgConsumer(s *shm.Segment, j *journal, way int, o *Options) error {
	c, err := NewMsgConsumer(s, o)
	must(err)
	head := &s.Control().Head
	scratch := make([]byte, c.max)
	n := j.nextToTake(loadPosition(head))
	j.begin(n, loadPosition(head))
	j.Got.Store(n)
	j.Consuming.Store(uint64(way))
	got := func(m []byte) {
		if want := numbered(scratch, n); !bytes.Equal(m, want) {
			panic(fmt.Sprintf("message %d: got %x, want %x", n, m, want))
		}
		n++
		j.Got.Store(n)
	}
	var dst []byte
	for err == nil {
		j.begin(n, loadPosition(head))
		switch way {
		case inPlace:
			var m []byte
			if m, err = c.Peek(); err == nil {
				got(m)
				work(n)
				c.Release()
			}
		case byAll:
			for m, bad := range c.All(background) {
				must(bad)
				j.begin(n, loadPosition(head))
				got(m)
				work(n)
			}
			return shm.ErrClosed
		case byBatch:
			if dst, err = c.Pop(background, dst[:0]); err == nil {
				got(dst)
			}
		default:
			if dst, err = c.TryPop(dst[:0]); err == nil {
				got(dst)
			}
		}
		if err != nil {
			err = again(err, c)
		}
	}
	return err
}
