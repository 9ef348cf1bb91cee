package order

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"ringway/internal/child"
)

func TestMain(m *testing.M) {
	child.Run()
	os.Exit(m.Run())
}

// publish is disassembled by TestStoreReleaseInlines; the constants mark its stores.
//
//go:noinline
func publish(payload, position, after *uint64) {
	*payload = 0x1111
	StoreRelease(position, 0x2222)
	*after = 0x3333
}

func TestStoreRelease(t *testing.T) {
	var a, b, c uint64
	publish(&a, &b, &c)
	if a != 0x1111 || b != 0x2222 || c != 0x3333 {
		t.Errorf("stored %#x %#x %#x", a, b, c)
	}
}

// The whole gain of StoreRelease is lost behind a call, so look at the machine
// code of a caller: no call, the instruction we expect, the stores in order.
func TestStoreReleaseInlines(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("needs the go command to build and disassemble:", err)
	}
	for _, c := range []struct{ arch, tags, store, never string }{
		{"amd64", "", "MOVQ $0x2222, 0(BX)", "XCHG"},
		{"amd64", "ringway_sc", "XCHGQ", "\x00"},
		{"arm64", "", "STLR", "DMB"},
	} {
		t.Run(c.arch+c.tags, func(t *testing.T) {
			bin := filepath.Join(t.TempDir(), "order.test")
			run(t, c.arch, goTool, "test", "-c", "-tags="+c.tags, "-o", bin, ".")
			code := run(t, c.arch, goTool, "tool", "objdump", "-s", `order\.publish$`, bin)
			if !strings.Contains(code, c.store) || strings.Contains(code, c.never) || strings.Contains(code, "CALL") {
				t.Errorf("want %q, no %q and no CALL in\n%s", c.store, c.never, code)
			}
			first, second, third := strings.Index(code, "$0x1111"), strings.Index(code, "$0x2222"), strings.Index(code, "$0x3333")
			if c.arch == "arm64" { // objdump prints its immediates in decimal
				first, second, third = strings.Index(code, "$4369"), strings.Index(code, "STLR"), strings.LastIndex(code, "MOVD R")
			}
			if first < 0 || second < first || third < second {
				t.Errorf("stores out of order in\n%s", code)
			}
		})
	}
}

func run(t *testing.T, arch, tool string, args ...string) string {
	t.Helper()
	cmd := exec.Command(tool, args...)
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

func TestPlainOnlyWhereProved(t *testing.T) {
	if Plain && runtime.GOARCH != "amd64" {
		t.Errorf("StoreRelease is a plain store on %s", runtime.GOARCH)
	}
}

func TestBarrierOrUnsupported(t *testing.T) {
	if !Supported() {
		if err := Register(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Register = %v, want ErrUnsupported", err)
		}
		if err := Barrier(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Barrier = %v, want ErrUnsupported", err)
		}
		return
	}
	for range 3 {
		if err := Register(); err != nil {
			t.Fatal("Register:", err)
		}
		if err := Barrier(); err != nil {
			t.Fatal("Barrier:", err)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	var word uint64
	if n := testing.AllocsPerRun(100, func() {
		StoreRelease(&word, 1)
		Pause()
		_ = Register()
		_ = Barrier()
		_ = Supported()
	}); n != 0 {
		t.Errorf("%v allocations per run", n)
	}
}
