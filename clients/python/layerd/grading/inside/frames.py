"""Messages between the grader and a student's process: a JSON header and arrays as .npy frames.

Read by the grader, all of it is what a student's code may have made: nothing is evaluated or
unpickled, and nothing larger than was allowed is read."""
import json
import re
import struct

import numpy as np

LIMIT = 16 << 20        # bytes of all the arrays of a message
HEADER_LIMIT = 64 << 10
RANK_LIMIT = 32

_MAGIC = b"\x93NUMPY\x01\x00"
_DESCRIPTION = re.compile(
    rb"\{'descr': '([<|](?:b1|[iu][1248]|f[248]))', 'fortran_order': False, "
    rb"'shape': \(((?:\d{1,10}, )*\d{0,10},?)\), \} *\n")


class FrameError(ValueError):
    """Bytes that are no message."""


def encode(header, arrays=()):
    """A message as bytes."""
    frames = [npy(array) for array in arrays]
    text = json.dumps({**header, "frames": [len(frame) for frame in frames]}).encode()
    return b"".join([struct.pack("<I", len(text)), text, *frames])


def decode(read):
    """The header and the arrays of a message, by read(count), which gives so many bytes."""
    length, = struct.unpack("<I", read(4))
    if length > HEADER_LIMIT:
        raise FrameError("a header is too long")
    try:
        header = json.loads(read(length))
        sizes = header.pop("frames")
        total = sum(sizes)
        whole = all(type(size) is int and size >= 0 for size in sizes)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise FrameError("a header is no JSON object with frames") from error
    if not whole or total > LIMIT:
        raise FrameError("frames are too long")
    return header, [array_of(read(size)) for size in sizes]


def npy(array):
    """An array as the bytes of a .npy file."""
    array = np.ascontiguousarray(array).reshape(array.shape)  # it makes rank 0 to rank 1
    little = array.dtype.newbyteorder("<")
    shape = ", ".join(map(str, array.shape)) + ("," if array.ndim == 1 else "")
    text = (f"{{'descr': '{little.str}', 'fortran_order': False, "
            f"'shape': ({shape}), }}").encode()
    text += b" " * (-(len(_MAGIC) + 2 + len(text) + 1) % 64) + b"\n"
    return _MAGIC + struct.pack("<H", len(text)) + text + array.astype(little).tobytes()


def array_of(frame):
    """The array of a .npy file of truth values, integers or floats in C order."""
    if frame[:8] != _MAGIC or len(frame) < 10:
        raise FrameError("a frame is no .npy file of version 1.0")
    end = 10 + struct.unpack("<H", frame[8:10])[0]
    found = _DESCRIPTION.fullmatch(frame[10:end])
    if not found:
        raise FrameError("a frame is no plain array")
    dtype = np.dtype(found[1].decode())
    shape = tuple(int(length) for length in found[2].split(b",") if length.strip())
    count = 1
    for length in shape:
        count *= length
    if len(shape) > RANK_LIMIT or count * dtype.itemsize != len(frame) - end:
        raise FrameError("a frame is not as long as its shape says")
    return np.frombuffer(frame, dtype, count, end).reshape(shape)
