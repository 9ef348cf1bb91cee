package futex

import "unsafe"

// An Event is one futex word; the file format relies on it.
var _ [4]struct{} = [unsafe.Sizeof(Event{})]struct{}{}
