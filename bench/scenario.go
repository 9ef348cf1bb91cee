package bench

import "fmt"

// Scenario is work that the processes of a Pair share. All sides register it under the same name, which happens by itself
// when Register is called from init or before ChildMain.
type Scenario struct {
	Name  string
	Bytes int // shared memory that all sides get, zeroed before every run
	// Producer and Consumer do n operations. They start together; the clock runs from the start of the first side to the
	// end of the last. A side that sees a wrong payload panics, which ends the run with an error.
	Producer, Consumer func(mem []byte, n int)
	// Attach, if set, replaces Producer and Consumer: it is called once in each process, before its first run, in the
	// others after the first producer's has returned, with a directory that all see, and returns the work. Bytes may be 0,
	// and mem is zeroed only at the start.
	Attach func(side Side, dir string, mem []byte) (run func(n int), err error)
	// Time, if set, replaces Attach: the work of one side also returns how long each operation took, in ns; the
	// others return nil. The slice is used before the next run.
	Time func(side Side, dir string, mem []byte) (run func(n int) []int64, err error)
	// Spend, if set, replaces Time: the work of one side returns how many ns of it count, instead of the span from the
	// start of the first side to the end of the last; the others return 0.
	Spend func(side Side, dir string, mem []byte) (run func(n int) int64, err error)
}

// Side says which end of a scenario a process is. Even sides are producers, odd ones consumers; a pair has the first of
// each, and 2 and 3 are the second.
type Side int

// The two sides of a pair. ProducerSide runs on the first CPU.
const (
	ProducerSide Side = iota
	ConsumerSide
)

// Role is ProducerSide or ConsumerSide.
func (s Side) Role() Side { return s & 1 }

// Number counts the producers, or the consumers, from 0.
func (s Side) Number() int { return int(s >> 1) }

// sidesOf lists the sides of so many producers and consumers. Producers and consumers take turns, so that with two CPUs in turn all
// producers share the first.
func sidesOf(producers, consumers int) (sides []Side) {
	for i := range max(producers, consumers) {
		if i < producers {
			sides = append(sides, Side(2*i))
		}
		if i < consumers {
			sides = append(sides, Side(2*i+1))
		}
	}
	return sides
}

// ProbeName is a scenario that does nothing: its sample is the two probes.
const ProbeName = "probe"

var scenarios = map[string]Scenario{
	ProbeName: {Name: ProbeName, Producer: func([]byte, int) {}, Consumer: func([]byte, int) {}},
}

// Register adds a scenario of two functions over bytes of zeroed shared memory.
func Register(name string, bytes int, producer, consumer func(mem []byte, n int)) {
	RegisterScenario(Scenario{Name: name, Bytes: bytes, Producer: producer, Consumer: consumer})
}

// RegisterScenario adds a scenario; a name taken twice is a bug of the caller and panics.
func RegisterScenario(s Scenario) {
	if _, ok := scenarios[s.Name]; ok || s.Name == "" {
		panic(fmt.Sprintf("bench: scenario name %q is empty or taken", s.Name))
	}
	scenarios[s.Name] = s
}

// Registered reports whether there is a scenario of that name.
func Registered(name string) bool {
	_, ok := scenarios[name]
	return ok
}

// Request is one sample that is wanted.
type Request struct {
	Scenario string
	N        int  // operations, at least 1 a producer and consumer
	Trips    int  // round trips of each of the two raw probes
	Stream   int  // bytes of the buffer of the raw one-way stream, 0 for none
	Sleeps   bool // the sides sleep: no SCHED_FIFO, and see Sample.Sleeps
}
