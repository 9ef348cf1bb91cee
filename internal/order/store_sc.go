//go:build race || (amd64 && ringway_sc)

package order

import "sync/atomic"

// Plain says whether StoreRelease is a plain store, so that a store and a load
// after it may pass each other. Where it is false StoreRelease orders both.
const Plain = false

// StoreRelease stores v at p so that whoever sees v also sees every store and
// has had every load that precedes it here. p is 8-byte aligned.
//
// Here it is an exchange, XCHG on amd64, which is what atomic.Store compiles to
// there. Under -race it is not: the race runtime stores with release order only,
// on memory it does not follow with a bare MOV, and a load after it may
// overtake it. So whoever needs a full fence from a store must not use
// atomic.Store on a mapped segment either.
func StoreRelease(p *uint64, v uint64) { atomic.SwapUint64(p, v) }
