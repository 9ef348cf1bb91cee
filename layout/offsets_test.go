package layout

import (
	"reflect"
	"testing"
	"unsafe"
)

// The numbers of docs/FORMAT.md, written out once more: who changes one of them
// changes the format.
func TestGoldenOffsets(t *testing.T) {
	var c Control
	var s Seat
	var a Attachment
	for _, f := range []struct {
		name      string
		got, want uintptr
	}{
		{"Line", Line, 128}, {"Page", Page, 4096}, {"HeaderSize", HeaderSize, 4096},
		{"ControlOff", ControlOff, 4096}, {"SeatOff", SeatOff, 8192},
		{"WordStride", WordStride, 8}, {"VersionStride", VersionStride, 8}, {"CountSize", CountSize, 8}, {"RecordHeader", RecordHeader, 8},

		{"magic", magicOff, 0}, {"major", majorOff, 8}, {"minor", minorOff, 10}, {"header size", sizeOff, 12},
		{"compat", compatOff, 16}, {"ro compat", roCompatOff, 20}, {"incompat", incompatOff, 24},
		{"kind", kindOff, 28}, {"payload", payloadOff, 29}, {"fence", fenceOff, 30},
		{"cap", capOff, 32}, {"elem size", elemSizeOff, 40}, {"elem align", alignOff, 44}, {"elem hash", hashOff, 48},
		{"pack", packOff, 56}, {"seats", seatsOff, 60}, {"stride", strideOff, 64}, {"blocks", blocksOff, 72},
		{"control", controlOff, 80}, {"seat", seatOff, 88}, {"word", wordOff, 96}, {"data", dataOff, 104},
		{"file size", fileSizeOff, 112}, {"uid", uidOff, 120}, {"pid", pidOff, 124}, {"created", createdOff, 128},
		{"id", idOff, 136}, {"boot", bootOff, 152}, {"sent", sentOff, 168}, {"freed", freedOff, 176}, {"crc", crcOff, 252}, {"ready", readyOff, 256},

		{"Control", unsafe.Sizeof(c), 4096},
		{"Control.Tail", unsafe.Offsetof(c.Tail), 0}, {"Control.Head", unsafe.Offsetof(c.Head), 128},
		{"Control.NotEmpty", unsafe.Offsetof(c.NotEmpty), 256}, {"Control.NotFull", unsafe.Offsetof(c.NotFull), 384},
		{"Control.State", unsafe.Offsetof(c.State), 512}, {"Control.Reason", unsafe.Offsetof(c.Reason), 516},
		{"Control.Where", unsafe.Offsetof(c.Where), 520}, {"Control.Seal", unsafe.Offsetof(c.Seal), 528},
		{"Control.Claim", unsafe.Offsetof(c.Claim), 640}, {"Control.Reaped", unsafe.Offsetof(c.Reaped), 768},
		{"Control.Orphans", unsafe.Offsetof(c.Orphans), 896}, {"Control.Destroy", unsafe.Offsetof(c.Destroy), 1024},
		{"Control.Attach", unsafe.Offsetof(c.Attach), 1536},

		{"Attachment", unsafe.Sizeof(a), 40}, {"Attachment.State", unsafe.Offsetof(a.State), 0}, {"Attachment.PID", unsafe.Offsetof(a.PID), 4},
		{"Attachment.Start", unsafe.Offsetof(a.Start), 8}, {"Attachment.Since", unsafe.Offsetof(a.Since), 16}, {"Attachment.name", unsafe.Offsetof(a.name), 24},

		{"Seat", unsafe.Sizeof(s), 128},
		{"Seat.State", unsafe.Offsetof(s.State), 0}, {"Seat.Epoch", unsafe.Offsetof(s.Epoch), 4},
		{"Seat.Role", unsafe.Offsetof(s.Role), 8}, {"Seat.PID", unsafe.Offsetof(s.PID), 12},
		{"Seat.Start", unsafe.Offsetof(s.Start), 16}, {"Seat.Since", unsafe.Offsetof(s.Since), 24},
		{"Seat.Rec", unsafe.Offsetof(s.Rec), 32}, {"Seat.Ver", unsafe.Offsetof(s.Ver), 40}, {"Seat.Part", unsafe.Offsetof(s.Part), 48},
		{"Seat.Parks", unsafe.Offsetof(s.Parks), 56}, {"Seat.Wakes", unsafe.Offsetof(s.Wakes), 64},
		{"Seat.Rescues", unsafe.Offsetof(s.Rescues), 72}, {"Seat.Redelivered", unsafe.Offsetof(s.Redelivered), 80},
		{"Seat.Pos", unsafe.Offsetof(s.Pos), 88}, {"Seat.name", unsafe.Offsetof(s.name), 96},
	} {
		if f.got != f.want {
			t.Errorf("%s is %d, the format says %d", f.name, f.got, f.want)
		}
	}
	for _, v := range []struct {
		name      string
		got, want uint64
	}{
		{"SPSC", uint64(SPSC), 1}, {"MPMC", uint64(MPMC), 2}, {"Var", uint64(Var), 16}, {"VarCopies", VarCopies, 2},
		{"AttachFree", AttachFree, 0}, {"AttachTaken", AttachTaken, 1}, {"AttachTable", AttachTable, 64}, {"MaxAttached", MaxAttached, 4096},
		{"NameByte", uint64(NameByte), 1<<40 + 4097}, {"AttachByte", uint64(AttachByte), 1<<40 + 4096}, {"AttachSlot(0)", uint64(AttachSlot(0)), 1<<40 + 8192}, {"AttachSlot(4095)", uint64(AttachSlot(4095)), 1<<40 + 12287}, {"Fixed", uint64(Fixed), 1}, {"Message", uint64(Message), 2},
		{"Asymmetric", uint64(Asymmetric), 1}, {"Full", uint64(Full), 2},
		{"StateOpen", StateOpen, 1}, {"StateShutdown", StateShutdown, 2}, {"StateCorrupt", StateCorrupt, 3},
		{"SeatFree", SeatFree, 0}, {"SeatTaken", SeatTaken, 1},
		{"RoleProducer", uint64(RoleProducer), 1}, {"RoleConsumer", uint64(RoleConsumer), 2},
		{"ProducerSeat", ProducerSeat, 0}, {"ConsumerSeat", ConsumerSeat, 1},
		{"RecHeld", RecHeld, 1}, {"RecUnacked", RecUnacked, 2}, {"RecSending", RecSending, 3}, {"RecTaking", RecTaking, 4},
		{"RecordData", RecordData, 1}, {"RecordPadding", RecordPadding, 2},
		{"LockByte(0)", uint64(LockByte(0)), 1 << 40}, {"LockByte(1023)", uint64(LockByte(1023)), 1<<40 + 1023},
		{"TenureByte(1023)", uint64(TenureByte(1023)), 1<<40 + 1<<32 + 1023},
		{"Magic", Magic, 0x0059_4157_474e_4952}, {"Ready", Ready, 0x0000_0059_4441_4552},
		{"Major", Major, 1},
	} {
		if v.got != v.want {
			t.Errorf("%s is %#x, the format says %#x", v.name, v.got, v.want)
		}
	}
}

// Shared structs hold nothing that means something in one process only, begin
// with HostLayout, and have no hidden holes at their ends.
func TestNoPointers(t *testing.T) {
	for _, typ := range []reflect.Type{reflect.TypeFor[Control](), reflect.TypeFor[Seat](), reflect.TypeFor[Attachment]()} {
		if first := typ.Field(0).Type.String(); first != "structs.HostLayout" {
			t.Errorf("%v begins with %s, want structs.HostLayout", typ, first)
		}
		noPointers(t, typ.Name(), typ)
	}
}

func noPointers(t *testing.T, path string, typ reflect.Type) {
	switch typ.Kind() {
	case reflect.Uint8, reflect.Uint32, reflect.Uint64, reflect.Int64:
	case reflect.Array:
		noPointers(t, path+"[]", typ.Elem())
	case reflect.Struct:
		for i := range typ.NumField() {
			noPointers(t, path+"."+typ.Field(i).Name, typ.Field(i).Type)
		}
	default:
		t.Errorf("%s is a %v; shared memory holds fixed-size numbers only", path, typ.Kind())
	}
}

// The views lie where the constants say, and are as long as they claim.
func TestViews(t *testing.T) {
	g, err := Spec{Kind: MPMC, Payload: Fixed, Cap: 8, Elem: Elem{Size: 8, Align: 8}, Seats: 3}.Geometry()
	if err != nil {
		t.Fatal(err)
	}
	words := make([]uint64, g.FileSize/8)
	mem := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), g.FileSize)
	base := uintptr(unsafe.Pointer(&mem[0]))
	seats, slots := SeatsAt(mem, g.Spec.Seats), WordsAt(mem, &g)
	for _, v := range []struct {
		name      string
		got, want uintptr
	}{
		{"control", uintptr(unsafe.Pointer(ControlAt(mem))) - base, 4096},
		{"ready", uintptr(unsafe.Pointer(ReadyAt(mem))) - base, 256},
		{"seat 2", uintptr(unsafe.Pointer(&seats[2])) - base, 8192 + 2*128},
		{"slot word 7", uintptr(unsafe.Pointer(&slots[7])) - base, uintptr(g.WordOff) + 7*8},
		{"seats", uintptr(len(seats)), 3},
		{"slot words", uintptr(len(slots)), 8},
	} {
		if v.got != v.want {
			t.Errorf("%s: %d, want %d", v.name, v.got, v.want)
		}
	}
}

// Names are for people: cut between characters, printable, never beyond the field.
func TestSeatName(t *testing.T) {
	for _, c := range []struct{ set, want string }{
		{"", ""},
		{"ticks-writer", "ticks-writer"},
		{"0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"},
		{"0123456789abcdef0123456789abcdef!", "0123456789abcdef0123456789abcdef"},
		{"0123456789abcdef0123456789abcdeé", "0123456789abcdef0123456789abcde"},
		{"a\xffb", "ab"},
		{"a\x1b[31mb\n", "a?[31mb?"},
		{"a\x00b", "a"},
		{"grün", "grün"},
	} {
		var s Seat
		s.SetName("something that was there before")
		s.SetName(c.set)
		if got := s.OwnerName(); got != c.want {
			t.Errorf("SetName(%q): OwnerName is %q, want %q", c.set, got, c.want)
		}
	}
}

// The table's names are shorter.
func TestAttachmentName(t *testing.T) {
	var a Attachment
	a.SetName("something that was there before")
	if got := a.OwnerName(); got != "something that w" {
		t.Errorf("%q", got)
	}
	a.SetName("grün\n")
	if got := a.OwnerName(); got != "grün?" {
		t.Errorf("%q", got)
	}
}

// bytesOf views words as the bytes of a segment.
func bytesOf(words []uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), 8*len(words))
}
