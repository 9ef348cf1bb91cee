package ring

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringway/internal/child"
	"ringway/internal/race"
	"ringway/layout"
	"ringway/shm"
)

func init() {
	// count pushes into each ring it is told of, flat out, until that is shut down.
	child.Register("count", func([]string) {
		in := bufio.NewScanner(os.Stdin)
		for way := 0; in.Scan(); way++ {
			s, err := shm.Open(in.Text())
			must(err)
			p, err := NewProducer[pair](s, nil)
			must(err)
			fmt.Println("ready")
			n, err := count(p, way%ways)
			fmt.Println(n, err)
			must(p.Close())
			must(s.Close())
		}
	})
	// shut down every ring of a directory, one after the other.
	child.Register("shutdown", func(args []string) {
		paths, err := filepath.Glob(filepath.Join(args[0], "*"))
		must(err)
		var all []*shm.Segment
		for _, path := range paths {
			s, err := shm.Open(path)
			must(err)
			all = append(all, s)
		}
		fmt.Println("ready")
		in := bufio.NewScanner(os.Stdin)
		in.Scan()
		for _, s := range all {
			must(s.Shutdown())
		}
		fmt.Println("done")
		in.Scan() // until somebody kills us
	})
}

// ringDir is a directory in memory for rings that need a name.
func ringDir(t *testing.T) string {
	dir, err := os.MkdirTemp(shm.Dir, "ringway-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestShutdownIsExactTwoProcesses(t *testing.T) {
	rounds := 200
	if race.Enabled {
		rounds = 50
	}
	b := plainBed(t)
	random := newRand(seed(t), 0)
	dir := ringDir(t)
	p := child.Start(t, "count")
	total := uint64(0)
	for n := range rounds {
		spec := specOf[pair](t, 1<<random.IntN(8))
		if n%4 == 0 {
			spec.Fence = layout.Full
		} else {
			spec.Fence = b.fence
		}
		path := filepath.Join(dir, fmt.Sprint(n, ".ring"))
		s, err := shm.Create(path, spec, 0o600)
		wantErr(t, "Create", err, nil)
		c, err := NewConsumer[pair](s, nil)
		wantErr(t, "NewConsumer", err, nil)
		var taken uint64
		done, how := make(chan struct{}), random.IntN(ways)
		go func() { defer close(done); taken, err = drain(c, how) }()
		if err := p.SendLine(path); err != nil {
			t.Fatal(err)
		}
		p.Expect("ready")
		time.Sleep(time.Duration(random.IntN(300)) * time.Microsecond)
		wantErr(t, "Shutdown", s.Shutdown(), nil)
		awaitDone(t, "the consumer after Shutdown", done)
		wantErr(t, "the consumer", err, shm.ErrClosed)
		p.Expect(fmt.Sprintf("%d %v", taken, shm.ErrClosed)) // so many returned nil
		total += taken
		wantErr(t, "Close", c.Close(), nil)
		wantErr(t, "Close", s.Close(), nil)
		wantErr(t, "Remove", shm.Remove(path), nil)
	}
	t.Logf("%d rounds, %d elements, all accounted for", rounds, total)
}

// ended is one of many rings that somebody shuts down until he is killed.
type ended struct {
	s              *shm.Segment
	p              *Producer[pair]
	c              *Consumer[pair]
	pushed, taken  uint64
	pushing, going bool
}

// turn pushes and pops what goes without waiting, and reports whether the ring goes on.
func (e *ended) turn(t *testing.T) bool {
	for range 3 {
		if e.pushing {
			switch err := e.p.TryPush(pairOf(e.pushed)); err {
			case nil:
				e.pushed++
			case ErrFull:
			default:
				wantErr(t, "TryPush", err, shm.ErrClosed)
				e.pushing = false
			}
		}
	}
	for range 2 {
		if e.going {
			v, err := e.c.TryPop()
			switch {
			case err == nil:
				if v != pairOf(e.taken) {
					t.Fatalf("element %d is %x", e.taken, v)
				}
				e.taken++
			case err != ErrEmpty:
				wantErr(t, "TryPop", err, shm.ErrClosed)
				e.going = false
			}
		}
	}
	return e.pushing || e.going
}

// Who calls Shutdown may die in the middle of it: the ring ends all the same,
// and both sides agree where.
func TestShutdownCallerKilled(t *testing.T) {
	const rings = 40
	rounds := 10
	if long() {
		rounds = 500
	}
	b := plainBed(t)
	random := newRand(seed(t), 0)
	cut, partly := 0, 0
	for range rounds {
		dir := ringDir(t)
		all := make([]*ended, rings)
		for i := range all {
			spec := specOf[pair](t, 1<<random.IntN(6))
			spec.Fence, spec.Seats = b.fence, 2
			s, err := shm.Create(filepath.Join(dir, fmt.Sprintf("%03d.ring", i)), spec, 0o600)
			wantErr(t, "Create", err, nil)
			p, err := NewProducer[pair](s, nil)
			wantErr(t, "NewProducer", err, nil)
			c, err := NewConsumer[pair](s, nil)
			wantErr(t, "NewConsumer", err, nil)
			all[i] = &ended{s: s, p: p, c: c, pushing: true, going: true}
		}
		killer := child.Start(t, "shutdown", dir)
		killer.Expect("ready")
		for _, e := range all {
			e.turn(t)
		}
		if err := killer.SendLine("go"); err != nil {
			t.Fatal(err)
		}
		for range random.IntN(400) {
			for _, e := range all[:random.IntN(rings)] {
				e.turn(t)
			}
		}
		killer.Kill()
		if line, _ := killer.ReadLine(); !strings.HasPrefix(line, "done") {
			cut++
		}
		for _, e := range all {
			c := e.s.Control()
			if c.State.Load() == layout.StateOpen {
				for range 5 {
					if !e.turn(t) {
						t.Fatal("a ring ended that nobody shut down")
					}
				}
				wantErr(t, "Shutdown", e.s.Shutdown(), nil)
			} else if c.Seal.Load() == 0 {
				partly++
			}
			until(t, "both ends see the end", func() bool { return !e.turn(t) })
			if final, err := e.s.Sealed(); e.pushed != e.taken || final != e.taken || err != nil {
				t.Errorf("%d returned nil, %d were delivered, sealed at %d, %v", e.pushed, e.taken, final, err)
			}
			wantErr(t, "Close", e.p.Close(), nil)
			wantErr(t, "Close", e.c.Close(), nil)
			wantErr(t, "Close", e.s.Close(), nil)
		}
	}
	t.Logf("%d callers killed over %d rings, %d before they were done, %d rings left without a seal", rounds, rings*rounds, cut, partly)
}
