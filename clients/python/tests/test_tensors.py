"""Kept tensors: put, fetched, freed, and in the place of arrays in every operation."""
import copy
import gc
import pickle
import unittest

import numpy as np
from beside import compare
from support import in_each_form, is_freed, numbers

import layerd
from layerd import layers, optim

BN = {"mode": "train", "running_mean": numbers(3), "running_var": np.ones(3)}
IMAGES = numbers(2, 3, 4, 4)
OPERATIONS = {
    "affine/forward": {"x": numbers(2, 3), "w": numbers(3, 4), "b": numbers(4)},
    "relu/forward": {"x": numbers(2, 3)},
    "batchnorm/forward": {"x": numbers(5, 3), "gamma": numbers(3), "beta": numbers(3),
                          "bn_param": BN},
    "layernorm/forward": {"x": numbers(5, 3), "gamma": numbers(3), "beta": numbers(3)},
    "dropout/forward": {"x": numbers(2, 3),
                        "dropout_param": {"p": 0.5, "mode": "train", "seed": 3}},
    "conv/forward": {"x": IMAGES, "w": numbers(2, 3, 2, 2), "b": numbers(2),
                     "conv_param": {"pad": 1}},
    "max_pool/forward": {"x": IMAGES, "pool_param": {"pool_height": 2, "pool_width": 2,
                                                     "stride": 2}},
    "spatial_batchnorm/forward": {"x": IMAGES, "gamma": numbers(3), "beta": numbers(3),
                                  "bn_param": BN},
    "spatial_groupnorm/forward": {"x": IMAGES, "gamma": numbers(3), "beta": numbers(3),
                                  "gn_param": {"groups": 3}},
    "svm/loss": {"x": numbers(2, 3), "y": np.array([2, 0])},
    "softmax/loss": {"x": numbers(2, 3), "y": np.array([2, 0])},
    "sgd/update": {"w": numbers(2, 3), "dw": numbers(2, 3, seed=1)},
    "sgd_momentum/update": {"w": numbers(2), "dw": numbers(2, seed=1),
                            "config": {"velocity": numbers(2, seed=2)}},
    "rmsprop/update": {"w": numbers(2), "dw": numbers(2, seed=1),
                       "config": {"cache": np.abs(numbers(2, seed=2)), "decay_rate": 0.9}},
    "adam/update": {"w": numbers(2), "dw": numbers(2, seed=1),
                    "config": {"m": numbers(2, seed=2), "v": np.abs(numbers(2)), "t": 3}},
}


def changed(value, change):
    """The same, every array changed, in dictionaries too."""
    if isinstance(value, dict):
        return {name: changed(held, change) for name, held in value.items()}
    return change(value) if isinstance(value, np.ndarray) else value


def narrow(array):
    return array.astype(np.float32) if array.dtype.kind == "f" else array


@in_each_form
class Kept(unittest.TestCase):
    def test_there_and_back(self):
        for array in (numbers(2, 3), numbers(4, dtype=np.float32), np.zeros((0, 3)),
                      np.array([[np.nan, -np.inf]]), np.array([3, -1]), np.array([7, 255])):
            tensor = self.client.put(array)
            got = self.client.fetch(tensor)
            self.assertEqual((tensor.shape, tensor.dtype), (array.shape, array.dtype))
            self.assertEqual((got.shape, got.dtype), (array.shape, array.dtype))
            np.testing.assert_array_equal(got, array)

    def test_what_is_kept_in(self):
        self.assertEqual(self.client.put(numbers(2), np.float32).dtype, np.float32)
        self.assertEqual(self.client.fetch(self.client.put([1.5, 2], "float32")).dtype, np.float32)
        labels = self.client.put(np.uint8([1, 0]))
        self.assertEqual((labels.dtype, self.client.fetch(labels).dtype), (np.int64, np.int64))
        mask = self.client.put([[True, False, True]])
        self.assertEqual((mask.dtype, mask.shape), (np.float64, (1, 3)))
        out = self.client.call("dropout/forward", x=numbers(1, 3), dropout_param={
            "p": 0.5, "mode": "train", "mask": mask})["out"]
        np.testing.assert_array_equal(out, numbers(1, 3) * [[2, 0, 2]])

    def test_info(self):
        tensor = self.client.put(numbers(2, 3, dtype=np.float32))
        info = self.client.cache_info(tensor)
        self.assertEqual((info["layer"], info["dtype"], info["shape"]), (None, "float32", [2, 3]))

    def test_the_shape_of_a_result(self):
        _, kept = self.client.graph([{"name": "r", "op": "relu/forward", "x": "x"}],
                                    {"x": numbers(3, 2)}, keep=["r.out"])
        self.assertEqual((kept["r.out"].shape, kept["r.out"].ndim), ((3, 2), 2))
        np.testing.assert_array_equal(np.asarray(kept["r.out"]), np.maximum(numbers(3, 2), 0))

    def test_freed_when_forgotten(self):
        handle = self.client.put(numbers(2)).handle
        gc.collect()
        self.assertFalse(is_freed(handle))
        kept = self.client.put(numbers(2))
        self.assertTrue(is_freed(handle))
        self.assertFalse(is_freed(kept.handle))
        self.client.close()
        self.assertTrue(is_freed(kept.handle))

    def test_release(self):
        tensor = self.client.put(numbers(2))
        self.client.release(tensor)
        self.assertTrue(is_freed(tensor.handle))
        self.client.release(tensor)
        with self.assertRaises(layerd.Error) as raised:
            self.client.call("relu/forward", x=tensor)
        self.assertEqual((raised.exception.status, raised.exception.code), (404, "unknown_cache"))

    def test_copies_and_references(self):
        tensor = self.client.put(numbers(2))
        self.assertIs(copy.deepcopy([tensor])[0], tensor)
        self.assertIs(copy.copy(tensor), tensor)
        reference = pickle.loads(pickle.dumps(tensor))
        self.assertEqual((reference.handle, reference.shape), (tensor.handle, (2,)))
        del reference
        by_hand = layerd.Tensor(tensor.handle)
        np.testing.assert_array_equal(self.client.fetch(by_hand), numbers(2))
        with self.assertRaises(TypeError):
            by_hand.shape
        del by_hand
        self.client.version()
        self.assertFalse(is_freed(tensor.handle))


@in_each_form
class Operations(unittest.TestCase):
    """Given kept tensors, they give the bytes that they give for arrays."""

    def same(self, path, arguments, **more):
        got = self.client.call(path, **changed(arguments, self.client.put), **more)
        want = self.client.call(path, **arguments, **more)
        caches = got.pop("cache", None), want.pop("cache", None)
        compare(self, got, want, (0, 0))
        return want, caches[0]

    def test_every_operation(self):
        for path, arguments in OPERATIONS.items():
            for change in np.asarray, narrow:
                with self.subTest(path, change=change):
                    answer, cache = self.same(path, changed(arguments, change))
                    if cache is not None:
                        self.same(path.replace("forward", "backward"),
                                  {"dout": answer["out"] + 1}, cache=cache)

    def test_some_of_the_arguments(self):
        given = OPERATIONS["affine/forward"]
        w = self.client.put(narrow(given["w"]))
        out = self.client.call("affine/forward", **{**given, "w": w})["out"]
        self.assertEqual(out.dtype, np.float32)  # what is kept has its dtype
        np.testing.assert_allclose(out, given["x"] @ given["w"] + given["b"], 1e-5, 1e-6)

    def test_two_that_are_of_two_dtypes(self):
        wide = changed(OPERATIONS["affine/forward"], self.client.put)
        with self.assertRaises(layerd.InvalidRequest) as raised:
            self.client.call("affine/forward", **{**wide, "w": self.client.put(
                np.ones((3, 4), np.float32))})
        self.assertEqual(raised.exception.code, "wrong_type")

    def test_a_shape_that_does_not_fit(self):
        with self.assertRaises(layerd.InvalidRequest) as raised:
            self.client.call("affine/forward", x=numbers(2, 3), w=self.client.put(numbers(2, 4)),
                             b=numbers(4))
        self.assertEqual(raised.exception.code, "shape_mismatch")


@in_each_form
class DropIn(unittest.TestCase):
    def same(self, function, *arguments):
        found = []
        for change in np.asarray, self.client.put:
            its_own = [changed(copy.deepcopy(value), change) for value in arguments]
            found.append(function(*its_own))
        return found

    def both_ways(self, name, dout, *arguments):
        """A layer forward and backward."""
        plain, kept = self.same(getattr(layers, name.format("forward")), *arguments)
        np.testing.assert_array_equal(kept[0], plain[0])
        backward = getattr(layers, name.format("backward"))
        compare(self, backward(self.client.put(dout), kept[1]), backward(dout, plain[1]), (0, 0))

    def test_layers(self):
        x, gamma, beta = numbers(4, 3), numbers(3, seed=1), numbers(3, seed=2)
        dout, dimages = numbers(4, 3, seed=4), numbers(2, 3, 4, 4, seed=4)
        self.both_ways("affine_{}", numbers(4, 2), x, numbers(3, 2), numbers(2))
        self.both_ways("relu_{}", dout, x)
        self.both_ways("dropout_{}", dout, x, {"p": 0.5, "mode": "train", "seed": 1})
        for mode in "train", "test":
            self.both_ways("batchnorm_{}", dout, x, gamma, beta, {**BN, "mode": mode})
            self.both_ways("spatial_batchnorm_{}", dimages, IMAGES, gamma, beta,
                           {**BN, "mode": mode})
        self.both_ways("layernorm_{}", dout, x, gamma, beta, {})
        self.both_ways("conv_{}_naive", numbers(2, 2, 3, 3), IMAGES, numbers(2, 3, 2, 2),
                       numbers(2), {"stride": 1, "pad": 0})
        self.both_ways("max_pool_{}_naive", numbers(2, 3, 2, 2), IMAGES,
                       {"pool_height": 2, "pool_width": 2, "stride": 2})

    def test_groupnorm(self):
        gamma, beta = numbers(3, seed=1), numbers(3, seed=2)
        want, _ = layers.spatial_groupnorm_forward(
            IMAGES, gamma.reshape(1, 3, 1, 1), beta.reshape(1, 3, 1, 1), 3, {})
        got, _ = layers.spatial_groupnorm_forward(
            self.client.put(IMAGES), self.client.put(gamma), self.client.put(beta), 3, {})
        np.testing.assert_array_equal(got, want)

    def test_losses(self):
        for loss in layers.softmax_loss, layers.svm_loss:
            plain, kept = self.same(loss, numbers(3, 4), np.array([1, 3, 0]))
            compare(self, kept, plain, (0, 0))

    def test_updates(self):
        for rule, config in ((optim.sgd, {}), (optim.sgd_momentum, {"velocity": numbers(2, 3)}),
                             (optim.rmsprop, {"cache": np.abs(numbers(2, 3))}),
                             (optim.adam, {"m": numbers(2, 3), "v": np.abs(numbers(2, 3)),
                                           "t": 2})):
            plain, kept = self.same(rule, numbers(2, 3), numbers(2, 3, seed=1), config)
            compare(self, kept, plain, (0, 0))

    def test_what_relus_cache_shows(self):
        x = numbers(2, 3)
        _, cache = layers.relu_forward(self.client.put(x))
        np.testing.assert_array_equal(np.asarray(cache), x)
        np.testing.assert_array_equal(cache > 0, x > 0)


if __name__ == "__main__":
    unittest.main()
