"""What course code does with a layers.py, beside calling it."""
import copy
import json
import pickle
import types
import unittest

import numpy as np
import reference
from support import in_each_form, numbers

import layerd
from layerd import layers

FLOATS = np.float32, np.float64


@in_each_form
class Course(unittest.TestCase):
    def test_star_brings_numpy_along(self):
        names = {}
        exec("from layerd.layers import *", names)  # pylint: disable=exec-used
        self.assertIs(names["np"], np)
        self.assertIsInstance(names["pdb"], types.ModuleType)
        for name in ("affine_forward", "affine_backward", "relu_forward", "relu_backward",
                     "batchnorm_forward", "batchnorm_backward", "dropout_forward",
                     "dropout_backward", "svm_loss", "softmax_loss"):
            self.assertIs(names[name], getattr(layers, name))

    def results(self):
        """Of every function, an array."""
        x, w, b = numbers(4, 3), numbers(3, 3), numbers(3)
        bn_param, param = {"mode": "train"}, {"p": 0.5, "mode": "train"}
        out, cache = layers.affine_forward(x, w, b)
        yield from [out, *layers.affine_backward(x, cache)]
        out, cache = layers.relu_forward(x)
        yield from [out, layers.relu_backward(x, cache)]
        out, cache = layers.batchnorm_forward(x, b, b, bn_param)
        yield from [out, bn_param["running_mean"], bn_param["running_var"],
                    *layers.batchnorm_backward(x, cache)]
        out, cache = layers.dropout_forward(x, param)
        yield from [out, layers.dropout_backward(x, cache)]
        yield layers.svm_loss(x, np.arange(4) % 3)[1]
        yield layers.softmax_loss(x, np.arange(4) % 3)[1]

    def test_results_are_the_callers_own(self):
        for array in self.results():
            self.assertTrue(array.flags.writeable and array.flags.owndata and array.flags.aligned)
            array += 1

    def test_bn_param_keeps_other_keys_and_is_changed_in_place(self):
        bn_param = {"mode": "train", "train": "train", "test": "test", "extra": object()}
        before = dict(bn_param)
        x = numbers(5, 2)
        layers.batchnorm_forward(x, np.ones(2), np.zeros(2), bn_param)
        self.assertEqual({name: bn_param[name] for name in before}, before)
        self.assertEqual(bn_param.keys() - before.keys(), {"running_mean", "running_var"})
        np.testing.assert_allclose(bn_param["running_mean"], 0.1 * x.mean(axis=0), 1e-12)
        np.testing.assert_allclose(bn_param["running_var"], 0.1 * x.var(axis=0), 1e-12)

    def test_bn_param_in_test_mode(self):
        bn_param = {"mode": "test"}
        layers.batchnorm_forward(numbers(5, 2), np.ones(2), np.zeros(2), bn_param)
        self.assertEqual(bn_param["running_mean"].tolist(), [0, 0])
        self.assertEqual(bn_param["running_var"].tolist(), [0, 0])
        mean = bn_param["running_mean"] = np.array([1.0, 2.0])
        layers.batchnorm_forward(numbers(5, 2), np.ones(2), np.zeros(2), bn_param)
        self.assertIs(bn_param["running_mean"], mean)

    def test_empty_dropout_param(self):
        with self.assertRaisesRegex(ValueError, "p"):
            layers.dropout_forward(numbers(2, 2), {})

    def test_dropout_leaves_the_generator_as_numpy_does(self):
        for mode in "train", "test":
            for seed in {"seed": 7}, {"seed": np.int64(2**32 - 1)}, {}:
                np.random.seed(3)
                ours = layers.dropout_forward(numbers(6, 5), {"p": 0.5, "mode": mode, **seed})[0]
                after = np.random.rand()
                np.random.seed(3)
                want = reference.dropout_forward(numbers(6, 5), {"p": 0.5, "mode": mode, **seed})[0]
                self.assertEqual(after, np.random.rand())
                self.assertEqual(ours.tolist(), want.tolist())

    def test_dropout_without_a_seed_is_the_courses(self):
        """As its notebooks print it."""
        np.random.seed(231)
        x = np.random.randn(500, 500) + 10
        out, _ = layers.dropout_forward(x, {"mode": "train", "p": 0.25})
        self.assertAlmostEqual(out.mean(), 10.014059116977283, delta=1e-13)

    def test_dropout_without_a_seed_is_reproduced_by_numpys(self):
        x, param = np.ones((40, 40)), {"p": 0.3, "mode": "train"}
        np.random.seed(8)
        first, second = (layers.dropout_forward(x, param)[0] for _ in range(2))
        np.random.seed(8)
        again = layers.dropout_forward(x, param)[0]
        self.assertEqual(again.tolist(), first.tolist())
        self.assertNotEqual(second.tolist(), first.tolist())
        self.assertAlmostEqual((first > 0).mean(), 0.3, delta=0.05)
        self.assertEqual(param, {"p": 0.3, "mode": "train"})

    def test_a_mask_can_be_sent(self):
        for dtype in FLOATS:
            x, kept = numbers(3, 4, dtype=dtype), np.random.RandomState(2).rand(3, 4) < 0.5
            for mask in (kept, kept.astype(np.uint8), kept.astype(int), kept.astype(dtype),
                         np.asfortranarray(kept)):
                answer = self.client.call("dropout/forward", x=x, dropout_param={
                    "p": 0.5, "mode": "train", "mask": mask})
                self.assertEqual(answer["out"].tolist(), (x * kept / 0.5).tolist())
                self.assertEqual(answer["out"].dtype, dtype)
                self.assertNotIn("mask", answer["dropout_param"])
                dx = self.client.call("dropout/backward", dout=x, cache=answer["cache"])["dx"]
                self.assertEqual(dx.tolist(), answer["out"].tolist())

    def test_a_seed_of_none_is_none(self):
        x, param = numbers(6, 5), {"p": 0.5, "mode": "train", "seed": None}
        self.assertEqual(layers.dropout_forward(x, param)[0].shape, x.shape)
        self.assertEqual(layers.dropout_forward(x, {**param, "mode": "test"})[0].tolist(),
                         x.tolist())

    def test_p_is_the_probability_of_keeping(self):
        out, _ = layers.dropout_forward(np.ones(10000), {"p": 0.9, "mode": "train", "seed": 1})
        self.assertGreater((out > 0).mean(), 0.85)

    def test_dtypes_are_those_of_numpy(self):
        for dx in FLOATS:
            for dw in FLOATS:
                for db in FLOATS:
                    for dd in FLOATS:
                        self.check_dtypes(dx, dw, db, dd)

    def check_dtypes(self, dx, dw, db, dd):
        x, w, b = numbers(4, 3, dtype=dx), numbers(3, 3, dtype=dw), numbers(3, dtype=db)
        dout = numbers(4, 3, dtype=dd)
        self.same_dtypes(dout, "affine", x, w, b)
        self.same_dtypes(dout, "relu", x)
        self.same_dtypes(dout, "dropout", x, {"p": 0.5, "mode": "test"})
        for name in "svm_loss", "softmax_loss":
            ours, theirs = (getattr(module, name)(x, np.arange(4) % 3)
                            for module in (layers, reference))
            self.assertEqual([type(ours[0]), ours[1].dtype], [np.float64, theirs[1].dtype])

    def test_losses_are_pythons_numbers(self):
        """As those of the course are, which divides a sum by an int: json.dumps takes them."""
        for dtype in FLOATS:
            for loss in layers.svm_loss, layers.softmax_loss:
                got, _ = loss(numbers(4, 3, dtype=dtype), np.arange(4) % 3)
                self.assertEqual(json.loads(json.dumps([got])), [got])

    def test_biases_of_any_shape_that_numpy_takes(self):
        x, w, dout = numbers(4, 3), numbers(3, 5), numbers(4, 5)
        for b in 0.5, 2, np.array(0.5), [0.5], [[0.5]], numbers(5), numbers(1, 5), numbers(5)[None]:
            ours, theirs = ((*module.affine_forward(x, w, b), module)
                            for module in (layers, reference))
            self.assertEqual(ours[0].shape, theirs[0].shape)
            np.testing.assert_allclose(ours[0], theirs[0], 1e-12)
            for got, want in zip(layers.affine_backward(dout, ours[1]),
                                 reference.affine_backward(dout, theirs[1])):
                self.assertEqual(got.shape, want.shape)
                np.testing.assert_allclose(got, want, 1e-12)
        for b in numbers(2), numbers(4), numbers(5, 1), numbers(1, 1, 4), numbers(0):
            with self.assertRaises(layerd.InvalidRequest) as raised:
                layers.affine_forward(x, w, b)
            self.assertEqual(raised.exception.pointer, "/b")
        with self.assertRaises(layerd.InvalidRequest):
            layers.affine_forward(x, 3.0, 1.0)

    def test_batchnorm_vectors_of_any_shape_that_numpy_takes(self):
        for mode in "train", "test":
            for shape in (3,), (1, 3), (1,), (1, 1), ():
                for still in (3,), (1, 3), (1,), (), None:
                    self.check_batchnorm_shapes(mode, shape, still)

    def check_batchnorm_shapes(self, mode, shape, still):
        x, dout, gamma = numbers(4, 3), numbers(4, 3, seed=1), 1 + numbers(*shape, seed=2) ** 2
        found = []
        for module in layers, reference:
            bn_param = {"mode": mode}
            if still is not None:
                bn_param.update(running_mean=np.full(still, 0.5), running_var=np.full(still, 2.0))
            for _ in range(2):
                out, cache = module.batchnorm_forward(x, gamma, gamma, bn_param)
            found.append([out, bn_param["running_mean"], bn_param["running_var"],
                          *module.batchnorm_backward(dout, cache)])
        for got, want in zip(*found):
            self.assertEqual(got.shape, want.shape, (mode, shape, still))
            np.testing.assert_allclose(got, want, 1e-10, 1e-12)

    def test_caches_are_the_courses(self):
        x, w, b = numbers(4, 3), numbers(3, 2), numbers(2)
        _, cache = layers.affine_forward(x, w, b)
        self.assertEqual(len(cache), 3)
        self.assertTrue(cache[0] is x and cache[1] is w and cache[-1] is b)
        first, second, third = cache
        self.assertTrue(first is x and second is w and third is b)
        _, cache = layers.relu_forward(x)
        np.testing.assert_array_equal(np.asarray(cache), x)
        np.testing.assert_array_equal(x * (cache > 0), np.maximum(x, 0))
        np.testing.assert_array_equal(cache <= 0, x <= 0)
        again = pickle.loads(pickle.dumps(cache))
        np.testing.assert_array_equal(np.asarray(again), x)
        _, cache = layers.batchnorm_forward(x, np.ones(3), np.zeros(3), {"mode": "train"})
        self.assertTrue(cache)
        with self.assertRaisesRegex(TypeError, "daemon"):
            cache[0]

    def test_relus_cache_is_an_array(self):
        x = numbers(4, 3)
        _, cache = layers.relu_forward(x)
        for ours, theirs in ((cache * 2, x * 2), (1 - cache, 1 - x), (-cache, -x),
                             (cache / x, x / x), (cache == x, x == x), (cache != 0, x != 0),
                             (cache.T, x.T), (np.zeros_like(cache), np.zeros_like(x)),
                             (np.maximum(cache, 0), np.maximum(x, 0)), (cache[1:], x[1:]),
                             (cache.copy(), x)):
            np.testing.assert_array_equal(ours, theirs)
        self.assertEqual((cache.shape, cache.size, cache.sum()), (x.shape, x.size, x.sum()))
        for other in layers.affine_forward(x, x.T, np.zeros(4))[1], self.client.call(
                "relu/forward", x=x)["cache"]:
            self.assertTrue(other == other and other != cache and other not in [None, 1])
            self.assertEqual({other: 1}[other], 1)
            self.assertFalse(hasattr(other, "shape"))

    def test_batchnorm_backward_takes_its_own_cache_alone(self):
        x = numbers(4, 3)
        with self.assertRaisesRegex(TypeError, "batchnorm_forward"):
            layers.batchnorm_backward(x, (x, x.mean(axis=0), x.var(axis=0)))

    def test_dropouts_cache_is_the_courses(self):
        x = numbers(6, 5)
        for more in {"seed": 3}, {}:
            param = {"p": 0.4, "mode": "train", **more}
            out, (kept, mask) = layers.dropout_forward(x, param)
            self.assertIs(kept, param)
            self.assertEqual(set(mask.ravel()), {0, 1 / 0.4})
            np.testing.assert_allclose(out, x * mask, 1e-15)
        _, cache = layers.dropout_forward(x, {"p": 0.4, "mode": "test"})
        self.assertIsNone(cache[1])

    def test_backward_takes_the_courses_caches(self):
        x, w, b, dout = numbers(4, 3), numbers(3, 2), numbers(1, 2), numbers(4, 2)
        for cache in (x, w, b), [x, w, b]:
            for got, want in zip(layers.affine_backward(dout, cache),
                                 reference.affine_backward(dout, (x, w))):
                np.testing.assert_allclose(got, want, 1e-12)
        np.testing.assert_array_equal(layers.relu_backward(x, x[::-1]),
                                      reference.relu_backward(x, x[::-1]))

    def test_dropout_backward_takes_the_courses_caches(self):
        dout = numbers(6, 5)
        kept = numbers(6, 5, seed=1) > 0
        for mask in kept / 0.4, kept / 0.7, kept, np.zeros((6, 5)), np.ones((6, 5), bool):
            got = layers.dropout_backward(dout, ({"p": 0.4, "mode": "train"}, mask))
            np.testing.assert_allclose(got, dout * mask, 1e-15)
        got = layers.dropout_backward(dout, ({"p": 0.4, "mode": "test"}, None))
        self.assertEqual(got.tolist(), dout.tolist())
        with self.assertRaisesRegex(ValueError, "mask"):
            layers.dropout_backward(dout, ({"p": 0.4, "mode": "train"}, dout))

    def test_batchnorm_dtypes_are_those_of_numpy(self):
        for mode in "train", "test":
            for dx in FLOATS:
                for dg in FLOATS:
                    for dr in FLOATS:
                        ours, theirs = ({"mode": mode, "running_mean": numbers(3, dtype=dr),
                                         "running_var": np.ones(3, dr)} for _ in range(2))
                        x, gamma = numbers(4, 3, dtype=dx), numbers(3, dtype=dg)
                        for dd in FLOATS:
                            self.same_dtypes(numbers(4, 3, dtype=dd), "batchnorm", x, gamma, gamma,
                                             (ours, theirs))
                        for name in "running_mean", "running_var":
                            self.assertEqual(ours[name].dtype, theirs[name].dtype)

    def same_dtypes(self, dout, layer, *inputs, expected=None):
        """Runs a layer forward and backward in both modules. A tuple holds an argument for each.
        The dtypes are those of the reference, or all the expected one."""
        found = []
        for i, module in enumerate((layers, reference)):
            arguments = [value[i] if isinstance(value, tuple) else value for value in inputs]
            out, cache = getattr(module, f"{layer}_forward")(*arguments)
            grads = getattr(module, f"{layer}_backward")(dout, cache)
            grads = grads if isinstance(grads, tuple) else (grads,)
            if layer == "batchnorm" and arguments[-1]["mode"] == "test":
                grads = grads[1:]  # dx does not depend on x there; ours is of x's dtype at least
            found.append([array.dtype for array in (out, *grads)])
        if expected:
            found[1] = [expected] * len(found[0])
        self.assertEqual(found[0], found[1], (layer, dout.dtype, inputs))

    def test_single_numbers_do_not_decide_a_dtype(self):
        for dtype in FLOATS:
            x, w = numbers(4, 3, dtype=dtype), numbers(3, 3, dtype=dtype)
            # NumPy 2 lets a np.float64 decide, and what np.sqrt makes of a float; the drop-in does
            # as NumPy 1 with either.
            expected = None if np.lib.NumpyVersion(np.__version__) < "2.0.0" else x.dtype
            for number in 0, 0.5, np.float64(0.5), np.array(0.5), np.float32(0.5):
                self.same_dtypes(x, "affine", x, w, number, expected=expected)
                for mode in "train", "test":
                    ours, theirs = ({"mode": mode, "running_mean": number, "running_var": 1}
                                    for _ in range(2))
                    self.same_dtypes(x, "batchnorm", x, w[0], number, (ours, theirs),
                                     expected=expected)
                    self.same_dtypes(x, "batchnorm", x, number, w[0], (ours, theirs),
                                     expected=expected)
                    for name in "running_mean", "running_var":
                        theirs_dtype = np.asarray(theirs[name]).dtype
                        if expected and mode == "train":
                            theirs_dtype = expected
                        self.assertEqual(np.asarray(ours[name]).dtype, theirs_dtype)
        with self.assertRaises(TypeError):
            layers.affine_forward(x, w, None)

    def test_integers_are_numbers(self):
        out, cache = layers.affine_forward(np.arange(6).reshape(2, 3), np.ones((3, 1), int), [1])
        self.assertEqual((out.tolist(), out.dtype), ([[4], [13]], np.float64))
        self.assertEqual(layers.affine_backward([[1], [1]], cache)[1].tolist(), [[3], [5], [7]])
        small = np.arange(6, dtype=np.uint8).reshape(2, 3)
        out, _ = layers.affine_forward(small, np.ones((3, 1), np.float32), np.ones(1, np.float32))
        self.assertEqual(out.dtype, np.float32)
        self.assertEqual(layers.relu_forward(np.array([True, False]))[0].tolist(), [1, 0])

    def test_labels_of_any_integer_type(self):
        x = numbers(4, 3)
        want = layers.softmax_loss(x, [0, 1, 2, 0])[1].tolist()
        for kind in "bBhHiIlLqQ":
            y = np.array([0, 1, 2, 0], kind)
            self.assertEqual(layers.softmax_loss(x, y)[1].tolist(), want)
            self.assertEqual(layers.svm_loss(x, y)[1].tolist(),
                             layers.svm_loss(x, [0, 1, 2, 0])[1].tolist())
        y = np.argmax(np.eye(3)[[0, 1, 2, 0]], axis=1)
        self.assertEqual(layers.softmax_loss(x, y[::1])[1].tolist(), want)

    def test_any_memory_order(self):
        x, w, b = numbers(8, 6), numbers(3, 6).T, numbers(6)[::2]
        for view in x[::2, ::2], np.asfortranarray(x)[:, 3:], x[::-1, :3], x.T[:3].T:
            np.testing.assert_allclose(layers.affine_forward(view, w[:3], b)[0],
                                       view.dot(w[:3]) + b, 1e-12, 1e-14)
        big_endian = x.astype(">f8")
        self.assertEqual(layers.relu_forward(big_endian)[0].tolist(), np.maximum(x, 0).tolist())

    def test_images(self):
        x, w, b = numbers(2, 3, 32, 32), numbers(3072, 2), numbers(2)
        out, cache = layers.affine_forward(x, w, b)
        np.testing.assert_allclose(out, x.reshape(2, -1).dot(w) + b, 1e-10)
        self.assertEqual(layers.affine_backward(out, cache)[0].shape, x.shape)

    def test_no_rows(self):
        out, cache = layers.affine_forward(np.zeros((0, 2, 3)), numbers(6, 4), numbers(4))
        self.assertEqual(out.shape, (0, 4))
        dx, dw, db = layers.affine_backward(out, cache)
        self.assertEqual((dx.shape, dw.tolist(), db.tolist()),
                         ((0, 2, 3), np.zeros((6, 4)).tolist(), [0] * 4))
        self.assertEqual(layers.relu_forward(np.zeros((0, 3)))[0].shape, (0, 3))
        for seed in {}, {"seed": 1}:
            param = {"p": 0.5, "mode": "train", **seed}
            self.assertEqual(layers.dropout_forward(np.zeros((0, 3)), param)[0].shape, (0, 3))

    def test_rank_0(self):
        self.assertEqual(layers.relu_forward(-2.0)[0].shape, ())
        out, _ = layers.dropout_forward(np.array(3.0), {"p": 1, "mode": "train"})
        self.assertEqual((out.shape, float(out)), ((), 3.0))

    def test_not_finite(self):
        x = np.array([np.nan, np.inf, -np.inf, 1.0])
        out, _ = layers.relu_forward(x)
        np.testing.assert_array_equal(out, [np.nan, np.inf, 0, 1])
        loss, _ = layers.softmax_loss(np.array([[np.nan, 0.0]]), [1])
        self.assertTrue(np.isnan(loss))

    def test_caches_are_copied(self):
        x, w, b = numbers(4, 3), numbers(3, 2), numbers(2)
        out, cache = layers.affine_forward(x, w, b)
        want = layers.affine_backward(out, cache)[1].tolist()
        kept = copy.deepcopy({"caches": [(cache, copy.copy(cache))]})
        del cache
        for one in kept["caches"][0]:
            self.assertEqual(layers.affine_backward(out, one)[1].tolist(), want)
        again = pickle.loads(pickle.dumps(kept["caches"][0][0]))
        self.assertEqual(layers.affine_backward(out, again)[1].tolist(), want)

    def test_errors_are_value_errors_that_name_both_shapes(self):
        with self.assertRaises(ValueError) as raised:
            layers.affine_forward(numbers(4, 3), numbers(2, 5), numbers(5))
        self.assertIn("(4, 3)", str(raised.exception))
        self.assertIn("(2, 5)", str(raised.exception))
        self.assertEqual((raised.exception.code, raised.exception.pointer),
                         ("shape_mismatch", "/w"))
        with self.assertRaises(TypeError):
            layers.relu_forward(np.array(["a"]))
        with self.assertRaisesRegex(ValueError, "mode"):
            layers.batchnorm_forward(numbers(4, 3), np.ones(3), np.ones(3), {"mode": "training"})
        with self.assertRaises(ValueError):
            layers.softmax_loss(numbers(2, 3), [0, 3])

    def test_a_cache_of_another_layer(self):
        _, cache = layers.relu_forward(numbers(2, 2))
        with self.assertRaises(layerd.InvalidRequest) as raised:
            layers.affine_backward(numbers(2, 2), cache)
        self.assertEqual(raised.exception.code, "wrong_cache")


if __name__ == "__main__":
    unittest.main()
