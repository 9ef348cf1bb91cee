// Which commands there are: the designs that the other files have made known, and the parser.
#include "server.h"

#include <cstdio>
#include <cstring>
#include <vector>

namespace {

constexpr unsigned long timedMax = 1000000;

std::vector<Entry> &entries()
{
	static std::vector<Entry> all; // made by the first add, whichever file that is in
	return all;
}

std::vector<const char *> &left()
{
	static std::vector<const char *> pairs; // design, what to do
	return pairs;
}

std::vector<void (*)()> &hooks()
{
	static std::vector<void (*)()> all;
	return all;
}

} // namespace

uint64_t *instants(size_t n)
{
	static std::vector<uint64_t> at;
	if (at.size() <= n)
		at.resize(n + 1);
	return at.data();
}

bool add(std::initializer_list<Entry> more)
{
	entries().insert(entries().end(), more);
	return true;
}

bool missing(const char *design, const char *todo)
{
	left().insert(left().end(), {design, todo});
	return true;
}

bool beforeFork(void (*f)())
{
	hooks().push_back(f);
	return true;
}

void runBeforeFork()
{
	for (auto f : hooks())
		f();
}

const Entry *find(const Command &c)
{
	for (const Entry &e : entries())
		if (!strcmp(e.design, c.design) && e.size == c.size && (!e.slots || e.slots == c.slots))
			return &e;
	return nullptr;
}

bool teamed(const Command &c) { return c.what[0] && c.what[strlen(c.what) - 1] == '2'; }

const char *parse(const char *line, Command &c)
{
	memset(&c, 0, sizeof c);
	const char *const whats = "unknown command: give tp, batch, rtt, timed, tp2, batch2, futexpp, futexpp-timed or probe";
	if (sscanf(line, "%15s", c.what) != 1)
		return "empty command: give tp, batch, rtt, timed, tp2, batch2, futexpp, futexpp-timed or probe";
	const bool batch = !strncmp(c.what, "batch", 5), timed = !strcmp(c.what, "timed");
	if (batch || timed || !strcmp(c.what, "tp") || !strcmp(c.what, "tp2") || !strcmp(c.what, "rtt")) {
		if (batch && c.what[5] && strcmp(c.what, "batch2"))
			return whats;
		if (sscanf(line, "%*s %15s %lu %lu %lu", c.design, &c.size, &c.slots, &c.n) != 4)
			return "tp, batch, rtt, timed, tp2 and batch2 need: design size slots n";
		if (c.slots < 2 || (c.slots & (c.slots - 1)) || c.slots > ringMax)
			return "slots must be a power of two";
		const Entry *e = find(c);
		if (!e || (batch && !e->batches) || (teamed(c) && !e->many) || (timed && !e->timed) || (e->answers && strcmp(c.what, "rtt")))
			return "no such ring: native --list names them";
		if (e->bytes(c.slots) > ringMax)
			return "the ring is too large: 64 MiB for two";
		if (teamed(c) && c.n % maxTeam)
			return "n must be even: two consumers share it";
	} else if (!strcmp(c.what, "futexpp") || !strcmp(c.what, "futexpp-timed") || !strcmp(c.what, "probe")) {
		if (sscanf(line, "%*s %lu", &c.n) != 1)
			return "futexpp, futexpp-timed and probe need: n";
	} else {
		return whats;
	}
	if (strstr(c.what, "timed") && c.n > timedMax)
		return "n must be at most 1000000: each round trip is kept";
	return c.n > 0 && c.n <= 1000000000 ? nullptr : "n must be between 1 and 1000000000";
}

void list()
{
	for (const Entry &e : entries())
		for (const char *what : {"tp", "rtt", "batch", "tp2", "batch2"}) {
			const bool batch = !strncmp(what, "batch", 5), team = strchr(what, '2');
			if ((batch && !e.batches) || (team && !e.many) || (e.answers && strcmp(what, "rtt")))
				continue;
			printf("%s %s %zu %zu %s\n", what, e.design, e.size, e.slots, e.threads ? "threads" : e.sleeps ? "sleeps" : "-");
		}
	for (size_t i = 0; i < left().size(); i += 2)
		printf("missing %s: %s\n", left()[i], left()[i + 1]);
}
