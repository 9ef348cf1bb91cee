// DPDK's rte_ring over our memory, without EAL. "rte-mp" commits in order and waits inside the library for a producer that was
// descheduled before it; "rte-hts" and "rte-rts" are its head-tail and relaxed modes, made for more threads than CPUs.
#include "../../native/scenario.h"

#ifdef HAVE_DPDK

#include <rte_ring.h>

namespace {

template <typename T, unsigned Flags> class Ring {
	alignas(128) rte_ring r_;

public:
	static size_t bytes(size_t n) { return sizeof(Ring) + rte_ring_get_memsize_elem(sizeof(T), n); }
	void init(size_t n) { rte_ring_init(&r_, "peer", n, Flags); }
	bool push(const T &v)
	{
		if (Flags & RING_F_SP_ENQ)
			return rte_ring_sp_enqueue_elem(&r_, const_cast<T *>(&v), sizeof v) == 0;
		return rte_ring_enqueue_elem(&r_, const_cast<T *>(&v), sizeof v) == 0;
	}
	bool pop(T &v)
	{
		if (Flags & RING_F_SC_DEQ)
			return rte_ring_sc_dequeue_elem(&r_, &v, sizeof v) == 0;
		return rte_ring_dequeue_elem(&r_, &v, sizeof v) == 0;
	}
	size_t pushN(const T *v, size_t n)
	{
		if (Flags & RING_F_SP_ENQ)
			return rte_ring_sp_enqueue_burst_elem(&r_, v, sizeof *v, n, nullptr);
		return rte_ring_enqueue_burst_elem(&r_, v, sizeof *v, n, nullptr);
	}
	size_t popN(T *v, size_t n)
	{
		if (Flags & RING_F_SC_DEQ)
			return rte_ring_sc_dequeue_burst_elem(&r_, v, sizeof *v, n, nullptr);
		return rte_ring_dequeue_burst_elem(&r_, v, sizeof *v, n, nullptr);
	}
};

template <unsigned Flags> bool both(const char *design, bool many)
{
	return add({Scenario<Ring<P8, Flags>, P8>::entry(design, many), Scenario<Ring<P64, Flags>, P64>::entry(design, many)});
}

const bool added = both<RING_F_SP_ENQ | RING_F_SC_DEQ>("rte-spsc", false) && both<0>("rte-mp", true) &&
		   both<RING_F_MP_HTS_ENQ | RING_F_MC_HTS_DEQ>("rte-hts", true) &&
		   both<RING_F_MP_RTS_ENQ | RING_F_MC_RTS_DEQ>("rte-rts", true);

} // namespace

#else
namespace {
const bool left = missing("rte-spsc", "apt-get install dpdk-dev") && missing("rte-mp", "apt-get install dpdk-dev") &&
		  missing("rte-hts", "apt-get install dpdk-dev") && missing("rte-rts", "apt-get install dpdk-dev");
}
#endif
