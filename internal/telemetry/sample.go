package telemetry

import (
	"math/bits"
	"structs"
)

// Size is the size of a Sample in bytes.
const Size = 256

// Source is one file in /proc; it indexes Sample.Age.
type Source int

// The sources, in the order in which they are re-read.
const (
	Stat     Source = iota // /proc/stat
	MemInfo                // /proc/meminfo
	LoadAvg                // /proc/loadavg
	NetDev                 // /proc/net/dev
	VMStat                 // /proc/vmstat
	SelfStat               // /proc/self/stat
	Sources                // how many there are
)

// Never is the age of a source that could not be read.
const Never = 1<<32 - 1

// Sample is one record of telemetry. Counters are totals since the machine booted,
// so two samples make a rate. Times of the CPU are in ticks (1/100 s on Linux).
type Sample struct {
	_ structs.HostLayout

	Seq      uint64 // given by whoever takes it
	Captured uint64 // when, as Now

	User, Nice, System, Idle, IOWait, IRQ, SoftIRQ, Steal uint64 // ticks, all CPUs together

	ContextSwitches, Interrupts, Forks uint64
	Running, Blocked                   uint32 // tasks on a run queue, waiting for I/O

	MemFree, MemAvailable, Cached, Dirty uint64 // KiB

	RxBytes, RxPackets, TxBytes, TxPackets uint64 // all interfaces but loopback
	PageFaults, MajorFaults                uint64

	Load1, Load5, Load15 uint32 // load average, hundredths
	Tasks                uint32 // threads that exist

	SelfUser, SelfSystem uint32 // ticks of the sampling process
	SelfPages            uint64 // resident pages of the sampling process

	Age [Sources]uint32 // µs from the start of the source's last reading to Captured; Never
	Sum uint64          // of all the rest, see Seal
}

// words is how many 64-bit words a sample has.
const words = Size / 8

// Seal stores the checksum of the sample's contents in Sum.
func (s *Sample) Seal() { s.Sum = s.sum() }

// Intact reports whether Sum fits the contents.
func (s *Sample) Intact() bool { return s.Sum == s.sum() }

// sum mixes all words but Sum itself. Four lanes, because one would wait for its
// own multiplication most of the time. The lanes differ, and each is folded in
// order, so words that changed places are noticed.
func (s *Sample) sum() uint64 {
	const m = 0x9e3779b97f4a7c15 // odd, bits well spread: 2^64 divided by the golden ratio
	w := s.words()
	a, b, c, d := uint64(1), uint64(2), uint64(3), uint64(4)
	for i := 0; i < words-4; i += 4 {
		a = bits.RotateLeft64((a^w[i])*m, 29)
		b = bits.RotateLeft64((b^w[i+1])*m, 29)
		c = bits.RotateLeft64((c^w[i+2])*m, 29)
		d = bits.RotateLeft64((d^w[i+3])*m, 29)
	}
	a = bits.RotateLeft64((a^w[words-4])*m, 29)
	b = bits.RotateLeft64((b^w[words-3])*m, 29)
	c = bits.RotateLeft64((c^w[words-2])*m, 29)
	h := (bits.RotateLeft64(a, 1) + bits.RotateLeft64(b, 7) + bits.RotateLeft64(c, 12) + bits.RotateLeft64(d, 18)) * m
	return h ^ h>>32
}

// Digest folds the sums of a stream of samples into one word. The order counts. The
// zero value is ready.
type Digest uint64

// Add folds in the sum of one sealed sample.
func (d *Digest) Add(s *Sample) { *d = Digest(bits.RotateLeft64(uint64(*d), 5)*31 + s.Sum) }
