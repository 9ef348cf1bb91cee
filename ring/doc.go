// Package ring moves values and messages between processes through a ring in
// shared memory, without the kernel as long as both sides have something to do.
//
// # Overview
//
// A ring lies in a segment (package shm). One side is the producer, the other the
// consumer; each is a handle that holds a seat in the segment until it is closed or
// its process dies. Typed ends move values of one pointer-free type, in place if
// asked; message ends move byte strings of any length up to half the ring.
//
//	p, err := ring.NewProducer[Tick](seg, nil)  // one process
//	err = p.Push(ctx, Tick{...})
//
//	c, err := ring.NewConsumer[Tick](seg, nil)  // another
//	for t, err := range c.All(ctx) { ... }
//
// Try calls never block. The others poll for a while that adapts to the traffic,
// then park in the kernel until the other side wakes them; a waker pays for that
// only if somebody is parked.
//
// # Guarantees
//
// A push that returned nil is delivered once, in order, whatever happens to either
// process afterwards, kill -9 included, as long as the machine runs. Only what was
// peeked and not released, or yielded by All and not yet released, is delivered
// again after its consumer died. A push that was cut short by the death of
// its process either happened or did not.
//
// Whoever takes a dead owner's seat goes on where the stream stood. A process that
// is stopped keeps its seat, and on an SPSC ring the other side waits for it.
//
// Shutdown is exact: what was pushed with nil before it is delivered, what was
// refused is not.
//
// # Many on both sides
//
// An MPMC ring (layout.MPMC) takes as many producers and consumers as it has seats,
// through the same calls. Nobody on it ever waits for a particular peer: one that dies or
// stops, at any instruction, is in nobody's way. Elements come in the order in which they
// were pushed, each to one consumer; with Spec.Pack above 1 the order is that of batches. What
// a dead consumer had taken and not released goes to another, for which Redelivered reports
// true: when somebody attaches, when a blocked call's park runs out, or on Segment.Reap.
//
// # Errors
//
// Not now is a sentinel: ErrFull, ErrEmpty. The end is shm.ErrClosed. A damaged ring
// is ErrCorrupt, for everybody and for good. A mistake of the caller's that no run-time
// condition explains, such as Commit without Reserve, panics.
//
// # Ordering
//
// Storing a position with release order passes everything behind it to the other
// side, which reads the position with acquire order first; spsc.go says it beside each
// atomic. How parking gets along without a fence on the busy path is told in
// internal/order.
//
// # Limits
//
// Peers that have the file writable can damage what is in it. They cannot make this
// package read or write outside of the mapping, but memory that Peek or Reserve hands out is
// theirs to change at any time, and a file that they truncate is gone (see package shm).
package ring
