#!/usr/bin/env bash
# twemproxy: with the hash crc32 and the distribution ketama one server gets all keys.
#
# That crc32 has 15 bits, as memcached's clients have it; crc32a has 32. The servers lie on a circle
# of 32 bits, so that all keys come before the first of them, and nothing goes to the others. The
# configuration is accepted without a word; the distribution modula divides the same hash evenly.
#
# Debian 12, nutcracker 0.5.0+dfsg-2, three servers of one weight, keys tensor:1 to tensor:3000:
#     crc32, ketama: 0 0 3000
#     crc32, modula: 1023 972 1005
#     crc32a, ketama: 1103 940 957
# Needs Python 3, and libssl3.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download \
    nutcracker=0.5.0+dfsg-2 libyaml-0-2=0.2.5-1 redis-server=5:7.0.15-1~deb12u10 \
    redis-tools=5:7.0.15-1~deb12u10 libjemalloc2=5.3.0-1 liblzf1=3.6-3 libatomic1=12.2.0-14+deb12u1
for package in *.deb; do dpkg -x "$package" .; done
LD_LIBRARY_PATH=$dir/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
export LD_LIBRARY_PATH

redis() { usr/bin/redis-cli -s "$dir/$1" "${@:2}"; }
answers() {
    for _ in {1..100}; do
        [ "$(redis "$1" exists x 2>/dev/null)" = 0 ] && break
        sleep 0.1
    done
}
for name in a b c; do
    usr/bin/redis-server --port 0 --unixsocket "$dir/$name" --save '' >"log-$name" &
    answers $name
done
port=$(/usr/bin/python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1])')

shares() {
    cat >proxy.yml <<YAML
pool:
  listen: $dir/proxy
  hash: $1
  distribution: $2
  redis: true
  servers:
   - $dir/a:1 a
   - $dir/b:1 b
   - $dir/c:1 c
YAML
    usr/sbin/nutcracker -c proxy.yml -a 127.0.0.1 -s "$port" -o log-proxy &
    answers proxy
    printf 'SET tensor:%d x\n' {1..3000} | redis proxy >/dev/null
    kill $!
    wait $! || true
    echo "$1, $2: $(redis a dbsize) $(redis b dbsize) $(redis c dbsize)" >>seen
    for name in a b c; do redis $name flushall >/dev/null; done
}
shares crc32 ketama
shares crc32 modula
shares crc32a ketama
cat seen
if [ "$(cat seen)" != "$(printf '%s\n' 'crc32, ketama: 0 0 3000' \
        'crc32, modula: 1023 972 1005' 'crc32a, ketama: 1103 940 957')" ]; then
    echo "changed: twemproxy distributes keys otherwise" >&2
    exit 1
fi
echo "as seen: crc32 and ketama give one server all keys"
