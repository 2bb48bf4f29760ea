"""safetensors, as little of it as the bench and its peer need: tensors of float64, float32 and
int64."""
import json
import struct

import numpy as np

TYPE = "application/vnd.safetensors"
DTYPES = {"F64": np.dtype("<f8"), "F32": np.dtype("<f4"), "I64": np.dtype("<i8")}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


def packed(tensors, metadata=None):
    header, start = {"__metadata__": metadata} if metadata else {}, 0
    for name, t in tensors.items():
        header[name] = {"dtype": NAMES[t.dtype], "shape": t.shape,
                        "data_offsets": [start, start + t.nbytes]}
        start += t.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(t.tobytes() for t in tensors.values())


def head_of(data):
    """(what the header says of the tensors, the metadata, where the data starts)"""
    end = 8 + struct.unpack_from("<Q", data)[0]
    header = json.loads(bytes(data[8:end]))
    metadata = header.pop("__metadata__", {})
    return header, metadata, end


def unpacked(data):
    """{name: array}; the arrays lie in `data`"""
    header, _, start = head_of(data)
    values = np.frombuffer(data, np.uint8, offset=start)
    return {name: values[slice(*t["data_offsets"])].view(DTYPES[t["dtype"]]).reshape(t["shape"])
            for name, t in header.items()}
