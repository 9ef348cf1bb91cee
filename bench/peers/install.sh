#!/bin/sh
# Installs the packages of the C and C++ peers as far as that is allowed here, and notes what there is in the file named by the
# argument, which changes only if that does.
set -eu
packages="g++ pkg-config libboost-dev libatomic-queue-dev libconcurrentqueue-dev libck-dev dpdk-dev"
there() { dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\n' $packages 2>/dev/null | grep ' installed$' || true; }
if command -v apt-get >/dev/null && [ "$(there | wc -l)" -lt "$(echo $packages | wc -w)" ]; then
	sudo=
	[ "$(id -u)" = 0 ] || sudo="sudo -n"
	$sudo apt-get install -y --no-install-recommends $packages >/dev/null 2>&1 ||
		echo "bench/peers: cannot install: what is missing stays out of the tables; try: apt-get install $packages" >&2
fi
mkdir -p "$(dirname "$1")"
there >"$1.new"
if cmp -s "$1.new" "$1"; then rm "$1.new"; else mv "$1.new" "$1"; fi
