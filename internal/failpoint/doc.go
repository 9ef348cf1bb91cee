// Package failpoint names the points between two operations on shared memory, so
// that tests can kill, stop or schedule a process exactly there.
//
// Without the build tag failpoint, Hit compiles to nothing. With it, Hit calls the
// hook that a test installed.
package failpoint
