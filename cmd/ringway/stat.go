package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ringway/layout"
	"ringway/ring"
)

func statCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "stat NAME",
		Short: "Show a ring's positions, counters and seats",
		Long: `Stat shows what a ring is, how full it is, what happened on its slow paths and who
holds its seats. It maps the ring read-only, takes no seat and disturbs nobody.

Positions count slots, or bytes on an spsc message ring, and only grow. Counters
are totals since the ring was made: parks (somebody slept), wakes (somebody was
woken), rescues (a lost wake-up was noticed; 0 unless somebody died), reaped (seats
settled after a death), redelivered. A seat is alive, stopped (a signal or a
debugger suspends its owner) or dead (the next owner settles it).`,
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
	In          *float64    `json:"in_per_second,omitempty"` // with --watch, from the second look on
	Out         *float64    `json:"out_per_second,omitempty"`
}

type seatFacts struct {
	Seat    int    `json:"seat"`
	Role    string `json:"role"`
	Name    string `json:"name"`
	PID     int    `json:"pid"`
	State   string `json:"state"` // alive, stopped or dead
	Since   string `json:"since"`
	Epoch   uint32 `json:"epoch"`
	Lag     uint64 `json:"lag"`
	Parks   uint64 `json:"parks"`
	Wakes   uint64 `json:"wakes"`
	Rescues uint64 `json:"rescues"`
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
		f.Seats = append(f.Seats, seatFacts{
			Seat: s.Index, Role: s.Role.String(), Name: s.Name, PID: s.PID, State: seatState(s), Since: stamp(s.Since),
			Epoch: s.Epoch, Lag: s.Lag, Parks: s.Parks, Wakes: s.Wakes, Rescues: s.Rescues, since: s.Since,
		})
	}
	return f
}

func seatState(s ring.SeatInfo) string {
	switch {
	case s.Stopped:
		return "stopped"
	case s.Alive:
		return "alive"
	}
	return "dead"
}

// block is stat's output for people.
func (f statFacts) block() []byte {
	head := table(func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "ring\t%s\n", printable(f.Path))
		fmt.Fprintf(w, "spec\t%s\n", f.text())
		fmt.Fprintf(w, "file\t%d bytes (%s), format %s, made %s by pid %d, uid %d\n",
			f.FileSize, roughSize(uint64(f.FileSize)), f.Version, f.Created, f.CreatorPID, f.CreatorUID)
		fmt.Fprintf(w, "state\t%s\n", f.State)
		fmt.Fprintf(w, "depth\t%d of %d %s (%s)\n", f.Depth, f.Cap, f.Unit, percent(f.Depth, f.Cap))
		fmt.Fprintf(w, "head\t%d\n", f.Head)
		fmt.Fprintf(w, "tail\t%d\n", f.Tail)
		if f.In != nil {
			fmt.Fprintf(w, "rate\t%s in, %s out\n", f.rate(*f.In), f.rate(*f.Out))
		}
		fmt.Fprintf(w, "slow path\t%d parks, %d wakes, %d rescues, %d reaped, %d redelivered\n",
			f.Parks, f.Wakes, f.Rescues, f.Reaped, f.Redelivered)
	})
	if len(f.Seats) == 0 {
		return append(head, "seats      none taken\n"...)
	}
	return append(head, table(func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "SEAT\tROLE\tNAME\tPID\tSTATE\tLAG\tPARKS\tWAKES\tRESCUES\tSINCE")
		for _, s := range f.Seats {
			lag := "-"
			if s.Role == layout.RoleConsumer.String() {
				lag = fmt.Sprint(s.Lag)
			}
			fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%s\t%s\t%d\t%d\t%d\t%s\n", s.Seat, s.Role, s.Name, s.PID, s.State, lag,
				s.Parks, s.Wakes, s.Rescues, s.since.Format(time.DateTime))
		}
	})...)
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
