package layout

import (
	"structs"
	"sync/atomic"
)

// Attachment is one entry of the attach table: who has the segment mapped for writing.
// Only the holder of the entry's lock byte stores to it. An entry without a held lock
// means nothing: its owner left, or died.
type Attachment struct {
	_     structs.HostLayout
	State atomic.Uint32 // AttachFree or AttachTaken
	PID   atomic.Uint32
	Start atomic.Uint64 // the process's start time, clock ticks after boot
	Since atomic.Int64  // when it was attached, Unix nanoseconds
	name  [attachName / 8]atomic.Uint64
}

// States of an attachment.
const (
	AttachFree  = 0
	AttachTaken = 1
)

const (
	// AttachTable is how many attachments have an entry. More may attach; they are counted.
	AttachTable = 64

	// MaxAttached is how many mappings for writing a segment may have at once.
	MaxAttached = 4096

	attachName = 16
)

// AttachByte is the byte that whoever has the segment mapped for writing holds a shared
// lock on. Who is granted it exclusively knows that nobody has.
const AttachByte int64 = MaxFile + 4096

// NameByte is the byte that whoever unlinks the segment's name holds a lock on.
const NameByte = AttachByte + 1

// AttachSlot is the lock byte of attachment i, held exclusively by its owner.
func AttachSlot(i int) int64 { return MaxFile + 8192 + int64(i) }

// SetName stores the owner's name, for people, cut to 16 bytes. Only the owner calls it.
func (a *Attachment) SetName(name string) { packName(a.name[:], name) }

// OwnerName returns the current or last owner's name. It may be torn while the entry
// changes hands; it holds printable characters only.
func (a *Attachment) OwnerName() string { return unpackName(a.name[:]) }
