package layout

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The tables of docs/FORMAT.md say what the code does.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile("../docs/FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	for _, f := range []struct {
		off        int
		typ, field string
	}{
		{magicOff, "u64", "magic"}, {majorOff, "u16", "major"}, {minorOff, "u16", "minor"}, {sizeOff, "u32", "header size"},
		{compatOff, "u32", "compat"}, {roCompatOff, "u32", "ro_compat"}, {incompatOff, "u32", "incompat"},
		{kindOff, "u8", "kind"}, {payloadOff, "u8", "payload"}, {fenceOff, "u8", "fence"}, {capOff, "u64", "capacity"},
		{elemSizeOff, "u32", "elem_size"}, {alignOff, "u32", "elem_align"}, {hashOff, "u64", "elem_hash"},
		{packOff, "u32", "pack"}, {seatsOff, "u32", "seats"}, {strideOff, "u64", "stride"}, {blocksOff, "u64", "blocks"},
		{controlOff, "u64", "control"}, {seatOff, "u64", "seat"}, {wordOff, "u64", "word"}, {dataOff, "u64", "data"},
		{fileSizeOff, "u64", "file size"}, {uidOff, "u32", "uid"}, {pidOff, "u32", "pid"}, {createdOff, "i64", "created"},
		{idOff, "u8[16]", "id"}, {bootOff, "u8[16]", "boot id"}, {sentOff, "u64", "sent"}, {freedOff, "u64", "freed"}, {crcOff, "u32", "crc"}, {readyOff, "u64", "ready"},
		{4096, "u64", "tail"}, {4224, "u64", "head"}, {4352, "u32", "not empty"}, {4480, "u32", "not full"}, {4608, "u32", "state"},
		{4612, "u32", "reason"}, {4616, "u64", "where"}, {4624, "u64", "seal"}, {4736, "u64", "claim"}, {4864, "u64", "reaped"}, {4992, "u64", "orphans"},
		{5120, "u32", "destroy"}, {5632, "u8[2560]", "attach table"},
		{0, "u32", "taken"}, {4, "u32", "user pid"}, {8, "u64", "user start"}, {16, "i64", "user since"}, {24, "u8[16]", "user name"},
		{4096, "u64", "version"}, {4224, "u8[32]", "mutex"}, {4352, "u32", "changed"},
		{0, "u32", "state"}, {4, "u32", "epoch"}, {8, "u32", "role"}, {12, "u32", "pid"}, {16, "u64", "start"}, {24, "i64", "since"},
		{32, "u64", "rec"}, {40, "u64", "ver"}, {48, "u64", "part"}, {56, "u64", "parks"}, {64, "u64", "wakes"},
		{72, "u64", "rescues"}, {80, "u64", "redelivered"}, {88, "u64", "pos"}, {96, "u8[32]", "name"},
	} {
		if row := fmt.Sprintf("\n| %d | %s | %s |", f.off, f.typ, f.field); !strings.Contains(doc, row) {
			t.Errorf("docs/FORMAT.md has no row %q", row[1:])
		}
	}
	for _, at := range []int64{AttachByte, NameByte, AttachSlot(0)} {
		if text := fmt.Sprintf("2^40 + %d", at-LockByte(0)); !strings.Contains(doc, text) {
			t.Errorf("docs/FORMAT.md does not say what byte %s is", text)
		}
	}
	if text := fmt.Sprintf("| kind | %d SPSC, %d MPMC, %d variable, %d shared struct |", SPSC, MPMC, Var, Shared); !strings.Contains(doc, text) {
		t.Errorf("docs/FORMAT.md has no %q", text)
	}
	for r := uint32(ReasonPositions); r <= ReasonBlock; r++ {
		if row := fmt.Sprintf("\n| %d | %s |", r, strings.Replace(ReasonText(r), "reported by a tool", "reported by a person or a tool", 1)); !strings.Contains(doc, row) {
			t.Errorf("docs/FORMAT.md has no row %q", row[1:])
		}
	}
	for _, e := range []struct {
		text string
		elem Elem
	}{
		{"u8", elemOf[uint8](t)}, {"i64", elemOf[int](t)}, {"f64", elemOf[float64](t)}, {"[5]u8", elemOf[[5]byte](t)},
		{"[2][3]i16", elemOf[[2][3]int16](t)}, {"{X@0:i64;Y@8:i64;}16", elemOf[point](t)},
		{"{Seq@0:u64;Price@8:f64;Size@16:u32;Side@20:u8;_@21:[3]u8;}24", elemOf[tick](t)},
	} {
		if row := fmt.Sprintf("\n| `%s` | 0x%016x |", e.text, e.elem.Hash); !strings.Contains(doc, row) {
			t.Errorf("docs/FORMAT.md has no row %q", row[1:])
		}
	}
	page, _ := headerOf(t, spscM)
	for at := 0; at < headerBytes; at += 16 {
		row := page[at:min(at+16, headerBytes)]
		if at >= 0x80 && at < 0x90 || at == 0xf0 || strings.Trim(string(row), "\x00") == "" {
			continue // when it was made, hence its checksum, are the golden file's own
		}
		want := fmt.Sprintf("%04x  % x", at, row[:8])
		if len(row) > 8 {
			want += fmt.Sprintf("  % x", row[8:])
		}
		if !strings.Contains(doc, want) {
			t.Errorf("docs/FORMAT.md has no row %q", want)
		}
	}
}
