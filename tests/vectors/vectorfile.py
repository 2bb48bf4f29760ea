"""Writing of vector files: how arrays, cases and steps become JSON. README.md has the format."""
import json
import os
import re
import zlib

import numpy as np

DTYPES = "float64", "float32"
NAN, INF = float("nan"), float("inf")

# Tolerances, as (rtol, atol).
EXACT = (0.0, 0.0)
USUAL = {"float64": (1e-12, 1e-13), "float32": (1e-5, 2e-6)}
# For results that are an input or 0: in float32 the shortest decimal is within 2^-24 of the value.
SAME = {"float64": EXACT, "float32": (1e-7, 0.0)}

# In a request, "@1e999@" stands for the bare literal 1e999, which Python would not write.
LITERAL = re.compile(r'"@([^"@]+)@"')


def array(*values):
    return np.array(values, dtype=float)


def empty(*shape):
    return np.zeros(shape)


class Flat:
    """An array to be written in the flat form."""
    def __init__(self, array):
        self.array = np.asarray(array)


class Random:
    """Numbers that depend on the case's name only, so that a new case changes no other."""
    def __init__(self, name, dtype):
        self.state = np.random.RandomState(zlib.crc32(name.encode()))
        self.dtype = dtype

    def normal(self, *shape, scale=1.0, offset=0.0):
        """Float64s; with dtype float32, those that a float32 holds."""
        values = offset + scale * self.state.randn(*shape)
        return values.astype(self.dtype).astype(float)

    def short(self, *shape):
        """Multiples of 1/64, exact in both dtypes and short to write."""
        return np.asarray(np.round(self.state.randn(*shape) * 64) / 64)

    def labels(self, n, classes):
        return self.state.randint(classes, size=n)


def number(value):
    value = float(value)
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def numbers(values):
    if isinstance(values, list):
        return [numbers(v) for v in values]
    return number(values) if isinstance(values, float) else values


def encode(value, flat=False):
    """`value` as JSON: arrays nested, or flat where asked for or where nesting loses the shape."""
    if isinstance(value, dict):
        return {key: encode(v, flat) for key, v in value.items()}
    if isinstance(value, Flat):
        return encode(value.array, flat=True)
    if isinstance(value, np.floating) or isinstance(value, float):
        return number(value)
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.kind == "f":
        value = value.astype(float)
    if flat:
        return {"shape": list(value.shape), "data": numbers(value.ravel().tolist())}
    return numbers(value.tolist())


def encode_request(value):
    if isinstance(value, dict):
        return {key: encode_request(v) for key, v in value.items()}
    return encode(value, isinstance(value, np.ndarray) and 0 in value.shape[:-1])


def encode_answer(value, query):
    def positive_zeros(v):
        if isinstance(v, dict):
            return {key: positive_zeros(item) for key, item in v.items()}
        real = isinstance(v, np.ndarray) and v.dtype.kind == "f"
        return np.asarray(v + 0.0) if real else v
    return encode(positive_zeros(value), "tensors=flat" in query)


def step(path, request, answer, tolerance, query=""):
    rtol, atol = tolerance
    return {"path": path, "query": query, "request": encode_request(request),
            "answer": encode_answer(answer, query), "rtol": rtol, "atol": atol}


def refusal(path, request, status, code, pointer=None, query=""):
    error = {"status": status, "code": code}
    if pointer is not None:
        error["pointer"] = pointer
    return {"path": path, "query": query, "request": encode_request(request), "error": error}


def pair(name, layer, request, answer, dout, gradients, dtype, tolerance, query="", flat=False):
    """A case of forward and backward; `tolerance` is that of both, or a list of each one's."""
    forward, backward = tolerance if isinstance(tolerance, list) else [tolerance, tolerance]
    wrap = Flat if flat else np.asarray
    return {"name": name, "steps": [
        step("/%s/forward" % layer, typed(dict(request, x=wrap(request["x"])), dtype), answer,
             forward, query),
        step("/%s/backward" % layer, typed({"dout": wrap(dout), "cache": "$cache"}, dtype),
             gradients, backward, query)]}


def without_cache(case, query="cache=none"):
    """Its forward alone, nothing kept."""
    forward = dict(case["steps"][0], query=query)
    return {"name": case["name"], "steps": [forward]}


def verbatim(step):
    """The step with its request as a text, for literals that a JSON reader would change."""
    made = {}
    for key, value in step.items():
        if key == "request":
            made["request_text"] = LITERAL.sub(r"\1", json.dumps(value))
        else:
            made[key] = value
    return made


def typed(request, dtype):
    """The request with its dtype, where that is not the default."""
    return request if dtype == "float64" else dict(request, dtype=dtype)


def write(name, about, cases):
    """Writes {about, cases}, a step a line."""
    names = [case["name"] for case in cases]
    assert len(set(names)) == len(names), "two cases of one name"
    lines = []
    for case in cases:
        steps = ",\n  ".join(json.dumps(s, allow_nan=False) for s in case["steps"])
        lines.append('{"name": %s, "steps": [\n  %s]}' % (json.dumps(case["name"]), steps))
    text = '{"about": %s, "cases": [\n%s\n]}\n' % (json.dumps(about), ",\n".join(lines))
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".json")
    with open(path, "w", encoding="ascii") as file:
        file.write(LITERAL.sub(r"\1", text))
    print("%-16s %3d cases %7d bytes" % (name + ".json", len(cases), os.path.getsize(path)))
