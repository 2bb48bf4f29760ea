#!/usr/bin/env bash
# Redis refuses a value that fits well: SET of n bytes needs more than 2 n below maxmemory.
#
# The buffer that the command was read into still counts when memory is checked, and the value is
# counted as well. So the greatest value is under half of maxmemory, in an empty server too.
#
# Debian 12, redis-server 7.0.15-1~deb12u10, empty, maxmemory 100 MiB, noeviction:
#     40 MiB: OK, 60 MiB: OOM command not allowed when used memory > 'maxmemory'.
# though 60 MiB are taken where maxmemory is 200, and use 64 then. Needs libssl3.
set -euo pipefail
dir=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null || true; wait; rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download \
    redis-server=5:7.0.15-1~deb12u10 redis-tools=5:7.0.15-1~deb12u10 libjemalloc2=5.3.0-1 \
    liblzf1=3.6-3 libatomic1=12.2.0-14+deb12u1
for package in *.deb; do dpkg -x "$package" .; done
LD_LIBRARY_PATH=$dir/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
export LD_LIBRARY_PATH

usr/bin/redis-server --port 0 --unixsocket "$dir/socket" --save '' --maxmemory 100mb >log &
server=$!
redis() { usr/bin/redis-cli -s "$dir/socket" "$@"; }
for _ in {1..100}; do
    [ "$(redis ping 2>/dev/null)" = PONG ] && break
    sleep 0.1
done

# What SET answers to a value of so many MiB in an empty server.
set_value() {
    redis flushall >/dev/null
    head -c "$1M" /dev/zero | redis -x set key
}
small=$(set_value 40) great=$(set_value 60)
redis config set maxmemory 200mb >/dev/null
roomy=$(set_value 60)
sleep 1
used=$(redis info memory | sed -n 's/^used_memory:\([0-9]*\).*/\1/p')
echo "40 MiB: $small, 60 MiB: $great"
echo "60 MiB at 200: $roomy, $((used >> 20)) MiB used"
if [ "$small $roomy" != "OK OK" ] || [[ $great != OOM* ]] || [ $((used >> 20)) -gt 80 ]; then
    echo "changed: Redis takes a value of 60 MiB where there are 100" >&2
    exit 1
fi
echo "as seen: SET needs room for the value twice"
