"""Bodies as bytes: what is written, and what is read from it."""
import io
import json
import struct
import unittest

import numpy as np

from layerd.arguments import FLOAT32, FLOAT64, prepare
from layerd.connection import Answer
from layerd.decimals import written as written_decimals
from layerd.forms import Json, Safetensors
from layerd.tensor import Tensor


def written(form, **arguments):
    values, dtype = prepare(arguments)
    return b"".join(form.encode(values, dtype))


def read(form, body, dtype=FLOAT64):
    return form.decode(Answer(200, "OK", {}, len(body), io.BytesIO(body)), dtype)


def file_of(header, data=b""):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


class SafetensorsForm(unittest.TestCase):
    def test_layout(self):
        body = written(Safetensors, x=np.float32([[1, 2, 3]]), y=[2], cache="h",
                       bn_param={"mode": "train", "eps": 1e-5, "running_mean": np.float32([7])})
        length, = struct.unpack("<Q", body[:8])
        self.assertEqual(json.loads(body[8:8 + length]), {
            "__metadata__": {"cache": "h", "bn_param.mode": "train", "bn_param.eps": "1e-05"},
            "y": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]},
            "x": {"dtype": "F32", "shape": [1, 3], "data_offsets": [8, 20]},
            "bn_param.running_mean": {"dtype": "F32", "shape": [1], "data_offsets": [20, 24]},
        })
        self.assertEqual(length % 8, 0)
        self.assertEqual(body[8 + length:], struct.pack("<q4f", 2, 1, 2, 3, 7))

    def test_masks_are_bytes(self):
        body = written(Safetensors, x=np.float32([1, 2]),
                       dropout_param={"p": 0.5, "mask": np.uint8([1, 0])})
        length, = struct.unpack("<Q", body[:8])
        self.assertEqual(json.loads(body[8:8 + length])["dropout_param.mask"],
                         {"dtype": "U8", "shape": [2], "data_offsets": [8, 10]})
        self.assertEqual(body[-2:], b"\1\0")
        for shape in (), (1, 0, 2):
            body = written(Safetensors, dropout_param={"mask": np.zeros(shape, np.uint8)})
            self.assertIn(b'"shape":%s,' % str(list(shape)).encode(), body)
        for mask in np.uint8([[1], [0]]), np.array([[True], [False]]):
            self.assertEqual(json.loads(written(Json, p={"mask": mask}))["p"],
                             {"mask": {"shape": [2, 1], "data": [1, 0]}})
            self.assertEqual(written(Safetensors, p={"mask": mask})[-2:], b"\1\0")

    def test_integers_are_labels_but_as_parameters_numbers(self):
        body = written(Safetensors, y=np.int32([1]), bn_param={"running_mean": [1, 2]})
        length, = struct.unpack("<Q", body[:8])
        header = json.loads(body[8:8 + length])
        self.assertEqual((header["y"]["dtype"], header["bn_param.running_mean"]["dtype"]),
                         ("I64", "F64"))
        for number in 2, np.int64(2), np.uint8(2), np.array(2):
            body = written(Safetensors, conv_param={"stride": number})
            self.assertIn(b'"conv_param.stride": "2"', body)

    def test_read(self):
        answer = read(Safetensors, file_of(
            {"dx": {"dtype": "F64", "shape": [], "data_offsets": [8, 16]},
             "bn_param.running_var": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
             "__metadata__": {"loss": "0.5", "bn_param.mode": "test", "n": "NaN", "seed": "12",
                              "cache": "123"}}, struct.pack("<2fd", 1, 2, 3)))
        self.assertEqual(answer["dx"], 3)
        self.assertEqual(answer["dx"].shape, ())
        self.assertEqual(answer["bn_param"]["running_var"].tolist(), [1, 2])
        self.assertEqual((answer["bn_param"]["mode"], answer["loss"], answer["cache"]),
                         ("test", 0.5, "123"))
        self.assertTrue(np.isnan(answer["n"]))
        self.assertEqual(repr(answer["seed"]), "12")

    def test_a_kept_tensor_is_its_handle(self):
        body = written(Safetensors, x=np.float32([1]), w=Tensor("h", np.float32),
                       bn_param={"running_mean": Tensor("i", "float32")})
        length, = struct.unpack("<Q", body[:8])
        self.assertEqual(json.loads(body[8:8 + length]), {
            "__metadata__": {"w": "h", "dtype": "float32", "bn_param.running_mean": "i"},
            "x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})
        self.assertEqual(json.loads(written(Json, w=Tensor("h", np.float32))),
                         {"dtype": "float32", "w": {"tensor": "h"}})

    def test_a_graph(self):
        arrays = {"x": np.float32([[1, 2]]), "y": np.int64([0]), "z": np.uint8([1])}
        document = {"inputs": {"w": {"tensor": "h"}, "c": {"cache": "k"}},
                    "nodes": [{"name": "u", "config": {"learning_rate": np.float32(0.5), "t": 2}}]}
        body = b"".join(Safetensors.encode_graph(document, arrays, FLOAT32))
        length, = struct.unpack("<Q", body[:8])
        header = json.loads(body[8:8 + length])
        self.assertEqual(json.loads(header.pop("__metadata__")["graph"]), document)
        self.assertEqual({name: entry["dtype"] for name, entry in header.items()},
                         {"x": "F32", "y": "I64", "z": "U8"})
        self.assertEqual(json.loads(b"".join(Json.encode_graph(document, arrays, FLOAT32))), {
            **document, "dtype": "float32", "inputs": {
                **document["inputs"], "x": {"shape": [1, 2], "data": [1.0, 2.0]},
                "y": {"shape": [1], "data": [0], "dtype": "int64"},
                "z": {"shape": [1], "data": [1], "dtype": "int64"}}})

    def test_a_graph_without_arrays_says_its_dtype(self):
        for arrays, want in (({}, "float32"), ({"y": np.int64([1])}, "float32"),
                             ({"x": np.float32([1])}, None)):
            body = b"".join(Safetensors.encode_graph({"nodes": []}, arrays, FLOAT32))
            length, = struct.unpack("<Q", body[:8])
            graph = json.loads(json.loads(body[8:8 + length])["__metadata__"]["graph"])
            self.assertEqual(graph.get("dtype"), want)

    def test_the_answer_of_a_graph(self):
        body = file_of({"l.dx": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]},
                        "__metadata__": {"l.loss": "0.5", "u.config.t": "2", "kept.w": "12"}},
                       struct.pack("<d", 3))
        text = (b'{"results":{"l.dx":{"shape":[1],"data":[3.0]},"l.loss":0.5,"u.config.t":2},'
                b'"kept":{"w":"12"}}')
        for form, answer in (Safetensors, body), (Json, text):
            results, kept = form.decode_graph(
                Answer(200, "OK", {}, len(answer), io.BytesIO(answer)), FLOAT64, ["w"])
            self.assertEqual(kept, {"w": "12"})
            self.assertEqual(results.pop("l.dx").tolist(), [3.0])
            self.assertEqual(repr(results), "{'l.loss': 0.5, 'u.config.t': 2}")

    def test_what_is_no_file(self):
        tensor = {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}
        for body in (b"", b"\xff" * 8, b"\xff" * 16, file_of({"x": tensor}),
                     file_of({"x": {**tensor, "data_offsets": [8, 16]}}, bytes(16)),
                     file_of({"x": {**tensor, "shape": [2]}}, bytes(8)),
                     file_of({"x": {**tensor, "dtype": "F99"}}, bytes(8)), file_of({"x": {}})):
            with self.assertRaises((ValueError, LookupError)):
                read(Safetensors, body)


class BothForms(unittest.TestCase):
    def test_there_and_back(self):
        arguments = {"x": np.arange(6.0).reshape(2, 3), "y": np.array([1, 2]),
                     "nothing": np.zeros((0, 3)), "scalar": np.array(2.5), "cache": "1e5",
                     "p": {"p": 0.1, "seed": 3, "mode": "test", "v": np.array([np.nan, -np.inf])}}
        for form in Safetensors, Json:
            got = read(form, written(form, **arguments))
            got.pop("dtype", None)
            self.assertEqual(got.keys(), arguments.keys())
            self.assertEqual(got["cache"], "1e5")
            self.assertEqual({**got["p"], "v": 0}, {**arguments["p"], "v": 0})
            np.testing.assert_array_equal(got["p"]["v"], arguments["p"]["v"])
            for name in "x", "y", "nothing", "scalar":
                np.testing.assert_array_equal(got[name], arguments[name])
                self.assertEqual(got[name].shape, arguments[name].shape)

    def test_decimals_are_read_back_to_the_same_bits(self):
        draw = np.random.RandomState(3)
        bits = draw.randint(0, 1 << 63, 100000, np.int64) * 2 + draw.randint(0, 2, 100000)
        any_bits = bits.view(np.float64)[np.isfinite(bits.view(np.float64))]
        powers = np.outer([1.0, -1.0, 1 - 2**-53, 1 + 2**-52], 2.0 ** np.arange(-1074, 1024)).ravel()
        tens = np.array([float(f"{sign}1e{i}") for i in range(-323, 309) for sign in ("", "-")])
        edges = np.array([0.0, -0.0, 5e-324, -5e-324, 2.2250738585072014e-308, 2.0**53 - 1,
                          1.7976931348623157e308, -1.7976931348623157e308, 0.1, 1 / 3])
        for values in (any_bits, powers, tens, edges, np.tile(edges, 100), draw.randn(5000),
                       draw.randn(5000).astype(np.float32), bits.astype(np.int32).view(np.float32)):
            values = values[np.isfinite(values)]
            got = np.array(json.loads(b"[%s]" % written_decimals(values)), values.dtype)
            self.assertEqual(got.tobytes(), values.tobytes())

    def test_few_decimals_are_short(self):
        self.assertEqual(written_decimals(np.array([[0.5, -2.0], [1e-7, 3.0]])),
                         b"0.5,-2.0,1e-07,3.0")
        self.assertEqual(written_decimals(np.arange(3)), b"0,1,2")
        self.assertEqual(written_decimals(np.zeros(0)), b"")

    def test_many_that_are_not_finite(self):
        values = np.array([np.nan, np.inf, -np.inf, 1.5] * 100)
        np.testing.assert_array_equal(
            np.array(json.loads(b"[%s]" % written_decimals(values))), values)

    def test_dtypes(self):
        for values, want in (([np.float32(1)], FLOAT32), ([np.float32(1), 1.0], FLOAT64),
                             ([np.float32(1), np.array([1])], FLOAT32), ([], FLOAT64),
                             ([np.float16(1)], FLOAT32), ([np.array(True)], FLOAT64)):
            arguments = {f"x{i}": np.asarray(value) for i, value in enumerate(values)}
            self.assertEqual(prepare(arguments)[1], want)
        for value in "abc", None, 1j:
            with self.assertRaises(TypeError):
                prepare({"x": np.asarray(value)})


if __name__ == "__main__":
    unittest.main()
