package shm_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
	"ringway/layout"
	"ringway/shm"
)

func init() {
	child.Register("touched-pages", touchedPages)
	child.Register("lock-limit", lockLimit)
	child.Register("huge-pages", hugePages)
}

// wide is a ring of many pages.
var wide = layout.Spec{Kind: layout.SPSC, Payload: layout.Message, Cap: 4 << 20, Seats: 2}

// faults counts the page faults of this thread while it uses every page of a segment.
func faults(s *shm.Segment, write bool) int64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after unix.Rusage
	mem, sum := s.Memory(), byte(0)
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &before) // cannot fail with good arguments
	for at := int(s.Header().Geometry.DataOff); at < len(mem); at += layout.Page {
		if write {
			mem[at] = 0
		} else {
			sum += mem[at]
		}
	}
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &after)
	runtime.KeepAlive(sum)
	return after.Minflt - before.Minflt + after.Majflt - before.Majflt
}

// After Prefault or Lock no page faults are left, by whatever way the segment was come by.
func TestPrefault(t *testing.T) { testPrefault(t) }

func testPrefault(t interface {
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}) {
	dir, err := os.MkdirTemp(shm.Dir, "ringway-test-")
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "r")
	pages := int64(wide.Cap / layout.Page)
	check := func(what string, s *shm.Segment, err error, write bool, least, most int64) {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if n := faults(s, write); n < least || n > most {
			t.Errorf("%s: %d page faults on %d pages, want %d to %d", what, n, pages, least, most)
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	some, none := pages/16, int64(8) // the kernel maps up to 16 pages at a fault; the runtime may have one of its own
	s, err := shm.Create(path, wide, 0o600)
	check("created", s, err, true, some, 2*pages)
	s, err = shm.Open(path)
	check("opened", s, err, false, some, 2*pages)
	before := fileBytes(t, path)
	for _, o := range []*shm.Options{{Prefault: true}, {Lock: true}, {Prefault: true, Lock: true}} {
		var limit unix.Rlimit
		if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); o.Lock && os.Geteuid() != 0 && limit.Cur < 2*uint64(wide.Cap) {
			continue // TestLockLimit says what happens then
		}
		what := fmt.Sprintf("prefault %v lock %v ", o.Prefault, o.Lock)
		s, err = shm.OpenWith(path, o)
		check(what+"opened", s, err, true, 0, none)
		s, err = shm.OpenReadOnlyWith(path, o)
		check(what+"opened read-only", s, err, false, 0, none)
		s, err = shm.CreateWith(path+"2", wide, 0o600, o)
		check(what+"created", s, err, true, 0, none)
		if err := shm.Remove(path + "2"); err != nil {
			t.Errorf("%v", err)
		}
		s, err = shm.CreateTempWith(wide, o)
		check(what+"temporary", s, err, true, 0, none)
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatalf("%v", err)
		}
		s, err = shm.OpenFileWith(f, o)
		check(what+"opened by descriptor", s, err, true, 0, none)
		f.Close()
	}
	s, err = shm.OpenReadOnlyWith(path, &shm.Options{Prefault: true})
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer s.Close()
	if after := s.Memory()[layout.SeatOff:]; string(after) != string(before[layout.SeatOff:]) {
		t.Errorf("prefaulting changed what is in the ring")
	}
}

func fileBytes(t interface{ Fatalf(string, ...any) }, path string) []byte {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return b
}

// Where the kernel cannot populate, pages are touched one by one.
func TestPrefaultOldKernel(t *testing.T) {
	p := child.Start(t, "touched-pages")
	p.Expect("prefaulted by hand")
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}

// fatal reports to the test by standard output, which it compares.
type fatal struct{ failed bool }

func (f *fatal) Errorf(format string, args ...any) { f.failed = true; fmt.Printf(format+"\n", args...) }
func (f *fatal) Fatalf(format string, args ...any) { f.Errorf(format, args...); os.Exit(1) }

func touchedPages([]string) {
	// The third argument of madvise from MADV_POPULATE_READ on: 22, 23 and 25.
	if err := denyCall(unix.SYS_MADVISE, 2, unix.BPF_JGE, unix.MADV_POPULATE_READ, unix.EINVAL); err != nil {
		fmt.Println(err)
		return
	}
	page := make([]byte, layout.Page)
	if err := unix.Madvise(page, unix.MADV_POPULATE_WRITE); !errors.Is(err, unix.EINVAL) {
		fmt.Println("madvise is not refused:", err)
		return
	}
	var f fatal
	testPrefault(&f)
	if !f.failed {
		fmt.Println("prefaulted by hand")
	}
}

// A limit on locked memory is an error that names it and leaves nothing behind.
func TestLockLimit(t *testing.T) {
	dir := ramDir(t)
	create(t, filepath.Join(dir, "there"), wide)
	p := child.Start(t, "lock-limit", dir)
	for range 4 {
		line, err := p.ReadLine()
		if err != nil {
			t.Fatal(err)
		}
		if reason, ok := strings.CutPrefix(line, "skip: "); ok {
			t.Skip("the limit cannot be lowered here:", reason)
		}
		for _, says := range []string{"cannot lock its 4.0 MiB in memory, RLIMIT_MEMLOCK of this process is 64 KiB", "raise it (ulimit -l, LimitMEMLOCK= ", "docker --ulimit memlock=-1)"} {
			if !strings.Contains(line, says) {
				t.Errorf("%q does not say %q", line, says)
			}
		}
	}
	p.Expect("small: <nil>")
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
	if left := names(t, dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func lockLimit(args []string) {
	runtime.LockOSThread() // capabilities are a thread's
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData // none
	limit := unix.Rlimit{Cur: 64 << 10, Max: 64 << 10}
	if err := errors.Join(unix.Setrlimit(unix.RLIMIT_MEMLOCK, &limit), unix.Capset(&head, &caps[0])); err != nil {
		fmt.Println("skip:", err)
		return
	}
	o := &shm.Options{Lock: true}
	_, err := shm.CreateWith(filepath.Join(args[0], "new"), wide, 0o600, o)
	fmt.Println(err)
	_, err = shm.OpenWith(filepath.Join(args[0], "there"), o)
	fmt.Println(err)
	_, err = shm.OpenReadOnlyWith(filepath.Join(args[0], "there"), o)
	fmt.Println(err)
	_, err = shm.CreateTempWith(wide, o)
	fmt.Println(err)
	s, err := shm.CreateTempWith(spec, o) // 16 KiB
	fmt.Println("small:", err)
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		panic(err)
	}
}

// Lock shows in what the kernel says is locked, and ends with Close.
func TestLocked(t *testing.T) {
	locked := func() (kib int) {
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		for l := range strings.Lines(string(status)) {
			if n, _ := fmt.Sscanf(l, "VmLck: %d kB", &kib); n == 1 {
				return kib
			}
		}
		t.Skip("this kernel does not say what is locked")
		return 0
	}
	before := locked()
	s, err := shm.CreateTempWith(spec, &shm.Options{Lock: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := locked() - before; got != fileSize>>10 {
		t.Errorf("%d KiB are locked, want %d", got, fileSize>>10)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if got := locked() - before; got != 0 {
		t.Errorf("%d KiB are locked after Close", got)
	}
}

// HugePages is a hint: without huge pages in the kernel nothing happens.
func TestHugePagesRefused(t *testing.T) {
	o := &shm.Options{HugePages: true, Prefault: true}
	path := filepath.Join(t.TempDir(), "r")
	for what, make := range map[string]func() (*shm.Segment, error){
		"on a file":   func() (*shm.Segment, error) { return shm.CreateWith(path, wide, 0o600, o) },
		"in a memfd":  func() (*shm.Segment, error) { return shm.CreateTempWith(wide, o) },
		"of one page": func() (*shm.Segment, error) { return shm.CreateTempWith(spec, o) },
		"on the heap": func() (*shm.Segment, error) { return shm.Heap(spec) },
	} {
		s, err := make()
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if n, err := s.HugePages(); err != nil || n < 0 || n > s.Header().Geometry.FileSize {
			t.Errorf("%s: %d bytes in huge pages, %v", what, n, err)
		}
		checkErr(t, s.Close())
		_, err = s.HugePages()
		wantError(t, what+", closed", err, shm.ErrClosed)
	}
}

// On a tmpfs with huge=advise the option gives huge pages, to those who open it later too, and
// only the option does. On a hugetlbfs no ring can be.
func TestHugePages(t *testing.T) {
	cmd := child.Command("huge-pages", t.TempDir())
	cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWNS // mounts of the child's own
	if err := probe(cmd.SysProcAttr); err != nil {
		t.Skip("this sandbox gives no private mount namespace:", err)
	}
	p := child.StartCmd(t, cmd)
	for _, want := range []string{"without: false false", "with: true true", "hugetlbfs: true 2"} {
		line, err := p.ReadLine()
		if err != nil {
			t.Fatal(err)
		}
		if reason, ok := strings.CutPrefix(line, "cannot mount: "); ok {
			t.Log("not tried here:", reason)
			continue
		}
		if !strings.HasPrefix(line, want) {
			t.Errorf("%q, want %q", line, want)
		}
	}
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}

func hugePages(args []string) {
	dir := args[0]
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err == nil {
		err = unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64m,huge=advise")
	}
	for _, o := range []*shm.Options{nil, {HugePages: true}} {
		what := map[bool]string{true: "with:", false: "without:"}[o != nil]
		if err != nil {
			fmt.Println("cannot mount:", err)
			continue
		}
		path := filepath.Join(dir, "r")
		made, opened := false, false
		for range 5 { // the machine may be short of huge pages for a moment
			s, err := shm.CreateWith(path, wide, 0o600, o)
			made = err == nil && huge(s)
			s2, err2 := shm.OpenWith(path, &shm.Options{Prefault: true})
			opened = err2 == nil && huge(s2)
			if err := errors.Join(err, err2, s.Close(), s2.Close(), shm.Remove(path)); err != nil {
				panic(err)
			}
			if made && opened || o == nil {
				break
			}
		}
		fmt.Println(what, made, opened)
	}
	if err := unix.Mount("none", dir, "hugetlbfs", 0, ""); err != nil {
		fmt.Println("cannot mount:", err)
		return
	}
	_, err = shm.Create(filepath.Join(dir, "r"), wide, 0o600)
	text := fmt.Sprint(err)
	fmt.Println("hugetlbfs:", errors.Is(err, errors.ErrUnsupported), strings.Count(text, "huge"), text)
}

func huge(s *shm.Segment) bool {
	n, err := s.HugePages()
	return err == nil && n >= 2<<20
}
