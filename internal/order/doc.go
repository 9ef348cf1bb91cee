// Package order holds the few instructions Ringway needs that Go does not
// give: a release store that is not a full fence, a spin-wait hint, and a
// barrier that one process makes all others execute.
//
//	              amd64                    arm64          others, -race, tag ringway_sc
//	StoreRelease  MOV, inlined             STLR           exchange or atomic.Store
//	Pause         PAUSE                    ISB            nothing
//	Barrier       membarrier(2), Linux     the same       the same, or ErrUnsupported
//
// # Parking without a fence on the busy path
//
// A publisher stores a position and then looks whether anybody sleeps. A
// sleeper says that it sleeps and then looks at the position again. Unless
// each store is ordered before the load after it, both may miss each other
// (Dekker), and StoreRelease on amd64 does not order it: the store may still sit
// in the store buffer when the load executes. Instead of a fence at every
// publish, the sleeper pays, just before it parks:
//
//	publisher                     sleeper
//	P1 StoreRelease(tail)         S1 raise the parked bit
//	P2 load the parked bit        S2 Barrier()
//	                              S3 load tail; if nothing new, S4 park
//
// Barrier makes every CPU that is running a thread of a registered process
// execute a full fence, between its start and its return. Take the point in
// the publisher's program where that fence falls (a publisher that was not
// running passed a fence when the scheduler switched it out or in):
//
//   - before P2: P2 executes after S1 was visible, so it sees the bit and wakes;
//   - after P2: P1 precedes P2 in the program, hence the fence made P1 visible
//     before Barrier returned, so S3 sees it and the sleeper does not park.
//
// The compiler keeps P1 before P2, see StoreRelease. On arm64, P1 is STLR and
// P2 is LDAR, which the architecture keeps in order; Barrier is then needless
// but harmless, and a ring may not know which machine code its peers run.
//
// # Who calls what
//
// Register: every process that publishes without a full fence, before it first
// does so; RegisterSoon does not wait for it, and the caller publishes with full fences
// until Registered. In an asymmetric ring that is everybody who takes a seat: consumers
// publish too, they free slots. Barrier: whoever is about to park, whether registered
// or not. A process that cannot do its part must not take part.
package order
