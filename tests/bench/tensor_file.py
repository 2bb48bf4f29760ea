"""safetensors, as little of it as the bench and its peer need: float64 tensors, no metadata in."""
import json
import struct

import numpy as np

TYPE = "application/vnd.safetensors"


def packed(tensors):
    header, start = {}, 0
    for name, t in tensors.items():
        header[name] = {"dtype": "F64", "shape": t.shape, "data_offsets": [start, start + t.nbytes]}
        start += t.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(t.tobytes() for t in tensors.values())


def unpacked(data):
    """{name: array}; the arrays lie in `data`"""
    length = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    values = np.frombuffer(data, np.uint8, offset=8 + length)
    return {name: values[slice(*t["data_offsets"])].view("<f8").reshape(t["shape"])
            for name, t in header.items()}
