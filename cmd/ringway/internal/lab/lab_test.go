package lab

import "testing"

// Every interleaving of P's and Q's load and store gives one of the four outcomes, each
// outcome comes from at least one, and score knows them by what was loaded.
func TestOutcomesAreAllThereAre(t *testing.T) {
	r := RaceResult{Outcomes: outcomes()}
	rounds := uint64(0)
	for _, order := range []string{"PPQQ", "PQPQ", "PQQP", "QPPQ", "QPQP", "QQPP"} {
		x := uint64(raceStart)
		loaded, at := map[rune]uint64{}, map[rune]int{}
		for _, who := range order {
			if at[who]++; at[who] == 1 {
				loaded[who] = x
			} else if who == 'P' {
				x = loaded[who] + 1
			} else {
				x = loaded[who] * 2
			}
		}
		rounds++
		if err := r.score(rounds, x, loaded['P'], loaded['Q']); err != nil {
			t.Errorf("%s: %v", order, err)
		}
	}
	if !r.seen(1) || r.Rounds != 6 {
		t.Errorf("not every outcome has an interleaving: %+v", r)
	}
	if err := r.score(7, 7, 5, 5); err == nil {
		t.Error("x = 7 was scored")
	}
	if err := r.score(7, 12, 5, 5); err == nil {
		t.Error("12 after both loaded 5 was scored")
	}
}

func TestTallyFindsFaults(t *testing.T) {
	for _, c := range []struct {
		name                    string
		items                   []uint64
		lost, twice, outOfOrder uint64
	}{
		{"good", []uint64{1, 2, 3, 4, 5}, 0, 0, 0},
		{"one lost", []uint64{1, 2, 4, 5}, 1, 0, 0},
		{"one twice", []uint64{1, 2, 2, 3, 4, 5}, 0, 1, 0},
		{"an empty slot", []uint64{1, 0, 2, 3, 4, 5}, 0, 1, 0},
		{"swapped", []uint64{1, 3, 2, 4, 5}, 0, 0, 1},
		{"all at once", []uint64{2, 1, 1, 4, 0}, 2, 2, 1},
	} {
		tally := tally{seen: make([]bool, 6)}
		for _, item := range c.items {
			if err := tally.add(item); err != nil {
				t.Fatal(err)
			}
		}
		tally.close()
		if tally.Lost != c.lost || tally.Twice != c.twice || tally.OutOfOrder != c.outOfOrder || tally.Taken != uint64(len(c.items)) {
			t.Errorf("%s: %+v", c.name, tally)
		}
	}
	if err := (&tally{seen: make([]bool, 6)}).add(6); err == nil {
		t.Error("an item that nobody put was taken")
	}
}
