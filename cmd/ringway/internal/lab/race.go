package lab

import (
	"context"
	"fmt"
	"os"
	"structs"
	"time"
)

// RaceOptions is what a race is told.
type RaceOptions struct {
	Rounds uint64        // play at most so many; 0: no bound
	For    time.Duration // and at most so long
	Seen   uint64        // stop once each outcome was seen so often
	Window time.Duration // each process stays up to so long between its load and its store
}

// RaceResult is what a race found.
type RaceResult struct {
	Start    uint64        `json:"start"`
	PIDs     [2]int        `json:"pids"` // of P, which does x+1, and Q, which does x*2
	Rounds   uint64        `json:"rounds"`
	Elapsed  time.Duration `json:"elapsed_ns"`
	Window   time.Duration `json:"window_ns"`
	AllSeen  bool          `json:"all_seen"`
	Outcomes []Outcome     `json:"outcomes"`
}

// Outcome is one value that x may have at the end of a round.
type Outcome struct {
	X          uint64 `json:"x"`
	Correct    bool   `json:"correct"`
	Sum        string `json:"sum"`   // how it comes about
	Steps      string `json:"steps"` // the interleaving, one of each kind
	Count      uint64 `json:"count"`
	FirstRound uint64 `json:"first_round"` // 0: never
	pLoads     uint64
	qLoads     uint64
}

// raceStart is x at the beginning of a round.
const raceStart = 5

// outcomes are all there are. There are six interleavings of two loads and two stores
// that keep each process's own order; what the two loads return tells which kind it was,
// and where both return the old value, x tells who stored last.
func outcomes() []Outcome {
	return []Outcome{
		{X: 12, Correct: true, Sum: "(5+1)*2", Steps: "P loads 5, P stores 6, Q loads 6, Q stores 12", pLoads: 5, qLoads: 6},
		{X: 11, Correct: true, Sum: "5*2+1", Steps: "Q loads 5, Q stores 10, P loads 10, P stores 11", pLoads: 10, qLoads: 5},
		{X: 10, Sum: "5*2, +1 lost", Steps: "P loads 5, Q loads 5, P stores 6, Q stores 10", pLoads: 5, qLoads: 5},
		{X: 6, Sum: "5+1, *2 lost", Steps: "P loads 5, Q loads 5, Q stores 10, P stores 6", pLoads: 5, qLoads: 5},
	}
}

// raceBoard is the memory that P and Q share.
type raceBoard struct {
	_     structs.HostLayout
	x     word
	ready [2]word // the round that a process stands ready for
	start word    // when the round begins, by the clock that both can read
	done  [2]word // the round that it has played
	saw   [2]word // what it loaded in that round
}

// raceOver in ready tells Q that there are no more rounds.
const raceOver = 1 << 63

// Race plays rounds of P: x = x+1 against Q: x = x*2 between two processes until every
// outcome was seen.
func Race(ctx context.Context, o RaceOptions) (RaceResult, error) {
	memory, err := nameless(sizeOf[raceBoard]())
	if err != nil {
		return RaceResult{}, err
	}
	defer memory.Close()
	p := job{Lab: "race", Name: "process P", Side: 0, Count: o.Rounds, For: o.For, Seen: o.Seen, Window: o.Window, files: []*os.File{memory}}
	q := p
	q.Name, q.Side = "process Q", 1
	workers, err := crew(ctx, p, q)
	if err != nil {
		return RaceResult{}, err
	}
	r := RaceResult{Outcomes: outcomes()}
	if err := workers[0].account(&r); err != nil {
		return r, err
	}
	r.PIDs = [2]int{workers[0].PID(), workers[1].PID()}
	return r, nil
}

func init() { works["race"] = raceWork }

func raceWork(j *job) (any, error) {
	b, _, detach, err := attach[raceBoard](j.file(0))
	if err != nil {
		return nil, err
	}
	defer detach()
	r := &racer{raceBoard: b, side: j.Side, window: pausesIn(j.Window), alone: len(allowedCPUs()) == 1 && j.CPU < 0, chance: dice(now() | 1)}
	// Neither reads the clock to the nanosecond: a random delay lets each be first.
	r.delay = pausesIn(j.Window + 100*time.Nanosecond)
	if j.Side == 1 {
		r.follow()
		return struct{}{}, nil
	}
	return r.lead(j)
}

// racer is P or Q.
type racer struct {
	*raceBoard
	side          int
	window, delay uint64 // in PAUSE instructions
	alone         bool   // there is one CPU for both
	chance        dice
}

// linger stays for up to so many PAUSE instructions. Two that share one CPU meet only if
// one gives it up meanwhile, so there it sleeps, or not, as chance has it.
func (r *racer) linger(most uint64) {
	if r.alone && most > 0 {
		if r.chance.below(2) == 0 {
			time.Sleep(nap)
		}
		return
	}
	stall(r.chance.below(most + 1))
}

// play is one process's part of a round: the critical section, with nothing to guard it.
func (r *racer) play(round, start uint64) {
	for now() < start {
	}
	r.linger(r.delay)
	x := r.x.Load() // x goes into a register,
	r.linger(r.window)
	if r.side == 0 {
		r.x.Store(x + 1) // and comes back, whatever x is by now
	} else {
		r.x.Store(x * 2)
	}
	r.saw[r.side].Store(x)
	r.done[r.side].Store(round) // publishes x and saw; pairs with the load in lead
}

// notice is how long before a round its beginning is announced, in nanoseconds: time
// enough for the news to reach Q's processor.
const notice = 500

// follow is Q.
func (r *racer) follow() {
	var start uint64
	for round := uint64(1); ; round++ {
		var called uint64
		await(func() bool { called = r.ready[0].Load(); return called >= round }) // observes x = 5; pairs with lead
		if called == raceOver {
			return
		}
		r.ready[1].Store(round)
		before := start
		await(func() bool { start = r.start.Load(); return start != before })
		r.play(round, start)
	}
}

// lead is P, which also keeps the score.
func (r *racer) lead(j *job) (*RaceResult, error) {
	result := &RaceResult{Start: raceStart, Window: j.Window, Outcomes: outcomes()}
	start, last := now(), uint64(0)
	defer r.ready[0].Store(raceOver)
	for round := uint64(1); ; round++ {
		r.x.Store(raceStart)
		r.ready[0].Store(round) // publishes x; pairs with the load in follow
		await(func() bool { return r.ready[1].Load() == round })
		begin := max(now(), last+1) + notice
		last = begin
		r.start.Store(begin)
		r.play(round, begin)
		await(func() bool { return r.done[1].Load() == round }) // observes Q's store to x
		if err := result.score(round, r.x.Load(), r.saw[0].Load(), r.saw[1].Load()); err != nil {
			return nil, err
		}
		result.Elapsed = time.Duration(now() - start)
		if result.AllSeen = result.seen(j.Seen); result.AllSeen || round == j.Count || result.Elapsed >= j.For {
			result.AllSeen = result.seen(1)
			return result, nil
		}
	}
}

// score counts the outcome of a round.
func (r *RaceResult) score(round, x, pLoaded, qLoaded uint64) error {
	r.Rounds = round
	for i := range r.Outcomes {
		o := &r.Outcomes[i]
		if o.X == x && o.pLoads == pLoaded && o.qLoads == qLoaded {
			o.Count++
			if o.Count == 1 {
				o.FirstRound = round
			}
			return nil
		}
	}
	return fmt.Errorf("round %d ended with x = %d after P loaded %d and Q loaded %d, which no interleaving gives", round, x, pLoaded, qLoaded)
}

// seen reports whether every outcome was seen n times.
func (r *RaceResult) seen(n uint64) bool {
	for _, o := range r.Outcomes {
		if o.Count < n {
			return false
		}
	}
	return true
}
