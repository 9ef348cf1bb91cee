package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

func statCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "stat NAME",
		Short: "Show a ring's positions, counters, seats and users",
		Long: `Stat shows what a ring is, how full it is, what happened on its slow paths and who
holds its seats. It maps the ring read-only, takes no seat and disturbs nobody.

Positions count slots, or bytes on an spsc message ring, and only grow. Counters
are totals since the ring was made: parks (somebody slept), wakes (somebody was
woken), rescues (a lost wake-up was noticed; 0 unless somebody died), reaped (seats
settled after a death), redelivered.

A seat is alive, stopped (a signal or a debugger suspends its owner), frozen (with
its cgroup), dead (the next owner settles it), orphan (its owner is gone, and the next
consumer gets the message in it) or unknown: it has a living owner, but the process
of that pid is not to be seen from here, or is another one by now. On an mpmc ring
IN FLIGHT says what the owner is in the middle of, or was when it died: held
(nothing), sending or taking with the position, unacked (a message in hand) with
the position and how much of a packed block is released; "in doubt" if nobody has
found out yet whether a dead owner's exchange happened.

Users are the programs that have it open for writing, whether they have a seat or not,
since when and, in System V shared memory, nattch, which counts readers too. Of a
variable, stat shows how often it was updated; of a shared struct, its users.`,
		Example: `  ringway stat ticks
  ringway stat ticks --watch 1s
  ringway stat ticks --json | jq .depth`,
		Args:              exactly("NAME"),
		ValidArgsFunction: completeRing,
	}
	watch := c.Flags().Duration("watch", 0, "look again every `DURATION`, with rates; until a signal")
	asJSON := jsonFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		path, err := ringPath(args[0])
		if err != nil {
			return err
		}
		if c.Flags().Changed("watch") {
			if *watch < minWatch {
				return usagef("--watch must be %v or more, not %v", minWatch, *watch)
			}
			return watchRing(path, *watch, *asJSON)
		}
		info, err := ring.Inspect(path)
		if err != nil {
			return err
		}
		return showStat(statFactsOf(info), *asJSON)
	}
	return c
}

func showStat(f statFacts, asJSON bool) error {
	if asJSON {
		return emitJSON(f)
	}
	return emit(f.block())
}

// statFacts is everything stat shows, in JSON.
type statFacts struct {
	specFacts
	Version     string      `json:"version"`
	Created     string      `json:"created"`
	CreatorPID  uint32      `json:"creator_pid"`
	CreatorUID  uint32      `json:"creator_uid"`
	ID          string      `json:"id"`
	State       string      `json:"state"`
	Head        uint64      `json:"head"`
	Tail        uint64      `json:"tail"`
	Depth       int         `json:"depth"`
	Parks       uint64      `json:"parks"`
	Wakes       uint64      `json:"wakes"`
	Rescues     uint64      `json:"rescues"`
	Reaped      uint64      `json:"reaped"`
	Redelivered uint64      `json:"redelivered"`
	Seats       []seatFacts `json:"seats"`
	Attached    int         `json:"attached"`
	Users       []userFacts `json:"users"`
	LastRemoves bool        `json:"remove_on_last"`
	Nattch      *int        `json:"nattch,omitempty"`        // System V
	Updates     *uint64     `json:"updates,omitempty"`       // of a variable
	In          *float64    `json:"in_per_second,omitempty"` // with --watch, from the second look on
	Out         *float64    `json:"out_per_second,omitempty"`
}

type seatFacts struct {
	Seat    int    `json:"seat"`
	Role    string `json:"role"`
	Name    string `json:"name"`
	PID     int    `json:"pid"`
	State   string `json:"state"` // alive, stopped, frozen, unknown (alive, its process is not to be seen), dead or orphan
	Alive   bool   `json:"alive"` // its owner can still act, stopped or not
	Since   string `json:"since"`
	Epoch   uint32 `json:"epoch"`
	Lag     uint64 `json:"lag"`
	Parks   uint64 `json:"parks"`
	Wakes   uint64 `json:"wakes"`
	Rescues uint64 `json:"rescues"`
	flightFacts
	since time.Time
}

// flightFacts is what a seat of an mpmc ring shows besides.
type flightFacts struct {
	Flight      string  `json:"in_flight,omitempty"` // held, sending, taking, unacked, or none if its record is damaged
	Position    *uint64 `json:"position,omitempty"`  // of the message that this is about
	Released    uint64  `json:"released,omitempty"`  // elements of it
	InDoubt     bool    `json:"in_doubt,omitempty"`  // its owner died, and nobody has found out whether it happened
	Give        *uint64 `json:"give,omitempty"`      // the block that goes in; the seat's own if nothing is exchanged
	Get         *uint64 `json:"get,omitempty"`       // the block that comes out
	Redelivered uint64  `json:"redelivered"`
}

func flightFactsOf(s ring.SeatInfo) flightFacts {
	give := s.Flight.Give()
	f := flightFacts{Flight: s.Flight.Doing(), Released: s.Released, InDoubt: s.InDoubt, Give: &give, Redelivered: s.Redelivered}
	if s.Flight.Kind() != layout.RecHeld {
		f.Position = &s.Position
	}
	if get := s.Flight.Get(); s.Flight.Exchanging() {
		f.Get = &get
	}
	return f
}

// text is a flight for people.
func (f flightFacts) text() string {
	text := f.Flight
	if f.Position != nil {
		text = fmt.Sprintf("%s %d", f.Flight, *f.Position)
	}
	if f.Released > 0 {
		text += fmt.Sprintf(", %d released", f.Released)
	}
	if f.InDoubt {
		text += fmt.Sprintf(", in doubt: block %d for %d", *f.Give, *f.Get)
	}
	return text
}

// userFacts is one mapping for writing. There may be more of them than entries.
type userFacts struct {
	PID     int    `json:"pid"`
	Name    string `json:"name"`
	Since   string `json:"since"`
	Stopped bool   `json:"stopped"`
	since   time.Time
}

func statFactsOf(info ring.Info) statFacts {
	g, _ := info.Spec.Geometry() // it has one, Inspect mapped it
	st := info.Stats
	f := statFacts{
		specFacts: specFactsOf(info.Path, g), Version: info.Version, Created: stamp(info.Origin.Created),
		CreatorPID: info.Origin.PID, CreatorUID: info.Origin.UID, ID: fmt.Sprintf("%x", info.Origin.ID), State: info.State,
		Head: st.Head, Tail: st.Tail, Depth: st.Len, Parks: st.Parks, Wakes: st.Wakes, Rescues: st.Rescues,
		Reaped: st.Reaped, Redelivered: st.Redelivered, Seats: []seatFacts{},
	}
	for _, s := range info.Seats {
		seat := seatFacts{
			Seat: s.Index, Role: s.Role.String(), Name: s.Name, PID: s.PID, State: seatState(s), Alive: s.Alive, Since: stamp(s.Since),
			Epoch: s.Epoch, Lag: s.Lag, Parks: s.Parks, Wakes: s.Wakes, Rescues: s.Rescues, since: s.Since,
		}
		if info.Spec.Kind == layout.MPMC {
			seat.flightFacts = flightFactsOf(s)
		}
		f.Seats = append(f.Seats, seat)
	}
	f.Attached, f.LastRemoves, f.Users = info.Users.Count, info.Users.RemoveOnLast, []userFacts{}
	for _, u := range info.Users.Who {
		f.Users = append(f.Users, userFacts{PID: u.PID, Name: u.Name, Since: stamp(u.Since), Stopped: u.Stopped, since: u.Since})
	}
	if n := info.Users.Nattch - 1; n >= 0 { // without our own look
		f.Nattch = &n
	}
	if info.Spec.Kind == layout.Var {
		f.Updates = &info.Stats.Tail
	}
	return f
}

func seatState(s ring.SeatInfo) string {
	switch {
	case s.Orphan:
		return "orphan"
	case !s.Alive:
		return "dead"
	case s.Process == shm.ProcessRunning:
		return "alive"
	}
	return s.Process.String()
}

// block is stat's output for people.
func (f statFacts) block() []byte {
	head := table(func(w *tabwriter.Writer) {
		_, what, _ := strings.Cut(f.spec.Kind.Noun(), " ")
		fmt.Fprintf(w, "%s\t%s\n", what, printable(f.Path))
		fmt.Fprintf(w, "spec\t%s\n", f.text())
		fmt.Fprintf(w, "file\t%d bytes (%s), format %s, made %s by pid %d, uid %d\n",
			f.FileSize, roughSize(uint64(f.FileSize)), f.Version, f.Created, f.CreatorPID, f.CreatorUID)
		fmt.Fprintf(w, "state\t%s\n", f.State)
		fmt.Fprintf(w, "users\t%s\n", f.users())
		if f.Updates != nil {
			fmt.Fprintf(w, "updates\t%d\n", *f.Updates)
			if f.In != nil {
				fmt.Fprintf(w, "rate\t%s\n", f.rate(*f.In))
			}
		}
		if !f.spec.Kind.Ring() {
			return
		}
		fmt.Fprintf(w, "depth\t%d of %s (%s)\n", f.Depth, counted(f.Cap, strings.TrimSuffix(f.Unit, "s")), percent(f.Depth, f.Cap))
		fmt.Fprintf(w, "head\t%d\n", f.Head)
		fmt.Fprintf(w, "tail\t%d\n", f.Tail)
		if f.In != nil {
			fmt.Fprintf(w, "rate\t%s in, %s out\n", f.rate(*f.In), f.rate(*f.Out))
		}
		fmt.Fprintf(w, "slow path\t%d parks, %d wakes, %d rescues, %d reaped, %d redelivered\n",
			f.Parks, f.Wakes, f.Rescues, f.Reaped, f.Redelivered)
	})
	switch {
	case !f.spec.Kind.Ring():
		return append(head, f.userTable()...)
	case len(f.Seats) == 0:
		return append(append(head, "seats      none taken\n"...), f.userTable()...)
	}
	return append(append(head, table(func(w *tabwriter.Writer) {
		mpmc := f.Kind == layout.MPMC.String()
		more := ""
		if mpmc {
			more = "REDELIVERED\tIN FLIGHT\t"
		}
		fmt.Fprintf(w, "SEAT\tROLE\tNAME\tPID\tSTATE\tLAG\tPARKS\tWAKES\tRESCUES\t%sSINCE\n", more)
		for _, s := range f.Seats {
			lag := "-"
			if s.Role == layout.RoleConsumer.String() {
				lag = fmt.Sprint(s.Lag)
			}
			if mpmc {
				more = fmt.Sprintf("%d\t%s\t", s.Redelivered, s.flightFacts.text())
			}
			fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%s\t%s\t%d\t%d\t%d\t%s%s\n", s.Seat, s.Role, s.Name, s.PID, s.State, lag,
				s.Parks, s.Wakes, s.Rescues, more, s.since.Format(time.DateTime))
		}
	})...), f.userTable()...)
}

// users counts who has it open.
func (f statFacts) users() string {
	text := fmt.Sprintf("%d attached", f.Attached)
	if f.Nattch != nil {
		text += fmt.Sprintf(", nattch %d", *f.Nattch)
	}
	switch {
	case f.LastRemoves && f.Attached == 0:
		text += "; the last one was killed before it removed it, the next to open it does"
	case f.LastRemoves:
		text += "; the last to leave removes it"
	}
	return text
}

func (f statFacts) userTable() []byte {
	if len(f.Users) == 0 {
		return nil
	}
	return table(func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "USER\tPID\tSTATE\tSINCE")
		for _, u := range f.Users {
			state := "alive"
			if u.Stopped {
				state = "stopped"
			}
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", u.Name, u.PID, state, u.since.Format(time.DateTime))
		}
		if more := f.Attached - len(f.Users); more > 0 {
			fmt.Fprintf(w, "and %d more\n", more)
		}
	})
}

func (f statFacts) rate(perSecond float64) string {
	if f.Unit == "bytes" {
		return roughSize(uint64(perSecond)) + "/s"
	}
	return fmt.Sprintf("%.0f %s/s", perSecond, f.Unit)
}

func percent(part, whole int) string {
	return fmt.Sprintf("%.0f%%", 100*float64(part)/float64(whole))
}
