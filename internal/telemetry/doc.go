// Package telemetry samples the counters of this machine from /proc into a record
// of fixed size without pointers, thousands of times a second.
//
//	s, err := telemetry.Open()
//	defer s.Close()
//	for seq := uint64(0); ; seq++ {
//		due += period
//		err = s.Pace(due)         // waits, and re-reads sources meanwhile
//		rec, err := s.Take(seq)   // stamped now
//		...
//	}
//
// # What a sample is
//
// Reading one file in /proc costs 2 to 30 µs, all six of them some 70, and a
// record is wanted faster than that. So sources are re-read one at a time, in
// turn: a sample carries the latest value of every source, the instant at which
// it was taken, and for each source how old its values were at that instant
// (Sample.Age). Nothing pretends to be fresher than it is.
//
//   - Captured is read from the clock for each sample, never interpolated.
//   - With time to spare until the next sample, Pace re-reads as many sources as
//     fit, so at some thousand samples a second each has all of them fresh.
//   - Faster than /proc, Take re-reads a source once its values are 5 ms old, so that
//     none gets much older than that.
//
// Files stay open, reads go into one buffer, numbers are parsed in place: after
// Open nothing is allocated.
//
// # Limits
//
// Linux only; elsewhere Open returns errors.ErrUnsupported. Only /proc/stat must
// be readable. A source that is missing, as some sandboxes have it, leaves its
// fields 0 and its age at the maximum.
package telemetry
