package layout

import "testing"

func TestRecordPacking(t *testing.T) {
	for _, c := range []struct {
		kind      int
		len, back uint64
		word      uint64
	}{
		{RecordData, 0, 0, 0x0000_0001_0000_0000},
		{RecordData, 5, 16, 0x0000_0009_0000_0005},
		{RecordPadding, 24, 0, 0x0000_0002_0000_0018},
		{RecordData, 1<<31 - 8, 1<<33 - 8, 0xffff_fffd_7fff_fff8},
		{RecordPadding, 1<<32 - 1, 8, 0x0000_0006_ffff_ffff},
	} {
		r := MakeRecord(c.kind, c.len, c.back)
		if uint64(r) != c.word {
			t.Errorf("kind %d, length %d, back %d: word %#x, want %#x", c.kind, c.len, c.back, uint64(r), c.word)
		}
		if r.Kind() != c.kind || r.Len() != c.len || r.Back() != c.back {
			t.Errorf("%#x unpacks to kind %d, length %d, back %d", uint64(r), r.Kind(), r.Len(), r.Back())
		}
	}
}

func TestRecordSize(t *testing.T) {
	for n, want := range map[uint64]uint64{0: 8, 1: 16, 7: 16, 8: 16, 9: 24, 24: 32, 1<<32 - 1: 1<<32 + 8} {
		if got := RecordSize(n); got != want {
			t.Errorf("RecordSize(%d) = %d, want %d", n, got, want)
		}
	}
	// The longest message fits at whatever index an empty ring stands, padding included.
	for capacity := uint64(64); capacity <= 1<<12; capacity *= 2 {
		size := RecordSize(MaxRecordPayload(capacity))
		for index := uint64(0); index < capacity; index += 8 {
			pad := uint64(0)
			if size > capacity-index {
				pad = capacity - index
			}
			if pad+size > capacity {
				t.Fatalf("capacity %d, index %d: padding %d and record %d do not fit", capacity, index, pad, size)
			}
		}
	}
}

func TestRecordFits(t *testing.T) {
	const capacity, longest = 256, 120
	for _, c := range []struct {
		name         string
		r            Record
		index, avail uint64
		want         bool
	}{
		{"a message", MakeRecord(RecordData, 5, 0), 0, 16, true},
		{"an empty message", MakeRecord(RecordData, 0, 0), 248, 8, true},
		{"up to the end", MakeRecord(RecordData, 8, 0), 240, 16, true},
		{"across the end", MakeRecord(RecordData, 9, 0), 240, 64, false},
		{"longer than published", MakeRecord(RecordData, 9, 0), 0, 16, false},
		{"the longest", MakeRecord(RecordData, longest, 0), 0, 256, true},
		{"too long for the ring", MakeRecord(RecordData, longest+1, 0), 0, 256, false},
		{"as long as a word can say", MakeRecord(RecordData, 1<<32-1, 0), 0, 256, false},
		{"padding to the end", MakeRecord(RecordPadding, 8, 0), 240, 32, true},
		{"padding of a word", MakeRecord(RecordPadding, 0, 0), 248, 16, true},
		{"a whole ring of padding", MakeRecord(RecordPadding, 248, 0), 0, 256, false},
		{"padding that ends early", MakeRecord(RecordPadding, 8, 0), 232, 32, false},
		{"padding across the end", MakeRecord(RecordPadding, 16, 0), 240, 64, false},
		{"padding not published", MakeRecord(RecordPadding, 8, 0), 240, 8, false},
		{"padding as long as a word can say", MakeRecord(RecordPadding, 1<<32-1, 0), 240, 256, false},
		{"memory never written", 0, 0, 256, false},
		{"kind 3", MakeRecord(3, 8, 0), 240, 16, false},
		{"nothing published", MakeRecord(RecordData, 0, 0), 0, 0, false},
	} {
		if got := c.r.Fits(c.index, capacity, c.avail, longest); got != c.want {
			t.Errorf("%s: Fits says %v", c.name, got)
		}
	}
}

// Whatever a word says, what Fits accepts lies within the ring and within what
// was published, and goes forward.
func FuzzRecord(f *testing.F) {
	f.Add(uint64(MakeRecord(RecordData, 5, 16)), uint8(2), uint64(0), uint64(16), uint64(24))
	f.Add(uint64(MakeRecord(RecordPadding, 8, 0)), uint8(2), uint64(240), uint64(256), uint64(120))
	f.Add(^uint64(0), uint8(26), uint64(1<<32-8), ^uint64(0), ^uint64(0))
	f.Fuzz(func(t *testing.T, word uint64, logCap uint8, index, avail, longest uint64) {
		capacity := uint64(64) << (logCap % 27) // up to 2^32
		index = index % capacity &^ 7           // as positions have it
		avail %= capacity + 1                   // as a checked difference of positions has it
		r := Record(word)
		if !r.Fits(index, capacity, avail, longest) {
			return
		}
		size := RecordSize(r.Len())
		if size < RecordHeader || size%8 != 0 || index+size > capacity || size > avail {
			t.Errorf("word %#x at %d of %d with %d published takes %d", word, index, capacity, avail, size)
		}
		switch r.Kind() {
		case RecordData:
			if r.Len() > longest || RecordHeader+r.Len() > size {
				t.Errorf("word %#x: message of %d bytes, limit %d, record %d", word, r.Len(), longest, size)
			}
		case RecordPadding:
			if (index+size)%capacity != 0 {
				t.Errorf("word %#x: padding of %d at %d does not end at the end of %d", word, size, index, capacity)
			}
		default:
			t.Errorf("word %#x: kind %d was accepted", word, r.Kind())
		}
	})
}
