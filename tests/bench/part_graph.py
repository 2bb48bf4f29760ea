"""graph: steps of SGD as one call, with weights that stay, beside a call for each layer and NumPy
in process; what travels, what a graph of tiny nodes costs, what of a step is in memory at once, and
16 callers with a network each."""
import json
import os
import subprocess
import time
from contextlib import ExitStack, contextmanager

import numpy as np

import tensor_file
from lifetimes import at_once_and_all
from networks import NETWORKS, conv_net, dense
from report import at_least, at_most, in_turns, median, ratio, result, table
from servers import PROCESSORS, Connection, layerd, memory, message_of, reset_peak, started
from steps import CROWD, GraphCalls, compact, metadata

ROUNDS, SECONDS, CROWD_ROUNDS = 5, 0.7, 3
DTYPES = ["float64", "float32"]
ALL = [(name, dtype) for name in NETWORKS for dtype in DTYPES]
BESIDE_NUMPY = {"dense": 0.6, "small ConvNet": 1, "ConvNet": 1}
KINDS = ["single", "graph", "numpy"]
JSON, BYTES = "application/json", tensor_file.TYPE


class Contender:
    """A process of steps.py that waits for its turn"""

    def __init__(self, process):
        self.process, self.pid = process, process.pid
        self.first = self.line()

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a caller of the graph part has ended")
        return json.loads(line)

    def begin(self, seconds):
        self.process.stdin.write(b"%f\n" % seconds)
        self.process.stdin.flush()

    def rate(self):
        """Its steps a second"""
        self.begin(SECONDS)
        return self.line()["rate"]


@contextmanager
def contender(kind, network, dtype, port=0):
    command = ["/usr/bin/python3", "-B", "tests/bench/steps.py", kind, network, dtype, str(port)]
    with started(command, stdout=subprocess.PIPE) as process:
        yield Contender(process)


# ---- one caller ----------------------------------------------------------------------------------

def check(name, dtype, contenders):
    """A graph's losses are those of single calls to the last bit, and NumPy's but for rounding"""
    single, graph, numpy = (contenders[kind].first["losses"] for kind in KINDS)
    if single != graph or not np.allclose(graph, numpy, rtol=1e3 * np.finfo(dtype).eps):
        raise SystemExit(f"{name} {dtype}: losses of {single}, {graph}, {numpy}")


def one_caller(port, name, dtype):
    """({kind: steps a second of each round}, {kind: what it told first})"""
    with ExitStack() as stack:
        contenders = {kind: stack.enter_context(contender(kind, name, dtype, port))
                      for kind in KINDS}
        check(name, dtype, contenders)
        rates = in_turns(ROUNDS, {kind: c.rate for kind, c in contenders.items()})
        return rates, {kind: c.first for kind, c in contenders.items()}


def text_of(name, dtype):
    return f"{NETWORKS[name].text}, {dtype}"


def steps():
    """(tables, bars, targets)"""
    with layerd() as (port, _):
        seen = {key: one_caller(port, *key) for key in ALL}
    rows = [[text_of(*key), *(median(rates[kind]) for kind in KINDS),
             ratio(rates["graph"], rates["single"]), ratio(rates["graph"], rates["numpy"])]
            for key, (rates, _) in seen.items()]
    made = table("Steps of one caller, batch 64: steps/s", [
        "", "single calls", "graph", "NumPy", "graph ÷ single calls", "graph ÷ NumPy"], rows,
        "forward, softmax, backward, SGD. Single calls send the weights; their caller updates")
    targets = [at_least(f"{row[0]}: graph ÷ single calls", 8, row[4]) for row in rows]
    targets += [at_least(f"{row[0]}: graph ÷ NumPy in process", BESIDE_NUMPY[name], row[5])
                for (name, _), row in zip(ALL, rows)]
    bars = [(f"A step of training as one call, than {peer}", row[0], row[i])
            for i, peer in ((4, "a call for each layer"), (5, "NumPy in process")) for row in rows]
    wire, wire_targets = on_the_wire({key: first for key, (_, first) in seen.items()})
    return [made, wire], bars, targets + wire_targets


def on_the_wire(firsts):
    """Bytes that a caller sends and gets: HTTP's heads and bodies"""
    rows = []
    for (name, dtype), first in firsts.items():
        batch = sum(t.nbytes for t in NETWORKS[name].tensors(dtype).values())
        up, down = first["graph"]["up"], first["graph"]["down"]
        rows.append([text_of(name, dtype), batch, up, down, up + down - batch,
                     first["single"]["up"], first["single"]["down"]])
    made = table("A step on the wire, bytes", ["", "batch", "graph: up", "down", "beyond the batch",
                                               "single calls: up", "down"], rows)
    return made, [at_most(f"{row[0]}: bytes a step beyond the batch", 2048, row[4])
                  for row in rows]


# ---- tiny nodes ----------------------------------------------------------------------------------

TINY_NODES, TINY_CALLS = 8, 2000
TINY = {"x": np.arange(8.0).reshape(2, 4), "w": np.eye(4), "b": np.ones(4)}


def tiny_document():
    """affine and relu in turns, of the same tensors as the tiny call"""
    nodes, value = [], "x"
    for i in range(TINY_NODES):
        affine = {"op": "affine/forward", "w": "w", "b": "b"}
        node = {"op": "relu/forward"} if i % 2 else affine
        nodes.append({"name": f"n{i}", "x": value} | node)
        value = f"n{i}.out"
    return {"nodes": nodes, "give": [value]}


def tiny_requests():
    """{(form, what): whole request}"""
    document, lists = tiny_document(), {name: t.tolist() for name, t in TINY.items()}
    call, graph = "/affine/forward?cache=none", "/graph"
    bodies = {
        ("JSON", "call"): (call, compact(lists).encode(), JSON),
        ("JSON", "graph"): (graph, compact({"inputs": lists} | document).encode(), JSON),
        ("safetensors", "call"): (call, tensor_file.packed(TINY), BYTES),
        ("safetensors", "graph"): (graph, tensor_file.packed(TINY, metadata(document)), BYTES)}
    return {key: message_of("POST", *made) for key, made in bodies.items()}


def processor_seconds(pid):
    """User and system time of all threads of a process, by its clock (clock_getcpuclockid)"""
    return time.clock_gettime((~pid << 3) | 2)


def tiny_cost(connection, pid, request):
    """µs of the daemon's processor time a call"""
    before = processor_seconds(pid)
    for _ in range(TINY_CALLS):
        connection.socket.sendall(request)
        status, _, _ = connection.arrived()
        if status != 200:
            raise SystemExit(f"a tiny call: {status}")
    return (processor_seconds(pid) - before) / TINY_CALLS * 1e6


def tiny():
    requests = tiny_requests()
    with layerd() as (port, pid):
        connection = Connection(port)
        seen = in_turns(ROUNDS, {key: (lambda r=request: tiny_cost(connection, pid, r))
                                 for key, request in requests.items()})
        connection.close()
    rows = [[form, median(seen[form, "call"]), median(seen[form, "graph"]),
             ratio(seen[form, "graph"], seen[form, "call"])] for form in ("JSON", "safetensors")]
    made = table("Tiny nodes: the daemon's processor time a call, user + system, µs",
                 ["", "affine (2,4)·(4,4)", f"graph of {TINY_NODES} such and relu",
                  "graph ÷ call"], rows)
    return [made], [], [at_most(f"graph of {TINY_NODES} tiny nodes as {row[0]} ÷ one tiny call", 2,
                                row[3]) for row in rows]


# ---- memory --------------------------------------------------------------------------------------

LARGE = [dense(4096, *[512] * 9, 10), conv_net(1024, 28, 16, 100)]
DAEMONS = 3
SETTLE = 3  # seconds, in which the daemon gives back what it has freed: it would hide as much
WARM_UP = [dense(8, *[512] * 9, 10), conv_net(8, 28, 16, 100)]


def peak_of(network, warm_up):
    """Bytes beyond a daemon that has the weights, and has run a step of few examples"""
    dtype = np.dtype("float64")
    with layerd() as (port, pid):
        few, step = (GraphCalls(n, dtype, port) for n in (warm_up, network))
        for _ in range(4):
            few.step()
        time.sleep(SETTLE)
        reset_peak(pid)
        idle = memory(pid, "VmRSS")
        step.step()
        return memory(pid, "VmHWM") - idle


def peaks():
    rows = []
    for network, warm_up in zip(LARGE, WARM_UP):
        at_once, everything = at_once_and_all(network, 8)
        peak = median(peak_of(network, warm_up) for _ in range(DAEMONS))
        rows.append([f"{network.text}, batch {network.batch}", everything / 1e6, at_once / 1e6,
                     peak / 1e6, peak / at_once])
    made = table("A large step in float64: memory, MB", [
        "", "all that is made", "lives at once", "peak beyond idle", "÷ what lives at once"], rows,
        "the batch is in each of these, the weights before the step in none")
    return [made], [], [at_most(f"{row[0]}: peak memory ÷ what lives at once", 1.1, row[4])
                        for row in rows]


# ---- many callers --------------------------------------------------------------------------------

def user_and_system(pid):
    """Seconds"""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    tick = os.sysconf("SC_CLK_TCK")
    return np.array([int(fields[11]) / tick, int(fields[12]) / tick])


def idle():
    """Seconds, of all processors"""
    with open("/proc/stat") as stat:
        return int(stat.readline().split()[4]) / os.sysconf("SC_CLK_TCK")


def crowd_round(crowd, daemon):
    """(steps/s; ms of processor time a step: the daemon's user and system, the callers', nobody's,
    other programs')"""
    def now():
        spent = [*user_and_system(daemon), sum(user_and_system(crowd.pid)), idle()]
        return np.array([*spent, PROCESSORS * time.perf_counter() - sum(spent)])

    before = now()
    rate = crowd.rate()
    spent = now() - before
    return rate, *(1e3 * PROCESSORS / rate * spent / sum(spent))


def kernels_round(workers):
    """ms of processor time of a step's kernels, while every processor is at such"""
    for worker in workers:
        worker.begin(SECONDS)
    return median(worker.line()["told"] for worker in workers) * 1e3


def many_callers(port, pid, name, dtype):
    with ExitStack() as stack:
        crowd = stack.enter_context(contender("crowd", name, dtype, port))
        workers = [stack.enter_context(contender("kernels", name, dtype))
                   for _ in range(PROCESSORS)]
        seen = in_turns(CROWD_ROUNDS, {"crowd": lambda: crowd_round(crowd, pid),
                                       "kernels": lambda: kernels_round(workers)})
    ours = [sum(spent) for _, *spent, _ in seen["crowd"]]  # without what others took
    return [text_of(name, dtype), *(median(column) for column in zip(*seen["crowd"])),
            median(seen["kernels"]), ratio(seen["kernels"], ours)]


def crowds():
    with layerd() as (port, pid):
        rows = [many_callers(port, pid, *key) for key in ALL]
    made = table(f"{CROWD} callers with a network each, one process of theirs: a step's processor "
                 "time, ms", ["", "steps/s", "daemon, user", "system", "callers", "idle", "others",
                              "kernels", "kernels ÷ all but others"], rows,
                 "kernels: processor time of layers_graph_run without a daemon, on every processor "
                 "at once; daemon, user, is these and what it adds")
    return [made], [], [at_least(f"{row[0]}, {CROWD} callers: kernels' share of the machine", 0.9,
                                 row[-1]) for row in rows]


def run():
    tables, bars, targets = zip(*(part() for part in (steps, tiny, peaks, crowds)))
    return result(sum(tables, []), sum(bars, []), sum(targets, []))
