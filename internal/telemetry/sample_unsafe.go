package telemetry

import "unsafe"

// A wrong size does not compile.
var (
	_ [Size - unsafe.Sizeof(Sample{})]byte
	_ [unsafe.Sizeof(Sample{}) - Size]byte
	_ [unsafe.Offsetof(Sample{}.Sum) - (Size - 8)]byte
)

func (s *Sample) words() *[words]uint64 { return (*[words]uint64)(unsafe.Pointer(s)) }

// Bytes returns the sample's memory, for writing it to a file, pipe or socket, or for
// reading it from there, on machines of one byte order. It aliases the sample.
func (s *Sample) Bytes() []byte { return (*[Size]byte)(unsafe.Pointer(s))[:] }

// Bytes returns the memory of a run of samples; it aliases them.
func Bytes(run []Sample) []byte {
	if len(run) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&run[0])), len(run)*Size)
}
