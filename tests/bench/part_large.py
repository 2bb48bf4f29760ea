"""large: one large call, affine (256,784)·(784,100), beside FastAPI and beside the sum of what it
cannot do without: receiving, parsing, the product, printing, each at its best in this run."""
import json
import struct

import numpy as np

import part_numbers
import shim
from prepare import BUILD
from report import in_turns, median, ratio, result, table
from servers import Connection, fastapi, floor, layerd, memory, wrk

ROUNDS = 5
N, D, M = 256, 784, 100
SAFETENSORS = "application/vnd.safetensors"
PATH = "/affine/forward?cache=none"


def inputs():
    random = np.random.default_rng(1)
    return {"x": random.standard_normal((N, D)), "w": random.standard_normal((D, M)),
            "b": random.standard_normal(M)}


def safetensors(tensors):
    header, start = {}, 0
    for name, t in tensors.items():
        header[name] = {"dtype": "F64", "shape": t.shape, "data_offsets": [start, start + t.nbytes]}
        start += t.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(t.tobytes() for t in tensors.values())


def first_answer(port, body):
    connection = Connection(port)
    data, _ = connection.post(PATH, body)
    connection.close()
    return data


def memory_of_calls(body, answer_bytes, tensors):
    """What a fresh daemon's memory peaks at over calls on new connections, one after the other"""
    held = sum(t.nbytes for t in tensors.values()) + N * M * 8 + answer_bytes
    allowed = len(body) + 1.2 * held
    rows = []
    for calls in (1, 10):
        with layerd() as (port, pid):
            idle = memory(pid, "VmHWM")
            for _ in range(calls):
                first_answer(port, body)
            peak = memory(pid, "VmHWM") - idle
        rows.append([f"calls: {calls}", idle / 1e6, peak / 1e6, len(body) / 1e6, held / 1e6,
                     peak / allowed])
    return table("Large call: memory, MB",
                 ["", "idle", "peak beyond idle", "body", "tensors + answer",
                  "peak ÷ (body + 1.2 × those)"], rows)


def floor_parts(tensors, out, receive_ms):
    """[(part, ms, by)]: each part by the fastest of all that were measured"""
    files = [BUILD / "large-in.json", BUILD / "large-out.json"]
    files[0].write_text(json.dumps([v for t in tensors.values() for v in t.ravel().tolist()]))
    files[1].write_text(json.dumps(out.ravel().tolist()))
    for file in files:
        file.write_text(file.read_text().replace(" ", ""))
    lines = part_numbers.measured(*files)
    reader, read_ns = min(lines[0]["read"].items(), key=lambda item: item[1])
    writer, write_ns = min(lines[1]["write"].items(), key=lambda item: item[1])
    product = median(shim.product(tensors["x"], tensors["w"], (0, 0, N, M, D)) for _ in range(9))
    numbers = sum(t.size for t in tensors.values())
    return [("receive", receive_ms, "libmicrohttpd"), ("parse", read_ns * numbers / 1e6, reader),
            ("product", product * 1e3, "OpenBLAS"), ("print", write_ns * out.size / 1e6, writer)]


def as_bytes(port, bare, tensors, json_ms):
    """The same call as safetensors, beside libmicrohttpd with the same body"""
    body = safetensors(tensors)
    file = BUILD / "large.safetensors"
    file.write_bytes(body)
    connection = Connection(port)
    status, answer, _ = connection.request("POST", PATH, body, SAFETENSORS)
    connection.close()
    if status != 200:
        print(f"\nLarge call as safetensors: not measured, the daemon answers {status}")
        return None
    seen = in_turns(ROUNDS, {
        "layerd": lambda: wrk(port, PATH, file, 1, 1, SAFETENSORS)["p50"],
        "libmicrohttpd": lambda: wrk(bare, "/", file, 1, 1, SAFETENSORS)["p50"]})
    return table(f"Large call as safetensors: {len(body) / 1e6:.2f} MB in, {len(answer)} bytes out",
                 ["", "ms", "MB/s", "libmicrohttpd ms ÷", "JSON ms ÷"],
                 [["layerd", median(seen["layerd"]), len(body) / median(seen["layerd"]) / 1e3,
                   ratio(seen["libmicrohttpd"], seen["layerd"]),
                   json_ms / median(seen["layerd"])]])


def run():
    tensors = inputs()
    body = json.dumps({name: t.tolist() for name, t in tensors.items()}).encode()
    file = BUILD / "large.json"
    file.write_bytes(body)
    with layerd() as (port, _), fastapi() as peer:
        answer = first_answer(port, body)
        out, theirs = (np.array(json.loads(a)["out"]) for a in (answer, first_answer(peer, body)))
        if not np.allclose(out, theirs, rtol=1e-12, atol=1e-12):
            raise SystemExit("layerd and FastAPI disagree")
        with floor(len(answer)) as bare:
            seen = in_turns(ROUNDS, {"layerd": lambda: wrk(port, PATH, file)["p50"],
                                     "FastAPI": lambda: wrk(peer, "/affine/forward", file)["p50"],
                                     "libmicrohttpd": lambda: wrk(bare, "/", file)["p50"]})
            parts = floor_parts(tensors, out, median(seen["libmicrohttpd"]))
            binary = as_bytes(port, bare, tensors, median(seen["layerd"]))
    ours, least = median(seen["layerd"]), sum(ms for _, ms, _ in parts)
    peer_ratio = ratio(seen["FastAPI"], seen["layerd"])
    rows = [[f"floor: {name}", ms, by, None] for name, ms, by in parts]
    rows += [["floor, their sum", least, "", least / ours], ["layerd", ours, "", 1.0],
             ["FastAPI + NumPy", median(seen["FastAPI"]), "", peer_ratio]]
    title = (f"Large call: affine ({N},{D})·({D},{M}) as JSON, {len(body) / 1e6:.2f} MB in, "
             f"{len(answer) / 1e6:.2f} out")
    tables = [table(title, ["", "ms", "by", "÷ layerd"], rows),
              memory_of_calls(body, len(answer), tensors)]
    return result(tables + ([binary] if binary else []),
                  [("large JSON call, than FastAPI + NumPy", peer_ratio)])
