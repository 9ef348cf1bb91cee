package layout

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

var (
	elem8   = Elem{Size: 8, Align: 8, Hash: 1}
	spscF   = Spec{Kind: SPSC, Payload: Fixed, Cap: 8, Elem: elem8, Seats: 2, Fence: Full}
	spscM   = Spec{Kind: SPSC, Payload: Message, Cap: 256, Seats: 2, Fence: Full}
	mpmcF   = Spec{Kind: MPMC, Payload: Fixed, Cap: 4, Elem: elem8, Seats: 2, Fence: Full}
	mpmcM   = Spec{Kind: MPMC, Payload: Message, Cap: 4, Elem: Elem{Size: 100}, Seats: 2, Fence: Full}
	all4    = []Spec{spscF, spscM, mpmcF, mpmcM}
	varF    = Spec{Kind: Var, Payload: Fixed, Cap: 1, Elem: elem8, Seats: 2, Fence: Full}
	sharedF = Spec{Kind: Shared, Payload: Fixed, Cap: 1, Elem: elem8, Seats: 2, Fence: Full}
	all6    = append([]Spec{varF, sharedF}, all4...)
	maxInt  = math.MaxInt
)

// with returns s changed by f.
func with(s Spec, f func(*Spec)) Spec {
	f(&s)
	return s
}

func TestNormal(t *testing.T) {
	for _, c := range []struct {
		name      string
		give, got Spec
	}{
		{"a full spec stays", spscF, with(spscF, func(s *Spec) { s.Pack = 1 })},
		{"seats", with(spscF, func(s *Spec) { s.Seats = 0 }), with(spscF, func(s *Spec) { s.Seats, s.Pack = 64, 1 })},
		{"longest message", spscM, with(spscM, func(s *Spec) { s.Elem, s.Pack = Elem{Size: 120, Align: 1}, 1 })},
		{"a shorter message", with(spscM, func(s *Spec) { s.Elem.Size = 5 }), with(spscM, func(s *Spec) { s.Elem, s.Pack = Elem{Size: 5, Align: 1}, 1 })},
		{"smallest message ring", with(spscM, func(s *Spec) { s.Cap = 64 }), with(spscM, func(s *Spec) { s.Cap, s.Elem, s.Pack = 64, Elem{Size: 24, Align: 1}, 1 })},
		{"largest message ring", with(spscM, func(s *Spec) { s.Cap = 1 << 32 }), with(spscM, func(s *Spec) { s.Cap, s.Elem, s.Pack = 1<<32, Elem{Size: 1<<31 - 8, Align: 1}, 1 })},
		{"message blocks", mpmcM, with(mpmcM, func(s *Spec) { s.Elem.Align, s.Pack = 1, 1 })},
		{"pack", with(mpmcF, func(s *Spec) { s.Pack = 65536 }), with(mpmcF, func(s *Spec) { s.Pack = 65536 })},
		{"one slot", with(spscF, func(s *Spec) { s.Cap = 1 }), with(spscF, func(s *Spec) { s.Cap, s.Pack = 1, 1 })},
		{"variable", VarSpec(elem8), with(varF, func(s *Spec) { s.Seats, s.Pack = 64, 1 })},
		{"shared struct", SharedSpec(elem8), with(sharedF, func(s *Spec) { s.Seats, s.Pack = 64, 1 })},
		{"fence auto stays open", with(spscF, func(s *Spec) { s.Fence = Auto }), with(spscF, func(s *Spec) { s.Fence, s.Pack = Auto, 1 })},
	} {
		got, err := c.give.Normal()
		if err != nil || got != c.got {
			t.Errorf("%s: %+v, %v, want %+v", c.name, got, err, c.got)
		}
		if again, err := got.Normal(); err != nil || again != got {
			t.Errorf("%s: the normal form has another normal form %+v, %v", c.name, again, err)
		}
	}
}

func TestSpecRefused(t *testing.T) {
	for _, c := range []struct {
		want string // after ErrSpec's text
		spec Spec
	}{
		{"kind must be spsc or mpmc, not kind(0)", with(spscF, func(s *Spec) { s.Kind = 0 })},
		{"kind must be spsc or mpmc, not kind(3)", with(spscF, func(s *Spec) { s.Kind = 3 })},
		{"payload must be fixed or message, not payload(0)", with(spscF, func(s *Spec) { s.Payload = 0 })},
		{"payload must be fixed or message, not payload(9)", with(spscF, func(s *Spec) { s.Payload = 9 })},
		{"fence must be auto, asymmetric or full, not fence(3)", with(spscF, func(s *Spec) { s.Fence = 3 })},
		{"seats must be 2 to 1024, not 1", with(spscF, func(s *Spec) { s.Seats = 1 })},
		{"seats must be 2 to 1024, not 1025", with(spscF, func(s *Spec) { s.Seats = 1025 })},
		{"seats must be 2 to 1024, not -1", with(spscF, func(s *Spec) { s.Seats = -1 })},
		{"capacity must be a power of two, not 0", with(spscF, func(s *Spec) { s.Cap = 0 })},
		{"capacity must be a power of two, not 12", with(spscF, func(s *Spec) { s.Cap = 12 })},
		{"capacity must be a power of two, not -8", with(spscF, func(s *Spec) { s.Cap = -8 })},
		{"capacity must be a power of two, not -9223372036854775808", with(spscF, func(s *Spec) { s.Cap = math.MinInt })},
		{"capacity must be a power of two, not 9223372036854775807", with(mpmcF, func(s *Spec) { s.Cap = maxInt })},
		{"slots must be 1 to 536870912, not 1073741824", with(spscF, func(s *Spec) { s.Cap = 1 << 30 })},
		{"slots must be 1 to 536870912, not 4611686018427387904", with(mpmcM, func(s *Spec) { s.Cap = 1 << 62 })},
		{"capacity must be 64 to 4294967296 bytes, not 32", with(spscM, func(s *Spec) { s.Cap = 32 })},
		{"capacity must be 64 to 4294967296 bytes, not 8589934592", with(spscM, func(s *Spec) { s.Cap = 1 << 33 })},
		{"a message ring has no element type", with(spscM, func(s *Spec) { s.Elem.Align = 8 })},
		{"a message ring has no element type", with(spscM, func(s *Spec) { s.Elem.Hash = 1 })},
		{"a message ring has no element type", with(mpmcM, func(s *Spec) { s.Elem.Align = 2 })},
		{"a message ring has no element type", with(mpmcM, func(s *Spec) { s.Elem.Hash = 1 })},
		{"messages of 121 bytes need a capacity of at least 512 bytes, not 256", with(spscM, func(s *Spec) { s.Elem.Size = 121 })},
		{"messages of 4294967295 bytes need a capacity of at least 17179869184 bytes, not 256", with(spscM, func(s *Spec) { s.Elem.Size = math.MaxUint32 })},
		{"element size must be 1 to 1073741824 bytes, not 0", with(spscF, func(s *Spec) { s.Elem.Size = 0 })},
		{"element size must be 1 to 1073741824 bytes, not 0: an mpmc message ring needs the length of its longest message", with(mpmcM, func(s *Spec) { s.Elem.Size = 0 })},
		{"element size must be 1 to 1073741824 bytes, not 1073741825", with(mpmcF, func(s *Spec) { s.Elem.Size = 1<<30 + 1 })},
		{"element alignment must be 1, 2, 4, 8 or 16 and divide the size 8, not 0", with(spscF, func(s *Spec) { s.Elem.Align = 0 })},
		{"element alignment must be 1, 2, 4, 8 or 16 and divide the size 8, not 3", with(spscF, func(s *Spec) { s.Elem.Align = 3 })},
		{"element alignment must be 1, 2, 4, 8 or 16 and divide the size 64, not 32", with(spscF, func(s *Spec) { s.Elem = Elem{Size: 64, Align: 32} })},
		{"element alignment must be 1, 2, 4, 8 or 16 and divide the size 12, not 8", with(mpmcF, func(s *Spec) { s.Elem = Elem{Size: 12, Align: 8} })},
		{"pack must be 1 to 65536 elements, not -1", with(mpmcF, func(s *Spec) { s.Pack = -1 })},
		{"pack must be 1 to 65536 elements, not 65537", with(mpmcF, func(s *Spec) { s.Pack = 65537 })},
		{"a variable holds one fixed value, no messages", with(varF, func(s *Spec) { s.Payload = Message })},
		{"a variable holds 1 value, not 2", with(varF, func(s *Spec) { s.Cap = 2 })},
		{"a variable holds 1 value, not 0", with(varF, func(s *Spec) { s.Cap = 0 })},
		{"pack needs an mpmc ring of fixed elements", with(varF, func(s *Spec) { s.Pack = 2 })},
		{"the fence of a variable must be auto or full, not asymmetric", with(varF, func(s *Spec) { s.Fence = Asymmetric })},
		{"a shared struct holds one fixed value, no messages", with(sharedF, func(s *Spec) { s.Payload = Message })},
		{"a shared struct holds 1 value, not 2", with(sharedF, func(s *Spec) { s.Cap = 2 })},
		{"the fence of a shared struct must be auto or full, not asymmetric", with(sharedF, func(s *Spec) { s.Fence = Asymmetric })},
		{"seats must be 2 to 1024, not 1", with(varF, func(s *Spec) { s.Seats = 1 })},
		{"element size must be 1 to 1073741824 bytes, not 0", with(varF, func(s *Spec) { s.Elem.Size = 0 })},
		{"element size must be 1 to 1073741824 bytes, not 1073741825", with(varF, func(s *Spec) { s.Elem.Size = 1<<30 + 1 })},
		{"element alignment must be 1, 2, 4, 8 or 16 and divide the size 12, not 8", with(varF, func(s *Spec) { s.Elem.Size = 12 })},
		{"pack needs an mpmc ring of fixed elements", with(spscF, func(s *Spec) { s.Pack = 2 })},
		{"pack needs an mpmc ring of fixed elements", with(spscM, func(s *Spec) { s.Pack = 2 })},
		{"pack needs an mpmc ring of fixed elements", with(mpmcM, func(s *Spec) { s.Pack = 2 })},
	} {
		_, err := c.spec.Normal()
		if !errors.Is(err, ErrSpec) {
			t.Errorf("%+v: %v, want %q", c.spec, err, c.want)
			continue
		}
		if got, _ := strings.CutPrefix(err.Error(), ErrSpec.Error()+": "); got != c.want {
			t.Errorf("refused with %q, want %q", got, c.want)
		}
		if g, err := c.spec.Geometry(); !errors.Is(err, ErrSpec) || g != (Geometry{}) {
			t.Errorf("%+v: Geometry %+v, %v", c.spec, g, err)
		}
		if n, err := c.spec.FileSize(); !errors.Is(err, ErrSpec) || n != 0 {
			t.Errorf("%+v: FileSize %d, %v", c.spec, n, err)
		}
	}
}

func TestFileSize(t *testing.T) {
	big := func(size uint32) Elem { return Elem{Size: size, Align: 1} }
	for _, c := range []struct {
		name string
		spec Spec
		want int64 // 0: refused as too big
	}{
		{"spsc fixed", spscF, 3*4096 + 4096},
		{"spsc fixed, default seats", with(spscF, func(s *Spec) { s.Seats = 0 }), 8192 + 64*128 + 4096},
		{"spsc fixed, a full page", with(spscF, func(s *Spec) { s.Cap = 512 }), 3*4096 + 4096},
		{"spsc fixed, a page and a slot's worth", with(spscF, func(s *Spec) { s.Cap, s.Elem = 64, big(65) }), 3*4096 + 8192},
		{"spsc message", spscM, 4 * 4096},
		{"spsc message 4 GiB", with(spscM, func(s *Spec) { s.Cap = 1 << 32 }), 3*4096 + 1<<32},
		{"spsc, 1024 seats", with(spscF, func(s *Spec) { s.Seats = 1024 }), 8192 + 1024*128 + 4096},
		{"mpmc fixed", mpmcF, 3*4096 + 3*4096 + 4096},                                                                         // 6 blocks of 8
		{"mpmc fixed, an element fills a line", with(mpmcF, func(s *Spec) { s.Elem = big(64); s.Cap = 64 }), 6*4096 + 2*4096}, // 66 of 64
		{"mpmc fixed, one byte more", with(mpmcF, func(s *Spec) { s.Elem = big(65); s.Cap = 64 }), 6*4096 + 3*4096},           // 66 of 128
		{"mpmc fixed, packed", with(mpmcF, func(s *Spec) { s.Pack = 7 }), 6*4096 + 4096},                                      // 6 of 64
		{"mpmc fixed, packed, one more", with(mpmcF, func(s *Spec) { s.Pack = 8; s.Cap = 32 }), 6*4096 + 2*4096},              // 34 of 128
		{"mpmc message", mpmcM, 6*4096 + 4096},                                                                                // 6 of 128
		{"mpmc, words fill a page", with(mpmcF, func(s *Spec) { s.Cap = 512 }), 3*4096 + 4096 + 3*8192},                       // 514 of 8, three times
		{"mpmc, words need two", with(mpmcF, func(s *Spec) { s.Cap = 1024 }), 3*4096 + 8192 + 3*3*4096},                       // 1026 of 8

		{"variable", varF, 3*4096 + 4096},
		{"variable, two copies fill a page", with(varF, func(s *Spec) { s.Elem = big(2048) }), 3*4096 + 4096},
		{"variable, one byte more", with(varF, func(s *Spec) { s.Elem = big(2049) }), 3*4096 + 2*4096}, // two of 2176
		{"variable, largest", with(varF, func(s *Spec) { s.Elem = big(1 << 30) }), 3*4096 + 2<<30},

		{"shared struct fills a page", with(sharedF, func(s *Spec) { s.Elem = big(4096) }), 3*4096 + 4096},
		{"shared struct, one byte more", with(sharedF, func(s *Spec) { s.Elem = big(4097) }), 3*4096 + 2*4096},

		{"just below a tebibyte", with(spscF, func(s *Spec) { s.Cap, s.Elem = 1<<10, big(1<<30-4096) }), 3*4096 + (1<<30-4096)<<10},
		{"data alone is a tebibyte", with(spscF, func(s *Spec) { s.Cap, s.Elem = 1<<10, big(1<<30) }), 0},
		{"data times 2^19", with(spscF, func(s *Spec) { s.Cap, s.Elem = 1<<29, big(1<<30) }), 0},
		{"exactly a tebibyte with its regions", with(spscF, func(s *Spec) { s.Cap, s.Elem = 1, big(1<<30) }), 3*4096 + 1<<30},
		{"mpmc product beyond 64 bits", with(mpmcF, func(s *Spec) { s.Cap, s.Elem, s.Pack = 1<<29, big(1<<30), 1<<16 }), 0},
		// 2^29+2 blocks of 2^35-64 bytes: modulo 2^64 that is 32 GiB, which would do.
		{"mpmc product wraps to something small", with(mpmcF, func(s *Spec) { s.Cap, s.Elem, s.Pack = 1<<29, big(1<<30-3), 32 }), 0},
		{"mpmc blocks just too many", with(mpmcF, func(s *Spec) { s.Cap, s.Elem = 1<<29, big(2048) }), 0},
		{"mpmc blocks within", with(mpmcF, func(s *Spec) { s.Cap, s.Elem = 1<<29, big(1024) }), 3*4096 + 1<<32 + 2*(1<<32+4096) + (1<<29+2)<<10 + 2048},
	} {
		got, err := c.spec.FileSize()
		switch {
		case c.want == 0:
			if !errors.Is(err, ErrSpec) || got != 0 || !strings.Contains(err.Error(), "use fewer slots, smaller elements or fewer seats") {
				t.Errorf("%s: %d, %v, want a refusal as too big", c.name, got, err)
			}
		case err != nil || got != c.want:
			t.Errorf("%s: %d, %v, want %d", c.name, got, err, c.want)
		}
	}
}

// Whatever spec is accepted, its regions lie behind each other within the file,
// aligned, and the file ends below the lock bytes.
func TestGeometryWithinLimits(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	pick := func(vs ...int) int { return vs[r.IntN(len(vs))] }
	accepted := 0
	for range 200_000 {
		s := Spec{
			Kind: Kind(pick(1, 2)), Payload: Payload(pick(1, 2)), Fence: Fence(r.IntN(3)),
			Cap:   1 << r.IntN(36),
			Elem:  Elem{Size: uint32(pick(0, 1, 8, 24, 48, 49, 4096, 1<<20, 1<<30, r.IntN(1<<32))), Align: uint32(pick(0, 1, 1, 8, 16))},
			Pack:  pick(0, 0, 1, 2, 100, 1<<16),
			Seats: pick(0, 2, 3, 64, 1024, r.IntN(1025)),
		}
		g, err := s.Geometry()
		if err != nil {
			if !errors.Is(err, ErrSpec) {
				t.Fatalf("seed %d: %+v: %v", seed, s, err)
			}
			continue
		}
		accepted++
		words := g.WordOff
		if g.Spec.Kind == MPMC {
			words += uint64(g.Spec.Cap) * WordStride
		}
		units := uint64(g.Spec.Cap) // of the data area
		if g.Spec.Kind == MPMC {
			units = g.Blocks
		}
		for _, c := range []struct {
			name string
			ok   bool
		}{
			{"seats end before the words", SeatOff+uint64(g.Spec.Seats)*Line <= g.WordOff},
			{"words end before the data", words <= g.DataOff},
			{"versions lie between", g.Spec.Kind == SPSC && g.SentOff == 0 && g.FreedOff == 0 ||
				words <= g.SentOff && g.SentOff+8*g.Blocks <= g.FreedOff && g.FreedOff+8*g.Blocks <= g.DataOff},
			{"data ends within the file", g.DataOff+g.DataSize <= uint64(g.FileSize)},
			{"the file ends below the locks", g.FileSize <= LockByte(0)},
			{"regions begin at pages", g.WordOff%Page == 0 && g.SentOff%Page == 0 && g.FreedOff%Page == 0 && g.DataOff%Page == 0 && g.FileSize%Page == 0},
			{"no page is wasted", uint64(g.FileSize)-g.DataOff-g.DataSize < Page},
			{"units fill the data", g.Stride*units == g.DataSize},
			{"blocks", g.Blocks == 0 == (g.Spec.Kind == SPSC) && (g.Blocks == 0 || g.Blocks == uint64(g.Spec.Cap+g.Spec.Seats))},
			{"blocks have room", g.Spec.Kind == SPSC || g.Stride >= g.Lead()+uint64(g.Spec.Pack)*uint64(g.Spec.Elem.Size)},
			{"blocks lie in a line or begin one", g.Spec.Kind == SPSC || g.Stride%64 == 0 || g.Stride >= 8 && 64%g.Stride == 0},
			{"slots are aligned", g.Spec.Payload == Message || g.Spec.Kind == MPMC || g.Stride%uint64(g.Spec.Elem.Align) == 0},
			{"longest message", g.MaxMsg() == 0 == (g.Spec.Payload == Fixed) && (g.Spec.Payload == Fixed || uint32(g.MaxMsg()) == g.Spec.Elem.Size)},
			{"a spec has one geometry", func() bool { h, err := g.Spec.Geometry(); return err == nil && h == g }()},
		} {
			if !c.ok {
				t.Fatalf("seed %d: %+v: not true that %s: %+v", seed, s, c.name, g)
			}
		}
	}
	if accepted < 1000 {
		t.Errorf("only %d specs were accepted, this test shows little", accepted)
	}
}

func TestMatches(t *testing.T) {
	for _, have := range all4 {
		have, err := have.Normal()
		if err != nil {
			t.Fatal(err)
		}
		auto := with(have, func(s *Spec) { s.Fence = Auto })
		if !have.Matches(have) || !auto.Matches(have) {
			t.Errorf("%v does not match itself", have)
		}
		for name, other := range map[string]Spec{
			"cap":     with(have, func(s *Spec) { s.Cap *= 2 }),
			"size":    with(have, func(s *Spec) { s.Elem.Size += 8 }),
			"seats":   with(have, func(s *Spec) { s.Seats++ }),
			"fence":   with(have, func(s *Spec) { s.Fence = Asymmetric }),
			"invalid": with(have, func(s *Spec) { s.Cap = 3 }),
			"kind":    with(have, func(s *Spec) { s.Kind = 3 - s.Kind }),
			"payload": with(have, func(s *Spec) { s.Payload = 3 - s.Payload }),
		} {
			if other.Matches(have) {
				t.Errorf("%v matches %v, which has another %s", other, have, name)
			}
		}
	}
	if !spscM.Matches(with(spscM, func(s *Spec) { s.Elem, s.Pack = Elem{Size: 120, Align: 1}, 1 })) {
		t.Error("defaults do not match their values")
	}
}

func TestStrings(t *testing.T) {
	for want, v := range map[string]interface{ String() string }{
		"mpmc fixed, 1 slot of 8 bytes":                with(mpmcF, func(s *Spec) { s.Cap = 1 }),
		"spsc fixed, 8 slots of 1 byte":                with(spscF, func(s *Spec) { s.Elem.Size, s.Elem.Align = 1, 1 }),
		"spsc fixed, 8 slots of 8 bytes":               spscF,
		"spsc messages, 256 bytes":                     spscM,
		"mpmc fixed, 4 slots of 8 bytes":               mpmcF,
		"mpmc fixed, 4 slots of 5 elements of 8 bytes": with(mpmcF, func(s *Spec) { s.Pack = 5 }),
		"mpmc messages, 4 slots of up to 100 bytes":    mpmcM,
		"var, one value of 8 bytes":                    varF,
		"var":                                          Var,
		"shared, one value of 8 bytes":                 sharedF,
		"shared":                                       Shared,
		"kind(7) fixed, 8 slots of 8 bytes":            with(spscF, func(s *Spec) { s.Kind = 7 }),
		"spsc":                                         SPSC,
		"fixed":                                        Fixed,
		"auto":                                         Auto,
		"asymmetric":                                   Asymmetric,
		"full":                                         Full,
		"fence(4)":                                     Fence(4),
		"none":                                         Role(0),
		"producer":                                     RoleProducer,
		"consumer":                                     RoleConsumer,
	} {
		if got := v.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
