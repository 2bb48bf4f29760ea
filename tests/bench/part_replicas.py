"""replicas: daemons that keep handles in a Redis of one replica (WAIT 1), beside one that keeps them
itself: small calls, the large call there and on another daemon, 64 MB, processor time a call behind
HAProxy, and what a handle takes of the store."""
import json
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

import tensor_file
from part_large import inputs
from part_requests import CALL
from prepare import BUILD
from report import at_least, at_most, in_turns, median, number, ratio, result, table
from servers import Connection, layerd, memory, reset_peak, wrk

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "replicas"))
import engines  # noqa: E402

ROUNDS, HUGE_ROUNDS, SECONDS = 5, 3, 1
BYTES = tensor_file.TYPE
HANDLES = (1000, 10_000, 100_000)
HUGE = (1024, 8192)  # 64 MiB of float64


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


class Stores:
    """A daemon alone, and two of a store whose replica has what is given"""

    def __init__(self, stack):
        self.master = engines.Redis()
        self.replica = engines.Redis("--replicaof", "127.0.0.1", str(self.master.port))
        stack.callback(self.replica.end)
        stack.callback(self.master.end)
        engines.within(20, lambda: "state=online" in self.master.say("INFO", "replication"))
        options = (f"--store=redis://127.0.0.1:{self.master.port}", "--store-copies=1",
                   "--address-connections=4096")
        self.alone = stack.enter_context(layerd("--address-connections=4096"))
        self.here, self.there = (stack.enter_context(layerd(*options)) for _ in range(2))

    def empty(self):
        self.master.say("FLUSHALL")


def handle_of(port, path, body, media_type="application/json"):
    connection = Connection(port)
    answer, _ = connection.post(path, body, media_type)
    connection.close()
    if media_type == BYTES:
        return tensor_file.head_of(answer)[1]["cache"]
    return json.loads(answer)["cache"]


# ---- small calls -------------------------------------------------------------------------------

def small_calls(stores):
    forward = BUILD / "small.json"
    forward.write_text(json.dumps(CALL))
    works = {}
    for name, (port, _) in (("memory", stores.alone), ("store", stores.here)):
        handle = handle_of(port, "/affine/forward", forward.read_bytes())
        dout = {"dout": [[1.0] * len(CALL["b"])] * len(CALL["x"]), "cache": handle}
        backward = BUILD / f"small-back-{name}.json"
        backward.write_text(json.dumps(dout))
        for path, file in (("/affine/forward", forward), ("/affine/backward", backward)):
            works[path, name] = lambda p=port, path=path, f=file: wrk(p, path, f)["rate"]
    seen = in_turns(ROUNDS, works)
    rows, targets = [], []
    for path, least in (("/affine/forward", 0.25), ("/affine/backward", 0.4)):
        of = ratio(seen[path, "store"], seen[path, "memory"])
        rows += [[path, name, median(seen[path, name]), ratio(seen[path, name], seen[path, "memory"])]
                 for name in ("memory", "store")]
        targets.append(at_least(f"small {path}, a caller: store ÷ memory", least, of))
    return table("Small calls with a cache, requests a second of one connection",
                 ["call", "kept in", "requests/s", "÷ memory"], rows), targets


# ---- large calls -------------------------------------------------------------------------------

def both_ways(first, second, forward, dout):
    """Seconds of a forward, and of a backward by `second`"""
    start = time.perf_counter()
    answer, _ = first.post("/affine/forward", forward, BYTES)
    handle = tensor_file.head_of(answer)[1]["cache"]
    body = tensor_file.packed({"dout": dout}, {"cache": handle})
    second.post("/affine/backward?cache=release", body, BYTES)
    return time.perf_counter() - start


def large_calls(stores):
    tensors = inputs()
    forward = tensor_file.packed(tensors)
    dout = np.ones((tensors["x"].shape[0], tensors["w"].shape[1]))
    links = {name: Connection(port) for name, (port, _) in
             (("alone", stores.alone), ("here", stores.here), ("there", stores.there))}
    ways = {"memory": ("alone", "alone"), "store, a copy": ("here", "here"),
            "store, another daemon": ("here", "there")}
    seen = in_turns(9, {name: (lambda a=links[a], b=links[b]: median(
        both_ways(a, b, forward, dout) for _ in range(10))) for name, (a, b) in ways.items()})
    rows = [[name, median(times) * 1e3, ratio(seen["memory"], times)] for name, times in seen.items()]
    for link in links.values():
        link.close()
    return table("affine (256,784)·(784,100), forward and backward, safetensors",
                 ["kept in", "ms", "rate ÷ memory"], rows), [
        at_least("large call, a copy here: rate ÷ memory", 0.7, rows[1][2]),
        at_least("large call, another daemon: rate ÷ memory", 0.5, rows[2][2])]


class Pinging(threading.Thread):
    """Small calls of another caller, until it is told to end: their times"""

    def __init__(self, port):
        super().__init__()
        self.port, self.times, self.ends = port, [], False
        self.start()

    def run(self):
        link, body = Connection(self.port), json.dumps(CALL).encode()
        while not self.ends:
            self.times.append(link.post("/affine/forward?cache=none", body)[1])
            time.sleep(0.001)
        link.close()

    def end(self):
        self.ends = True
        self.join()
        return sorted(self.times)[int(len(self.times) * 0.99)]


def huge_call(first, second):
    """(seconds, bytes that each process peaks at beyond its idle, p99 of others) of 64 MB"""
    x = np.ones(HUGE)
    forward = tensor_file.packed({"x": x, "w": np.ones((HUGE[1], 1)), "b": np.ones(1)})
    for _, pid in {first, second}:
        reset_peak(pid)
    idle = {pid: memory(pid, "VmRSS") for _, pid in {first, second}}
    links = [Connection(port, 1 << 27) for port, _ in (first, second)]
    pinging = Pinging(second[0])
    seconds = both_ways(*links, forward, np.ones((HUGE[0], 1)))
    p99 = pinging.end()
    for link in links:
        link.close()
    peak = max(memory(pid, "VmHWM") - idle[pid] for pid in idle)
    time.sleep(3)  # what was freed goes back to the system
    return seconds, peak, p99


def huge_calls(stores):
    ways = {"memory": (stores.alone, stores.alone), "store, another daemon": (stores.here, stores.there)}
    seen = in_turns(HUGE_ROUNDS, {name: (lambda w=way: huge_call(*w)) for name, way in ways.items()})
    columns = {name: list(zip(*rounds)) for name, rounds in seen.items()}
    rows = [[name, median(c[0]) * 1e3, median(c[1]) / 2**20, median(c[2]) * 1e3]
            for name, c in columns.items()]
    mine, other = columns["memory"], columns["store, another daemon"]
    return table("64 MB: forward, and backward", ["kept in", "ms", "MiB at the peak", "others' p99 ms"],
                 rows), [
        at_most("64 MB, another daemon: time ÷ memory", 2.5, ratio(other[0], mine[0])),
        at_most("64 MB: peak of a daemon ÷ memory", 1.1, ratio(other[1], mine[1])),
        at_most("64 MB: p99 of other callers, ms", 10, rows[1][3])]


# ---- processor time ----------------------------------------------------------------------------

def cost(port, pids, body_file):
    """Microseconds of processor time a call, of each process"""
    before = [processor_seconds(pid) for pid in pids]
    calls = wrk(port, "/affine/forward", body_file, 16, 2 * SECONDS)["requests"]
    return [(processor_seconds(pid) - b) * 1e6 / calls for pid, b in zip(pids, before)]


def processor_time(stores):
    body = BUILD / "small.json"
    store = stores.master.process.pid
    proxies = {"one replica": engines.Proxy([stores.here[0]]),
               "two replicas": engines.Proxy([stores.here[0], stores.there[0]])}
    pids = {"one replica": [stores.here[1]], "two replicas": [stores.here[1], stores.there[1]]}
    try:
        seen = in_turns(ROUNDS, {name: (lambda n=name: cost(
            proxies[n].port, [*pids[n], store, proxies[n].process.pid], body)) for name in proxies})
    finally:
        for proxy in proxies.values():
            proxy.end()
    rows = [[name, median(sum(r[:-2]) for r in rounds), median(r[-2] for r in rounds),
             median(r[-1] for r in rounds)] for name, rounds in seen.items()]
    stores.empty()
    return table("Processor time of a small forward with a cache behind HAProxy, µs",
                 ["", "layerd", "Redis", "HAProxy"], rows), [
        at_most("layerd's processor time a call: two replicas ÷ one", 1.1, rows[1][1] / rows[0][1]),
        at_most("Redis's processor time of a small forward, µs", 40, rows[1][2])]


# ---- the store's memory ------------------------------------------------------------------------

def fill(port, bodies):
    """Puts handles over some connections at once"""
    def put(part):
        link = Connection(port)
        for body in part:
            link.post("/graph", body)
        link.close()
    threads = [threading.Thread(target=put, args=(bodies[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def memory_of_handles(stores):
    rows, batch = [], 500
    tensor = {"shape": [100], "data": [0.5] * 100}
    names = [f"t{i}" for i in range(batch)]
    body = json.dumps({"inputs": {name: tensor for name in names}, "nodes": [],
                       "keep": names}).encode()
    stores.empty()
    empty, before, done = stores.master.used(), time.perf_counter(), 0
    for handles in HANDLES:
        fill(stores.here[0], [body] * ((handles - done) // batch))
        done = handles
        rows.append([handles, (stores.master.used() - empty) / handles,
                     time.perf_counter() - before])
    stores.empty()
    big = tensor_file.packed({"x": np.ones((1000, 1000)), "w": np.ones((1000, 1)), "b": np.ones(1)})
    empty, count = stores.master.used(), 10
    for _ in range(count):
        handle_of(stores.here[0], "/affine/forward", big, BYTES)
    each = (stores.master.used() - empty) / count / (8 * 1000 * 1001)
    stores.empty()
    return table("Memory of the store, handles of 800 bytes", ["handles", "bytes each", "s to put"],
                 rows, f"handles of 8 MB take {number(each)} times their bytes"), [
        at_most("store's memory a handle of 8 MB ÷ its bytes", 1.25, each)]


def run():
    with ExitStack() as stack:
        stores = Stores(stack)
        made = [part(stores) for part in
                (small_calls, large_calls, huge_calls, processor_time, memory_of_handles)]
    return result([t for t, _ in made], [], [target for _, targets in made for target in targets])
