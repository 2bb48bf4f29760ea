"""growth: how time and memory grow with the size of a call, with connections, with live caches."""
import json
import random

import numpy as np

from prepare import BUILD
from report import in_turns, median, result, table
from servers import Connection, layerd, memory, wrk

ELEMENTS = [10 ** power for power in range(3, 8)]
CONNECTIONS = [1, 2, 4, 16, 64, 256, 512]
HANDLES = [10 ** power for power in range(1, 7)]
CALLS, PIPELINED, ROUNDS = 500, 200, 3


def relu_body(count):
    values = np.random.default_rng(2).standard_normal(count)
    return b'{"x":[' + ",".join(map(repr, values.tolist())).encode() + b"]}"


def by_elements():
    rows = []
    with layerd("--body-limit=1GiB", "--answer-limit=1GiB") as (port, _):
        connection = Connection(port)
        for count in ELEMENTS:
            body = relu_body(count)
            rounds = max(3, min(50, 10 ** 6 // count))
            times = [connection.post("/relu/forward?cache=none", body)[1] for _ in range(rounds)]
            rows.append([count, len(body) / 1e6, median(times) * 1e3, median(times) / count * 1e9])
        connection.close()
    return table("Growth: relu as JSON, 17 digits a number",
                 ["elements", "MB", "ms", "ns an element"], rows)


def by_connections():
    file = BUILD / "relu.json"
    file.write_bytes(b'{"x":[1.5,-2.0,0.25]}')
    with layerd() as (port, _):
        seen = in_turns(ROUNDS, {
            count: (lambda c=count: wrk(port, "/relu/forward?cache=none", file, c))
            for count in CONNECTIONS})
    rows = [[count] + [median(f[what] for f in figures) for what in ("rate", "p50", "p99")]
            for count, figures in seen.items()]
    return table("Growth: connections, small relu",
                 ["connections", "requests/s", "p50 ms", "p99 ms"], rows)


def give_caches(connection, count, kept):
    """Makes the daemon keep `count` caches, and remembers some of their handles"""
    body = b'{"x":[1.0]}'
    one = (b"POST /relu/forward HTTP/1.1\r\nHost: bench\r\nContent-Length: "
           + str(len(body)).encode() + b"\r\n\r\n" + body)
    pipe = connection.socket.makefile("rb")
    for start in range(0, count, PIPELINED):
        batch = min(PIPELINED, count - start)
        connection.socket.sendall(one * batch)
        for i in range(batch):
            length = 0
            while (line := pipe.readline().lower()) not in (b"\r\n", b""):
                if line.startswith(b"content-length:"):
                    length = int(line[15:])
            answer = pipe.read(length)
            if i == 0:
                kept.append(json.loads(answer)["cache"])


def call_times(connection, kept):
    """Median µs of (a forward that keeps a cache and its release, a backward with an old one)"""
    new, old = [], []
    for _ in range(CALLS):
        answer, first = connection.post("/relu/forward", b'{"x":[1.0]}')
        handle = json.loads(answer)["cache"]
        body = b'{"dout":[1.0],"cache":"%s"}' % handle.encode()
        new.append(first + connection.post("/relu/backward?cache=release", body)[1])
        body = b'{"dout":[1.0],"cache":"%s"}' % random.choice(kept).encode()
        old.append(connection.post("/relu/backward", body)[1])
    return median(new) * 1e6, median(old) * 1e6


def by_handles():
    rows, kept, live = [], [], 0
    with layerd("--cache-budget=64GiB") as (port, pid):
        connection = Connection(port)
        give_caches(connection, 1, kept)
        call_times(connection, kept)
        idle = memory(pid, "VmRSS")
        _, data, _ = connection.request("GET", "/cache/" + kept[0])
        tensors = json.loads(data)["bytes"]
        for count in HANDLES:
            give_caches(connection, count - live, kept)
            live = count
            beyond = (memory(pid, "VmRSS") - idle) / count - tensors
            rows.append([count, *call_times(connection, kept), beyond if count >= 1000 else None])
        connection.close()
    return table("Growth: live caches",
                 ["caches", "forward + release µs", "backward µs", "bytes beyond its tensors"],
                 rows, f"a cache's tensors here: {tensors} bytes")


def run():
    return result([by_elements(), by_connections(), by_handles()])
