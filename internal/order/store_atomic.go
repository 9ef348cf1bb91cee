//go:build !amd64 && !race

package order

import "sync/atomic"

// Plain says whether StoreRelease is a plain store, so that a store and a load
// after it may pass each other. Where it is false StoreRelease orders both.
const Plain = false

// StoreRelease stores v at p so that whoever sees v also sees every store and
// has had every load that precedes it here. p is 8-byte aligned.
// Here it is the sequentially consistent store, STLR on arm64.
func StoreRelease(p *uint64, v uint64) { atomic.StoreUint64(p, v) }
