package shm

import (
	"sync/atomic"

	"ringway/layout"
)

func heap(g layout.Geometry) (*Segment, error) {
	if err := platform(); err != nil {
		return nil, err
	}
	s := &Segment{path: "heap segment", mem: alignedBytes(int(g.FileSize)), header: layout.Header{Geometry: g, Origin: newOrigin()}}
	s.header.Format(s.mem)
	atomic.StoreUint64(layout.ReadyAt(s.mem), layout.Ready)
	return s, nil
}
