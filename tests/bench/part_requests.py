"""requests: small calls a second and their latency, beside libmicrohttpd alone and FastAPI with
NumPy on as many workers: as its manual writes it, and as fast as it can be (peer_fastapi.py). And
what a call takes of the processors, where the load generator is the limit."""
import json

from prepare import BUILD
from report import at_least, at_most, in_turns, median, ratio, result, table
from servers import answer_of, fastapi, floor, layerd, processor_seconds, wrk

ROUNDS = 5
CONNECTIONS = [1, 16, 256]
CALL = {"x": [[0.25, -1.5, 3.0], [2.0, 0.5, -0.75]],
        "w": [[0.125, 0.5, -1.0, 2.0], [1.5, -0.25, 0.75, 1.0], [-2.0, 0.5, 0.25, -0.125]],
        "b": [0.5, -0.5, 1.0, 0.0]}


OURS, FLOOR, USUAL, FASTEST = ("layerd, cache=none", "libmicrohttpd", "FastAPI, model",
                               "FastAPI, fastest")
BACKWARD = "layerd, backward of a handle"
PATHS = {OURS: "/affine/forward?cache=none", "layerd": "/affine/forward", FLOOR: "/",
         USUAL: "/affine/forward", FASTEST: "/bare/affine/forward"}


def measured(ports, body_file, connections):
    """{name: [figures of wrk, one a round]}"""
    return in_turns(ROUNDS, {
        name: (lambda p=port, n=name: wrk(p, PATHS[n], body_file, connections))
        for name, port in ports.items()})


def rows_of(connections, figures):
    rates = {name: [f["rate"] for f in seen] for name, seen in figures.items()}
    for name, seen in figures.items():
        yield [connections, name, median(rates[name]), median(f["p50"] for f in seen),
               median(f["p99"] for f in seen)] + [ratio(rates[name], rates[peer])
                                                  for peer in (FLOOR, USUAL, FASTEST)]


def microseconds(port, pid, path, body_file, connections):
    """Of processors, that the daemon takes a call"""
    before = processor_seconds(pid)
    requests = wrk(port, path, body_file, connections)["requests"]
    return 1e6 * (processor_seconds(pid) - before) / requests


def backward_of(port):
    """A file with a backward of a handle"""
    forward = json.loads(answer_of(port, "/affine/forward", json.dumps(CALL).encode()))
    file = BUILD / "small-back.json"
    file.write_text(json.dumps({"dout": forward["out"], "cache": forward["cache"]}))
    return file


def time_processors(body_file, answer):
    """Table and targets of what a call takes of the processors"""
    rows, targets = [], []
    with layerd() as (port, pid), floor(len(answer)) as (bare, bare_pid):
        ways = {OURS: (port, pid, PATHS[OURS], body_file),
                BACKWARD: (port, pid, "/affine/backward", backward_of(port)),
                FLOOR: (bare, bare_pid, PATHS[FLOOR], body_file)}
        for connections in CONNECTIONS:
            seen = in_turns(ROUNDS, {name: (lambda w=way: microseconds(*w, connections))
                                     for name, way in ways.items()})
            times = {name: ratio(taken, seen[FLOOR]) for name, taken in seen.items()}
            rows += [[connections, name, median(taken), times[name]]
                     for name, taken in seen.items()]
            targets += [at_most(f"{name}, {connections} connections: processor time ÷ {FLOOR}'s",
                                wanted, times[name])
                        for name, wanted in ((OURS, 1.15), (BACKWARD, 1.3))]
    made = table("Processor time of a call, user and system",
                 ["connections", "server", "µs", f"÷ {FLOOR}"], rows)
    return made, targets


def agree(ports, body):
    outs = [json.loads(answer_of(port, PATHS[name], body))["out"] for name, port in ports.items()]
    if any(out != outs[0] for out in outs):
        raise SystemExit("layerd and FastAPI disagree")


def run():
    body = json.dumps(CALL).encode()
    body_file = BUILD / "small.json"
    body_file.write_bytes(body)
    rows = []
    # caches go soon: what is measured is keeping one and giving it up
    with layerd("--cache-lifetime=1s") as (port, _), fastapi() as (peer, _):
        ports = {OURS: port, "layerd": port, USUAL: peer, FASTEST: peer}
        agree(ports, body)
        answer = answer_of(port, PATHS[OURS], body)
        with floor(len(answer)) as (bare, _):
            ports[FLOOR] = bare
            for connections in CONNECTIONS:
                rows += rows_of(connections, measured(ports, body_file, connections))
    made = table(f"Requests: affine (2,3)·(3,4), {len(body)} bytes in, {len(answer)} out",
                 ["connections", "server", "requests/s", "p50 ms", "p99 ms", f"÷ {FLOOR}",
                  f"÷ {USUAL}", f"÷ {FASTEST}"], rows)
    ours = {row[0]: row for row in rows if row[1] == OURS}
    bars = [("Small JSON calls a second, than FastAPI + NumPy at its fastest",
             f"{n} connection{'s' if n > 1 else ''}", ours[n][7]) for n in CONNECTIONS]
    targets = [at_least("small call, 16 connections ÷ libmicrohttpd", 0.7, ours[16][5]),
               at_least("small call, 16 connections ÷ FastAPI, model", 8, ours[16][6]),
               at_least("small call, 16 connections ÷ FastAPI, fastest", 8, ours[16][7])]
    processors, more = time_processors(body_file, answer)
    return result([made, processors], bars, targets + more)
