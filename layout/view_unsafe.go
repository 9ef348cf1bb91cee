package layout

import "unsafe"

// ControlAt returns the control lines of a mapped segment, which is at least
// ControlOff+Page bytes long and 8-byte aligned.
func ControlAt(mem []byte) *Control {
	return (*Control)(unsafe.Pointer(&mem[ControlOff : ControlOff+Page][0]))
}

// SeatsAt returns the seat table of a mapped segment.
func SeatsAt(mem []byte, seats int) []Seat {
	table := mem[SeatOff : SeatOff+seats*Line]
	return unsafe.Slice((*Seat)(unsafe.Pointer(&table[0])), seats)
}

// ReadyAt returns the ready word of a mapped segment.
func ReadyAt(mem []byte) *uint64 {
	return (*uint64)(unsafe.Pointer(&mem[readyOff : readyOff+8][0]))
}

// WordsAt returns the slot words of a mapped MPMC segment.
func WordsAt(mem []byte, g *Geometry) []uint64 {
	words := mem[g.WordOff : g.WordOff+uint64(g.Spec.Cap)*WordStride]
	return unsafe.Slice((*uint64)(unsafe.Pointer(&words[0])), g.Spec.Cap)
}

// VersionsAt returns the block versions of a mapped MPMC segment: for each block the version
// of a slot when a producer last put it there, and when a consumer did. They lie apart, and
// apart from the blocks, because a cache line that only one side writes stays with it.
func VersionsAt(mem []byte, g *Geometry) (sent, freed []uint64) {
	a, b := mem[g.SentOff:g.FreedOff], mem[g.FreedOff:g.DataOff]
	return unsafe.Slice((*uint64)(unsafe.Pointer(&a[0])), int(g.Blocks)), unsafe.Slice((*uint64)(unsafe.Pointer(&b[0])), int(g.Blocks))
}

// The compiler refuses a layout that drifts: an index other than 0 is an error.
var (
	_ = [1]int{}[unsafe.Offsetof(Control{}.Tail)-0*Line]
	_ = [1]int{}[unsafe.Offsetof(Control{}.Head)-1*Line]
	_ = [1]int{}[unsafe.Offsetof(Control{}.NotEmpty)-2*Line]
	_ = [1]int{}[unsafe.Offsetof(Control{}.NotFull)-3*Line]
	_ = [1]int{}[unsafe.Offsetof(Control{}.State)-4*Line]
	_ = [1]int{}[unsafe.Offsetof(Control{}.Where)-4*Line-8]
	_ = [1]int{}[unsafe.Offsetof(Control{}.Seal)-4*Line-16]
	_ = [1]int{}[unsafe.Offsetof(Control{}.Claim)-5*Line]
	_ = [1]int{}[unsafe.Offsetof(Control{}.Reaped)-6*Line]
	_ = [1]int{}[unsafe.Offsetof(Control{}.Orphans)-7*Line]
	_ = [1]int{}[unsafe.Offsetof(Control{}.Destroy)-8*Line]
	_ = [1]int{}[unsafe.Offsetof(Control{}.Attach)-12*Line]
	_ = [1]int{}[unsafe.Sizeof(Control{})-Page]

	_ = [1]int{}[unsafe.Offsetof(Attachment{}.Start)-8]
	_ = [1]int{}[unsafe.Offsetof(Attachment{}.Since)-16]
	_ = [1]int{}[unsafe.Offsetof(Attachment{}.name)-24]
	_ = [1]int{}[unsafe.Sizeof(Attachment{})-40]

	_ = [1]int{}[unsafe.Offsetof(Seat{}.Start)-16]
	_ = [1]int{}[unsafe.Offsetof(Seat{}.Rec)-32]
	_ = [1]int{}[unsafe.Offsetof(Seat{}.Parks)-56]
	_ = [1]int{}[unsafe.Offsetof(Seat{}.Redelivered)-80]
	_ = [1]int{}[unsafe.Offsetof(Seat{}.Pos)-88]
	_ = [1]int{}[unsafe.Offsetof(Seat{}.name)-96]
	_ = [1]int{}[unsafe.Sizeof(Seat{})-Line]
)
