package layout

// Record is the word that begins a record. A record of an SPSC message ring is one
// 64-bit word and the message, padded to a multiple of 8 bytes; it never wraps:
//
//	 63            34 33 32 31             0
//	+----------------+-----+----------------+----------------------+-----+
//	| back, 8 bytes  | kind| length, bytes  | message              | 0-7 |
//	+----------------+-----+----------------+----------------------+-----+
//
// back is the distance to the word of the record before this one, in units of
// 8 bytes; 0 means that this one's producer did not know it. A record that
// would cross the end of the ring is preceded by padding, a record whose
// length runs exactly to that end. Neither kind is 0, so memory that was never
// written, or was punched out of the file, is never taken for a record.
type Record uint64

// RecordHeader is the size in bytes of the record word, and the alignment of records.
const RecordHeader = 8

// The kinds of a record.
const (
	RecordData    = 1
	RecordPadding = 2
)

// MakeRecord packs a record word; back is in bytes, a multiple of 8 below 2^33.
func MakeRecord(kind int, length, back uint64) Record {
	return Record(back/8<<34 | uint64(kind)<<32 | length)
}

// Kind is RecordData, RecordPadding, or something a damaged ring says.
func (r Record) Kind() int { return int(r >> 32 & 3) }

// Len is the message's length, or the padding's, in bytes, without the word.
func (r Record) Len() uint64 { return uint64(uint32(r)) }

// Back is the distance in bytes to the word of the record before, 0 if unknown.
func (r Record) Back() uint64 { return uint64(r>>34) * 8 }

// RecordSize is what a message of n bytes takes in the ring: word, message, filler.
func RecordSize(n uint64) uint64 { return RecordHeader + (n+7)&^7 }

// MaxRecordPayload is the longest message a ring of capacity bytes takes: half
// of the ring less the word. A longer one might never fit, even in an empty
// ring, because up to its own size may be lost to padding.
func MaxRecordPayload(capacity uint64) uint64 { return capacity/2 - RecordHeader }

// Fits reports whether a record word found at index (position modulo capacity)
// describes a record that lies within avail published bytes and, if padding,
// ends exactly at the end of the ring. max is the longest message.
func (r Record) Fits(index, capacity, avail, max uint64) bool {
	n := r.Len()
	size := RecordSize(n)
	switch r.Kind() {
	case RecordData:
		return n <= max && size <= avail && size <= capacity-index
	case RecordPadding:
		return size <= avail && size < RecordSize(max) && size == capacity-index
	}
	return false
}
