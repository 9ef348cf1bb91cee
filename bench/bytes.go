package bench

// template is what is written where the content does not matter, from the writer's own cache.
var template = func() (t [4096]byte) {
	for i := range t {
		t[i] = byte(i * 31)
	}
	return t
}()

// templateSum is sum(template[:]).
var templateSum = sum(template[:])

// fill writes every byte of dst.
func fill(dst []byte) {
	for len(dst) > 0 {
		dst = dst[copy(dst, template[:]):]
	}
}

// sum reads every word of b.
func sum(b []byte) uint64 {
	w := words(b)
	var s [4]uint64
	for len(w) >= 8 {
		x := (*[8]uint64)(w)
		s[0] += x[0] + x[4]
		s[1] += x[1] + x[5]
		s[2] += x[2] + x[6]
		s[3] += x[3] + x[7]
		w = w[8:]
	}
	for _, v := range w {
		s[0] += v
	}
	return s[0] + s[1] + s[2] + s[3]
}
