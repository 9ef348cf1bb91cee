package ring

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"ringway/internal/child"
	"ringway/shm"
)

// inherited opens the segment that a child got as its nth extra file.
func inherited(n int) *shm.Segment {
	f := os.NewFile(uintptr(3+n), "segment")
	s, err := shm.OpenFile(f)
	must(err)
	must(f.Close())
	return s
}

// must ends a child that cannot go on.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func number(arg string) uint64 {
	n, err := strconv.ParseUint(arg, 10, 64)
	must(err)
	return n
}

// startOn starts a child on a segment.
func startOn(t testing.TB, s *shm.Segment, name string, args ...any) *child.Proc {
	t.Helper()
	text := make([]string, len(args))
	for i, a := range args {
		text[i] = fmt.Sprint(a)
	}
	cmd := child.Command(name, text...)
	cmd.ExtraFiles = []*os.File{s.File()}
	return child.StartCmd(t, cmd)
}

// The four roles of a stream; each returns how many units it moved.
var streams = map[string]func(s *shm.Segment, count int, seed uint64, o *Options) (int, error){
	"produce": func(s *shm.Segment, count int, seed uint64, o *Options) (int, error) {
		p, err := NewProducer[pair](s, o)
		must(err)
		defer p.Close()
		return count, produce(p, count, newRand(seed, 1))
	},
	"consume": func(s *shm.Segment, count int, seed uint64, o *Options) (int, error) {
		c, err := NewConsumer[pair](s, o)
		must(err)
		defer c.Close()
		return consume(c, count, newRand(seed, 2))
	},
	"produce messages": func(s *shm.Segment, count int, seed uint64, o *Options) (int, error) {
		p, err := NewMsgProducer(s, o)
		must(err)
		defer p.Close()
		return count, produceMsgs(p, count, newRand(seed, 0), newRand(seed, 1))
	},
	"consume messages": func(s *shm.Segment, count int, seed uint64, o *Options) (int, error) {
		c, err := NewMsgConsumer(s, o)
		must(err)
		defer c.Close()
		return consumeMsgs(c, count, newRand(seed, 0), newRand(seed, 2))
	},
}

func init() {
	child.Register("stream", func(args []string) {
		count, seed, spin := number(args[1]), number(args[2]), number(args[3])
		n, err := streams[args[0]](inherited(0), int(count), seed, &Options{Spin: time.Duration(spin)})
		fmt.Println(n, err)
	})
}

// Each way round: we produce and a child consumes, then the reverse; polling
// first, then parking as soon as anything blocks.
func TestStreamTwoProcesses(t *testing.T) {
	b := plainBed(t)
	seed := seed(t)
	for i, c := range []struct {
		ours, theirs string
		size         int
		spin         time.Duration
	}{
		{"produce", "consume", 1024, 0},
		{"consume", "produce", 2, 0},
		{"produce", "consume", 1, 1},
		{"produce messages", "consume messages", 64 << 10, 0},
		{"consume messages", "produce messages", 128, 0},
		{"produce messages", "consume messages", 64, 1},
	} {
		spec := specOf[pair](t, c.size)
		if i >= 3 {
			spec = msgSpec(t, c.size)
		}
		s := startAt(b.segment(t, spec), starts[i%len(starts)])
		count := often(c.size < 1024)
		p := startOn(t, s, "stream", c.theirs, count, seed, int(c.spin))
		finishes(t, "the stream", func() {
			if n, err := streams[c.ours](s, count, seed, &Options{Spin: c.spin}); n != count || err != nil {
				t.Errorf("%s, size %d: %d of %d: %v", c.ours, c.size, n, count, err)
			}
		})
		p.Expect(fmt.Sprintf("%d <nil>", count))
		st := statsOf(s)
		if st.Len != 0 || st.Rescues != 0 || st.Reaped != 0 {
			t.Errorf("%s, size %d: at the end %+v", c.ours, c.size, st)
		}
		t.Logf("%s, size %d, %d units: %d parks, %d wakes", c.ours, c.size, count, st.Parks, st.Wakes)
	}
}
