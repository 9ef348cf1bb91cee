// Package race tells the race detector about hand-overs it cannot see.
//
// The detector only follows memory of the Go heap and data segments. A mapped
// segment is neither: races on its bytes go unreported, and an atomic store and load
// in it do not count as synchronisation, so Go memory that two goroutines hand to each
// other through a ring on a mapped segment would be reported as a race that
// is none (go.dev/issue/16206). Ringway therefore repeats every hand-over on a
// dummy variable the detector does follow: Release just before the store that
// publishes, Acquire just after the load that observed.
//
// There is one dummy for all rings of the process. That makes the detector see
// more order than there is, never less: it hides races between users of
// different rings, and reports no false ones. Rings on heap bytes need no hints,
// their atomics are seen; the algorithms are checked there.
//
// Without -race all of it compiles to nothing.
package race
