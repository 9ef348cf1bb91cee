package main

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// stats returns what stat --json says, and checks that stat for people matches.
func stats(t *testing.T, path string, patterns ...string) statFacts {
	t.Helper()
	a := call(t, "", "stat", path).ok(t, "stat")
	for _, p := range patterns {
		a.matches(t, "stat", "(?m)"+p)
	}
	return decode[statFacts](t, call(t, "", "stat", path, "--json").ok(t, "stat --json").stdout)[0]
}

// What the owners of seats are in the middle of, living and dead, and how reap settles it.
func TestSeatsInFlight(t *testing.T) {
	path := newRing(t, "--kind", "mpmc", "--slots", "8", "--max-msg", "64", "--seats", "4")
	s, err := shm.Open(path)
	noError(t, err)
	defer s.Close()
	p, err := ring.NewMsgProducer(s, &ring.Options{Name: "the writer"})
	noError(t, err)
	defer p.Close()
	c, err := ring.NewMsgConsumer(s, &ring.Options{Name: "the reader"})
	noError(t, err)
	for _, m := range []string{"one", "two", "three"} {
		noError(t, p.TryPush([]byte(m)))
	}
	_, err = c.TryPop(nil)
	noError(t, err)
	_, err = c.Peek()
	noError(t, err)
	me := os.Getpid()
	f := stats(t, path, fmt.Sprintf(`^0 +producer +the writer +%d +alive +- .* held +20`, me), fmt.Sprintf(`^1 +consumer +the reader +%d +alive +2 .* unacked 1 +20`, me))
	if w, r := f.Seats[0], f.Seats[1]; !w.Alive || w.Flight != "held" || w.Position != nil || !r.Alive || r.Flight != "unacked" || *r.Position != 1 || r.Lag != 2 || r.InDoubt {
		t.Errorf("stat --json: %+v", f)
	}
	table := layout.SeatsAt(s.Memory(), 4)
	started := table[0].Start.Load()
	table[0].Start.Store(started + 1) // as if the pid were another process's by now
	if f := stats(t, path, `^0 +producer +the writer +\d+ +unknown `); !f.Seats[0].Alive {
		t.Errorf("its owner lives all the same: %+v", f.Seats[0])
	}
	table[0].Start.Store(started)

	noError(t, c.Close()) // the message stays in its hand
	if f := stats(t, path, `^1 +consumer +the reader +\d+ +orphan .* unacked 1 `); f.Seats[1].Alive || f.Seats[1].State != "orphan" {
		t.Errorf("%+v", f.Seats[1])
	}
	call(t, "", "ls", "--json", strings.TrimSuffix(path, "/r.ring")).matches(t, "ls", `"seats_alive":1,"seats_dead":0`)
	table[1].State.Store(layout.SeatTaken) // as if it had been killed

	// A producer that died with an exchange announced and not made, and one behind it.
	g := s.Header().Geometry
	words := layout.WordsAt(s.Memory(), &g)
	_, empty := g.SlotCodec().Unpack(layout.SlotWord(atomic.LoadUint64(&words[3])), 3)
	for i, kind := range []int{layout.RecSending, layout.RecHeld} {
		line := &table[2+i]
		line.Role.Store(uint32(layout.RoleProducer))
		line.SetName(fmt.Sprint("victim ", i))
		line.PID.Store(4711)
		line.State.Store(layout.SeatTaken)
		rec, get := layout.SeatRec(line.Rec), uint64(0)
		if kind == layout.RecSending {
			get = empty
			atomic.StoreUint64(&line.Ver, 2*3)
		}
		atomic.StoreUint64(&line.Rec, uint64(layout.MakeSeatRec(kind, rec.Give(), get)))
	}
	f = stats(t, path, fmt.Sprintf(`^2 +producer +victim 0 +4711 +dead +- .* sending 3, in doubt: block 10 for %d +`, empty), `^3 +producer +victim 1 +4711 +dead +- .* held `)
	if v := f.Seats[2]; v.Alive || v.Flight != "sending" || *v.Position != 3 || !v.InDoubt || *v.Give != 10 || *v.Get != empty || f.Seats[1].InDoubt {
		t.Errorf("stat --json: %+v", f.Seats)
	}
	a := call(t, "", "reap", path).ok(t, "reap")
	for _, pattern := range []string{`: 3 settled\nSEAT`, `(?m)^1 +consumer +the reader +\d+ +unacked 1 +redelivered$`,
		`(?m)^2 +producer +victim 0 +4711 +sending 3 +not sent$`, `(?m)^3 +producer +victim 1 +4711 +held +nothing$`} {
		a.matches(t, "reap", pattern)
	}
	call(t, "", "reap", path).ok(t, "reap").matches(t, "a second reap", ": 0 settled\n$")
	call(t, "", "recv", path, "--count", "2").ok(t, "recv").matches(t, "what the dead had comes first", "^two\nthree\n$")
	if f := stats(t, path, `slow path +.* 3 reaped, 1 redelivered$`); len(f.Seats) != 1 {
		t.Errorf("seats left: %+v", f.Seats)
	}
	call(t, "", "check", path).ok(t, "check")
}

// What a killed process leaves, reaped as JSON; a stopped one is nobody's to reap.
func TestReapOfProcesses(t *testing.T) {
	path := newRing(t, "--kind", "mpmc", "--slots", "8", "--max-msg", "64", "--seats", "4")
	reader := start(t, ringway(t, "recv", path, "--name", "the reader"))
	eventually(t, "the reader waits", func() bool { return strings.Contains(call(t, "", "stat", path).stdout, "the reader") })
	noError(t, reader.Process.Signal(syscall.SIGSTOP))
	eventually(t, "the reader is stopped", func() bool { return strings.Contains(call(t, "", "stat", path).stdout, " stopped ") })
	if got := decode[reapFacts](t, call(t, "", "reap", path, "--json").ok(t, "reap").stdout)[0]; got.Reaped != 0 || got.Seats == nil || len(got.Seats) != 0 {
		t.Errorf("reap of a stopped one: %+v", got)
	}
	noError(t, reader.Process.Kill())
	finish(t, reader)
	got := decode[reapFacts](t, call(t, "", "reap", path, "--json").ok(t, "reap").stdout)[0]
	if got.Reaped != 1 || len(got.Seats) != 1 || got.Seats[0].Name != "the reader" || got.Seats[0].PID != reader.Process.Pid ||
		got.Seats[0].Role != "consumer" || got.Seats[0].Flight != "held" || got.Seats[0].Outcome != "nothing" {
		t.Errorf("reap: %+v", got)
	}
}
