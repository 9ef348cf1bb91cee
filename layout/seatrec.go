package layout

// SeatRec is the word of an MPMC seat from which recovery learns what its
// owner held or was exchanging:
//
//	 63  60 59            30 29             0
//	+------+----------------+----------------+
//	| kind | give           | get            |
//	+------+----------------+----------------+
type SeatRec uint64

// The kinds of a SeatRec. Zero is none of them.
const (
	RecHeld    = 1 // the seat owns block give
	RecUnacked = 2 // the seat owns block give, whose message is not released yet
	RecSending = 3 // give goes into a slot, get comes out, or neither happened
	RecTaking  = 4 // the same, and get holds a message
)

const recBits = 30 // a block number; MaxSlots + MaxSeats is below 2^30

// MakeSeatRec packs a record.
func MakeSeatRec(kind int, give, get uint64) SeatRec {
	return SeatRec(uint64(kind)<<(2*recBits) | give<<recBits | get)
}

// Kind is one of the Rec constants, or something a damaged seat says.
func (r SeatRec) Kind() int { return int(r >> (2 * recBits)) }

// Doing says what the owner is in the middle of: "held" (nothing), "unacked" (it has a
// message in hand), "sending" or "taking" (which may have happened already); "none" for a
// record that no owner writes, as on an SPSC ring.
func (r SeatRec) Doing() string {
	if names := [...]string{"none", "held", "unacked", "sending", "taking"}; r.Kind() < len(names) {
		return names[r.Kind()]
	}
	return "none"
}

// Exchanging reports whether the record announces an exchange.
func (r SeatRec) Exchanging() bool { return r.Kind() == RecSending || r.Kind() == RecTaking }

// Give is the block the owner gives, or simply owns.
func (r SeatRec) Give() uint64 { return uint64(r>>recBits) & (1<<recBits - 1) }

// Get is the block the owner gets if its exchange happens.
func (r SeatRec) Get() uint64 { return uint64(r) & (1<<recBits - 1) }
