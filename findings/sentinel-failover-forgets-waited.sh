#!/usr/bin/env bash
# SENTINEL FAILOVER of a healthy Redis loses writes that WAIT has confirmed to be on a replica.
#
# The Sentinel promotes one replica at once, and tells the other a second later, when it has seen
# that in INFO; meanwhile the old master takes writes, the other replica takes them over and says so,
# and WAIT 1 returns 1. Then both follow the promoted one and forget them. So WAIT protects against
# the death of a master, and not against its being replaced as planned: who must lose nothing has to
# hear "+try-failover" by SUBSCRIBE to the Sentinels, or to wait for all replicas.
#
# Debian 12, redis-server and redis-sentinel 7.0.15-1~deb12u10, a master, two replicas, one Sentinel,
# 3 s of SET and WAIT 1, a failover after the first of them:
#     of 4,633 writes that a replica confirmed 4,353 are gone (others: 4,398 of 6,759, 4,996 of 5,935)
# Needs libssl3, python3.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download \
    redis-server=5:7.0.15-1~deb12u10 redis-tools=5:7.0.15-1~deb12u10 libjemalloc2=5.3.0-1 \
    liblzf1=3.6-3 libatomic1=12.2.0-14+deb12u1
for package in *.deb; do dpkg -x "$package" .; done
LD_LIBRARY_PATH=$dir/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
export LD_LIBRARY_PATH
cat >try.py <<'PYTHON'
import socket, subprocess, time


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Link:
    def __init__(self, port):
        self.file = socket.create_connection(("127.0.0.1", port), 5).makefile("rwb")

    def say(self, *words):
        return self.all(words)[0]

    def all(self, *commands):
        for words in commands:
            self.file.write(b"*%d\r\n" % len(words) + b"".join(
                b"$%d\r\n%s\r\n" % (len(word), word) for word in (str(w).encode() for w in words)))
        self.file.flush()
        return [self.read() for _ in commands]

    def read(self):
        line = self.file.readline()
        if not line:
            raise OSError("it ended the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2].decode()
        if kind == b"-":
            raise OSError(rest.decode())
        return int(rest) if kind == b":" else rest.decode()


def await_(condition):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise SystemExit("waited in vain")


def start(*words):
    subprocess.Popen(["usr/bin/redis-server", *words], stdout=subprocess.DEVNULL)


ports = [free_port() for _ in range(4)]
for i, port in enumerate(ports[:3]):
    start("--port", str(port), "--save", "", "--dbfilename", f"{port}.rdb", "--repl-diskless-sync-delay",
          "0", *(["--replicaof", f"127.0.0.1 {ports[0]}"] if i else []))
await_(lambda: Link(ports[0]).say("INFO", "replication").count("state=online") == 2)
with open("sentinel.conf", "w") as file:
    file.write(f"port {ports[3]}\nsentinel monitor x 127.0.0.1 {ports[0]} 1\n")
start("sentinel.conf", "--sentinel")
await_(lambda: len(Link(ports[3]).say("SENTINEL", "replicas", "x")) == 2)
time.sleep(1)

master, sentinel, confirmed, number = Link(ports[0]), Link(ports[3]), [], 0
sentinel.say("SENTINEL", "FAILOVER", "x")
end = time.monotonic() + 3
try:
    while time.monotonic() < end:
        number += 1
        _, replicas = master.all(["SET", number, "x"], ["WAIT", 1, 1000])
        if replicas >= 1:
            confirmed.append(number)
except OSError:
    pass  # it has been told that it is a replica now
await_(lambda: int(sentinel.say("SENTINEL", "get-master-addr-by-name", "x")[1]) != ports[0])
new = Link(int(sentinel.say("SENTINEL", "get-master-addr-by-name", "x")[1]))
gone = sum(1 for n in confirmed if new.say("EXISTS", n) == 0)
print(f"of {len(confirmed)} writes that a replica confirmed {gone} are gone")
for port in ports:
    try:
        Link(port).say("SHUTDOWN", "NOSAVE")
    except OSError:
        pass
raise SystemExit(gone < 100)
PYTHON
if ! python3 try.py; then
    echo "changed: a planned failover loses next to nothing that WAIT confirmed" >&2
    exit 1
fi
echo "as seen: WAIT confirmed what a planned failover forgets"
