package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"ringway/ring"
	"ringway/shm"
)

func shutdownCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "shutdown NAME",
		Short: "End a ring for everybody, in good order",
		Long: `Shutdown ends a ring: producers are refused from now on, consumers get what was
committed before and then see the end. It wakes everybody who waits. Shutting a
ring down twice is no error. The file stays until rm.`,
		Example:           "  ringway shutdown ticks",
		Args:              exactly("NAME"),
		ValidArgsFunction: completeRing,
	}
	asJSON := jsonFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		path, err := ringPath(args[0])
		if err != nil {
			return err
		}
		if err := shutdownRing(path); err != nil {
			return err
		}
		info, err := ring.Inspect(path)
		if err != nil {
			return err
		}
		left := info.Stats.Len
		if *asJSON {
			return emitJSON(struct {
				Path  string `json:"path"`
				State string `json:"state"`
				Depth int    `json:"depth"`
			}{path, info.State, left})
		}
		if !info.Spec.Kind.Ring() {
			return emit(fmt.Appendf(nil, "%s is shut down, it takes no more updates\n", path))
		}
		return emit(fmt.Appendf(nil, "%s is %s, %d %s left\n", path, info.State, left, unitOf(info.Spec)))
	}
	return c
}

func shutdownRing(path string) (err error) {
	s, err := shm.Open(path)
	if err != nil {
		return err
	}
	defer closing(s, &err)
	defer shm.Guard(&err)()
	return endRing(s)
}

// endRing shuts s down. A ring that is corrupt has ended already, in no good order.
func endRing(s *shm.Segment) error {
	if err := s.Shutdown(); err != nil {
		return err
	}
	return notCorrupt(s)
}
