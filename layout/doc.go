// Package layout is the file format of a segment and nothing else: where every
// byte lies, what a header must say, how words are packed. docs/FORMAT.md is the
// normative text, from which a program in another language can be written; golden
// files in testdata pin it.
//
// # Byte map
//
// Little-endian, 64-bit words. Every region begins at a multiple of 4096.
//
//	   0  +--------------------------------------------------------------+
//	      | header, immutable: magic, version, features, spec, offsets,  |
//	      | origin                                  ends with CRC-32C    |
//	 256  | ready word, stored last by the creator                       |
//	4096  +--------------------------------------------------------------+
//	      | tail        | producer's position                            |
//	4224  | head        | consumer's position                            |
//	4352  | not empty   | event, consumers park on it                    |
//	4480  | not full    | event, producers park on it                    |
//	4608  | state       | and reason, where; seal                        |
//	4736  | claim       | how far the producer may be writing            |
//	4864  | reaped      | settled seats            each line: 128 bytes  |
//	4992  | orphans     | unreleased messages of the dead to be looked for |
//	5120  | destroy     | the last to leave removes the segment          |
//	5632  | attach table: who has it mapped for writing, 40 bytes each   |
//	8192  +--------------------------------------------------------------+
//	      | seat 0 | seat 1 | ...                     128 bytes each     |
//	word  +--------------------------------------------------------------+
//	      | slot words, 8 bytes each                  MPMC only          |
//	data  +--------------------------------------------------------------+
//	      | SPSC: slots of T, or records of messages                     |
//	      | MPMC: blocks, each a 16-byte header and elements             |
//	      | variables: two copies of the value                           |
//	size  +--------------------------------------------------------------+
//	2^40  the lock byte of seat 0, then of seat 1, ...: no file is that long
//	+4096 the lock byte of all users, and of the name
//	+8192 the lock byte of user 0, then of user 1, ...
//
// What the producer stores and what the consumer stores never share 128 bytes; that
// number is a constant of the format, whatever the machine's cache line is.
//
// # From Spec to bytes
//
// A [Spec] is what a creator chooses. [Spec.Geometry] derives every offset and
// stride from it, and [Validate] derives them again from the spec it finds in a
// header and compares. So no offset is ever believed because a file says so, and two
// headers that describe the same ring are the same bytes.
//
// # Versioning
//
// Another major version is refused. A minor version adds only what its readers
// may ignore; whatever they must know about sets a feature flag, and flags that are
// unknown refuse the use they forbid. The fingerprint in [Elem] is part of the
// format: it changes only with the major version.
package layout
