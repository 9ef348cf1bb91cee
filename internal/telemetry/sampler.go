package telemetry

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// bufferSize holds the longest source at once; /proc/stat grows with the number of CPUs
// and interrupts.
const bufferSize = 256 << 10

// stale is the age from which on Take re-reads a source even if that makes a sample late.
const stale = uint64(5 * time.Millisecond)

// source is one open file and what is known about it.
type source struct {
	file   *os.File // nil: it is not there
	parse  func(*Sample, []byte)
	paged  bool   // the kernel hands it out in pieces of at most a page
	readAt uint64 // start of the last reading
	cost   uint64 // ns a reading takes, a decaying mean
}

// Sampler takes samples. It serves one goroutine at a time.
type Sampler struct {
	sources [Sources]source
	next    Source // whose turn it is in Pace
	buffer  []byte
	current Sample
	oldest  uint64 // greatest age of a source just before it was re-read, ns
	reads   uint64
	cpus    int // that may run us
}

// Open opens the sources in /proc and reads each once.
func Open() (*Sampler, error) {
	if runtime.GOOS != "linux" {
		return nil, fmt.Errorf("telemetry: there is no /proc here: %w", errors.ErrUnsupported)
	}
	return OpenAt("/proc")
}

// OpenAt is Open on another directory, for tests and recorded machines.
func OpenAt(dir string) (*Sampler, error) {
	s := &Sampler{buffer: make([]byte, bufferSize), cpus: usableCPUs()}
	for i, src := range [Sources]struct {
		name  string
		parse func(*Sample, []byte)
		paged bool
	}{
		Stat:     {"stat", parseStat, false},
		MemInfo:  {"meminfo", parseMemInfo, false},
		LoadAvg:  {"loadavg", parseLoadAvg, false},
		NetDev:   {"net/dev", parseNetDev, true},
		VMStat:   {"vmstat", parseVMStat, true},
		SelfStat: {"self/stat", parseSelfStat, false},
	} {
		f, err := os.Open(filepath.Join(dir, src.name))
		if err != nil && Source(i) == Stat {
			return nil, fmt.Errorf("telemetry: %w", err)
		}
		if err != nil {
			continue // fields stay 0 and the age says Never
		}
		s.sources[i] = source{file: f, parse: src.parse, paged: src.paged}
	}
	if err := s.Refresh(); err != nil {
		_ = s.Close() // the error that matters is err
		return nil, err
	}
	s.oldest = 0
	return s, nil
}

// refresh re-reads one source.
func (s *Sampler) refresh(src *source) error {
	start := Now()
	n, err := s.read(src)
	if err != nil {
		return fmt.Errorf("telemetry: %w", err)
	}
	src.parse(&s.current, s.buffer[:n])
	if src.readAt != 0 {
		s.oldest = max(s.oldest, start-src.readAt)
	}
	src.readAt = start
	s.reads++
	if took := Now() - start; src.cost == 0 {
		src.cost = took
	} else {
		src.cost = (7*src.cost + took) / 8
	}
	return nil
}

// Refresh re-reads every source now.
func (s *Sampler) Refresh() error {
	for i := range s.sources {
		if src := &s.sources[i]; src.file != nil {
			if err := s.refresh(src); err != nil {
				return err
			}
		}
	}
	return nil
}

// pageful is what a piece of a paged source exceeds unless it is the last one: the
// kernel fills a page of 4096 bytes or more with lines, none of them as long as the rest.
const pageful = 4096 - 512

// read reads a source from its beginning into the buffer. Most take one call of read; a
// second one, only to see the end, would make the kernel write all of it again.
func (s *Sampler) read(src *source) (int, error) {
	if _, err := src.file.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	at := 0
	for {
		n, err := src.file.Read(s.buffer[at:])
		at += n
		switch {
		case err == io.EOF:
			return at, nil
		case err != nil:
			return 0, err
		case !src.paged || n < pageful || at == len(s.buffer):
			return at, nil
		}
	}
}

// Take stamps the latest values with seq and the time of now, and seals them. If
// a source has become 5 ms old it re-reads the oldest one first. The sample is valid
// until the next call of any method.
func (s *Sampler) Take(seq uint64) (*Sample, error) {
	now := Now()
	if src := s.eldest(); now-src.readAt > stale {
		if err := s.refresh(src); err != nil {
			return nil, err
		}
		now = Now()
	}
	c := &s.current
	c.Seq, c.Captured = seq, now
	for i := range s.sources {
		c.Age[i] = age(s.sources[i].readAt, now)
	}
	c.Seal()
	return c, nil
}

// eldest returns the source that was not re-read for longest.
func (s *Sampler) eldest() *source {
	e := &s.sources[Stat] // which is always there
	for i := range s.sources {
		if src := &s.sources[i]; src.readAt != 0 && src.readAt < e.readAt {
			e = src
		}
	}
	return e
}

// age returns the µs from then to now, Never if then is 0.
func age(then, now uint64) uint32 {
	if then == 0 {
		return Never
	}
	return uint32(min((now-then)/1000, math.MaxUint32-1))
}

// Reads returns how often a source was read so far.
func (s *Sampler) Reads() uint64 { return s.reads }

// Oldest returns the greatest age that the values of any source reached before they
// were re-read, since Open or ResetOldest.
func (s *Sampler) Oldest() time.Duration { return time.Duration(s.oldest) }

// ResetOldest makes Oldest start anew, with every source fresh.
func (s *Sampler) ResetOldest() error {
	err := s.Refresh()
	s.oldest = 0
	return err
}

// Cost returns what reading all sources once takes, as lately measured.
func (s *Sampler) Cost() time.Duration {
	sum := uint64(0)
	for i := range s.sources {
		sum += s.sources[i].cost
	}
	return time.Duration(sum)
}

// Close closes the sources.
func (s *Sampler) Close() error {
	var err error
	for i := range s.sources {
		if f := s.sources[i].file; f != nil {
			err = errors.Join(err, f.Close())
			s.sources[i].file = nil
		}
	}
	return err
}
