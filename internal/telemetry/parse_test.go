package telemetry

import "testing"

var fixtures = []struct {
	parse func(*Sample, []byte)
	text  string
	want  Sample
}{
	{parseStat, "cpu  103528 7 14231 348156 473 5 116 360 0 0\ncpu0 51724 0 6597 174763 115 0 9 210 0 0\nintr 2288028 0 1\nctxt 5014840\nbtime 1\nprocesses 21454\nprocs_running 9\nprocs_blocked 3\nsoftirq 1 2\n",
		Sample{User: 103528, Nice: 7, System: 14231, Idle: 348156, IOWait: 473, IRQ: 5, SoftIRQ: 116, Steal: 360,
			Interrupts: 2288028, ContextSwitches: 5014840, Forks: 21454, Running: 9, Blocked: 3}},
	{parseMemInfo, "MemTotal:       24684092 kB\nMemFree:        24193800 kB\nMemAvailable:   24258124 kB\nCached:  331700 kB\nSwapCached: 5 kB\nDirty: 8848 kB\n",
		Sample{MemFree: 24193800, MemAvailable: 24258124, Cached: 331700, Dirty: 8848}},
	{parseLoadAvg, "7.54 4.07 12.08 9/139 21454\n", Sample{Load1: 754, Load5: 407, Load15: 1208, Tasks: 139}},
	{parseNetDev, "Inter-|   Receive  |  Transmit\n face |bytes packets|bytes\n    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0\n  eth0: 26602349    1529    0    0    0     0          0         0   129257    1173    0    0    0     0       0          0\nwlan0:1 2 0 0 0 0 0 0 3 4 0 0 0 0 0 0\n",
		Sample{RxBytes: 26602350, RxPackets: 1531, TxBytes: 129260, TxPackets: 1177}},
	{parseVMStat, "nr_free_pages 1\npgfault 77\npgmajfault 8\n", Sample{PageFaults: 77, MajorFaults: 8}},
	{parseSelfStat, "21458 (a) b (c)) R 21434 21434 19065 0 -1 4194304 100 0 0 0 41 42 0 0 20 0 1 0 234436 3133440 412 18446744073709551615 1\n",
		Sample{SelfUser: 41, SelfSystem: 42, SelfPages: 412}},
}

func TestParse(t *testing.T) {
	for _, f := range fixtures {
		var got Sample
		f.parse(&got, []byte(f.text))
		if got != f.want {
			t.Errorf("%.20q:\n got %+v\nwant %+v", f.text, got, f.want)
		}
	}
}

// Whatever the text, no parser faults.
func FuzzParse(f *testing.F) {
	for i, x := range fixtures {
		f.Add(i, []byte(x.text))
		f.Add(i, []byte(x.text[:len(x.text)/2]))
	}
	f.Fuzz(func(t *testing.T, which int, text []byte) {
		var s Sample
		fixtures[uint(which)%uint(len(fixtures))].parse(&s, text)
	})
}

// Every single flipped bit, and every two words that changed places, must show.
func TestSumNoticesDamage(t *testing.T) {
	var s Sample
	for i := range s.words() {
		s.words()[i] = uint64(i) * 0x0101010101010101
	}
	s.Seal()
	if !s.Intact() {
		t.Fatal("sealed and not intact")
	}
	for bit := range Size * 8 {
		s.Bytes()[bit/8] ^= 1 << (bit % 8)
		if s.Intact() {
			t.Errorf("flipping bit %d went unnoticed", bit)
		}
		s.Bytes()[bit/8] ^= 1 << (bit % 8)
	}
	w := s.words()
	for i := range words {
		for j := range i {
			w[i], w[j] = w[j], w[i]
			if s.Intact() {
				t.Errorf("swapping words %d and %d went unnoticed", i, j)
			}
			w[i], w[j] = w[j], w[i]
		}
	}
	a, b := s, s
	b.Seq = 7
	b.Seal()
	var ab, ba Digest
	ab.Add(&a)
	ab.Add(&b)
	ba.Add(&b)
	ba.Add(&a)
	if ab == ba {
		t.Error("the digest does not depend on the order")
	}
}
