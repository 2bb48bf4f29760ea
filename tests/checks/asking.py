"""Checks asked of a daemon over one kept connection, in either form."""
import http.client
import json
import struct
from urllib.parse import urlsplit

import numpy as np

LETTERS = {"float64": "F64", "float32": "F32", "int64": "I64", "uint8": "U8"}


def flattened(members, prefix=""):
    """(dotted name, value) of each member, objects resolved"""
    for name, value in members.items():
        if isinstance(value, dict):
            yield from flattened(value, prefix + name + ".")
        else:
            yield prefix + name, value


def text(value):
    """A scalar as __metadata__ holds it"""
    if isinstance(value, str):
        return value
    word = repr(value.item() if isinstance(value, np.generic) else value)
    return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(word, word)


def is_tensor(value):
    return isinstance(value, np.ndarray) and value.ndim > 0


def file_of(members):
    """The bytes of a safetensors file"""
    header, data, at = {"__metadata__": {}}, [], 0
    def width(named):
        return named[1].itemsize if is_tensor(named[1]) else 0
    named = sorted(flattened(members), key=width, reverse=True)  # so that all are aligned
    for name, value in named:
        if not is_tensor(value):
            header["__metadata__"][name] = text(value if not isinstance(value, np.ndarray)
                                                else value[()])
            continue
        part = np.ascontiguousarray(value).tobytes()
        header[name] = {"dtype": LETTERS[value.dtype.name], "shape": list(value.shape),
                        "data_offsets": [at, at + len(part)]}
        data.append(part)
        at += len(part)
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + b"".join(data)


def plain(value):
    """For the json module"""
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


class Daemon:
    def __init__(self, url):
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        self.asked = 0

    def post(self, path, form, body):
        self.asked += 1
        self.connection.request("POST", path, body, {"Content-Type": form})
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())

    def check(self, operation, takes, claim, in_json=False, **terms):
        """What is found of a claim, with values"""
        members = dict(takes, claim=claim, **terms)
        path = f"/check/{operation}?detail=values"
        if in_json:
            if any(getattr(value, "dtype", None) == np.float32 for value in takes.values()):
                members["dtype"] = "float32"
            status, found = self.post(path, "application/json", json.dumps(plain(members)))
        else:
            status, found = self.post(path, "application/vnd.safetensors", file_of(members))
        assert status == 200, (operation, status, found)
        return found


def findings(found):
    """(dotted name, finding) of each claim that was judged"""
    def walk(members, prefix):
        for name, member in members.items():
            if "verdict" in member and isinstance(member["verdict"], str):
                yield prefix + name, member
            else:
                yield from walk(member, prefix + name + ".")
    return walk(found["claim"], "")


def number(value):
    """A number of an answer; what is not finite stands there as a string"""
    return float(value)
