//go:build linux

package shm_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
	"ringway/layout"
	"ringway/shm"
)

func init() {
	child.Register("lender", lender)
}

// lender hands its segment's file to a program that outlives it, until the pipe at
// descriptor 3 ends.
func lender(args []string) {
	s, err := shm.Open(args[0])
	if err != nil {
		panic(err)
	}
	if _, err := s.Take(layout.RoleProducer, "lender"); err != nil {
		panic(err)
	}
	cmd := exec.Command("cat")
	cmd.Stdin, cmd.ExtraFiles = os.NewFile(3, "pipe"), []*os.File{s.File()}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	fmt.Println(cmd.Process.Pid)
	forever()
}

// A dead owner's seat is free at once; a stopped one's is not, however long.
func TestOwnerStoppedAndKilled(t *testing.T) {
	path := filepath.Join(ramDir(t), "r")
	s := create(t, path, spec)
	p := startOwner(t, path, layout.RoleProducer)
	p.Expect("seat 0 epoch 1")
	held := fmt.Sprintf("held by pid %d (%q)", p.Pid(), "owner")
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Take(layout.RoleProducer, "")
	wantError(t, "the seat of a stopped owner", err, shm.ErrBusy, held)
	alive(t, s, 0, true)
	reap(t, s, 0)
	if !shm.Stopped(p.Pid()) || shm.Stopped(os.Getpid()) {
		t.Errorf("Stopped says %v of the stopped one, %v of us", shm.Stopped(p.Pid()), shm.Stopped(os.Getpid()))
	}
	line := &layout.SeatsAt(s.Memory(), spec.Seats)[0]
	if got := shm.ProcessOf(p.Pid(), line.Start.Load()); got != shm.ProcessStopped {
		t.Errorf("the stopped one is said to be %v", got)
	}
	if got := shm.ProcessOf(p.Pid(), line.Start.Load()+1); got != shm.ProcessUnknown {
		t.Errorf("a process that has its pid and began later is said to be %v", got)
	}
	if err := p.Cont(); err != nil {
		t.Fatal(err)
	}
	if err := p.SendLine("left"); err != nil { // it is itself again and gives up what it held all along
		t.Fatal(err)
	}
	p.Expect("left <nil>")
	alive(t, s, 0, false)

	p = startOwner(t, path, layout.RoleProducer)
	p.Expect("seat 0 epoch 2")
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	p.Kill() // stopped or not
	alive(t, s, 0, false)
	seat := take(t, s, layout.RoleProducer)
	if seat.Epoch != 3 || s.Control().Reaped.Load() != 1 {
		t.Errorf("epoch %d, %d reaped, want 3 and 1", seat.Epoch, s.Control().Reaped.Load())
	}
	leave(t, seat)
}

// Killed and not yet waited for by its parent: a zombie can do nothing any more.
func TestZombieOwner(t *testing.T) {
	path := filepath.Join(ramDir(t), "r")
	s := create(t, path, spec)
	cmd := child.Command("owner", path, "1")
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout = in
	if err := child.Launch(cmd); err != nil {
		t.Fatal(err)
	}
	in.Close()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait() // killed: the error is no news
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "seat 0 epoch 1\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for { // dead, and left unreaped
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			t.Fatal(err)
		}
	}
	if err := unix.Kill(cmd.Process.Pid, 0); err != nil {
		t.Fatalf("no zombie, this test shows nothing: %v", err)
	}
	alive(t, s, 0, false)
	leave(t, take(t, s, layout.RoleProducer))
}

// Reap settles exactly the seats of the dead.
func TestReap(t *testing.T) {
	ms := layout.Spec{Kind: layout.MPMC, Payload: layout.Message, Cap: 4, Elem: layout.Elem{Size: 8}, Seats: 8, Fence: layout.Full}
	path := filepath.Join(ramDir(t), "r")
	s := create(t, path, ms)
	mine := take(t, s, layout.RoleConsumer)
	var procs []*child.Proc
	for i := range 4 {
		p := startOwner(t, path, layout.RoleProducer)
		p.Expect(fmt.Sprintf("seat %d epoch 1", i+1))
		procs = append(procs, p)
	}
	reap(t, s, 0)
	if err := procs[2].Stop(); err != nil {
		t.Fatal(err)
	}
	procs[0].Kill()
	procs[3].Kill()
	reap(t, s, 2)
	reap(t, s, 0)
	if n := s.Control().Reaped.Load(); n != 2 {
		t.Errorf("%d count as reaped, want 2", n)
	}
	for seat, want := range []bool{true, false, true, true, false} {
		alive(t, s, seat, want)
	}
	leave(t, mine)
}

// A descriptor that was handed on keeps the file, not the seat.
func TestFileOutlivesOwner(t *testing.T) {
	if _, err := exec.LookPath("cat"); err != nil {
		t.Skip("needs a program to hand the file to:", err)
	}
	path := filepath.Join(ramDir(t), "r")
	s := create(t, path, spec)
	theirs, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil { // the orphan is ours to wait for
		t.Fatal(err)
	}
	cmd := child.Command("lender", path)
	cmd.ExtraFiles = []*os.File{theirs}
	p := child.StartCmd(t, cmd)
	theirs.Close()
	heir, err := p.ReadLine()
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(heir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ours.Close() // ends the heir
		for {
			if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
				break
			}
		}
	}()
	alive(t, s, 0, true)
	p.Kill()
	if target, err := os.Readlink("/proc/" + heir + "/fd/3"); err != nil || target != path {
		t.Fatalf("the heir has not got the file, this test shows nothing: %q, %v", target, err)
	}
	alive(t, s, 0, false)
	leave(t, take(t, s, layout.RoleProducer))
}

// A process whose cgroup is frozen is said to be so; its state in /proc does not tell.
func TestFrozenOwner(t *testing.T) {
	tried := false
	for _, f := range []struct{ root, file, on, off string }{
		{"/sys/fs/cgroup", "cgroup.freeze", "1", "0"},
		{"/sys/fs/cgroup/unified", "cgroup.freeze", "1", "0"},
		{"/sys/fs/cgroup/freezer", "freezer.state", "FROZEN", "THAWED"},
	} {
		if _, err := os.Stat(f.root + "/cgroup.procs"); err != nil {
			continue // no root of cgroups
		}
		path := filepath.Join(ramDir(t), "r")
		s := create(t, path, spec)
		group := fmt.Sprintf("%s/ringway-test-%d", f.root, os.Getpid())
		if err := os.Mkdir(group, 0o755); err != nil {
			t.Logf("no group of our own: %v", err)
			continue
		}
		p := startOwner(t, path, layout.RoleProducer)
		p.Expect("seat 0 epoch 1")
		err := os.WriteFile(group+"/cgroup.procs", []byte(strconv.Itoa(p.Pid())), 0)
		if err == nil {
			err = os.WriteFile(group+"/"+f.file, []byte(f.on), 0)
		}
		if err == nil {
			tried = true
			start := layout.SeatsAt(s.Memory(), spec.Seats)[0].Start.Load()
			for end := time.Now().Add(time.Minute); shm.ProcessOf(p.Pid(), start) != shm.ProcessFrozen; {
				if time.Now().After(end) {
					t.Errorf("%s: said to be %v", f.root, shm.ProcessOf(p.Pid(), start))
					break
				}
			}
			alive(t, s, 0, true)
			if err := os.WriteFile(group+"/"+f.file, []byte(f.off), 0); err != nil {
				t.Error(err)
			}
		} else {
			t.Log("cannot freeze: ", err)
		}
		p.Kill()
		if err := os.Remove(group); err != nil {
			t.Log(err)
		}
	}
	if !tried {
		t.Skip("no cgroup freezer that we may use")
	}
}
