// The designs of spsc.h.
#include "spsc.h"
#include "scenario.h"

namespace {

template <typename T, typename Ring> Entry entry(const char *design) { return Scenario<Ring, T>::entry(design); }

const bool added = add({
	entry<P8, Rigtorp<P8, 64>>("rigtorp"),         entry<P64, Rigtorp<P64, 64>>("rigtorp"),
	entry<P256, Rigtorp<P256, 64>>("rigtorp"),     entry<P8, Rigtorp<P8, 128>>("rigtorp128"),
	entry<P64, Rigtorp<P64, 128>>("rigtorp128"),   entry<P256, Rigtorp<P256, 128>>("rigtorp128"),
	entry<P8, Seq<P8, false>>("seq"),              entry<P64, Seq<P64, false>>("seq"),
	entry<P256, Seq<P256, false>>("seq"),          entry<P8, Seq<P8, true>>("seqstep"),
	entry<P64, Seq<P64, true>>("seqstep"),         entry<P256, Seq<P256, true>>("seqstep"),
});

} // namespace
