//go:build amd64 && !race && !ringway_sc

package order

// Plain says whether StoreRelease is a plain store, so that a store and a load
// after it may pass each other. Where it is false StoreRelease orders both.
const Plain = true

// StoreRelease stores v at p so that whoever sees v also sees every store and
// has had every load that precedes it here. It must stay inlinable: behind a
// call it costs three to four times as much. p is 8-byte aligned, shares no
// cache line with payload, and is read elsewhere by atomic loads only.
//
// Why a plain store is a release store:
//   - The processor: amd64 makes stores visible in program order and never
//     before earlier loads (TSO). The exceptions, non-temporal stores, are used by
//     the runtime only to copy and clear large ranges, which it ends with SFENCE;
//     string moves are ordered before any later store.
//   - The compiler: in SSA form a store consumes the memory state that the
//     operation before it produced, and only one such state is live at a time, so
//     stores leave in the order of the source, loads stay before the next store,
//     and nothing crosses a call or an atomic. Two kinds of store are not kept:
//     one overwritten before anybody here loads it is dropped, which skips a value
//     nobody was promised; small ones at adjacent addresses are merged, which a
//     line of its own prevents.
//   - The Go memory model promises none of this. It is therefore proved on the
//     machine code of every busy-path function by a codegen test, and the tag
//     ringway_sc falls back to sync/atomic.
func StoreRelease(p *uint64, v uint64) { *p = v }
