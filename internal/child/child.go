package child

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
)

// envName says in the environment of a child which main it runs.
const envName = "RINGWAY_CHILD"

var mains = map[string]func(args []string){}

// Register names a main that children can run. Call it from init or before Run.
// A name registered twice panics.
func Register(name string, main func(args []string)) {
	if name == "" || mains[name] != nil {
		panic(fmt.Sprintf("child: cannot register %q: the name is empty or taken", name))
	}
	mains[name] = main
}

// Run is the first call in TestMain or main. In a child it runs the named main with
// the arguments given to Command and exits with 0, or with 2 if the main panics or is not
// registered. Anywhere else it returns at once.
func Run() {
	name, ok := os.LookupEnv(envName)
	if !ok {
		return
	}
	_ = os.Unsetenv(envName) // what the child executes is not a child of this kind
	main := mains[name]
	if main == nil {
		fmt.Fprintf(os.Stderr, "child: no main called %q in this binary: Register it before Run\n", name)
		os.Exit(2)
	}
	main(os.Args[1:])
	os.Exit(0)
}

// Command returns a command that runs the named main in a child. Standard error is
// inherited; everything but SysProcAttr.Pdeathsig may be changed before it is started.
// Start it by Launch or StartCmd, or from a goroutine that does not end with its thread locked.
func Command(name string, args ...string) *exec.Cmd {
	path, err := os.Executable()
	cmd := exec.Command(path, args...)
	if err != nil {
		cmd.Err = fmt.Errorf("child: cannot find our own binary: %w", err)
	}
	cmd.Env = append(os.Environ(), envName+"="+name)
	cmd.Stderr = os.Stderr
	dieWithParent(cmd)
	return cmd
}

type launch struct {
	cmd *exec.Cmd
	err chan error
}

var launches = sync.OnceValue(func() chan<- launch {
	c := make(chan launch)
	go func() {
		runtime.LockOSThread() // and never ends, see the package comment
		for l := range c {
			l.err <- l.cmd.Start()
		}
	}()
	return c
})

// Launch starts cmd on a thread that lives as long as this process and is not
// pinned to a CPU, which children would inherit.
func Launch(cmd *exec.Cmd) error {
	l := launch{cmd, make(chan error, 1)}
	launches() <- l
	return <-l.err
}
