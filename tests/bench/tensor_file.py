"""safetensors, as little of it as the bench and its peer need: float64 tensors; metadata
only to be written."""
import json
import struct

import numpy as np

TYPE = "application/vnd.safetensors"


def packed(tensors, metadata=None):
    header, start = {"__metadata__": metadata} if metadata else {}, 0
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
