package shm

// BlockVersion returns the slot version at which an MPMC block was last given away, or
// was meant to be: 2p+1 if as message p. It is for observers; whoever has the block
// may change it at any time.
func (s *Segment) BlockVersion(block uint64) uint64 { return s.blockVersion(block) }
