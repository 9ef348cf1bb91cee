//go:build linux

package futex

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

const mappedSize = 4096

// mapFile maps a file shared, as a segment is.
func mapFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return unix.Mmap(int(f.Fd()), 0, mappedSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

// newFile makes a file of zeroes to map.
func newFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "words")
	if err := os.WriteFile(path, make([]byte, mappedSize), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// at returns a T in mapped memory, 128 bytes per index.
func at[T any](b []byte, index int) *T { return (*T)(unsafe.Pointer(&b[128*index])) }

// words returns a zero word on the heap and one in a mapped file.
func words(t *testing.T) map[string]*atomic.Uint32 {
	t.Helper()
	b, err := mapFile(newFile(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(b) })
	return map[string]*atomic.Uint32{"heap": new(atomic.Uint32), "mapped": at[atomic.Uint32](b, 1)}
}

// unmapped returns a word in memory that may not be touched.
func unmapped(t *testing.T) *atomic.Uint32 {
	t.Helper()
	b, err := unix.Mmap(-1, 0, mappedSize, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(b) })
	return at[atomic.Uint32](b, 0)
}
