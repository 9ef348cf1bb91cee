//go:build linux

package shm_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
	"ringway/layout"
	"ringway/shm"
)

func TestMain(m *testing.M) {
	child.Run()
	code := m.Run()
	if dir, err := programDir(); err == nil {
		os.RemoveAll(dir) // what cannot be removed is a temporary file all the same
	}
	os.Exit(code)
}

// spec is the ring of most tests here; what it holds does not matter to a segment.
var spec = layout.Spec{Kind: layout.SPSC, Payload: layout.Message, Cap: 256, Seats: 2, Fence: layout.Full}

// fileSize is that ring's.
const fileSize = 16384

// ramDir returns an empty directory where rings usually live.
func ramDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(shm.Dir, "ringway-test-")
	if err != nil {
		t.Logf("no room in %s, testing in the temporary directory: %v", shm.Dir, err)
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// create makes a segment that is closed with the test.
func create(t *testing.T, path string, s layout.Spec) *shm.Segment {
	t.Helper()
	seg, err := shm.Create(path, s, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, seg)
	return seg
}

// reopen opens a segment once more; it is closed with the test.
func reopen(t *testing.T, path string) *shm.Segment {
	t.Helper()
	seg, err := shm.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, seg)
	return seg
}

func closeLater(t *testing.T, seg *shm.Segment) {
	t.Cleanup(func() {
		if err := seg.Close(); err != nil {
			t.Error(err)
		}
	})
}

func take(t *testing.T, seg *shm.Segment, role layout.Role) *shm.Seat {
	t.Helper()
	seat, err := seg.Take(role, "test")
	if err != nil {
		t.Fatal(err)
	}
	return seat
}

func leave(t *testing.T, seat *shm.Seat) {
	t.Helper()
	if err := seat.Leave(); err != nil {
		t.Error(err)
	}
}

// wantError checks what an error is and that it says all of says, in one line.
func wantError(t *testing.T, what string, err, is error, says ...string) {
	t.Helper()
	if !errors.Is(err, is) {
		t.Errorf("%s: %v, want an error that is %q", what, err, is)
		return
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: more than a line: %q", what, err)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%s: %q does not say %q", what, err, s)
		}
	}
}

// names lists a directory.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// segmentBytes returns what a file of a fresh segment holds.
func segmentBytes(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "r")
	create(t, path, spec)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// write puts bytes into a new file and returns its path.
func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Where docs/FORMAT.md puts what tests here forge.
const (
	majorOff = 8
	bootOff  = 152
	crcOff   = 252
	readyOff = 256
	stateOff = 4608
)

// forge changes a segment's bytes and makes the header's checksum right again.
func forge(b []byte, change func([]byte)) []byte {
	change(b)
	binary.LittleEndian.PutUint32(b[crcOff:], crc32.Checksum(b[:crcOff], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// ringID is a ring's identity as children print it.
func ringID(seg *shm.Segment) string {
	id := seg.Header().Origin.ID
	return hex.EncodeToString(id[:])
}

// mode returns the permission bits of a file.
func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

// timeOf is how messages write a moment.
func timeOf(nanos int64) string { return time.Unix(0, nanos).Format(time.DateTime) }

// forever blocks a child in the kernel until it is killed.
func forever() {
	for {
		_, _ = unix.Poll(nil, -1) // returns for signals only
	}
}

// kill kills a child, which must not have ended by itself.
func kill(t *testing.T, p *child.Proc) {
	t.Helper()
	p.Kill()
	if err := p.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Fatalf("a child had ended by itself: %v", err)
	}
}

func checkErr(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
