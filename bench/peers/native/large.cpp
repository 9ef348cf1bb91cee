// The rigtorp-style ring with elements of 64 KiB and 1 MiB: what a copy in and a copy out cost.
#include "../../native/scenario.h"
#include "../../native/spsc.h"

namespace {

using P64K = Payload<8192>;
using P1M = Payload<131072>;

const bool added = add({
	Scenario<Rigtorp<P64K, 128>, P64K>::entry("rigtorp"),
	Scenario<Rigtorp<P1M, 128>, P1M>::entry("rigtorp"),
});

} // namespace
