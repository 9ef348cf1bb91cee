package shm

// Process is what the owner of a seat is doing, as far as the system tells.
type Process uint8

const (
	ProcessUnknown Process = iota // not to be seen from here (another PID namespace), or the pid is somebody else's by now
	ProcessRunning                // or ready to, or asleep
	ProcessStopped                // by a signal or a debugger
	ProcessFrozen                 // with its cgroup
)

// String returns one word, for people.
func (p Process) String() string {
	if names := [...]string{"unknown", "running", "stopped", "frozen"}; int(p) < len(names) {
		return names[p]
	}
	return "unknown"
}
