#!/bin/sh
# Builds the C and C++ peers into the file named by the argument. What is not installed is left out, and the program says so itself.
set -eu
case $1 in /*) out=$1 ;; *) out=$PWD/$1 ;; esac
cd "$(dirname "$0")"
flags="-O3 -march=native -DNDEBUG -Wall -Wextra -pthread"
libs="-lrt"
objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT
dpdk=
if pkg-config --exists libdpdk 2>/dev/null; then
	dpdk="-DHAVE_DPDK $(pkg-config --cflags-only-I libdpdk | sed 's/-I/-isystem /g') -include rte_config.h"
	libs="$libs -lrte_ring"
fi
for f in ../native/*.cpp native/*.cpp; do
	extra=
	case $f in
	*/rte.cpp) extra=$dpdk ;;
	*/ck.cpp) extra="-fpermissive -w" ;; # its header is C
	esac
	g++ $flags $extra -c -o "$objects/$(basename "$f").o" "$f" || { echo "bench/peers: cannot compile $f" >&2; exit 1; }
done
gcc $flags -c -o "$objects/futexpp.o" ../native/futexpp.c
g++ $flags -o "$out.new" "$objects"/*.o $libs
mv "$out.new" "$out"
