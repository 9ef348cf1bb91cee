//go:build linux

package futex

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Locks in many mappings, used in turn, know their own owner each; one that is unmapped says so, and what is
// mapped in its place is another file.
func TestLocksInManyMappings(t *testing.T) {
	const n = 40
	maps := make([][]byte, n)
	for i := range maps {
		b, err := mapFile(newFile(t))
		if err != nil {
			t.Fatal(err)
		}
		maps[i] = b
		t.Cleanup(func() {
			if maps[i] != nil {
				unix.Munmap(maps[i])
			}
		})
	}
	owners := map[uint64]int{}
	for round := range 3 {
		for i, b := range maps {
			m, s := at[Mutex](b, 0), at[Semaphore](b, 8)
			if err := m.Lock(); err != nil {
				t.Fatalf("round %d, mapping %d: %v", round, i, err)
			}
			id := mutexOwner(m.word.Load())
			if j, ok := owners[id]; ok && j != i {
				t.Fatalf("mappings %d and %d have one owner", i, j)
			}
			owners[id] = i
			if err := errors.Join(m.Unlock(), s.Post(1), s.Acquire(1), s.Release(1)); err != nil {
				t.Fatalf("round %d, mapping %d: %v", round, i, err)
			}
		}
	}
	if len(owners) != n {
		t.Errorf("%d owners in %d mappings", len(owners), n)
	}
	b, other := maps[7], newFile(t)
	f, err := os.OpenFile(other, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	where := addressOf(b)
	if _, err := unix.MmapPtr(int(f.Fd()), 0, unsafe.Add(nil, where), mappedSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_FIXED); err != nil {
		t.Fatal(err)
	}
	m := at[Mutex](b, 0)
	if err := m.Lock(); err != nil {
		t.Fatal(err)
	}
	if i, ok := owners[mutexOwner(m.word.Load())]; ok {
		t.Errorf("another file has the owner of mapping %d", i)
	}
	if err := m.Unlock(); err != nil {
		t.Error(err)
	}
}

// BenchmarkMappings locks and unlocks mutexes that lie in 1, 2 and 8 mappings, in turn.
func BenchmarkMappings(b *testing.B) {
	for _, n := range []int{1, 2, 8} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			locks := make([]*Mutex, n)
			for i := range locks {
				mem, err := mapFile(newFile(b))
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { unix.Munmap(mem) })
				locks[i] = at[Mutex](mem, 0)
			}
			for i := 0; b.Loop(); i++ {
				m := locks[i%n]
				if err := m.Lock(); err != nil {
					b.Fatal(err)
				}
				if err := m.Unlock(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
