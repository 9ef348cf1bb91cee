package main

import (
	"io/fs"
	"math/bits"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ringway/layout"
)

// specFlags are the flags that say what a new ring is.
type specFlags struct {
	set                *pflag.FlagSet
	kind, payload      string
	capacity, elem     string
	maxMsg, perm       string
	fence              string
	slots, pack, seats int
	huge               bool
}

const (
	defaultBytes  = 1 << 20 // of a new ring, roughly
	defaultMaxMsg = 1 << 10 // of an mpmc message ring
)

// specFlagNames are those flags; send takes them with --create.
var specFlagNames = []string{"kind", "payload", "cap", "slots", "elem", "max-msg", "pack", "seats", "perm", "fence", "huge-pages"}

func addSpecFlags(c *cobra.Command) *specFlags {
	f := &specFlags{set: c.Flags()}
	f.set.StringVar(&f.kind, "kind", "spsc", "`KIND`: spsc (one producer, one consumer) or mpmc")
	f.set.StringVar(&f.payload, "payload", "message", "`PAYLOAD`: message (of any length) or fixed (elements of one size)")
	f.set.StringVar(&f.capacity, "cap", "1MiB", "`SIZE` in bytes of an spsc message ring, a power of two")
	f.set.IntVar(&f.slots, "slots", 0, "number `N` of slots of any other ring, a power of two (default: about 1MiB of them)")
	f.set.StringVar(&f.elem, "elem", "", "`SIZE` of an element of a fixed ring, opaque bytes")
	f.set.StringVar(&f.maxMsg, "max-msg", "", "`SIZE` of the longest message (default: spsc half of --cap less 8 bytes, mpmc 1KiB)")
	f.set.IntVar(&f.pack, "pack", 1, "elements `N` per block of an mpmc fixed ring; 1 is strict FIFO")
	f.set.IntVar(&f.seats, "seats", layout.DefaultSeats, "how many `N` may hold the ring open at once")
	f.set.StringVar(&f.perm, "perm", "0600", "`MODE` of the file, octal, whatever the umask")
	f.set.StringVar(&f.fence, "fence", "auto", "`FENCE`: who pays for parking: auto, asymmetric (who parks) or full (every publish)")
	f.set.BoolVar(&f.huge, "huge-pages", false, "ask the kernel for huge pages; a hint")
	for name, values := range map[string][]string{
		"kind": {"spsc", "mpmc"}, "payload": {"message", "fixed"}, "fence": {"auto", "asymmetric", "full"},
		"cap": {"64KiB", "1MiB", "4MiB"}, "perm": {"0600", "0660", "0666"},
	} {
		_ = c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // fails for an unknown flag only
	}
	return f
}

// given returns the first of these flags that was set, or "".
func (f *specFlags) given() string {
	for _, name := range specFlagNames {
		if f.set.Changed(name) {
			return name
		}
	}
	return ""
}

// spec returns what the flags say, or wrong use.
func (f *specFlags) spec() (layout.Spec, error) {
	s := layout.Spec{Pack: f.pack, Seats: f.seats}
	var ok bool
	if s.Kind, ok = map[string]layout.Kind{"spsc": layout.SPSC, "mpmc": layout.MPMC}[f.kind]; !ok {
		return s, usagef("--kind must be spsc or mpmc, not %q", f.kind)
	}
	if s.Payload, ok = map[string]layout.Payload{"message": layout.Message, "fixed": layout.Fixed}[f.payload]; !ok {
		return s, usagef("--payload must be message or fixed, not %q", f.payload)
	}
	if s.Fence, ok = map[string]layout.Fence{"auto": layout.Auto, "asymmetric": layout.Asymmetric, "full": layout.Full}[f.fence]; !ok {
		return s, usagef("--fence must be auto, asymmetric or full, not %q", f.fence)
	}
	if f.pack < 1 {
		return s, usagef("--pack must be 1 or more, not %d", f.pack)
	}
	if f.seats < 2 || f.seats > layout.MaxSeats {
		return s, usagef("--seats must be 2 to %d, not %d", layout.MaxSeats, f.seats)
	}
	if err := f.contradictions(s); err != nil {
		return s, err
	}
	if err := f.element(&s); err != nil {
		return s, err
	}
	if err := f.count(&s); err != nil {
		return s, err
	}
	if _, err := s.Geometry(); err != nil {
		return s, specUsage(err)
	}
	return s, nil
}

// contradictions refuses flags that say nothing about the ring asked for.
func (f *specFlags) contradictions(s layout.Spec) error {
	bytesRing := s.Kind == layout.SPSC && s.Payload == layout.Message
	switch {
	case f.set.Changed("slots") && bytesRing:
		return usagef("--slots does not fit an spsc message ring, which is measured in bytes; use --cap, or --payload fixed")
	case f.set.Changed("cap") && !bytesRing:
		return usagef("--cap is for spsc message rings; use --slots for %s %s rings", f.kind, f.payload)
	case f.set.Changed("elem") && s.Payload != layout.Fixed:
		return usagef("--elem needs --payload fixed; messages have no fixed size (--max-msg limits them)")
	case !f.set.Changed("elem") && s.Payload == layout.Fixed:
		return usagef("--payload fixed needs --elem, the size of an element")
	case f.set.Changed("max-msg") && s.Payload != layout.Message:
		return usagef("--max-msg needs --payload message; elements have the size --elem")
	case f.pack > 1 && (s.Kind != layout.MPMC || s.Payload != layout.Fixed):
		return usagef("--pack needs --kind mpmc --payload fixed")
	}
	return nil
}

// element fills in the element size, or the longest message.
func (f *specFlags) element(s *layout.Spec) error {
	if s.Payload == layout.Fixed {
		n, err := parseSize("elem", f.elem)
		if err != nil {
			return err
		}
		s.Elem, err = layout.BytesElem(n)
		return specUsage(err)
	}
	if s.Kind == layout.MPMC {
		s.Elem.Size = defaultMaxMsg
	}
	if !f.set.Changed("max-msg") {
		return nil
	}
	n, err := parseSize("max-msg", f.maxMsg)
	if err != nil {
		return err
	}
	if n > layout.MaxMsgBytes/2 {
		return usagef("--max-msg %s is too large; no ring takes messages longer than 2GiB", f.maxMsg)
	}
	s.Elem.Size = uint32(n)
	return nil
}

// count fills in the capacity.
func (f *specFlags) count(s *layout.Spec) error {
	if s.Kind == layout.SPSC && s.Payload == layout.Message {
		n, err := parseSize("cap", f.capacity)
		if err != nil {
			return err
		}
		s.Cap = n
		return powerOfTwo("cap", f.capacity, n, exactSize)
	}
	if !f.set.Changed("slots") {
		s.Cap = 1 << (bits.Len(uint(max(defaultBytes/(int(s.Elem.Size)*s.Pack), 2))) - 1)
		return nil
	}
	if f.slots < 1 {
		return usagef("--slots must be 1 or more, not %d", f.slots)
	}
	s.Cap = f.slots
	return powerOfTwo("slots", strconv.Itoa(f.slots), f.slots, strconv.Itoa)
}

// mode returns the permission bits of the file.
func (f *specFlags) mode() (fs.FileMode, error) {
	n, err := strconv.ParseUint(f.perm, 8, 32)
	switch {
	case err != nil || n > 0o777:
		return 0, usagef("--perm %q must be three octal digits like 0600", f.perm)
	case n&0o600 != 0o600:
		return 0, usagef("--perm %s keeps its owner from reading and writing; use 0600 or wider", f.perm)
	}
	return fs.FileMode(n), nil
}
