"""large: one large call, affine (256,784)·(784,100), as JSON and as safetensors, beside FastAPI and
beside the sum of what it cannot do without: receiving, parsing, the product, printing, each at its
best in this run."""
import json
import re
import shutil
import signal
import subprocess

import numpy as np

import part_numbers
import shim
import tensor_file
from prepare import BUILD
from report import at_least, at_most, in_turns, median, ratio, result, table
from servers import answer_of, fastapi, floor, layerd, wrk

ROUNDS = 5
N, D, M = 256, 784, 100
PATH = "/affine/forward?cache=none"
JSON, BYTES = "application/json", tensor_file.TYPE
PEER_PATHS = {JSON: "/bare/affine/forward", BYTES: "/bytes/affine/forward"}
FORMS = {JSON: "JSON", BYTES: "safetensors"}


def inputs():
    random = np.random.default_rng(1)
    return {"x": random.standard_normal((N, D)), "w": random.standard_normal((D, M)),
            "b": random.standard_normal(M)}


def bodies_of(tensors):
    return {JSON: json.dumps({name: t.tolist() for name, t in tensors.items()}).encode(),
            BYTES: tensor_file.packed(tensors)}


def out_of(answer, media_type):
    if media_type == BYTES:
        return tensor_file.unpacked(answer)["out"]
    return np.array(json.loads(answer)["out"])


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
    count = sum(t.size for t in tensors.values())
    return [("receive", receive_ms, "libmicrohttpd"), ("parse", read_ns * count / 1e6, reader),
            ("product", product * 1e3, "OpenBLAS"), ("print", write_ns * out.size / 1e6, writer)]


def measured(port, peer, bodies, answers):
    """{(server, media type): [ms, one a round]}"""
    works = {}
    with floor(len(answers[JSON])) as (json_floor, _), floor(len(answers[BYTES])) as (bytes_floor, _):
        for media_type, bare in ((JSON, json_floor), (BYTES, bytes_floor)):
            file = BUILD / f"large.{FORMS[media_type]}"
            file.write_bytes(bodies[media_type])
            for server, to, path in (("layerd", port, PATH), ("libmicrohttpd", bare, "/"),
                                     ("FastAPI", peer, PEER_PATHS[media_type])):
                works[server, media_type] = (
                    lambda to=to, path=path, file=file, media_type=media_type:
                    wrk(to, path, file, media_type=media_type)["p50"])
        return in_turns(ROUNDS, works)


def answers_of(port, peer, bodies):
    """layerd's, in both forms; all must be the same"""
    answers = {t: answer_of(port, PATH, body, t) for t, body in bodies.items()}
    theirs = [out_of(answer_of(peer, PEER_PATHS[t], body, t), t) for t, body in bodies.items()]
    outs = [out_of(answer, t) for t, answer in answers.items()]
    if not np.array_equal(*outs) or not all(
            np.allclose(outs[0], other, rtol=1e-12, atol=1e-12) for other in theirs):
        raise SystemExit("layerd in both forms and FastAPI do not agree")
    return answers


def json_table(seen, bodies, answers, tensors):
    """(table, layerd ÷ the floor, ms of the product)"""
    ours = median(seen["layerd", JSON])
    parts = floor_parts(tensors, out_of(answers[JSON], JSON), median(seen["libmicrohttpd", JSON]))
    least = sum(ms for _, ms, _ in parts)
    rows = [[f"floor: {name}", ms, by, None] for name, ms, by in parts]
    rows += [["floor, their sum", least, "", least / ours], ["layerd", ours, "", 1.0],
             ["FastAPI + NumPy", median(seen["FastAPI", JSON]), "",
              ratio(seen["FastAPI", JSON], seen["layerd", JSON])]]
    title = (f"Large call: affine ({N},{D})·({D},{M}) as JSON, {len(bodies[JSON]) / 1e6:.2f} MB in, "
             f"{len(answers[JSON]) / 1e6:.2f} out")
    product = next(ms for name, ms, _ in parts if name == "product")
    return table(title, ["", "ms", "by", "÷ layerd"], rows), ours / least, product


def bytes_table(seen, bodies, answers):
    ours, size = seen["layerd", BYTES], len(bodies[BYTES])
    rows = [[name, median(ms), size / median(ms) / 1e3, ratio(ms, ours)] for name, ms in (
        ("libmicrohttpd, the body thrown away", seen["libmicrohttpd", BYTES]), ("layerd", ours),
        ("FastAPI + NumPy", seen["FastAPI", BYTES]), ("layerd, the same as JSON",
                                                      seen["layerd", JSON]))]
    return table(f"Large call as safetensors: {size / 1e6:.2f} MB in, "
                 f"{len(answers[BYTES]) / 1e6:.2f} out", ["", "ms", "MB/s", "÷ layerd"], rows)


def receiving_calls(port, pid, body):
    """[(system call, times for a MB of body)] of the two that receiving takes; none where strace is
    missing or may not look"""
    if not shutil.which("strace"):
        return []
    file = BUILD / "large.safetensors"
    strace = subprocess.Popen(["strace", "-f", "-c", "-U", "name,calls", "-p", str(pid)],
                              stderr=subprocess.PIPE, text=True)
    strace.stderr.readline()  # it looks from here on
    requests = wrk(port, PATH, file, media_type=BYTES)["requests"]
    strace.send_signal(signal.SIGINT)
    lines = re.findall(r"^(recv\w*|epoll_p?wait) +(\d+)$", strace.communicate()[1], re.MULTILINE)
    return [(name, int(calls) / (requests * len(body) / 1e6)) for name, calls in lines]


def run():
    tensors = inputs()
    bodies = bodies_of(tensors)
    with layerd() as (port, pid), fastapi() as (peer, _):
        answers = answers_of(port, peer, bodies)
        seen = measured(port, peer, bodies, answers)
        calls = receiving_calls(port, pid, bodies[BYTES])
    first, over_floor, product = json_table(seen, bodies, answers, tensors)
    second = bytes_table(seen, bodies, answers)
    receive = median(seen["libmicrohttpd", BYTES])
    peers = {t: ratio(seen["FastAPI", t], seen["layerd", t]) for t in bodies}
    as_bytes = seen["layerd", BYTES]
    over_json = ratio(seen["layerd", JSON], as_bytes)
    targets = [
        at_most("large JSON call ÷ its floor", 1.25, over_floor),
        at_least("FastAPI ÷ large JSON call", 8, peers[JSON]),
        at_least("safetensors: bytes/s ÷ libmicrohttpd's", 0.6,
                 ratio(seen["libmicrohttpd", BYTES], as_bytes)),
        at_least("FastAPI ÷ large safetensors call", 1.5, peers[BYTES]),
        at_most("large safetensors call ÷ its receiving and product", 1.3,
                median(as_bytes) / (receive + product)),
        at_least("JSON ÷ safetensors", 5, over_json)]
    if calls:
        targets.append(at_most("recv and epoll_wait for a MB of body", 40,
                               sum(times for _, times in calls)))
    bars = [("One large call",
             f"{FORMS[t]}, {len(body) / 1e6:.1f} MB, than FastAPI + NumPy", peers[t])
            for t, body in bodies.items()]
    bars.append((bars[0][0], "safetensors, than the same as JSON", over_json))
    return result([first, second], bars, targets)
