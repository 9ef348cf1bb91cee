package ring

import "time"

// reach tells whether the other side's processor is far away: by how long a look at its word takes when
// the line has to come from there.
type reach struct {
	far   bool
	known bool          // there was a verdict
	waits uint16        // left until a look is timed
	looks uint8         // timed since the last verdict
	least time.Duration // of them
}

const (
	timeEvery = 64   // waits between two looks that are timed
	timeNear  = 1024 // the same once the other side is known to be near: a timed look is a late one
	verdict   = 4    // looks of which the shortest counts: the others met with something else

	// farLook is some twice what a line takes between the caches of neighbours, and the clock; where
	// processors are far apart, on other chips or sockets, a line takes several times as long.
	farLook = 100 * time.Nanosecond
)

// wait takes in a wait, after its pause.
func (r *reach) wait(ready readier) {
	if r.waits > 0 {
		r.waits--
		return
	}
	r.waits = timeEvery - 1
	if r.known && !r.far {
		r.waits = timeNear - 1
	}
	start := monotonic()
	news := ready.look()
	if end := monotonic(); news { // else the line was here
		r.took(end - start)
	}
}

// took takes in how long a look took that brought news.
func (r *reach) took(d time.Duration) {
	if r.looks == 0 || d < r.least {
		r.least = d
	}
	if r.looks++; r.looks == verdict {
		r.far, r.known, r.looks = r.least >= farLook, true, 0
	}
}
