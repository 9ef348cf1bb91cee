package child

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

func init() {
	Register("echo", func(args []string) {
		fmt.Println("args", strings.Join(args, ","), os.Getenv(envName) == "")
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			fmt.Println("got", in.Text())
		}
	})
	Register("exit", func([]string) { os.Exit(3) })
	Register("panic", func([]string) { panic("meant to fail") })
	Register("block", func([]string) {
		fmt.Println("ready")
		for {
			time.Sleep(time.Hour) // not select: with nobody left to wake it, the runtime calls that a deadlock
		}
	})
	// parent starts a child that blocks and then dies itself, as a killed test does.
	Register("parent", func([]string) {
		cmd := Command("block")
		cmd.Stdout = os.Stdout
		if err := Launch(cmd); err != nil {
			panic(err)
		}
		fmt.Println(cmd.Process.Pid)
		for {
			time.Sleep(time.Hour) // not select: with nobody left to wake it, the runtime calls that a deadlock
		}
	})
}

func TestMain(m *testing.M) {
	Run()
	os.Exit(m.Run())
}

func TestEcho(t *testing.T) {
	p := Start(t, "echo", "a", "b")
	p.Expect("args a,b true")
	for i := range 100 {
		if err := p.SendLine(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
		p.Expect(fmt.Sprint("got ", i))
	}
	p.CloseStdin()
	if err := p.Wait(); err != nil {
		t.Error("Wait:", err)
	}
	if line, err := p.ReadLine(); err != io.EOF {
		t.Errorf("ReadLine after the end: %q, %v, want io.EOF", line, err)
	}
	p.Kill() // harmless
}

// Output written just before the exit must not be lost, however late it is read.
func TestOutputOutlivesChild(t *testing.T) {
	p := Start(t, "echo")
	p.CloseStdin()
	if err := p.Wait(); err != nil {
		t.Error("Wait:", err)
	}
	p.Expect("args  true")
}

func TestFailureIsSeen(t *testing.T) {
	for name, code := range map[string]int{"exit": 3, "panic": 2, "unknown": 2} {
		cmd := Command(name)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		p := StartCmd(t, cmd)
		err := p.Wait()
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != code {
			t.Errorf("%s: Wait = %v, want exit code %d", name, err, code)
		}
		if name == "unknown" && !strings.Contains(stderr.String(), `no main called "unknown"`) {
			t.Errorf("unknown main printed %q", stderr.String())
		}
	}
}

func TestRegisterTwicePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a name registered twice did not panic")
		}
	}()
	Register("echo", func([]string) {})
}

func TestStartFailureIsFatal(t *testing.T) {
	cmd := Command("echo")
	cmd.Path = "/nonexistent/binary"
	rec := &recorder{TB: t}
	if p := StartCmd(rec, cmd); p != nil || !strings.Contains(rec.fatal, "cannot start") {
		t.Errorf("StartCmd of a missing binary: %v, said %q", p, rec.fatal)
	}
}

// recorder is a TB that notes Fatalf instead of ending the test.
type recorder struct {
	TB
	fatal string
}

func (r *recorder) Fatalf(format string, args ...any) { r.fatal = fmt.Sprintf(format, args...) }

func TestPinRejects(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Pin works on Linux only")
	}
	for _, cpu := range []int{-1, 1023, 1 << 20} {
		if err := Pin(cpu); err == nil {
			t.Errorf("Pin(%d) = nil, want an error", cpu)
		}
	}
}
