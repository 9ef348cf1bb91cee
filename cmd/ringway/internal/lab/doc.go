// Package lab holds the experiments of ringway lab: what a textbook says about shared
// memory, run between real processes.
//
// Each experiment starts its workers by executing this program again (ringway lab
// worker, see Work), gives them one piece of shared memory without a name, and collects
// their accounts. So nothing can be left behind: the memory, the rings and the queues go
// with the last process that has them, and the kernel ends the workers with their parent.
//
// Shared words are touched by atomic loads and stores only, also where an experiment
// wants them to race: Go defines what a race of two atomics does, and it is exactly the
// lost update of the textbook, because an atomic load followed by an atomic store is not
// an atomic update.
package lab
