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
It refuses anything that does not begin like a ring; a damaged ring it removes.`,
		Example: `  ringway rm ticks
  ringway rm --force ./jobs.ring`,
		Args:              exactly("NAME"),
		ValidArgsFunction: completeRing,
	}
	force := c.Flags().BoolP("force", "f", false, "even while it is in use")
	asJSON := jsonFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		path, err := ringPath(args[0])
		if err != nil {
			return err
		}
		if !*force {
			if err := unused(path); err != nil {
				return err
			}
		}
		if err := shm.Remove(path); err != nil {
			return err
		}
		if *asJSON {
			return emitJSON(struct {
				Path    string `json:"path"`
				Removed bool   `json:"removed"`
			}{path, true})
		}
		return emit(fmt.Appendf(nil, "%s is removed\n", path))
	}
	return c
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
	if len(who) == 0 {
		return nil
	}
	return fmt.Errorf("%s is in use by %s; shut it down and wait for them, or use --force", path, strings.Join(who, ", "))
}
