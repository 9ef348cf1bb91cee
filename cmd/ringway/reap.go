package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"ringway/shm"
)

func reapCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "reap NAME",
		Short: "Settle the seats of dead owners now",
		Long: `Reap settles the seats whose owners died without leaving them and prints how many
there were. It leaves the living and the stopped alone. It is never needed for
progress: whoever takes a dead owner's seat settles it.`,
		Example:           "  ringway reap ticks",
		Args:              exactly("NAME"),
		ValidArgsFunction: completeRing,
	}
	asJSON := jsonFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		path, err := ringPath(args[0])
		if err != nil {
			return err
		}
		n, err := reapRing(path)
		if err != nil {
			return err
		}
		if *asJSON {
			return emitJSON(struct {
				Path   string `json:"path"`
				Reaped int    `json:"reaped"`
			}{path, n})
		}
		return emit(fmt.Appendf(nil, "%s: %d settled\n", path, n))
	}
	return c
}

func reapRing(path string) (n int, err error) {
	s, err := shm.Open(path)
	if err != nil {
		return 0, err
	}
	defer closing(s, &err)
	defer shm.Guard(&err)()
	return s.Reap()
}
