#!/usr/bin/env bash
# nproc counts what OMP_NUM_THREADS says, not processors.
#
# Where a daemon's image or service sets OMP_NUM_THREADS=1, so that a library does not start
# threads, "make -j$(nproc)" builds with one job and a pool sized by nproc has one worker; with 64
# there are 64 on two processors. Only --all is unmoved.
#
# Debian 12, coreutils 9.1-1:
#     OMP_NUM_THREADS=1: 1, OMP_NUM_THREADS=64: 64, OMP_THREAD_LIMIT=1: 1
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download coreutils=9.1-1
dpkg -x ./*.deb .

unset OMP_NUM_THREADS OMP_THREAD_LIMIT
count() { env "$1" usr/bin/nproc; }
seen="OMP_NUM_THREADS=1: $(count OMP_NUM_THREADS=1)"
seen+=", OMP_NUM_THREADS=64: $(count OMP_NUM_THREADS=64)"
seen+=", OMP_THREAD_LIMIT=1: $(count OMP_THREAD_LIMIT=1)"
echo "$seen"
if [ "$seen" != "OMP_NUM_THREADS=1: 1, OMP_NUM_THREADS=64: 64, OMP_THREAD_LIMIT=1: 1" ]; then
    echo "changed: nproc does not follow the variables of OpenMP" >&2
    exit 1
fi
echo "as seen: nproc follows the variables of OpenMP"
