// The native peer: two processes, one pinned to each of two CPUs, over memory that each maps at an address of its own. Reads
// one command per line, runs it between two raw line probes, prints one line:
//
//     native --cpus 0,1
//     tp rigtorp 64 1024 1000000     one way: design, element size, slots, elements
//     rtt seq 8 1024 30000           round trip, spinning with PAUSE
//     futexpp 2000                   round trip, sleeping each time
//     probe 20000                    raw round trip of two cache lines
//
//     ok <ns per op> <probe before> <probe after> <involuntary switches> <verified> <awake>
//     error <what was wrong>
//
// verified counts messages whose first word was right, awake the futex waits that did not sleep. Between commands both
// processes sleep in the kernel. End of input ends both.
#include "server.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace {

constexpr size_t controlBytes = 4096, ringMax = size_t(64) << 20;
constexpr unsigned long bracketTrips = 1000;

[[noreturn]] void die(const char *what)
{
	fprintf(stderr, "native: %s: %s\n", what, strerror(errno));
	exit(1);
}

double now()
{
	timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

struct Process {
	Side side;
	Control *ctl;
	char *mem;
	uint64_t round = 0;

	void map(int fd)
	{
		void *p = mmap(nullptr, controlBytes + ringMax, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
		if (p == MAP_FAILED)
			die("cannot map the shared memory");
		ctl = static_cast<Control *>(p);
		mem = static_cast<char *>(p) + controlBytes;
	}

	void meet()
	{
		round++;
		ctl->at[side].v.store(round, std::memory_order_release); // publishes all work so far; pairs with the acquire below
		while (ctl->at[1 - side].v.load(std::memory_order_acquire) < round) // observes the other side's work
			cpuPause();
	}

	double probe(unsigned long trips)
	{
		std::atomic<uint64_t> &ping = ctl->ball[0].v, &pong = ctl->ball[1].v;
		const uint64_t base = pong.load(std::memory_order_relaxed);
		meet();
		const double t = now();
		for (uint64_t i = base + 1; i <= base + trips; i++) {
			if (side == Producer)
				ping.store(i, std::memory_order_release); // pairs with the acquire below, in the other process
			while ((side == Producer ? pong : ping).load(std::memory_order_acquire) != i) { // observes the ball
			}
			if (side == Consumer)
				pong.store(i, std::memory_order_release); // pairs with the acquire above
		}
		return (now() - t) / trips;
	}

	void realtime(bool on)
	{
		sched_param p{};
		p.sched_priority = on; // not allowed everywhere; the count of involuntary switches tells
		(void)sched_setscheduler(0, on ? SCHED_FIFO : SCHED_OTHER, &p);
	}

	static long switches()
	{
		rusage u;
		getrusage(RUSAGE_SELF, &u);
		return u.ru_nivcsw;
	}

	uint64_t work(const Command &c, int64_t &awake, double &ns)
	{
		awake = 0;
		if (!strcmp(c.what, "probe")) {
			ns = probe(c.n);
			return c.n;
		}
		if (!strcmp(c.what, "futexpp")) {
			awake = side == Producer ? futexpp_ping(&ctl->futex, c.n) : futexpp_pong(&ctl->futex, c.n);
			return awake < 0 ? 0 : c.n;
		}
		return runRing(c, side, mem);
	}

	// run is one command on one side; the producer prints.
	void run(const Command &c)
	{
		if (side == Producer) {
			if (ringBytes(c))
				initRing(c, mem);
			ctl->futex.ping = ctl->futex.pong = 0;
		}
		realtime(true);
		meet();
		const double before = probe(bracketTrips);
		meet();
		const long s0 = switches();
		const double t = now();
		int64_t awake;
		double ns = 0;
		uint64_t good = work(c, awake, ns);
		if (side == Consumer) {
			ctl->verified = good;
			ctl->awake = awake;
			ctl->switches = switches() - s0;
		}
		meet();
		if (!ns)
			ns = (now() - t) / c.n;
		const long s1 = switches();
		const double after = probe(bracketTrips);
		realtime(false);
		if (side == Consumer)
			return;
		if (awake < 0 || ctl->awake < 0)
			printf("error a futex call failed\n");
		else if (good != c.n || ctl->verified != c.n)
			printf("error wrong payload: only %lu and %lu of %lu messages carried their number\n", (unsigned long)good,
			       (unsigned long)ctl->verified, c.n);
		else
			printf("ok %.3f %.1f %.1f %ld %lu %ld\n", ns, before, after, s1 - s0 + long(ctl->switches),
			       (unsigned long)ctl->verified, long(awake + ctl->awake));
		fflush(stdout);
	}
};

// parse returns what is wrong with the line, or nullptr.
const char *parse(const char *line, Command &c)
{
	memset(&c, 0, sizeof c);
	if (sscanf(line, "%15s", c.what) != 1)
		return "empty command: give tp, rtt, futexpp or probe";
	if (!strcmp(c.what, "tp") || !strcmp(c.what, "rtt")) {
		if (sscanf(line, "%*s %15s %lu %lu %lu", c.design, &c.size, &c.slots, &c.n) != 4)
			return "tp and rtt need: design size slots n";
		if (c.slots < 2 || (c.slots & (c.slots - 1)) || c.slots > ringMax)
			return "slots must be a power of two";
		if (!ringBytes(c))
			return "no such ring: designs are rigtorp, rigtorp128, seq, seqstep, sizes 8, 64, 256";
		if (ringBytes(c) > ringMax)
			return "the ring is too large: 64 MiB for two";
	} else if (!strcmp(c.what, "futexpp") || !strcmp(c.what, "probe")) {
		if (sscanf(line, "%*s %lu", &c.n) != 1)
			return "futexpp and probe need: n";
	} else {
		return "unknown command: give tp, rtt, futexpp or probe";
	}
	return c.n > 0 && c.n <= 1000000000 ? nullptr : "n must be between 1 and 1000000000";
}

void pin(int cpu)
{
	cpu_set_t s;
	CPU_ZERO(&s);
	CPU_SET(cpu, &s);
	if (sched_setaffinity(0, sizeof s, &s))
		die("cannot pin to the CPU asked for with --cpus");
}

} // namespace

int main(int argc, char **argv)
{
	int cpu[2], fd = memfd_create("ringway-native", MFD_CLOEXEC), pipes[2];
	if (argc != 3 || strcmp(argv[1], "--cpus") || sscanf(argv[2], "%d,%d", &cpu[0], &cpu[1]) != 2) {
		fprintf(stderr, "usage: native --cpus PRODUCER,CONSUMER\n");
		return 2;
	}
	if (fd < 0 || ftruncate(fd, controlBytes + ringMax) || pipe(pipes))
		die("cannot make the shared memory");
	Process p;
	const pid_t parent = getpid(), child = fork();
	if (child < 0)
		die("cannot fork");
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); // the producer may die while this side spins
		if (getppid() != parent)
			return 1;
		close(pipes[1]);
		p.side = Consumer;
		pin(cpu[1]);
		p.map(fd);
		Command c;
		while (read(pipes[0], &c, sizeof c) == sizeof c)
			p.run(c);
		return 0;
	}
	signal(SIGCHLD, [](int) { _exit(1); }); // nobody would answer the barrier any more
	close(pipes[0]);
	p.side = Producer;
	pin(cpu[0]);
	p.map(fd);
	char line[256];
	while (fgets(line, sizeof line, stdin)) {
		Command c;
		if (const char *wrong = parse(line, c)) {
			printf("error %s\n", wrong);
			fflush(stdout);
			continue;
		}
		if (write(pipes[1], &c, sizeof c) != sizeof c)
			die("the consumer has ended");
		p.run(c);
	}
	signal(SIGCHLD, SIG_DFL);
	close(pipes[1]); // the consumer's end of input
	waitpid(child, nullptr, 0);
	return 0;
}
