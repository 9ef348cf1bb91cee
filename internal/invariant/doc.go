// Package invariant holds assertions that cost something, built only under
// -race or -tags invariants and compiled to nothing otherwise.
//
// Guard a check with the constant, so that the compiler drops it:
//
//	if invariant.Enabled && tail-head > size {
//		panic(...)
//	}
package invariant
