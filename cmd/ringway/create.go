package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"ringway/layout"
	"ringway/shm"
)

func createCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a new ring",
		Long: `Create makes a new ring and prints its path, what it is, and the size of its file.
All of the file is reserved at once; a name that is taken is never replaced.

The default is a ring of messages for one producer and one consumer with 1 MiB. A
message takes its length rounded up to 8 bytes, and 8 more; the longest is half of
the ring less 8 bytes.

Good sizes: 1 to 4 MiB in total is fastest on most machines, since it fits the
processor's cache and still lets both sides run far ahead of each other. From 16 MiB on
a ring falls out of the cache and slows down; take more only to absorb bursts.

With --prefault the kernel clears all pages of the ring now, instead of on the first lap. With
--huge-pages it is asked for large ones; a note on standard error says if it gave none.`,
		Example: `  ringway create ticks
  ringway create backup --cap 4MiB
  ringway create samples --payload fixed --elem 64 --slots 16384
  ringway create ./jobs.ring --kind mpmc --slots 1024 --max-msg 4KiB --perm 0660
  ringway create sysv:0x1234 --cap 64KiB
  ringway create burst --cap 256MiB --prefault --huge-pages`,
		Args:              exactly("NAME"),
		ValidArgsFunction: completeNothing,
	}
	flags, asJSON := addSpecFlags(c), jsonFlag(c)
	prefault := c.Flags().Bool("prefault", false, "make all pages of the ring ready now")
	c.RunE = func(_ *cobra.Command, args []string) error {
		path, err := ringPath(args[0])
		if err != nil {
			return err
		}
		spec, err := flags.spec()
		if err != nil {
			return err
		}
		perm, err := flags.mode()
		if err != nil {
			return err
		}
		s, err := shm.CreateWith(path, spec, perm, &shm.Options{Prefault: *prefault, HugePages: flags.huge})
		if err != nil {
			return err
		}
		if flags.huge {
			noteHugePages("create", s)
		}
		facts := specFactsOf(path, s.Header().Geometry)
		if err := s.Close(); err != nil {
			return err
		}
		if *asJSON {
			return emitJSON(facts)
		}
		return emit(fmt.Appendf(nil, "%s\n%s\nfile of %d bytes (%s)\n", path, facts.text(), facts.FileSize, roughSize(uint64(facts.FileSize))))
	}
	return c
}

// noteHugePages says so if a ring that was to have huge pages has none.
func noteHugePages(verb string, s *shm.Segment) {
	if n, err := s.HugePages(); n == 0 && err == nil {
		fmt.Fprintf(os.Stderr, "ringway %s: no huge pages: the ring is smaller than one, or the kernel gives none here; see /sys/kernel/mm/transparent_hugepage/shmem_enabled, or use a tmpfs mounted with huge=advise\n", verb)
	}
}

// specFacts is what a ring is, in JSON.
type specFacts struct {
	Path     string `json:"path"`
	Kind     string `json:"kind"`
	Payload  string `json:"payload"`
	Cap      int    `json:"cap"`
	Unit     string `json:"unit"` // of cap and of positions
	ElemSize uint32 `json:"elem_size"`
	MaxMsg   int    `json:"max_msg"`
	Pack     int    `json:"pack"`
	SeatCap  int    `json:"seat_cap"`
	Fence    string `json:"fence"`
	FileSize int64  `json:"file_size"`
	spec     layout.Spec
}

func specFactsOf(path string, g layout.Geometry) specFacts {
	s := g.Spec
	f := specFacts{
		Path: path, Kind: s.Kind.String(), Payload: s.Payload.String(), Cap: s.Cap, Unit: unitOf(s),
		MaxMsg: g.MaxMsg(), Pack: s.Pack, SeatCap: s.Seats, Fence: s.Fence.String(), FileSize: g.FileSize, spec: s,
	}
	if s.Payload == layout.Fixed {
		f.ElemSize = s.Elem.Size
	}
	return f
}

// text describes the ring on one line.
func (f specFacts) text() string {
	text := f.spec.String()
	if f.Unit == "bytes" {
		text += fmt.Sprintf(" (%s), each up to %s", exactSize(f.Cap), counted(f.MaxMsg, "byte"))
	}
	if !f.spec.Kind.Ring() {
		return text
	}
	return text + fmt.Sprintf(", %d seats, %s fence", f.SeatCap, f.Fence)
}

// unitOf says what a ring's capacity and positions count.
func unitOf(s layout.Spec) string {
	if s.Kind == layout.SPSC && s.Payload == layout.Message {
		return "bytes"
	}
	switch s.Kind {
	case layout.Var:
		return "updates"
	case layout.Shared:
		return "values"
	}
	return "slots"
}
