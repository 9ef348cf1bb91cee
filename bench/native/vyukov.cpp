// The design of vyukov.h.
#include "vyukov.h"
#include "scenario.h"

namespace {

const bool added = add({
	Scenario<Vyukov<P8>, P8>::entry("vyukov", true),
	Scenario<Vyukov<P64>, P64>::entry("vyukov", true),
});

} // namespace
