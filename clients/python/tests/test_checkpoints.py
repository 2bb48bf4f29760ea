"""A network's checkpoint: a safetensors file from which it goes on as if it had never stopped."""
import json
import os
import pathlib
import struct
import tempfile
import unittest

import numpy as np
from support import in_each_form, numbers

import layerd

LAYERS = [("affine", 6), ("batchnorm", {"eps": 1e-4}), "relu", ("dropout", 0.8), ("affine", 3)]
DTYPES = {"F64": np.float64, "F32": np.float32}


def read(path):
    """The metadata and tensors of a safetensors file, by the format's description."""
    data = pathlib.Path(path).read_bytes()
    length, = struct.unpack("<Q", data[:8])
    header, rest = json.loads(data[8:8 + length]), data[8 + length:]
    metadata = header.pop("__metadata__")
    spans = sorted(entry["data_offsets"] for entry in header.values())
    assert [begin for begin, _ in spans] == [0, *[end for _, end in spans[:-1]]]
    assert spans[-1][1] == len(rest) and data[8:9] == b"{"
    return metadata, {
        name: np.frombuffer(rest[slice(*entry["data_offsets"])], DTYPES[entry["dtype"]])
        .reshape(entry["shape"]) for name, entry in header.items()}


def write(path, metadata, tensors):
    header, data = {"__metadata__": metadata}, b""
    for name, tensor in tensors.items():
        kind = next(kind for kind, dtype in DTYPES.items() if dtype == tensor.dtype)
        header[name] = {"dtype": kind, "shape": tensor.shape,
                        "data_offsets": [len(data), len(data) + tensor.nbytes]}
        data += tensor.tobytes()
    text = json.dumps(header).encode()
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


@in_each_form
class Checkpoints(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name) / "net.safetensors"
        self.batches = [(numbers(5, 4, seed=i), np.arange(i, i + 5) % 3) for i in range(8)]

    def network(self, update="adam", **more):
        return layerd.Network(self.client, LAYERS, input=4, **{
            "update": update, "learning_rate": 0.02, "seed": 9, **more})

    def train(self, net, begin, end):
        return [net.step(*batch) for batch in self.batches[begin:end]]

    def same(self, net, other):
        ours, theirs = net.weights(), other.weights()
        self.assertEqual(ours.keys(), theirs.keys())
        for name, value in theirs.items():
            self.assertEqual(ours[name].tobytes(), value.tobytes(), name)
        self.assertEqual(net.t, other.t)

    def test_it_goes_on_as_if_it_had_never_stopped(self):
        for update, more in (("sgd", {}), ("sgd_momentum", {"momentum": 0.8}),
                             ("rmsprop", {"dtype": "float32"}), ("adam", {"dtype": "float32"})):
            with self.subTest(update), self.network(update, **more) as net:
                self.train(net, 0, 3)
                net.save(self.path)
                with layerd.Network.from_file(self.client, self.path) as fresh, \
                        self.network(update, **more) as loaded:
                    self.train(loaded, 5, 7)
                    loaded.load(self.path)
                    want = self.train(net, 3, 8)
                    for other in fresh, loaded:
                        self.assertEqual(self.train(other, 3, 8), want)
                        self.same(other, net)

    def test_before_the_first_step(self):
        with self.network() as net:
            net.save(self.path)
            with layerd.Network.from_file(self.client, self.path) as other:
                self.same(other, net)
                self.assertEqual(self.train(other, 0, 3), self.train(net, 0, 3))

    def test_the_learning_rate_of_the_file_and_of_the_network(self):
        with self.network() as net, self.network(learning_rate=0.5) as other:
            net.learning_rate = np.float32(0.25)
            net.save(str(self.path))
            other.load(str(self.path))
            self.assertEqual(other.learning_rate, 0.5)
            with layerd.Network.from_file(self.client, self.path) as third:
                self.assertEqual(third.learning_rate, 0.25)

    def test_what_the_file_holds(self):
        with self.network(dtype="float32") as net:
            self.train(net, 0, 2)
            net.save(self.path)
            metadata, tensors = read(self.path)
            weights = ["0.w", "0.b", "1.gamma", "1.beta", "4.w", "4.b"]
            self.assertEqual(tensors.keys(), {
                *weights, *[f"{name}.{slot}" for name in weights for slot in "mv"],
                "1.running_mean", "1.running_var"})
            self.assertEqual((metadata["t"], metadata["update"]), ("2", "adam"))
            for name, value in net.weights().items():
                self.assertEqual((tensors[name].dtype, value.tobytes()),
                                 (np.float32, tensors[name].tobytes()), name)
            self.assertGreater(np.abs(tensors["0.w.m"]).max(), 0)

    def test_dtypes_are_converted(self):
        with self.network(dtype="float32") as narrow, self.network(seed=1) as wide:
            self.train(narrow, 0, 2)
            narrow.save(self.path)
            wide.load(self.path)
            self.assertEqual(wide.t, 2)
            for name, value in narrow.weights().items():
                np.testing.assert_array_equal(wide.weights()[name], value.astype(np.float64))

    def test_what_another_update_gathered_is_left_out(self):
        with self.network("adam") as net, self.network("sgd_momentum") as other:
            self.train(net, 0, 3)
            net.save(self.path)
            other.load(self.path)
            self.assertEqual(other.t, 0)
            with self.network("sgd_momentum") as third:
                third.set_weights(net.weights())
                self.assertEqual(self.train(other, 3, 6), self.train(third, 3, 6))

    def test_weights_alone(self):
        with self.network() as net, self.network(seed=1) as other:
            self.train(net, 0, 2)
            for metadata in {"format": "pt"}, {"t": "7", "update": "adam"}:
                write(self.path, metadata, net.weights())
                other.load(self.path)
                self.assertEqual(other.t, 0)
                for name, value in net.weights().items():
                    np.testing.assert_array_equal(other.weights()[name], value)
            with self.assertRaisesRegex(ValueError, "does not tell of a network"):
                layerd.Network.from_file(self.client, self.path)

    def test_what_is_gone_or_closed_is_loaded_again(self):
        net = self.network()
        self.train(net, 0, 3)
        net.save(self.path)
        want = self.train(net, 3, 6)
        for lose in self.client.close, net.close:
            lose()
            net.load(self.path)
            self.assertEqual(self.train(net, 3, 6), want)
        net.close()

    def test_what_does_not_fit_changes_nothing(self):
        with self.network() as net, self.network() as same:
            self.train(net, 0, 2)
            self.train(same, 0, 2)
            net.save(self.path)
            metadata, tensors = read(self.path)
            for metadata, wrong in (
                    (metadata, {**tensors, "0.w": np.zeros((6, 4))}),
                    (metadata, {**tensors, "9.w": np.zeros((6, 4))}),
                    *[(metadata, {name: tensors[name] for name in tensors if name != missing})
                      for missing in ("1.running_var", "4.b.v")],
                    ({**metadata, "t": "two"}, tensors)):
                write(self.path, metadata, wrong)
                with self.assertRaises(ValueError):
                    net.load(self.path)
            for data in b"", bytes(8), b"\xff" * 16, b"\2\0\0\0\0\0\0\0[]", b"no safetensors file":
                self.path.write_bytes(data)
                for load in net.load, lambda path: layerd.Network.from_file(self.client, path):
                    with self.assertRaises(ValueError) as raised:
                        load(self.path)
                    self.assertIn(str(self.path), str(raised.exception))
            with self.assertRaises(FileNotFoundError):
                net.load(self.path.with_name("none"))
            self.assertEqual(self.train(net, 2, 5), self.train(same, 2, 5))
            self.same(net, same)

    def test_a_save_that_fails_leaves_what_was_there(self):
        with self.network() as net:
            net.save(self.path)
            before = self.path.read_bytes()
            self.train(net, 0, 1)
            self.client.close()
            with self.assertRaises(layerd.Error):
                net.save(self.path)
            self.assertEqual(self.path.read_bytes(), before)
        with self.network() as net:
            with self.assertRaises(OSError):
                net.save(self.folder.name)  # a folder
            self.assertEqual(os.listdir(self.folder.name), [self.path.name])


if __name__ == "__main__":
    unittest.main()
