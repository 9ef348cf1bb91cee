package failpoint

// Point is one place between two operations on shared memory.
type Point uint8

// The points, in the order in which an exchange, a release and a recovery pass them.
const (
	SendFilled    Point = iota // own block is filled, nothing announced
	SendHeader                 // its header says where it will be put
	SendVersion                // the seat says which version is expected
	SendPending                // the seat says what is exchanged; next: the exchange
	SendExchanged              // the message is in the ring; next: the seat
	SendFailed                 // somebody else was first; next: the seat
	SendSettled                // the seat owns one block again
	SendHinted                 // the hint was looked at
	TakeHeader                 // the empty block's header says where it will be put
	TakeVersion
	TakePending
	TakeExchanged // the message is ours; next: the seat
	TakeFailed
	TakeUnacked // the seat says that we hold a message
	TakeHinted
	TakePart     // one element of a packed block was released
	TakeReleased // the message was released, its block is our empty one
	WakeBefore   // published; next: the look at who is parked
	SettleBegin  // recovery has the seat's lock
	SettleOwned  // it knows what the seat owns; next: the seat
	SettleRecord // the seat says so
	SettleDone   // the seat is free or an orphan
	AdoptTaken   // a consumer holds an orphan's message
	AdoptDone    // and has released it
	SealState    // the ring is shut down, no slot is sealed
	SealDone
	SitTaken // a seat is taken; next: its block is looked up
	points
)

// The points of an update of a variable, which no exchange passes.
const (
	VarLocked    = points + iota // the turn is ours
	VarHalf                      // half of the new copy is written
	VarFilled                    // all of it; next: the version
	VarPublished                 // next: the wake-up
	allPoints
)

// VarPoints is how many of those there are.
const VarPoints = int(allPoints - points)

// Where Look is called.
const (
	LookedAtSlot   = iota // send, take: the slot was loaded
	LooksAtSlot           // recovery: next the slot
	LooksAtHeader         // next a block's header
	LooksAtSeat           // next another seat's record
	LooksAtLock           // next its lock
	LooksForEnd           // sealing: next all slots
	LooksAtEnd            // next one of them
	LooksBeforeEnd        // next the slot before the end
)

// Points is how many there are.
const Points = int(points)

var names = [...]string{
	"send-filled", "send-header", "send-version", "send-pending", "send-exchanged", "send-failed", "send-settled", "send-hinted",
	"take-header", "take-version", "take-pending", "take-exchanged", "take-failed", "take-unacked", "take-hinted", "take-part", "take-released",
	"wake-before", "settle-begin", "settle-owned", "settle-record", "settle-done", "adopt-taken", "adopt-done", "seal-state", "seal-done", "sit-taken",
	"var-locked", "var-half", "var-filled", "var-published",
}

func (p Point) String() string { return names[p] }
