"""Messages of a student's process: what is read of them, and that nothing else is."""
import io
import json
import struct
import unittest

import numpy as np

from layerd.grading.inside.frames import LIMIT, FrameError, array_of, decode, encode, npy


def reader(data):
    source = io.BytesIO(data)

    def read(count):
        found = source.read(count)
        if len(found) < count:
            raise EOFError
        return found
    return read


def frame(descr="'<f8'", order="False", shape="(1,)", data=bytes(8), magic=b"\x93NUMPY\x01\x00"):
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return magic + struct.pack("<H", len(text)) + text + data


class Frames(unittest.TestCase):
    def test_arrays_come_as_they_went(self):
        sent = [np.arange(6.0).reshape(2, 3), np.float32([np.nan, np.inf, -0.0]), np.zeros((0, 3)),
                np.array(2.5), np.arange(3), np.array([True]), np.arange(6).reshape(2, 3).T,
                np.arange(3, dtype=">i4"), np.arange(8.0)[::2]]
        header, came = decode(reader(encode({"calls": [1]}, sent)))
        self.assertEqual(header, {"calls": [1]})
        for ours, theirs in zip(came, sent):
            np.testing.assert_array_equal(ours, theirs)
            self.assertEqual((ours.shape, ours.dtype.kind), (theirs.shape, theirs.dtype.kind))

    def test_frames_are_files_of_numpy(self):
        for array in np.arange(6.0).reshape(2, 3), np.array(1), np.zeros((4, 0)), np.ones(3):
            came = np.load(io.BytesIO(npy(array)), allow_pickle=False)
            np.testing.assert_array_equal(came, array)
            np.testing.assert_array_equal(array_of(npy(array)), array)
            self.assertEqual(came.shape, array_of(npy(array)).shape)

    def test_what_is_no_plain_array(self):
        for bad in (frame("'|O'"), frame("'<U4'"), frame("'<c16'"), frame("'<M8[s]'"),
                    frame("[('a', '<f8')]"), frame("'>f8'"), frame(order="True"),
                    frame(shape="(-1,)"), frame(shape="(1e3,)"), frame(shape="__import__('os')"),
                    frame(shape="(2,)"), frame(shape="()", data=bytes(16)),
                    frame(shape="(99999999999,)"), frame(shape="(" + "1, " * 40 + ")"),
                    frame(magic=b"\x93NUMPY\x02\x00"), frame(data=b""), b"", b"\x93NUMPY",
                    frame()[:20], frame("'<f8'") + b"more"):
            with self.subTest(bad[:80]), self.assertRaises(FrameError):
                array_of(bad)

    def test_headers(self):
        for text in (b"", b"[]", b"1", b"{}", b'{"frames": 1}', b'{"frames": [-1]}',
                     b'{"frames": ["1"]}', b'{"frames": [true]}', b"[" * 60000, b"\xff",
                     json.dumps({"frames": [LIMIT + 1]}).encode(),
                     json.dumps({"frames": [LIMIT, 1]}).encode()):
            with self.subTest(text[:40]), self.assertRaises(FrameError):
                decode(reader(struct.pack("<I", len(text)) + text + bytes(100)))
        with self.assertRaises(FrameError):
            decode(reader(struct.pack("<I", 1 << 20)))
