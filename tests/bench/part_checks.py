"""checks: a check of a right answer beside the operation itself, and of a wrong one; a challenge and
its answer. Bytes both ways over one connection; `compute` is the daemon's own figure."""
import http.client
import json
import re
import time

import numpy as np

from report import at_most, in_turns, median, ratio, result, table
from servers import layerd
from tensor_file import TYPE, head_of, packed, unpacked

ROUNDS = 31
OPERATION, RIGHT, WRONG = "the operation", "check, right", "check, wrong"


def cases(rng, dtype):
    def draw(*shape):
        return rng.standard_normal(shape).astype(dtype)
    train = {"bn_param.mode": "train"}
    return [
        ("affine", "forward", {"x": draw(64, 784), "w": draw(784, 100), "b": draw(100)}, {}, 2.5),
        ("batchnorm", "forward",
         {"x": draw(1024, 256), "gamma": draw(256), "beta": draw(256)}, train, 3),
        ("layernorm", "forward",
         {"x": draw(1024, 256), "gamma": draw(256), "beta": draw(256)}, {}, 3),
        ("svm", "loss", {"x": draw(2048, 100), "y": rng.integers(0, 100, 2048)}, {}, 3),
        ("softmax", "loss", {"x": draw(2048, 100), "y": rng.integers(0, 100, 2048)}, {}, 3),
        ("conv", "forward", {"x": draw(8, 3, 32, 32), "w": draw(32, 3, 7, 7), "b": draw(32)},
         {"conv_param.pad": "3"}, 3),
        ("max_pool", "forward", {"x": draw(8, 32, 32, 32)},
         {f"pool_param.{name}": "2" for name in ("pool_height", "pool_width", "stride")}, 3),
    ]


class Caller:
    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port)

    def post(self, path, body, accept=TYPE, kind=TYPE):
        """(the answer's body, milliseconds, those of computing)"""
        start = time.perf_counter()
        self.connection.request("POST", path, body, {"Content-Type": kind, "Accept": accept})
        answer = self.connection.getresponse()
        data = answer.read()
        took = 1000 * (time.perf_counter() - start)
        if answer.status != 200:
            raise RuntimeError(f"{path}: {data[:300]!r}")
        compute = re.search(r"compute;dur=([\d.]+)", answer.headers["Server-Timing"])
        return data, took, float(compute.group(1))


def bodies(caller, path, tensors, metadata):
    """Requests of the operation, of a check of its answer, and of one that is wrong"""
    operation = packed(tensors, metadata)
    data, _, _ = caller.post(path, operation)
    claims = {f"claim.{name}": value for name, value in unpacked(data).items()
              if not name.startswith("bn_param.")}
    told = dict(metadata)
    if "loss" in head_of(data)[1]:
        told["claim.loss"] = head_of(data)[1]["loss"]
    wrong = dict(claims)
    name = next(iter(wrong))
    wrong[name] = wrong[name].copy()
    wrong[name].flat[-1] += 1
    return operation, packed({**tensors, **claims}, told), packed({**tensors, **wrong}, told)


def ways(caller, layer, name, tensors, metadata):
    path, query = f"/{layer}/{name}", "?cache=none" if name == "forward" else ""
    operation, right, wrong = bodies(caller, path + query, tensors, metadata)
    json_type = "application/json"
    found = [json.loads(caller.post("/check" + path, body, json_type)[0])["verdict"]
             for body in (right, wrong)]
    if found[0] == "wrong" or found[1] != "wrong":
        raise RuntimeError(f"{path}: verdicts are {found}")
    return {OPERATION: lambda: caller.post(path + query, operation)[1:],
            RIGHT: lambda: caller.post("/check" + path, right, json_type)[1:],
            WRONG: lambda: caller.post("/check" + path, wrong, json_type)[1:]}


def time_checks(caller, rng):
    rows, targets = [], []
    for dtype in (np.float64, np.float32):
        for layer, name, tensors, metadata, wanted in cases(rng, dtype):
            seen = in_turns(ROUNDS, ways(caller, layer, name, tensors, metadata))
            whole = {way: [took for took, _ in s] for way, s in seen.items()}
            inside = {way: [compute for _, compute in s] for way, s in seen.items()}
            times = ratio(whole[RIGHT], whole[OPERATION])
            label = f"{layer}/{name} {np.dtype(dtype).name}"
            rows.append([label, *(median(whole[way]) for way in (OPERATION, RIGHT, WRONG)), times,
                         median(inside[RIGHT]) / median(inside[OPERATION])])
            if dtype is np.float64:
                targets.append(at_most(f"check ÷ operation: {label}", wanted, times))
    made = table("Checks beside the operation, ms a call",
                 ["", OPERATION, RIGHT, WRONG, "right ÷ operation", "of computing"], rows)
    return made, targets


def time_challenges(caller):
    kind = "application/json"
    cases = json.loads(get(caller, "/challenge"))["operations"]
    rows = []
    for operation, names in cases.items():
        for case in names:
            body = json.dumps({"operation": operation, "case": case}).encode()
            took = median(caller.post("/challenge", body, kind, kind)[1] for _ in range(ROUNDS))
            rows.append([operation, case, took])
    slowest = max(rows, key=lambda row: row[-1])
    made = table("Challenges, ms a call", ["", "case", "ms"], rows)
    return made, [at_most(f"challenge, ms: {slowest[0]}, {slowest[1]}", 5, slowest[2])]


def get(caller, path):
    caller.connection.request("GET", path)
    return caller.connection.getresponse().read()


def run():
    rng = np.random.default_rng(0)
    with layerd() as (port, _):
        caller = Caller(port)
        checks, targets = time_checks(caller, rng)
        challenges, more = time_challenges(caller)
    return result([checks, challenges], [], targets + more)
