package bench

import "fmt"

// limitSize is the messages of which the limit of the machine is measured.
const limitSize = 1 << 20

// limitCases compare messages in place with what the slower side needs for their bytes alone.
func limitCases() (cs []Case) {
	for _, capacity := range MsgRings(limitSize) {
		at := fmt.Sprintf(" %d %d", limitSize, capacity)
		c := Case{What: Throughput, Size: limitSize, Ring: capacity, N: 512, Sides: 2}
		cs = append(cs, c.with("Msg/Whole").by("ringway msg whole"+at).other("bare", "bare"+at).
			other("write", "write"+at).bound().other("read", "read"+at).bound().
			other("rewrite", "rewrite"+at).other("memcpy-one-core", fmt.Sprintf("memcpy %d", limitSize)).other("memcpy-in-pieces", "pieces"+at))
	}
	return cs
}

// bound says that the entrant added last does a part of the work that no other can do without, so that it bounds the first.
func (c Case) bound() Case {
	c.By[len(c.By)-1].Bound = true
	return c
}
