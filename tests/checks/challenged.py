"""Challenges of every case, answered rightly in many ways and wrongly in all: never undecided."""
import hashlib
import json

import numpy as np

import honest
import wrong
from asking import findings, flattened, plain

WHOLE = ("stride", "pad", "pool_height", "pool_width", "groups", "seed", "t")
# What a challenge leaves out because it is as it would be.
DEFAULTS = {"conv_param": {"stride": 1, "pad": 0}, "ln_param": {"eps": 1e-5},
            "gn_param": {"eps": 1e-5}, "bn_param": {"eps": 1e-5, "momentum": 0.9}}
STATES = {"sgd_momentum": ("velocity",), "rmsprop": ("cache",), "adam": ("m", "v")}


def arrays(name, value, dtype):
    """A member of a challenge's inputs"""
    if isinstance(value, dict):
        return {inner: arrays(inner, member, dtype) for inner, member in value.items()}
    if isinstance(value, list):
        kind = {"y": np.int64, "mask": np.uint8}.get(name, dtype)
        return np.array(value).astype(kind)
    return int(value) if name in WHOLE else value


def whole(operation, takes):
    """With what is as it would be"""
    layer, name = operation.split("/")
    for param, defaults in DEFAULTS.items():
        if param in takes:
            takes[param] = dict(defaults, **takes[param])
    if "bn_param" in takes:
        zeros = np.zeros(takes["x"].shape[1])
        takes["bn_param"] = dict({"running_mean": zeros, "running_var": zeros}, **takes["bn_param"])
    if name == "update":
        zeros = {state: np.zeros_like(takes["w"]) for state in STATES.get(layer, ())}
        takes["config"] = {"t": 0, **zeros, **takes["config"]}
    return takes


class Challenge:
    """One that was given, and its right answer as the oracle has it"""

    def __init__(self, daemon, operation, case, dtype, number):
        self.daemon, self.operation, self.dtype, self.number = daemon, operation, dtype, number
        self.about = f"{operation}, {case}, {dtype}"
        digest = hashlib.sha256(f"{operation} {case} {number}".encode()).hexdigest()
        body = {"operation": operation, "case": case, "dtype": dtype, "submission": digest}
        status, given = daemon.post("/challenge", "application/json", json.dumps(body))
        assert status == 200, (self.about, given)
        self.text = given["challenge"]
        takes = {name: arrays(name, value, dtype) for name, value in given["inputs"].items()}
        self.takes = whole(operation, takes)
        right = dict(flattened(honest.OPERATIONS[operation][1](self.takes)))
        if "config.t" in given["claims"]:
            right["config.t"] = self.takes["config"]["t"] + 1
        self.right = honest.converted({name: right[name] for name in given["claims"]},
                                      np.dtype(dtype).type)

    def answer(self, other):
        """What is found of the right answer with some of it replaced"""
        claim = nested(dict(self.right, **other))
        body = json.dumps({"challenge": self.text, "claim": plain(claim)})
        status, found = self.daemon.post("/challenge/answer", "application/json", body)
        assert status == 200, (self.about, found)
        return findings(found)


def nested(flat):
    claim = {}
    for name, value in flat.items():
        *parents, last = name.split(".")
        into = claim
        for parent in parents:
            into = into.setdefault(parent, {})
        into[last] = value
    return claim


def answered_rightly(tally, challenge):
    takes = honest.converted(challenge.takes, np.dtype(challenge.dtype).type)
    ways = list(honest.OPERATIONS[challenge.operation][2](takes))
    for way, claim in honest.some(ways, challenge.number):
        other = {name: value for name, value in flattened(claim) if name in challenge.right}
        for name, finding in challenge.answer(other):
            tally.verdicts[finding["verdict"]] += 1
            if finding["verdict"] != "right":
                tally.fail(f"{challenge.about}, {way}, {name}", f"a right answer is not: {finding}")


def is_wrong(claimed, right, dtype):
    """Whether it is so by far"""
    claimed, right = np.asarray(claimed, float), np.asarray(right, float)
    if claimed.shape != right.shape or not np.isfinite(claimed).all():
        return True
    return bool(np.abs(claimed - right).max(initial=0) >
                (1e-3 if dtype == "float32" else 1e-9) * np.abs(right).max(initial=0))


def answered_wrongly(tally, challenge):
    for operation, name, _, function, _ in wrong.WRONG:
        if operation != challenge.operation:
            continue
        try:
            claim = function(honest.converted(challenge.takes, np.float64))
        except (ValueError, KeyError, IndexError):
            continue  # one that shows in other shapes
        other = {where: value for where, value in flattened(claim) if where in challenge.right
                 and is_wrong(value, challenge.right[where], challenge.dtype)}
        for where, finding in challenge.answer(other) if other else ():
            tally.verdicts[finding["verdict"]] += 1
            wanted = "wrong" if where in other else "right"
            if finding["verdict"] != wanted:
                tally.fail(f"{challenge.about}, {name}, {where}", f"not {wanted}: {finding}")


def run(tally, daemon, operations):
    daemon.connection.request("GET", "/challenge")
    cases = json.loads(daemon.connection.getresponse().read())["operations"]
    for operation in operations:
        for case in cases[operation]:
            for dtype, count in ("float64", 2), ("float32", 1):
                for number in range(count):
                    challenge = Challenge(daemon, operation, case, dtype, number)
                    answered_rightly(tally, challenge)
                    answered_wrongly(tally, challenge)
