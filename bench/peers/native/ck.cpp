// Concurrency Kit's ck_ring. It has no batch API. Its many-producer side commits in order: a producer waits, spinning inside
// the library, for one that was descheduled before it.
#include "../../native/scenario.h"

#if __has_include(<ck_ring.h>)

#define false 0 // the header is C, where that is a null pointer too
#include <ck_ring.h>
#undef false

namespace {

struct Payload8 : P8 {
};
struct Payload64 : P64 {
};

CK_RING_PROTOTYPE(p8, Payload8)
CK_RING_PROTOTYPE(p64, Payload64)

#define RINGS(T, N)                                                                                                            \
	class One##N {                                                                                                         \
		alignas(128) ck_ring r_;                                                                                       \
		alignas(128) Payload##N first_[1];                                                                             \
                                                                                                                               \
	public:                                                                                                                \
		static size_t bytes(size_t n) { return sizeof(One##N) + n * sizeof(T); }                                       \
		void init(size_t n) { ck_ring_init(&r_, n); }                                                                  \
		bool push(const T &v) { return ck_ring_enqueue_spsc_p##N(&r_, first_, (Payload##N *)&v); }                     \
		bool pop(T &v) { return ck_ring_dequeue_spsc_p##N(&r_, first_, (Payload##N *)&v); }                            \
	};                                                                                                                     \
	class Many##N {                                                                                                        \
		alignas(128) ck_ring r_;                                                                                       \
		alignas(128) Payload##N first_[1];                                                                             \
                                                                                                                               \
	public:                                                                                                                \
		static size_t bytes(size_t n) { return sizeof(Many##N) + n * sizeof(T); }                                      \
		void init(size_t n) { ck_ring_init(&r_, n); }                                                                  \
		bool push(const T &v) { return ck_ring_enqueue_mpmc_p##N(&r_, first_, (Payload##N *)&v); }                     \
		bool pop(T &v) { return ck_ring_dequeue_mpmc_p##N(&r_, first_, (Payload##N *)&v); }                            \
	};

RINGS(P8, 8)
RINGS(P64, 64)

const bool added = add({
	Scenario<One8, P8>::entry("ck-spsc"),
	Scenario<One64, P64>::entry("ck-spsc"),
	Scenario<Many8, P8>::entry("ck-mpmc", true),
	Scenario<Many64, P64>::entry("ck-mpmc", true),
});

} // namespace

#else
namespace {
const bool left = missing("ck-spsc", "apt-get install libck-dev") && missing("ck-mpmc", "apt-get install libck-dev");
}
#endif
