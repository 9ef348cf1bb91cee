package shm

import (
	"io/fs"

	"ringway/layout"
)

// Options tune how a segment is made or opened. The zero value, like a nil pointer, is good.
type Options struct {
	// Name says who has the segment open, to people; cut to 16 bytes. Empty: the
	// program's name.
	Name string

	// RemoveOnLast marks the segment: the last process to close it removes it. If that one
	// is killed instead, the next to create, open or reap it under that name does so. See
	// [Segment.RemoveOnLast].
	RemoveOnLast bool
}

// CreateWith is Create with options.
func CreateWith(path string, spec layout.Spec, perm fs.FileMode, o *Options) (*Segment, error) {
	return makeSegment(path, spec, perm, o)
}

// OpenWith is Open with options.
func OpenWith(path string, o *Options) (*Segment, error) { return open(path, false, o) }

// OpenOrCreateWith is OpenOrCreate with options. A segment that is there already gets
// the mark of RemoveOnLast too.
func OpenOrCreateWith(path string, spec layout.Spec, perm fs.FileMode, o *Options) (*Segment, error) {
	return openOrMake(path, spec, perm, o)
}

// name returns what the attach table says.
func (o *Options) name() string {
	if o == nil || o.Name == "" {
		return processName()
	}
	return o.Name
}

func (o *Options) removeOnLast() bool { return o != nil && o.RemoveOnLast }
