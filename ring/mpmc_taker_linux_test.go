package ring

import (
	"ringway/layout"
	"ringway/shm"
)

// takeAll takes messages until the ring ends, and notes each: in place and in
// All before it is released, else when the call has returned.
func takeAll(s *shm.Segment, j *workJournal, line *workLine, way int, o *Options) error {
	next := make([]uint64, journalIDs)
	take := func(v labelled, again bool) {
		line.Progress.Add(1)
		if v != label(v.ID, v.Seq) || v.ID >= journalIDs || v.Seq >= journalSeqs {
			line.Damaged.Add(1)
			return
		}
		seen := &j.Seen[v.ID][v.Seq]
		if again {
			seen.Add(1 << 16)
			line.Again.Add(1)
			return
		}
		if seen.Add(1) != 1 {
			line.Doubled.Add(1)
		}
		if v.Seq < next[v.ID] {
			line.Disorder.Add(1)
		}
		next[v.ID] = v.Seq + 1
	}
	if s.Spec().Payload == layout.Message {
		c, err := NewMsgConsumer(s, o)
		must(err)
		defer c.Close()
		return takeMsgs(c, line, way, take)
	}
	c, err := NewConsumer[labelled](s, o)
	must(err)
	defer c.Close()
	dst := make([]labelled, killBatch)
	for err == nil {
		switch way {
		case byBatch:
			line.Calling.Store(killBatch)
			var n int
			n, err = c.TryPopN(dst)
			for _, v := range dst[:n] {
				take(v, c.Redelivered())
			}
			line.Calling.Store(0)
		case inPlace:
			var v *labelled
			if v, err = c.Peek(); err == nil {
				take(*v, c.Redelivered())
				c.Release()
			}
		case byAll:
			for v, bad := range c.All(background) {
				if bad != nil {
					return bad
				}
				take(v, c.Redelivered())
			}
			return shm.ErrClosed
		default:
			line.Calling.Store(1)
			var v labelled
			if v, err = c.TryPop(); err == nil {
				take(v, c.Redelivered())
			}
			line.Calling.Store(0)
		}
		if err != nil {
			err = again(err, c)
		}
	}
	return err
}

func takeMsgs(c *MsgConsumer, line *workLine, way int, take func(v labelled, again bool)) (err error) {
	scratch := make([]byte, c.max)
	var dst []byte
	for err == nil {
		switch way {
		case inPlace:
			var m []byte
			if m, err = c.Peek(); err == nil {
				take(unlettered(m, scratch), c.Redelivered())
				c.Release()
			}
		case byAll:
			for m, bad := range c.All(background) {
				if bad != nil {
					return bad
				}
				take(unlettered(m, scratch), c.Redelivered())
			}
			return shm.ErrClosed
		default:
			line.Calling.Store(1)
			if dst, err = c.TryPop(dst[:0]); err == nil {
				take(unlettered(dst, scratch), c.Redelivered())
			}
			line.Calling.Store(0)
		}
		if err != nil {
			err = again(err, c)
		}
	}
	return err
}
