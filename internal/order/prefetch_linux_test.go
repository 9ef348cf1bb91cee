package order

import (
	"runtime"
	"runtime/debug"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Memory that is gone, as that of a file that somebody truncated, makes asking ahead panic like any
// other load, so that a caller who expects that can go on.
func TestPrefetchOfWordsThatAreGone(t *testing.T) {
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("no prefetch on", runtime.GOARCH)
	}
	gone, err := unix.Mmap(-1, 0, 4096, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Munmap(gone); err != nil {
			t.Error(err)
		}
	}()
	var area [64]byte
	for name, ask := range map[string]func(*uint64, uint64, *byte, uint64){"read": PrefetchEach, "write": PrefetchEachWrite} {
		func() {
			defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
			defer func() {
				runtime.GC() // finds its way through the stack
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			ask((*uint64)(unsafe.Pointer(unsafe.SliceData(gone))), 1, &area[0], 64)
		}()
	}
}
