#!/usr/bin/env bash
# Redis keeps values long after they have expired, if there are many live ones beside them.
#
# Nobody can read them any more, but they count as used memory, and new ones are refused for want of
# it. Ten times a second it looks at a few keys that can expire, picked at random; where most of
# them are alive it stops. A SCAN of all keys is a read, and frees what has expired on its way.
#
# Debian 12, redis-server 7.0.15-1~deb12u10, 20 values of 1 MB that live 0.2 s beside 200,000 that
# live an hour:
#     after 5 s there are 20 of 20 left, after a SCAN 0
# Needs libssl3.
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

usr/bin/redis-server --port 0 --unixsocket "$dir/socket" --save '' >log &
server=$!
redis() { usr/bin/redis-cli -s "$dir/socket" "$@"; }
for _ in {1..100}; do
    [ "$(redis ping 2>/dev/null)" = PONG ] && break
    sleep 0.1
done

redis eval "for i = 1, 200000 do redis.call('SET', 'small:' .. i, 'x', 'EX', 3600) end" 0 >/dev/null
redis eval "local value = string.rep('x', 1000000)
            for i = 1, 20 do redis.call('SET', 'big:' .. i, value, 'PX', 200) end" 0 >/dev/null
sleep 5
late=$(($(redis dbsize) - 200000))
redis --scan >/dev/null
swept=$(($(redis dbsize) - 200000))
echo "after 5 s there are $late of 20 left, after a SCAN $swept"
if [ "$late" -lt 10 ] || [ "$swept" -ne 0 ]; then
    echo "changed: Redis frees expired values sooner, or a SCAN does not" >&2
    exit 1
fi
echo "as seen: expired values stay, a SCAN frees them"
