package ring

import (
	"fmt"
	"testing"
	"time"

	"ringway/shm"
)

// A stopped process keeps its seat, holds only its own ring up, and loses nothing.
func TestStopAndContinue(t *testing.T) {
	stops := 40
	if long() {
		stops = 1000
	}
	seed := seed(t)
	beds := killBeds(t)
	for i, s := range beds {
		r := newKillRun(t, s, newRand(seed, uint64(i)))
		r.start(producing)
		r.start(consuming)
		r.flows()
		for n := range stops / len(beds) {
			side := r.random.IntN(2)
			time.Sleep(time.Duration(r.random.IntN(500)) * time.Microsecond)
			if err := r.sides[side].Stop(); err != nil {
				t.Fatal(err)
			}
			if n%4 == 0 {
				_, err := r.end(side)
				if pid := fmt.Sprintf("pid %d", r.sides[side].Pid()); !isOneLine(err, shm.ErrBusy) {
					t.Errorf("the seat of a stopped process: %v, want ErrBusy that names %s", err, pid)
				}
				if n, err := s.Reap(); n != 0 || err != nil {
					t.Errorf("Reap beside a stopped process = %d, %v", n, err)
				}
			}
			if err := r.sides[side].Cont(); err != nil {
				t.Fatal(err)
			}
			r.flows()
		}
		r.finish()
		if st := statsOf(s); st.Reaped != 0 {
			t.Errorf("somebody lost its seat by being stopped: %+v", st)
		}
	}
}
