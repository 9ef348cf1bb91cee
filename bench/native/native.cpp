// The native peer: two processes, one pinned to each of two CPUs, over memory that each maps at an address of its own. Reads
// one command per line, runs it between two raw line probes, prints one line:
//
//     native --cpus 0,1
//     tp rigtorp 64 1024 1000000     one way: design, element size, slots, elements
//     batch rte 64 1024 1000000      the same through its batch API, 32 a call
//     rtt seq 8 1024 30000           round trip, spinning with PAUSE
//     tp2 vyukov 8 1024 1000000      one way, two producers on the first CPU and two consumers on the other, that is
//     batch2 ...                     oversubscribed: who makes no progress in 64 tries gives the CPU away
//     futexpp 2000                   round trip, sleeping each time
//     timed ..., futexpp-timed ...   rtt and futexpp with a reading of the clock after each round trip
//     probe 20000                    raw round trip of two cache lines
//
//     ok <ns per op> <probe before> <probe after> <involuntary switches> <verified> <awake> [latencies <ns>:<count>...]
//     error <what was wrong>
//
// verified counts messages whose first word was right, awake the futex waits that did not sleep. Between commands all
// processes sleep in the kernel. End of input ends them. native --list prints them.
#include "server.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <time.h>
#include <unistd.h>

namespace {

constexpr size_t controlBytes = 4096;
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
	unsigned index; // 0, or 1 for who is needed in a team only
	int second;     // pipe to the other of this side, on index 0
	Control *ctl;
	char *mem;
	uint64_t round = 0, gathered = 0;

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

	// gather waits for the whole team, all of which get their share of the CPUs meanwhile.
	void gather()
	{
		gathered++;
		ctl->team[side * maxTeam + index].v.store(gathered, std::memory_order_release); // publishes all work so far
		for (const Control::Line &l : ctl->team)
			while (l.v.load(std::memory_order_acquire) < gathered) // observes that member's work; pairs with its store
				sched_yield();
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
		getrusage(RUSAGE_THREAD, &u);
		return u.ru_nivcsw;
	}

	// member does this process's share of a ring's command.
	Account member(const Command &c)
	{
		const Member m = {side, index, teamed(c) ? maxTeam : 1};
		if (!teamed(c))
			return find(c)->run(c, m, mem);
		if (index == 0 && write(second, &c, sizeof c) != sizeof c)
			die("a member of the team has ended");
		gather();
		const Account a = ctl->account[side * maxTeam + index] = find(c)->run(c, m, mem);
		gather();
		return a;
	}

	// whole tells whether the consumers saw everything, each in order; the first producer asks, after the barrier.
	uint64_t whole(const Command &c)
	{
		const uint64_t count = teamed(c) ? maxTeam : 1, n = c.n / count;
		uint64_t good = 0, sum = 0;
		for (uint64_t i = 0; i < count; i++) {
			const Account &a = ctl->account[Consumer * maxTeam + i];
			good += a.good;
			sum += a.sum;
		}
		return sum == count * (n * (n - 1) / 2) ? good : 0;
	}

	Account work(const Command &c, int64_t &awake, double &ns)
	{
		const Account all = {c.n, uint64_t(c.n) * (c.n - 1) / 2};
		awake = 0;
		if (!strcmp(c.what, "probe")) {
			ns = probe(c.n);
			return all;
		}
		if (!strncmp(c.what, "futexpp", 7)) {
			awake = side == Producer ? futexpp_ping(&ctl->futex, c.n, timed(c) ? instants(c.n) : nullptr) : futexpp_pong(&ctl->futex, c.n);
			return awake < 0 ? Account{0, 0} : all;
		}
		return member(c);
	}

	static bool timed(const Command &c) { return strstr(c.what, "timed"); }

	// printLatencies lists how often each latency occurred.
	static void printLatencies(const Command &c)
	{
		const uint64_t *at = instants(c.n);
		std::map<uint64_t, unsigned long> times;
		for (unsigned long i = 0; i < c.n; i++)
			times[at[i + 1] - at[i]]++;
		printf(" latencies");
		for (const auto &t : times)
			printf(" %lu:%lu", (unsigned long)t.first, t.second);
	}

	// run is one command on one side; the producer prints.
	void run(const Command &c)
	{
		if (side == Producer) {
			if (timed(c))
				memset(instants(c.n), 0, (c.n + 1) * sizeof(uint64_t)); // not the time to fault pages in later
			if (const Entry *e = find(c))
				e->init(c, mem);
			ctl->futex.ping = ctl->futex.pong = 0;
		}
		const bool ordinary = teamed(c);
		realtime(true);
		meet();
		const double before = probe(bracketTrips);
		if (ordinary)
			realtime(false); // the scheduler has to share out the CPUs
		meet();
		const long s0 = switches();
		const double t = now();
		int64_t awake;
		double ns = 0;
		const Account mine = work(c, awake, ns);
		if (side == Consumer) {
			ctl->account[Consumer * maxTeam] = mine;
			ctl->awake = awake;
			ctl->switches = switches() - s0;
		}
		meet();
		if (!ns)
			ns = (now() - t) / c.n;
		const long s1 = switches();
		realtime(true);
		const double after = probe(bracketTrips);
		realtime(false);
		if (side == Consumer)
			return;
		if (awake < 0 || ctl->awake < 0)
			printf("error a futex call failed\n");
		else if (!whole(c))
			printf("error wrong payload: the running numbers do not add up\n");
		else if (teamed(c) && whole(c) != c.n)
			printf("error out of order: %lu of %lu elements came after a later one of their producer\n", c.n - (unsigned long)whole(c), c.n);
		else if (mine.good != (teamed(c) ? c.n / maxTeam : c.n) || whole(c) != c.n)
			printf("error wrong payload: only %lu and %lu of %lu messages carried their number\n", (unsigned long)mine.good,
			       (unsigned long)whole(c), c.n);
		else {
			printf("ok %.3f %.1f %.1f %ld %lu %ld", ns, before, after, s1 - s0 + long(ctl->switches),
			       (unsigned long)whole(c), long(awake + ctl->awake));
			if (timed(c))
				printLatencies(c);
			printf("\n");
		}
		fflush(stdout);
	}
};

void pin(int cpu)
{
	cpu_set_t s;
	CPU_ZERO(&s);
	CPU_SET(cpu, &s);
	if (sched_setaffinity(0, sizeof s, &s))
		die("cannot pin to the CPU asked for with --cpus");
}

// serve runs what comes through the pipe: on the first consumer whole commands, on a second process its share of a team's.
int serve(Process &p, int in)
{
	Command c;
	while (read(in, &c, sizeof c) == sizeof c)
		if (p.index == 0)
			p.run(c);
		else
			p.member(c);
	return 0;
}

// runThreads runs a command with both sides in this process, the consumer as a thread on its CPU.
void runThreads(const Command &c, const Process &like, int consumerCPU)
{
	static Control ctl;
	static uint64_t round = 0;
	Process side[2] = {like, like};
	for (Process &p : side) {
		p.ctl = &ctl;
		p.round = round;
	}
	side[Consumer].side = Consumer;
	std::thread consumer([&] {
		pin(consumerCPU);
		side[Consumer].run(c);
	});
	side[Producer].run(c);
	consumer.join();
	round = side[Producer].round;
}

} // namespace

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--list"))
		return list(), 0;
	int cpu[2], fd = memfd_create("ringway-native", MFD_CLOEXEC), pipes[3][2];
	if (argc != 3 || strcmp(argv[1], "--cpus") || sscanf(argv[2], "%d,%d", &cpu[0], &cpu[1]) != 2) {
		fprintf(stderr, "usage: native --cpus PRODUCER,CONSUMER\n       native --list\n");
		return 2;
	}
	if (fd < 0 || ftruncate(fd, controlBytes + ringMax))
		die("cannot make the shared memory");
	for (auto &ends : pipes)
		if (pipe(ends))
			die("cannot make the pipes");
	runBeforeFork();
	// One producer is this process; the others read their commands from a pipe each. Of a side, the first tells the second.
	const struct {
		Side side;
		unsigned index;
		int tells; // pipe it writes to, besides this process, which also writes to the first consumer's
	} child[3] = {{Consumer, 0, 1}, {Consumer, 1, -1}, {Producer, 1, -1}};
	const pid_t parent = getpid();
	Process p;
	for (int i = 0; i < 3; i++) {
		const pid_t pid = fork();
		if (pid < 0)
			die("cannot fork");
		if (pid)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL); // the first producer may die while this process spins
		if (getppid() != parent)
			return 1;
		for (int k = 0; k < 3; k++)
			if (k != child[i].tells)
				close(pipes[k][1]);
		p.side = child[i].side;
		p.index = child[i].index;
		p.second = child[i].tells < 0 ? -1 : pipes[child[i].tells][1];
		pin(cpu[p.side]);
		p.map(fd);
		return serve(p, pipes[i][0]);
	}
	signal(SIGCHLD, [](int) { _exit(1); }); // nobody would answer the barrier any more
	for (auto &ends : pipes)
		close(ends[0]);
	p.side = Producer;
	p.index = 0;
	p.second = pipes[2][1];
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
		const Entry *e = find(c);
		if (e && e->threads) {
			runThreads(c, p, cpu[1]);
			continue;
		}
		if (write(pipes[0][1], &c, sizeof c) != sizeof c)
			die("the consumer has ended");
		p.run(c);
	}
	signal(SIGCHLD, SIG_DFL);
	for (auto &ends : pipes)
		close(ends[1]); // the others' end of input
	while (wait(nullptr) > 0) {
	}
	return 0;
}
