package telemetry

import "bytes"

// What follows reads the kernel's text in place. Input that is cut short or makes no
// sense leaves fields as they were; it never faults.

// number reads the decimal number at the start of b, behind blanks, and returns what
// follows. Without one it returns 0 and b without the blanks.
func number(b []byte) (uint64, []byte) {
	i := 0
	for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	v := uint64(0)
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		v = v*10 + uint64(b[i]-'0')
	}
	return v, b[i:]
}

// hundredths reads a number with two decimals, as in loadavg: 7.54 is 754.
func hundredths(b []byte) (uint32, []byte) {
	v, b := number(b)
	if len(b) < 3 || b[0] != '.' {
		return uint32(v * 100), b
	}
	f, b := number(b[1:])
	return uint32(v*100 + f), b
}

// line cuts off the first line.
func line(b []byte) (first, rest []byte) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i], b[i+1:]
	}
	return b, nil
}

// after returns what follows key if b starts with it.
func after(b []byte, key string) ([]byte, bool) {
	if len(b) < len(key) || string(b[:len(key)]) != key {
		return nil, false
	}
	return b[len(key):], true
}

// field sets *to to the number behind key, if the line starts with it.
func field(l []byte, key string, to *uint64) bool {
	v, ok := after(l, key)
	if ok {
		*to, _ = number(v)
	}
	return ok
}

func parseStat(s *Sample, b []byte) {
	for len(b) > 0 {
		var l []byte
		l, b = line(b)
		if v, ok := after(l, "cpu "); ok {
			for _, to := range [...]*uint64{&s.User, &s.Nice, &s.System, &s.Idle, &s.IOWait, &s.IRQ, &s.SoftIRQ, &s.Steal} {
				*to, v = number(v)
			}
			continue
		}
		if field(l, "intr ", &s.Interrupts) || field(l, "ctxt ", &s.ContextSwitches) || field(l, "processes ", &s.Forks) {
			continue
		}
		if v, ok := after(l, "procs_running "); ok {
			n, _ := number(v)
			s.Running = uint32(n)
		} else if v, ok := after(l, "procs_blocked "); ok {
			n, _ := number(v)
			s.Blocked = uint32(n)
		}
	}
}

func parseMemInfo(s *Sample, b []byte) {
	for missing := 4; len(b) > 0 && missing > 0; {
		var l []byte
		l, b = line(b)
		if field(l, "MemFree:", &s.MemFree) || field(l, "MemAvailable:", &s.MemAvailable) ||
			field(l, "Cached:", &s.Cached) || field(l, "Dirty:", &s.Dirty) {
			missing--
		}
	}
}

func parseLoadAvg(s *Sample, b []byte) {
	s.Load1, b = hundredths(b)
	s.Load5, b = hundredths(b)
	s.Load15, b = hundredths(b)
	if i := bytes.IndexByte(b, '/'); i >= 0 {
		n, _ := number(b[i+1:])
		s.Tasks = uint32(n)
	}
}

// parseNetDev adds up all interfaces but the loopback: bytes and packets are the
// first two columns received, and the first two of eight later sent.
func parseNetDev(s *Sample, b []byte) {
	s.RxBytes, s.RxPackets, s.TxBytes, s.TxPackets = 0, 0, 0, 0
	for len(b) > 0 {
		var l []byte
		l, b = line(b)
		colon := bytes.IndexByte(l, ':')
		if colon < 0 || string(bytes.TrimLeft(l[:colon], " ")) == "lo" {
			continue
		}
		var v [10]uint64
		l = l[colon+1:]
		for i := range v {
			v[i], l = number(l)
		}
		s.RxBytes += v[0]
		s.RxPackets += v[1]
		s.TxBytes += v[8]
		s.TxPackets += v[9]
	}
}

func parseVMStat(s *Sample, b []byte) {
	for missing := 2; len(b) > 0 && missing > 0; {
		var l []byte
		l, b = line(b)
		if field(l, "pgfault ", &s.PageFaults) || field(l, "pgmajfault ", &s.MajorFaults) {
			missing--
		}
	}
}

// parseSelfStat takes fields 14, 15 and 24 of /proc/PID/stat. Field 2, the
// command's name, may hold anything, so counting starts behind its last parenthesis.
func parseSelfStat(s *Sample, b []byte) {
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return
	}
	b = b[i+1:]
	for f := 3; f <= 24; f++ {
		b = bytes.TrimLeft(b, " ")
		switch f {
		case 14:
			v, _ := number(b)
			s.SelfUser = uint32(v)
		case 15:
			v, _ := number(b)
			s.SelfSystem = uint32(v)
		case 24:
			s.SelfPages, _ = number(b)
		}
		end := bytes.IndexByte(b, ' ')
		if end < 0 {
			return
		}
		b = b[end:]
	}
}
