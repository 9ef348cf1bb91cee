package ring

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
	"ringway/layout"
	"ringway/shm"
)

const (
	journalIDs  = 1 << 11
	journalSeqs = 1 << 15
)

// workJournal is what the children of a torture note, in memory that outlives them.
type workJournal struct {
	Next  atomic.Uint64 // producers so far; one that has used up its numbers goes on as another
	_     [layout.Line - 8]byte
	Lines [16]workLine

	// Of each producer: everything below Committed was answered with nil, the call in
	// flight may bring it up to Intent.
	IDs [journalIDs]struct{ Committed, Intent atomic.Uint64 }

	// How often each message came, with the flag Redelivered in the upper half.
	Seen [journalIDs][journalSeqs]atomic.Uint32
}

// workLine is what one child after the other notes.
type workLine struct {
	Progress atomic.Uint64 // messages sent or got
	Again    atomic.Uint64 // that came with the flag
	Doubled  atomic.Uint64 // that came again without it
	Disorder atomic.Uint64 // that came behind later ones of their producer
	Damaged  atomic.Uint64
	Calling  atomic.Uint64 // messages that the call in flight may take with it
	_        [layout.Line - 48]byte
}

func mapWorkJournal(f *os.File) ([]byte, *workJournal) {
	b, err := unix.Mmap(int(f.Fd()), 0, int(unsafe.Sizeof(workJournal{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(err)
	return b, (*workJournal)(unsafe.Pointer(&b[0]))
}

// arm sets a failpoint, in a build that has them.
var arm = func(point string, nth int, action string) { panic("no failpoints in this build") }

func init() {
	child.Register("torture", func(args []string) {
		runtime.LockOSThread() // a point stops the thread that hits it
		s := inherited(0)
		_, j := mapWorkJournal(os.NewFile(4, "journal"))
		line, way := &j.Lines[number(args[1])], int(number(args[2]))
		if args[4] != "" {
			arm(args[4], int(number(args[5])), args[6])
		}
		o := &Options{Spin: time.Duration(number(args[3]))}
		var err error
		switch args[0] {
		case "produce":
			err = sendAll(s, j, line, way, o)
		case "consume":
			err = takeAll(s, j, line, way, o)
		case "reap":
			for err == nil && s.Control().State.Load() == layout.StateOpen {
				_, err = s.Reap()
				line.Progress.Add(1)
				time.Sleep(100 * time.Microsecond)
			}
			if err == nil {
				err = shm.ErrClosed
			}
		case "shut down":
			must(s.Shutdown())
			err = shm.ErrClosed
		}
		if err != shm.ErrClosed {
			panic(err)
		}
		fmt.Println("closed")
	})
}

// lettered is a labelled element as a message, of a length that depends on it.
func lettered(b []byte, v labelled) []byte {
	m := b[:24+v.Seq*7%(uint64(len(b))-23)]
	binary.LittleEndian.PutUint64(m, v.ID)
	binary.LittleEndian.PutUint64(m[8:], v.Seq)
	binary.LittleEndian.PutUint64(m[16:], v.Check)
	for i := 24; i < len(m); i++ {
		m[i] = byte(v.Check>>(i%8*8)) ^ byte(i)
	}
	return m
}

func unlettered(m, scratch []byte) labelled {
	if len(m) < 24 {
		return labelled{}
	}
	v := labelled{binary.LittleEndian.Uint64(m), binary.LittleEndian.Uint64(m[8:]), binary.LittleEndian.Uint64(m[16:])}
	if string(lettered(scratch, v)) != string(m) {
		v.Check++
	}
	return v
}

// sendAll pushes until the ring is shut down.
func sendAll(s *shm.Segment, j *workJournal, line *workLine, way int, o *Options) error {
	push, err := pusher(s, way, o)
	must(err)
	batch := make([]labelled, killBatch)
	for {
		id := j.Next.Add(1) - 1
		if id >= journalIDs {
			panic("the journal is full")
		}
		at := &j.IDs[id]
		for seq := uint64(0); seq < journalSeqs; {
			n := uint64(1)
			if way == byBatch {
				n = min(1+seq%killBatch, journalSeqs-seq)
			}
			for i := range n {
				batch[i] = label(id, seq+i)
			}
			at.Intent.Store(seq + n)
			k, err := push(batch[:n])
			seq += uint64(k)
			at.Committed.Store(seq)
			line.Progress.Add(uint64(k))
			if err != nil {
				at.Intent.Store(seq) // the ring said that nothing came of the rest
				return err
			}
		}
	}
}

// pusher returns a way to push some elements, which waits for room.
func pusher(s *shm.Segment, way int, o *Options) (push func([]labelled) (int, error), err error) {
	if s.Spec().Payload == layout.Message {
		p, err := NewMsgProducer(s, o)
		if err != nil {
			return nil, err
		}
		scratch := make([]byte, p.MaxLen())
		return func(vs []labelled) (n int, err error) {
			for n < len(vs) && err == nil {
				m := lettered(scratch, vs[n])
				if way == inPlace {
					var b []byte
					if b, err = p.Reserve(len(m)); err != nil {
						break
					}
					copy(b, m)
					for err = p.Commit(len(m)); err == ErrFull; err = p.Commit(len(m)) {
						if _, err := Wait(context.Background(), p); err != nil {
							return n, err
						}
					}
				} else {
					err = p.Push(background, m)
				}
				if err == nil {
					n++
				}
			}
			return n, err
		}, nil
	}
	p, err := NewProducer[labelled](s, o)
	if err != nil {
		return nil, err
	}
	return func(vs []labelled) (int, error) {
		switch way {
		case byBatch:
			return p.PushN(background, vs)
		case inPlace:
			v, err := p.Reserve()
			if err != nil {
				return 0, err
			}
			*v = vs[0]
			for err = p.Commit(); err == ErrFull; err = p.Commit() {
				if _, err := Wait(context.Background(), p); err != nil {
					return 0, err
				}
			}
			if err != nil {
				return 0, err
			}
			return 1, nil
		case byTry:
			for {
				err := p.TryPush(vs[0])
				if err == nil {
					return 1, nil
				}
				if err = again(err, p); err != nil {
					return 0, err
				}
			}
		}
		if err := p.Push(background, vs[0]); err != nil {
			return 0, err
		}
		return 1, nil
	}, nil
}
