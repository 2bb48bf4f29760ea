"""replicas: daemons that keep handles in a Redis of one replica (WAIT 1), beside one that keeps them
itself: small calls, the large call there and on another daemon, 64 MB, processor time a call behind
HAProxy, three replicas that compute, and what a handle takes of the store, up to a million of them."""
import json
import os
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
from servers import Connection, layerd, memory, processor_seconds, PROCESSORS, reset_peak, wrk

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "replicas"))
import engines  # noqa: E402

ROUNDS, HUGE_ROUNDS, SECONDS = 5, 3, 1
BYTES = tensor_file.TYPE
HANDLES = (1000, 10_000, 100_000, 1_000_000)
HUGE = (1024, 8192)  # 64 MiB of float64


class Stores:
    """A daemon alone, and two of a store whose replica has what is given"""

    def __init__(self, stack):
        self.master = engines.Redis()
        self.replica = engines.Redis("--replicaof", "127.0.0.1", str(self.master.port))
        stack.callback(self.replica.end)
        stack.callback(self.master.end)
        engines.within(20, lambda: "state=online" in self.master.say("INFO", "replication"))
        self.options = (f"--store=redis://127.0.0.1:{self.master.port}", "--store-copies=1",
                        "--address-connections=4096")
        self.alone = stack.enter_context(layerd("--address-connections=4096"))
        self.here, self.there = (stack.enter_context(layerd(*self.options)) for _ in range(2))

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

CALLERS = 16  # of a replica


def cost(proxy, pids, store, callers, path):
    """Microseconds of processor time a call: the replicas', the store's, HAProxy's"""
    every = [*pids, store, proxy.process.pid]
    before = [processor_seconds(pid) for pid in every]
    calls = wrk(proxy.port, path, BUILD / "small.json", callers, 2 * SECONDS)["requests"]
    *replicas, store, proxy = [(processor_seconds(pid) - b) * 1e6 / calls
                               for pid, b in zip(every, before)]
    return sum(replicas), store, proxy


def processor_time(stores):
    """Of one replica and of two, each with as many callers; and where two share those of one: it is
    then woken for fewer calls at once, with a store or without"""
    store, (one, first), (two, second) = stores.master.process.pid, stores.here, stores.there
    proxies = {1: engines.Proxy([one]), 2: engines.Proxy([one, two])}
    pids = {1: [first], 2: [first, second]}
    ways = {(f"{kept}{count} x {callers // count} callers"): (count, callers, query)
            for kept, query in (("", ""), ("nothing kept, ", "?cache=none"))
            for count, callers in ((1, CALLERS), (2, 2 * CALLERS), (2, CALLERS))}
    try:
        seen = in_turns(ROUNDS, {name: (lambda n=count, c=callers, q=query: cost(
            proxies[n], pids[n], store, c, "/affine/forward" + q))
            for name, (count, callers, query) in ways.items()})
    finally:
        for proxy in proxies.values():
            proxy.end()
    names = list(ways)
    rows = [[name, *(median(column) for column in zip(*seen[name])),
             ratio([r[0] for r in seen[name]], [r[0] for r in seen[names[i - i % 3]]])]
            for i, name in enumerate(names)]
    stores.empty()
    return table("Processor time of a small forward with a cache behind HAProxy, µs",
                 ["replicas", "layerd", "Redis", "HAProxy", "layerd ÷ one's"], rows), [
        at_most("layerd's processor time a call: two replicas ÷ one", 1.1, rows[1][4]),
        at_most("Redis's processor time of a small forward, µs", 40, rows[1][2])]


# ---- three that compute ------------------------------------------------------------------------

SIDE, REPLICAS = 600, 3


def product_body(port):
    """A graph of one product of kept matrices, of which the answer is one number"""
    ones = {"shape": [SIDE, SIDE], "data": [1.0] * SIDE ** 2}
    put = {"inputs": {"x": ones}, "nodes": [], "keep": ["x"]}
    connection = Connection(port)
    handle = json.loads(connection.post("/graph", json.dumps(put).encode())[0])["kept"]["x"]
    connection.close()
    return json.dumps({
        "inputs": {"x": {"tensor": handle}, "b": [0] * SIDE, "y": [0] * SIDE},
        "nodes": [{"name": "a", "op": "affine/forward", "x": "x", "w": "x", "b": "b"},
                  {"name": "l", "op": "svm/loss", "x": "a.out", "y": "y"}], "give": ["l.loss"]})


def computing(stores):
    """One replica, and three, each with a thread on a processor of its own"""
    title = f"Products of {SIDE} x {SIDE} behind HAProxy, replicas of one thread each"
    if PROCESSORS <= REPLICAS:
        return table(title, ["replicas", "products/s", "÷ one's"], [],
                     f"not measured: it takes {REPLICAS + 1} processors, here are {PROCESSORS}"), []
    with ExitStack() as stack:
        ports = []
        for processor in sorted(os.sched_getaffinity(0))[:REPLICAS]:
            port, pid = stack.enter_context(layerd(*stores.options, "--threads=1"))
            for thread in os.listdir(f"/proc/{pid}/task"):
                os.sched_setaffinity(int(thread), {processor})
            ports.append(port)
        body = BUILD / "product.json"
        body.write_text(product_body(ports[0]))
        works = {}
        for count in (1, REPLICAS):
            proxy = engines.Proxy(ports[:count])
            stack.callback(proxy.end)
            works[count] = (lambda p=proxy.port, c=2 * count:
                            wrk(p, "/graph", body, c, 2 * SECONDS)["rate"])
        seen = in_turns(ROUNDS, works)
    stores.empty()
    rows = [[count, median(rates), ratio(rates, seen[1])] for count, rates in seen.items()]
    return table(title, ["replicas", "products/s", "÷ one's"], rows), [
        at_least("products of three replicas ÷ three times one's", 0.9, rows[1][2] / REPLICAS)]


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
    big = tensor_file.packed({"x": np.ones((1000, 1000)), "w": np.ones((1000, 1)), "b": np.ones(1)})
    empty, count = stores.master.used(), 10
    for _ in range(count):
        handle_of(stores.here[0], "/affine/forward", big, BYTES)
    each = (stores.master.used() - empty) / count / (8 * 1000 * 1001)
    stores.empty()
    empty, seconds, done = stores.master.used(), 0, 0
    for handles in HANDLES:
        before = time.perf_counter()
        fill(stores.here[0], [body] * ((handles - done) // batch))
        seconds += time.perf_counter() - before
        done = handles
        used = (stores.master.used() - empty) / handles
        rate = wrk(stores.here[0], "/affine/forward", BUILD / "small.json")["rate"]
        rows.append([handles, used, seconds, rate])
    stores.empty()
    return table("Memory of the store, tensors of 800 bytes that graphs keep, 500 at once",
                 ["handles", "bytes each", "s to put", "small forwards/s then"],
                 rows, f"handles of 8 MB take {number(each)} times their bytes"), [
        at_most("store's memory a handle of 8 MB ÷ its bytes", 1.25, each)]


def run():
    with ExitStack() as stack:
        stores = Stores(stack)
        made = [part(stores) for part in
                (small_calls, large_calls, huge_calls, processor_time, computing, memory_of_handles)]
    return result([t for t, _ in made], [], [target for _, targets in made for target in targets])
