// What the system offers: pipe, Unix stream and seqpacket sockets, POSIX message queue, eventfd, TCP over loopback. One call a
// message on both sides, all of them blocking.
#include "../../native/scenario.h"

#include <arpa/inet.h>
#include <cstdio>
#include <cstdlib>
#include <mqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

// Ends are the descriptors of one side: where it writes to and reads from.
struct Ends {
	int to, from;
};

[[noreturn]] void die(const char *what)
{
	perror(what);
	exit(1);
}

struct Stream {
	static bool send(const Ends &e, const char *p, size_t n)
	{
		while (n > 0) {
			const ssize_t k = write(e.to, p, n);
			if (k <= 0)
				return false;
			p += k;
			n -= k;
		}
		return true;
	}
	static bool receive(const Ends &e, char *p, size_t n)
	{
		while (n > 0) {
			const ssize_t k = read(e.from, p, n);
			if (k <= 0)
				return false;
			p += k;
			n -= k;
		}
		return true;
	}
};

struct Pipe : Stream {
	static constexpr const char *name = "pipe";
	static void open(Ends side[2])
	{
		int there[2], back[2];
		if (pipe(there) || pipe(back))
			die("pipe");
		side[Producer] = {there[1], back[0]};
		side[Consumer] = {back[1], there[0]};
	}
};

template <int Type> struct Unix : Stream {
	static constexpr const char *name = Type == SOCK_STREAM ? "unix-stream" : "unix-seqpacket";
	static void open(Ends side[2])
	{
		int s[2];
		if (socketpair(AF_UNIX, Type, 0, s))
			die("socketpair");
		const int size = 1 << 20; // as much as the system lets us, for messages of 64 KiB and more
		for (int i = 0; i < 2; i++) {
			setsockopt(s[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
			side[i] = {s[i], s[i]};
		}
	}
};

struct Tcp : Stream {
	static constexpr const char *name = "tcp-loopback";
	static void open(Ends side[2])
	{
		const int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
		sockaddr_in a{};
		a.sin_family = AF_INET;
		a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		socklen_t len = sizeof a;
		if (l < 0 || c < 0 || bind(l, reinterpret_cast<sockaddr *>(&a), len) || listen(l, 1) ||
		    getsockname(l, reinterpret_cast<sockaddr *>(&a), &len) || connect(c, reinterpret_cast<sockaddr *>(&a), len))
			die("TCP over loopback");
		const int s = accept(l, nullptr, nullptr), on = 1;
		if (s < 0)
			die("accept");
		close(l);
		setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		side[Producer] = {c, c};
		side[Consumer] = {s, s};
	}
};

// The queues are unlinked at once and inherited; each element size has its own, since a queue's message size is fixed.
template <size_t Size> struct Posix {
	static constexpr const char *name = "posix-mq";
	static void open(Ends side[2])
	{
		int q[2];
		for (int &d : q) {
			char name[64];
			snprintf(name, sizeof name, "/ringway-peer-%d-%zu-%td", getpid(), Size, &d - q);
			mq_attr a{};
			a.mq_maxmsg = 10; // the most that is allowed everywhere
			a.mq_msgsize = Size;
			if ((d = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &a)) < 0)
				die("mq_open");
			mq_unlink(name);
		}
		side[Producer] = {q[0], q[1]};
		side[Consumer] = {q[1], q[0]};
	}
	static bool send(const Ends &e, const char *p, size_t n) { return mq_send(e.to, p, n, 0) == 0; }
	static bool receive(const Ends &e, char *p, size_t n) { return mq_receive(e.from, p, n, nullptr) == ssize_t(n); }
};

// An eventfd carries a count that grows, not a message: a round trip only. The count is the number of the trip, and one.
struct Event {
	static constexpr const char *name = "eventfd";
	static void open(Ends side[2])
	{
		const int there = eventfd(0, 0), back = eventfd(0, 0);
		if (there < 0 || back < 0)
			die("eventfd");
		side[Producer] = {there, back};
		side[Consumer] = {back, there};
	}
	static bool send(const Ends &e, const char *p, size_t n)
	{
		const uint64_t v = *reinterpret_cast<const uint64_t *>(p) + 1;
		return write(e.to, &v, n) == ssize_t(n);
	}
	static bool receive(const Ends &e, char *p, size_t n)
	{
		const bool ok = read(e.from, p, n) == ssize_t(n);
		--*reinterpret_cast<uint64_t *>(p);
		return ok;
	}
};

template <typename Transport, typename T> struct System {
	static Ends side[2];

	static Account run(const Command &c, const Member &m, char *)
	{
		static T v; // 1 MiB is too much for a stack
		const Ends e = side[m.side];
		const bool rtt = !strcmp(c.what, "rtt");
		Account a{0, 0};
		for (uint64_t i = 0; i < c.n; i++) {
			if (m.side == Producer) {
				v.w[0] = i;
				if (!Transport::send(e, reinterpret_cast<const char *>(&v), sizeof v))
					die(Transport::name);
			}
			if (rtt || m.side == Consumer) {
				if (!Transport::receive(e, reinterpret_cast<char *>(&v), sizeof v))
					die(Transport::name);
				a.sum += v.w[0];
			}
			a.good += v.w[0] == i;
			if (rtt && m.side == Consumer && !Transport::send(e, reinterpret_cast<const char *>(&v), sizeof v))
				die(Transport::name);
		}
		return a;
	}

	static Entry entry()
	{
		beforeFork([] { Transport::open(side); });
		Entry e{};
		e.design = Transport::name;
		e.size = sizeof(T);
		e.bytes = [](size_t) { return size_t(4096); };
		e.init = [](const Command &, char *) {};
		e.run = run;
		e.sleeps = true;
		return e;
	}
};

template <typename Transport, typename T> Ends System<Transport, T>::side[2];

template <typename Transport> bool all(bool megabyte)
{
	add({System<Transport, P8>::entry(), System<Transport, P64>::entry(), System<Transport, Payload<8192>>::entry()});
	return !megabyte || add({System<Transport, Payload<131072>>::entry()});
}

Entry answering(Entry e)
{
	e.answers = true;
	return e;
}

const bool added = all<Pipe>(true) && all<Unix<SOCK_STREAM>>(true) && all<Unix<SOCK_SEQPACKET>>(false) && all<Tcp>(true) &&
		   add({System<Posix<8>, P8>::entry(), System<Posix<64>, P64>::entry(), answering(System<Event, P8>::entry())});

} // namespace
