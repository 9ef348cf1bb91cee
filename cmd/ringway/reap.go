package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ringway/layout"
	"ringway/shm"
)

func reapCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "reap NAME",
		Short: "Settle the seats of dead owners now",
		Long: `Reap settles the seats whose owners died without leaving them, and says of each whose
it was, what its owner was in the middle of, and how that was decided:

  nothing      nothing was in flight
  sent         its last message is in the ring, or was taken since
  not sent     it had announced a message and not sent it; nobody gets it
  not taken    it had announced to take a message, which stayed where it was
  redelivered  it had a message in hand, which the next consumer gets, flagged
  undecided    a living process stands where only its next step tells; the seat
               stays as it is, reap again later

It leaves the living and the stopped alone, and is never needed for progress:
whoever takes a dead owner's seat settles it, and so do consumers that wait.

A ring that was to go with its last user, who was killed before it could remove it, is removed.`,
		Example: `  ringway reap ticks
  ringway reap ticks --json | jq '.seats[] | select(.outcome == "redelivered")'`,
		Args:              exactly("NAME"),
		ValidArgsFunction: completeRing,
	}
	asJSON := jsonFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		path, err := ringPath(args[0])
		if err != nil {
			return err
		}
		gone, err := shm.RemoveAbandoned(path)
		facts := reapFacts{Path: path, Removed: gone, Seats: []reapedSeat{}}
		if err == nil && !gone {
			facts, err = reapRing(path)
		}
		if err != nil {
			return err
		}
		if *asJSON {
			return emitJSON(facts)
		}
		if gone {
			return emit(fmt.Appendf(nil, "%s is removed, its last user was killed\n", path))
		}
		return emit(facts.text())
	}
	return c
}

type reapFacts struct {
	Path    string       `json:"path"`
	Reaped  int          `json:"reaped"` // undecided ones do not count
	Removed bool         `json:"removed,omitempty"`
	Seats   []reapedSeat `json:"seats"`
}

type reapedSeat struct {
	Seat     int     `json:"seat"`
	Role     string  `json:"role"`
	PID      int     `json:"pid"`
	Name     string  `json:"name"`
	Since    string  `json:"since"`
	Flight   string  `json:"in_flight,omitempty"` // mpmc: held, sending, taking or unacked
	Position *uint64 `json:"position,omitempty"`  // of the message that was in flight
	Released uint64  `json:"released,omitempty"`  // elements of it that do not come again
	Outcome  string  `json:"outcome"`
}

func reapRing(path string) (facts reapFacts, err error) {
	s, err := shm.Open(path)
	if err != nil {
		return facts, err
	}
	defer closing(s, &err)
	defer shm.Guard(&err)()
	found, err := s.ReapSeats()
	facts = reapFacts{Path: path, Seats: []reapedSeat{}}
	for _, r := range found {
		if r.Outcome != shm.Undecided {
			facts.Reaped++
		}
		seat := reapedSeat{Seat: r.Seat, Role: r.Role.String(), PID: r.PID, Name: r.Name, Since: stamp(r.Since), Released: r.Released, Outcome: r.Outcome.String()}
		if s.Spec().Kind == layout.MPMC {
			seat.Flight = r.Flight.Doing()
			if r.Flight.Kind() != layout.RecHeld {
				seat.Position = &r.Position
			}
		}
		facts.Seats = append(facts.Seats, seat)
	}
	return facts, err
}

// text is reap's output for people.
func (f reapFacts) text() []byte {
	head := fmt.Appendf(nil, "%s: %d settled\n", f.Path, f.Reaped)
	if len(f.Seats) == 0 {
		return head
	}
	return append(head, table(func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "SEAT\tROLE\tNAME\tPID\tIN FLIGHT\tOUTCOME")
		for _, s := range f.Seats {
			flight := "-"
			if s.Flight != "" {
				flight = s.Flight
			}
			if s.Position != nil {
				flight = fmt.Sprintf("%s %d", s.Flight, *s.Position)
			}
			outcome := s.Outcome
			if s.Released > 0 {
				outcome += fmt.Sprintf(" from element %d on", s.Released)
			}
			fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%s\t%s\n", s.Seat, s.Role, s.Name, s.PID, flight, outcome)
		}
	})...)
}
