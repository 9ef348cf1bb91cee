package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"ringway/ring"
	"ringway/shm"
)

func rmCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "rm NAME",
		Short: "Remove a ring's file",
		Long: `Rm removes a ring's file. Who has the ring open goes on with it, but nobody finds
it any more; therefore rm refuses, and names them, while seats have living owners.
It refuses anything that does not begin like a ring; a damaged ring it removes. A variable
or a shared struct it refuses to remove while anybody has it open.

With --when-unused it is marked instead: the last program that has it open removes it when it
closes it, or whoever looks for it next if that one is killed. Unused, it is removed at once.`,
		Example: `  ringway rm ticks
  ringway rm --when-unused ticks
  ringway rm --force ./jobs.ring`,
		Args:              exactly("NAME"),
		ValidArgsFunction: completeRing,
	}
	force := c.Flags().BoolP("force", "f", false, "even while it is in use")
	later := c.Flags().Bool("when-unused", false, "as soon as nobody has it open any more")
	asJSON := jsonFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		path, err := ringPath(args[0])
		if err != nil {
			return err
		}
		if *force && *later {
			return usagef("--force and --when-unused exclude each other")
		}
		if *later {
			users, err := removeLater(path)
			if err != nil {
				return err
			}
			return removed(path, users, *asJSON)
		}
		if !*force {
			if err := unused(path); err != nil {
				return err
			}
		}
		if err := shm.Remove(path); err != nil {
			return err
		}
		return removed(path, 0, *asJSON)
	}
	return c
}

// removed says that a ring is removed, or will be when its users have left.
func removed(path string, users int, asJSON bool) error {
	if asJSON {
		return emitJSON(struct {
			Path     string `json:"path"`
			Removed  bool   `json:"removed"`
			Attached int    `json:"attached"`
		}{path, users == 0, users})
	}
	if users > 0 {
		return emit(fmt.Appendf(nil, "%s goes with the last of its users, %d now\n", path, users))
	}
	return emit(fmt.Appendf(nil, "%s is removed\n", path))
}

// removeLater marks a ring and returns how many others have it open.
func removeLater(path string) (users int, err error) {
	s, err := shm.Open(path)
	if err != nil {
		return 0, err
	}
	defer closing(s, &err)
	defer shm.Guard(&err)()
	if err := s.RemoveOnLast(); err != nil {
		return 0, err
	}
	who, err := s.Attached()
	return max(who.Count-1, 0), err
}

// unused returns an error that names the living owners of a ring's seats, if any.
func unused(path string) error {
	info, err := ring.Inspect(path)
	if errors.Is(err, shm.ErrFormat) || errors.Is(err, shm.ErrVersion) {
		// Its seat table cannot be read, but where the locks lie is the same in all versions.
		held, err := seatsLocked(path)
		if err == nil && held {
			err = fmt.Errorf("%s is damaged or of another version, and still in use; end its users first, or use --force", path)
		}
		return err
	}
	if err != nil {
		return err
	}
	var who []string
	for _, s := range info.Seats {
		if s.Alive {
			who = append(who, fmt.Sprintf("%v %q pid %d", s.Role, s.Name, s.PID))
		}
	}
	if !info.Spec.Kind.Ring() {
		for _, u := range info.Users.Who {
			who = append(who, fmt.Sprintf("%q pid %d", u.Name, u.PID))
		}
	}
	if len(who) == 0 {
		return nil
	}
	return fmt.Errorf("%s is in use by %s; shut it down and wait for them, or use --force", path, strings.Join(who, ", "))
}
