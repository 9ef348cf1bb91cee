package main

import "fmt"

// kind says who runs a competitor.
type kind int

const (
	inPair    kind = iota // two processes of this program: a scenario of the bench
	inNative              // the C and C++ server
	inThreads             // one process of this program: a queue of inProcessQueues
)

// competitor is one row of a table.
type competitor struct {
	name string
	kind kind
	cmd  string // scenario, or command of the server without its count
	ours bool   // Ringway: what the others are compared with is the first of these
	busy bool   // has threads of its own and sees to their scheduling itself
}

// group is a table: the same work by everybody, sample by sample in turn.
type group struct {
	name        string
	about       string
	sleeping    bool // somebody waits in the kernel: one regime for all
	team        bool // more processes than CPUs: preemption is part of it
	competitors []competitor
}

func pair(name, cmd string) competitor    { return competitor{name: name, kind: inPair, cmd: cmd} }
func native(name, cmd string) competitor  { return competitor{name: name, kind: inNative, cmd: cmd} }
func threads(name, cmd string) competitor { return competitor{name: name, kind: inThreads, cmd: cmd} }
func library(name, cmd string) competitor {
	return competitor{name: name, kind: inPair, cmd: cmd, busy: true}
}

func ours(c competitor) competitor {
	c.ours = true
	return c
}

// many is one command over several designs of the native server.
func many(what string, size, slots int, designs ...string) (cs []competitor) {
	for _, d := range designs {
		cs = append(cs, native(d, fmt.Sprintf("%s %s %d %d", what, d, size, slots)))
	}
	return cs
}

// groups are all tables, in the order of the report.
func groups() (gs []group) {
	add := func(g group, more ...[]competitor) {
		for _, m := range more {
			g.competitors = append(g.competitors, m...)
		}
		gs = append(gs, g)
	}
	for _, size := range []int{8, 64} {
		at := fmt.Sprintf("%d 1024", size)
		name := func(s string) string { return fmt.Sprintf("%s, %d B", s, size) }
		add(group{name: name("SPSC single"), about: "one way, one element a call, 1024 slots, both sides poll",
			competitors: []competitor{ours(pair("Ringway SPSC", "ringway tp "+at))}},
			many("tp", size, 1024, "rigtorp", "seqstep", "boost-spsc", "aq-spsc", "aq-spsc-wait", "aq-spsc-plain", "ck-spsc", "rte-spsc"))
		add(group{name: name("SPSC batch of 32"), about: "one way, 32 elements a call, 1024 slots, both sides poll; only who has such a call",
			competitors: []competitor{ours(pair("Ringway SPSC", "ringway batch "+at))}},
			many("batch", size, 1024, "boost-spsc", "rte-spsc"))
		add(group{name: name("SPSC round trip, spinning"), about: "there and back over two rings, polling with PAUSE",
			competitors: []competitor{ours(pair("Ringway never parking", "ringway rtt "+at)), ours(pair("Ringway default", "ringway default "+at))}},
			many("rtt", size, 1024, "rigtorp", "seqstep", "boost-spsc", "aq-spsc", "aq-spsc-wait", "ck-spsc", "rte-spsc"))
		add(group{name: name("MPMC 1P1C single"), about: "one way, one element a call, 1024 slots, both sides poll; rings that allow many",
			competitors: []competitor{ours(pair("Ringway MPMC", "mpmc tp "+at)), pair("Vyukov in Go", "vyukov tp "+at)}},
			many("tp", size, 1024, "vyukov", "boost-queue", "aq", "ck-mpmc", "rte-mp", "rte-hts", "rte-rts"))
		add(group{name: name("MPMC 1P1C by 32"), about: "the same, 32 elements a call; Ringway packs them into one block",
			competitors: []competitor{ours(pair("Ringway MPMC packed", "mpmc pack "+at))}},
			many("batch", size, 1024, "rte-mp", "rte-hts", "rte-rts"))
		add(group{name: name("MPMC 2P2C single"), team: true,
			about:       "two producers on one CPU, two consumers on the other: oversubscribed; 64 tries without progress, then sched_yield",
			competitors: []competitor{ours(pair("Ringway MPMC", "mpmc tp2 "+at)), pair("Vyukov in Go", "vyukov tp2 "+at)}},
			many("tp2", size, 1024, "vyukov", "boost-queue", "aq", "ck-mpmc", "rte-mp", "rte-hts", "rte-rts", "sem-ring", "mutex-ring"))
		add(group{name: name("MPMC 2P2C by 32"), team: true, about: "the same, 32 elements a call",
			competitors: []competitor{ours(pair("Ringway MPMC packed", "mpmc pack2 "+at))}},
			many("batch2", size, 1024, "rte-mp", "rte-hts", "rte-rts"))
		blocked := []competitor{ours(pair("Ringway parking at once", "ringway parked "+at)), ours(pair("Ringway default", "ringway default "+at))}
		if size == 8 {
			blocked = append(blocked, native("bare futex in C", "futexpp"), native("eventfd", "rtt eventfd 8 1024"))
		}
		add(group{name: name("Round trip, blocked"), sleeping: true, about: "there and back, each side on its CPU, asleep while it waits; Ringway default spins first"},
			blocked, many("rtt", size, 1024, "sem-ring", "mutex-ring", "boost-mq", "posix-mq", "pipe", "unix-stream", "unix-seqpacket", "tcp-loopback"),
			[]competitor{library("flipcall (Go)", fmt.Sprintf("flipcall rtt %d", size)), library("shmipc-go", fmt.Sprintf("shmipc rtt %d", size)),
				library("NATS core", fmt.Sprintf("nats rtt %d", size))})
		add(group{name: name("Stream, blocking calls"), sleeping: true, about: "one way, one message a call, who waits may sleep; TryPush of Ringway never does"},
			[]competitor{ours(pair("Ringway Push, Pop", fmt.Sprintf("ringway push %d", size))), ours(pair("Ringway TryPush, TryPop", "ringway tp "+at))},
			many("tp", size, 1024, "sem-ring", "mutex-ring", "boost-mq", "posix-mq", "pipe", "unix-stream", "unix-seqpacket", "tcp-loopback"),
			[]competitor{library("shmipc-go", fmt.Sprintf("shmipc tp %d", size)), library("shmipc-go, flush by 32", fmt.Sprintf("shmipc batch %d", size)),
				library("NATS core", fmt.Sprintf("nats tp %d", size))})
	}
	for _, size := range []int{64 << 10, 1 << 20} {
		at, slots := fmt.Sprintf("%d %d", size, largeRings[size]), largeRings[size]/size
		name := func(s string) string { return fmt.Sprintf("%s of %d KiB", s, size>>10) }
		designs := []string{"boost-mq", "pipe", "unix-stream", "tcp-loopback"}
		if size == 64<<10 {
			designs = append(designs, "unix-seqpacket")
		}
		add(group{name: name("Messages"), about: "one way, copied in and copied out, both sides poll; rings of as many bytes",
			competitors: []competitor{ours(pair("Ringway TryPush, TryPop", "ringway msg "+at))}},
			many("tp", size, slots, "rigtorp"))
		add(group{name: name("Stream, blocking calls"), sleeping: true, about: "one way, copied in and copied out, who waits may sleep",
			competitors: []competitor{ours(pair("Ringway Push, Pop", "ringway msgpush "+at))}}, many("tp", size, slots, designs...),
			[]competitor{library("shmipc-go", fmt.Sprintf("shmipc tp %d", size)), library("NATS core", fmt.Sprintf("nats tp %d", size))})
		if size == 64<<10 {
			add(group{name: name("Round trip, blocked,"), sleeping: true, about: "there and back, copied four times, asleep while waiting",
				competitors: []competitor{ours(pair("Ringway parking at once", "ringway msgrtt "+at))}}, many("rtt", size, slots, designs...),
				[]competitor{library("flipcall (Go)", fmt.Sprintf("flipcall rtt %d", size)), library("shmipc-go", fmt.Sprintf("shmipc rtt %d", size)),
					library("NATS core", fmt.Sprintf("nats rtt %d", size))})
		}
	}
	for _, size := range []int{8, 64} {
		at := fmt.Sprintf(" %d", size)
		add(group{name: fmt.Sprintf("In one process, single, %d B", size), about: "two threads of one process: queues that cannot live in shared memory, and Ringway over memory of its own"},
			[]competitor{ours(threads("Ringway SPSC", "ringway"+at)), ours(threads("Ringway MPMC", "mpmc"+at)), threads("xsync SPSC", "xsync-spsc"+at),
				threads("xsync MPMC", "xsync-mpmc"+at), threads("go-disruptor", "disruptor"+at), threads("Go channel", "channel"+at)},
			many("tp", size, 1024, "moodycamel"))
		add(group{name: fmt.Sprintf("In one process, by 32, %d B", size), about: "the same, 32 elements a call"},
			[]competitor{ours(threads("Ringway SPSC", "ringway-batch"+at)), threads("go-disruptor", "disruptor-batch"+at)},
			many("batch", size, 1024, "moodycamel"))
	}
	return gs
}
