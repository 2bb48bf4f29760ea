"""growth: how time and memory grow with the size of a call, with connections, with live caches."""
import json
import random

import numpy as np

import part_numbers
from prepare import BUILD
from report import at_most, in_turns, median, ratio, result, table
from servers import Connection, floor, layerd, memory, one_processor, wrk

ELEMENTS = [10 ** power for power in range(3, 8)]
CONNECTIONS = [1, 2, 4, 16, 64, 256, 512]
HANDLES = [10 ** power for power in range(1, 7)]
CALLS, PIPELINED, ROUNDS, TURNS = 300, 200, 3, 9


def relu_body(count):
    values = np.random.default_rng(2).standard_normal(count)
    return b'{"x":[' + ",".join(map(repr, values.tolist())).encode() + b"]}"


def read_and_write(body, answer):
    """ns of reading a number of a body and of writing one of an answer, each by the fastest of all
    that are measured"""
    files = [BUILD / "relu-in.json", BUILD / "relu-out.json"]
    for file, text in zip(files, (body, answer)):
        file.write_bytes(text[text.index(b"["):text.rindex(b"]") + 1])
    lines = part_numbers.measured(*files)
    return min(lines[0]["read"].values()) + min(lines[1]["write"].values())


def time_relu(port, count):
    """(body, answer, {server: [seconds, one a round]})"""
    body = relu_body(count)
    rounds = max(3, min(50, 10 ** 6 // count))
    connection = Connection(port)
    answer = connection.post("/relu/forward?cache=none", body)[0]
    with floor(len(answer)) as (bare, _):
        other = Connection(bare)
        seen = in_turns(rounds, {
            "layerd": lambda: connection.post("/relu/forward?cache=none", body)[1],
            "floor": lambda: other.post("/", body)[1]})
        other.close()
    connection.close()
    return body, answer, seen


def by_elements():
    """(table, targets)"""
    rows, numbers = [], None
    with layerd("--body-limit=1GiB", "--answer-limit=1GiB") as (port, _):
        for count in ELEMENTS:
            body, answer, seen = time_relu(port, count)
            numbers = numbers or read_and_write(body, answer)
            each = median(seen["layerd"]) / count * 1e9
            least = median(seen["floor"]) / count * 1e9 + numbers
            rows.append([count, len(body) / 1e6, median(seen["layerd"]) * 1e3, each, least,
                         each / least])
    made = table("Growth: relu as JSON, 17 digits a number",
                 ["elements", "MB", "ms", "ns an element", "floor", "÷ floor"], rows,
                 "floor: libmicrohttpd takes the body and gives the answer, and the fastest of all "
                 "that part `numbers` measures reads and writes the numbers")
    each = {row[0]: row[3] for row in rows}
    return made, [at_most(f"relu as JSON, {count:,} elements: ns an element ÷ with 100,000", 1.3,
                          each[count] / each[10 ** 5]) for count in (10 ** 6, 10 ** 7)]


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


class Keeper:
    """A daemon's caches, of some of which the handles are remembered"""

    def __init__(self, port):
        self.connection, self.live, self.handles = Connection(port), 0, []

    def keep(self, count):
        """Makes the daemon keep so many"""
        body = b'{"x":[1.0]}'
        one = (b"POST /relu/forward HTTP/1.1\r\nHost: bench\r\nContent-Length: "
               + str(len(body)).encode() + b"\r\n\r\n" + body)
        pipe = self.connection.socket.makefile("rb")
        while self.live < count:
            batch = min(PIPELINED, count - self.live)
            self.connection.socket.sendall(one * batch)
            answers = [piped_answer(pipe) for _ in range(batch)]
            self.handles.append(json.loads(answers[0])["cache"])
            self.live += batch

    def bytes_of_one(self):
        return json.loads(self.connection.request("GET", "/cache/" + self.handles[0])[1])["bytes"]

    def call_times(self):
        """Median µs: (a forward that keeps a cache, and its release; a backward with an old one)"""
        new, old = [], []
        for _ in range(CALLS):
            answer, first = self.connection.post("/relu/forward", b'{"x":[1.0]}')
            new.append(first + self.backward(json.loads(answer)["cache"], "?cache=release"))
            old.append(self.backward(random.choice(self.handles)))
        return median(new) * 1e6, median(old) * 1e6

    def backward(self, handle, query=""):
        """Seconds"""
        body = b'{"dout":[1.0],"cache":"%s"}' % handle.encode()
        return self.connection.post("/relu/backward" + query, body)[1]


def piped_answer(pipe):
    """The body of the next answer"""
    length = 0
    while (line := pipe.readline().lower()) not in (b"\r\n", b""):
        if line.startswith(b"content-length:"):
            length = int(line[15:])
    return pipe.read(length)


def row_of(count, few, many):
    """Of a daemon with so many caches, in turns with one that keeps its few"""
    many.keep(count)
    seen = in_turns(TURNS, {"few": few.call_times, "many": many.call_times})
    cells = [count]
    for ours, with_few in zip(zip(*seen["many"]), zip(*seen["few"])):
        cells += [median(ours), ratio(ours, with_few)]
    return cells


def by_handles():
    """(table, target)"""
    budget, less = "--cache-budget=64GiB", f"÷ with {HANDLES[0]}"
    with one_processor(), layerd(budget) as (few_port, _), layerd(budget) as (port, pid):
        rows, few, many = [], Keeper(few_port), Keeper(port)
        for keeper in (few, many):
            keeper.keep(HANDLES[0])
            keeper.call_times()
        idle, tensors = memory(pid, "VmRSS"), many.bytes_of_one()
        for count in HANDLES:
            rows.append(row_of(count, few, many))
            beyond = (memory(pid, "VmRSS") - idle) / count - tensors
            rows[-1].append(beyond if count >= 1000 else None)
    columns = ["caches", "forward + release µs", less, "backward µs", less,
               "bytes beyond its tensors"]
    made = table("Growth: live caches", columns, rows,
                 f"a cache's tensors here: {tensors} bytes; caller and daemon on one processor")
    return made, at_most(f"a call's time with {HANDLES[-1]:,} live caches {less}", 1.1,
                         max(rows[-1][2], rows[-1][4]))


def run():
    elements, targets = by_elements()
    handles, target = by_handles()
    return result([elements, by_connections(), handles], targets=[*targets, target])
