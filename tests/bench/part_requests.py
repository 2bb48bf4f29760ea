"""requests: small calls a second and their latency, beside libmicrohttpd alone and FastAPI."""
import json

from prepare import BUILD
from report import in_turns, median, ratio, result, table
from servers import Connection, fastapi, floor, layerd, wrk

ROUNDS = 5
CONNECTIONS = [1, 16, 256]
CALL = {"x": [[0.25, -1.5, 3.0], [2.0, 0.5, -0.75]],
        "w": [[0.125, 0.5, -1.0, 2.0], [1.5, -0.25, 0.75, 1.0], [-2.0, 0.5, 0.25, -0.125]],
        "b": [0.5, -0.5, 1.0, 0.0]}


def answer_of(port, path, body):
    connection = Connection(port)
    data, _ = connection.post(path, body)
    connection.close()
    return data


def servers_measured(ports, body_file, connections):
    """{name: [figures of wrk, one a round]}"""
    paths = {"layerd, cache=none": "/affine/forward?cache=none", "layerd": "/affine/forward",
             "libmicrohttpd": "/", "FastAPI + NumPy": "/affine/forward"}
    works = {name: (lambda p=port, n=name: wrk(p, paths[n], body_file, connections))
             for name, port in ports.items()}
    return in_turns(ROUNDS, works)


def rows_of(connections, figures):
    rates = {name: [f["rate"] for f in seen] for name, seen in figures.items()}
    for name, seen in figures.items():
        yield [connections, name, median(rates[name]), median(f["p50"] for f in seen),
               median(f["p99"] for f in seen), ratio(rates[name], rates["libmicrohttpd"]),
               ratio(rates[name], rates["FastAPI + NumPy"])]


def run():
    body = json.dumps(CALL).encode()
    body_file = BUILD / "small.json"
    body_file.write_bytes(body)
    rows = []
    # caches go soon: what is measured is keeping one and giving it up
    with layerd("--cache-lifetime=1s") as (port, _), fastapi() as peer:
        answer = answer_of(port, "/affine/forward?cache=none", body)
        if json.loads(answer)["out"] != json.loads(answer_of(peer, "/affine/forward", body))["out"]:
            raise SystemExit("layerd and FastAPI disagree")
        with floor(len(answer)) as bare:
            ports = {"layerd, cache=none": port, "layerd": port, "libmicrohttpd": bare,
                     "FastAPI + NumPy": peer}
            for connections in CONNECTIONS:
                rows += rows_of(connections, servers_measured(ports, body_file, connections))
    made = table(f"Requests: affine (2,3)·(3,4), {len(body)} bytes in, {len(answer)} out",
                 ["connections", "server", "requests/s", "p50 ms", "p99 ms", "÷ libmicrohttpd",
                  "÷ FastAPI"], rows)
    bars = [(f"small call, connections: {row[0]}, than FastAPI + NumPy", row[6])
            for row in rows if row[1] == "layerd, cache=none"]
    return result([made], bars)
