"""Convolution and pooling as course code uses them, and the course's checks of them."""
import pickle
import types
import unittest

import numpy as np
import reference
from beside import compare, compare_layers, dtypes
from support import in_each_form, numbers

import layerd
from layerd import fast_layers, layers

CONV, POOL = "conv_{}_naive", "max_pool_{}_naive"


def linspace(least, largest, *shape):
    return np.linspace(least, largest, num=np.prod(shape)).reshape(shape)


@in_each_form
class Published(unittest.TestCase):
    """As the course's notebooks have it."""

    def test_conv_forward(self):
        x, w = linspace(-0.1, 0.5, 2, 3, 4, 4), linspace(-0.2, 0.3, 3, 3, 4, 4)
        out, _ = layers.conv_forward_naive(x, w, linspace(-0.1, 0.2, 3), {"stride": 2, "pad": 1})
        np.testing.assert_allclose(out, [
            [[[-0.08759809, -0.10987781], [-0.18387192, -0.2109216]],
             [[0.21027089, 0.21661097], [0.22847626, 0.23004637]],
             [[0.50813986, 0.54309974], [0.64082444, 0.67101435]]],
            [[[-0.98053589, -1.03143541], [-1.19128892, -1.24695841]],
             [[0.69108355, 0.66880383], [0.59480972, 0.56776003]],
             [[2.36270298, 2.36904306], [2.38090835, 2.38247847]]]], 0, 5.1e-9)

    def test_max_pool_forward(self):
        param = {"pool_width": 2, "pool_height": 2, "stride": 2}
        out, _ = layers.max_pool_forward_naive(linspace(-0.3, 0.4, 2, 3, 4, 4), param)
        np.testing.assert_allclose(out, [
            [[[-0.26315789, -0.24842105], [-0.20421053, -0.18947368]],
             [[-0.14526316, -0.13052632], [-0.08631579, -0.07157895]],
             [[-0.02736842, -0.01263158], [0.03157895, 0.04631579]]],
            [[[0.09052632, 0.10526316], [0.14947368, 0.16421053]],
             [[0.20842105, 0.22315789], [0.26736842, 0.28210526]],
             [[0.32631579, 0.34105263], [0.38526316, 0.4]]]], 0, 5.1e-9)

    def test_filters_of_images(self):
        """Grey of colours, and the edges of blue."""
        x, w = numbers(2, 3, 20, 20), np.zeros((2, 3, 3, 3))
        w[0, :, 1, 1] = 0.3, 0.6, 0.1
        w[1, 2] = [1, 2, 1], [0, 0, 0], [-1, -2, -1]
        out, _ = layers.conv_forward_naive(x, w, np.array([0, 128]), {"stride": 1, "pad": 1})
        np.testing.assert_allclose(out[:, 0], np.tensordot(x, w[0, :, 1, 1], (1, 0)), 1e-12, 1e-14)
        columns = x[:, 2, :, :-2] + 2 * x[:, 2, :, 1:-1] + x[:, 2, :, 2:]
        np.testing.assert_allclose(out[:, 1, 1:-1, 1:-1], 128 + columns[:, :-2] - columns[:, 2:])


@in_each_form
class BesideNumPy(unittest.TestCase):
    def check_conv(self, shape, kernels, stride, pad, dtype=np.float64):
        x, w = numbers(*shape, dtype=dtype), numbers(*kernels, seed=1, dtype=dtype)
        b, param = numbers(kernels[0], seed=2, dtype=dtype), {"stride": stride, "pad": pad}
        out, _ = reference.conv_forward_naive(x, w, b, param)
        compare_layers(self, CONV, numbers(*out.shape, seed=3, dtype=dtype), x, w, b, param)

    def test_conv(self):
        for shape, kernels, stride, pad in (
                ((2, 3, 5, 5), (4, 3, 3, 3), 1, 1),
                ((2, 3, 6, 7), (4, 3, 3, 2), 2, 0),   # rows and columns left out
                ((1, 2, 7, 5), (3, 2, 1, 1), 3, 0),
                ((2, 1, 2, 3), (2, 1, 4, 5), 1, 2),   # larger than the image
                ((3, 2, 1, 1), (2, 2, 1, 1), 1, 0),
                ((2, 2, 4, 4), (1, 2, 2, 2), 2, 1.0),
                ((2, 2, 4, 4), (1, 2, 4, 4), np.int64(5), np.uint8(0))):
            self.check_conv(shape, kernels, stride, pad)
        self.check_conv((2, 3, 6, 6), (4, 3, 3, 3), 1, 1, np.float32)

    def check_pool(self, shape, height, width, stride, dtype=np.float64):
        x, param = numbers(*shape, dtype=dtype), {"pool_height": height, "pool_width": width,
                                                  "stride": stride}
        out, _ = reference.max_pool_forward_naive(x, param)
        compare_layers(self, POOL, numbers(*out.shape, seed=3, dtype=dtype), x, param)

    def test_max_pool(self):
        for shape, height, width, stride in (
                ((3, 2, 8, 8), 2, 2, 2),
                ((2, 3, 7, 6), 3, 3, 2),    # overlapping, and a column left out
                ((2, 3, 7, 6), 2, 1, 3),
                ((2, 2, 20, 17), 17, 17, 1),  # more than 256 in a window
                ((2, 3, 1, 1), 1, 1, 1),
                ((1, 2, 5, 4), 5, 4, 7)):
            self.check_pool(shape, height, width, stride)
        self.check_pool((2, 3, 6, 6), 2, 2, 2, np.float32)

    def test_the_first_of_equals_has_the_gradient(self):
        x = np.array([[[[1, 2, 2, 2], [2, 2, 2, 1], [3, 3, 3, 3]]]], float)
        for size, stride in (2, 1), (2, 2), (3, 1):
            param = {"pool_height": size, "pool_width": size, "stride": stride}
            out, _ = reference.max_pool_forward_naive(x, param)
            compare_layers(self, POOL, numbers(*out.shape), x, param)

    def test_nan_is_the_largest(self):
        x = numbers(1, 1, 4, 4)
        x[0, 0, 1, 2] = np.nan
        compare_layers(self, POOL, numbers(1, 1, 3, 3), x,
                       {"pool_height": 2, "pool_width": 2, "stride": 1})

    def test_dtypes_are_those_of_numpy(self):
        for dx, dw, db, dd in dtypes(4):
            x, w = numbers(2, 2, 4, 4, dtype=dx), numbers(3, 2, 3, 3, dtype=dw)
            compare_layers(self, CONV, numbers(2, 3, 4, 4, dtype=dd), x, w, numbers(3, dtype=db),
                           {"stride": 1, "pad": 1})
            compare_layers(self, POOL, numbers(2, 2, 2, 2, dtype=dd), x,
                           {"pool_height": 2, "pool_width": 2, "stride": 2})

    def test_any_memory_order(self):
        x = numbers(6, 5, 8, 9)
        w, b = numbers(3, 3, 2, 2).transpose(3, 2, 1, 0), numbers(4)[::2]  # (2, 2, 3, 3)
        for view in (x[::2, 1:3], x.transpose(0, 1, 3, 2)[:2, ::3], np.asfortranarray(x)[:, :2],
                     x[::-1, :2, ::-1], x.astype(">f8")[:, 3:]):
            ours, theirs = (module.conv_forward_naive(view, w, b, {"stride": 2, "pad": 1})
                            for module in (layers, reference))
            compare(self, ours[0], theirs[0], (1e-12, 1e-13))
            dout = numbers(*reversed(ours[0].shape)).T
            compare(self, layers.conv_backward_naive(dout, ours[1]),
                    reference.conv_backward_naive(dout, theirs[1]), (1e-12, 1e-13))

    def test_biases_of_any_shape_that_numpy_takes(self):
        x, w, param = numbers(2, 2, 3, 3), numbers(3, 2, 2, 2), {"stride": 1, "pad": 0}
        for b in 0.5, np.array(0.5), np.array([0.5]), numbers(3), numbers(1, 3), np.arange(3):
            compare(self, layers.conv_forward_naive(x, w, b, param)[0],
                    reference.conv_forward_naive(x, w, b, param)[0], (1e-12, 1e-13))

    def test_integers_are_numbers(self):
        x, w = np.arange(18).reshape(1, 2, 3, 3), np.ones((1, 2, 2, 2), np.uint8)
        out, cache = layers.conv_forward_naive(x, w, [1], {"stride": 1, "pad": 0})
        self.assertEqual((out.tolist(), out.dtype), ([[[[53, 61], [77, 85]]]], np.float64))
        self.assertEqual(layers.conv_backward_naive(out.astype(int), cache)[2].tolist(), [276])
        out, cache = layers.max_pool_forward_naive(x, {"pool_height": 3, "pool_width": 1,
                                                       "stride": 1})
        self.assertEqual(out.tolist(), [[[[6, 7, 8]], [[15, 16, 17]]]])
        self.assertEqual(layers.max_pool_backward_naive(out, cache).sum(), 69)


@in_each_form
class Course(unittest.TestCase):
    def test_stars_bring_what_the_courses_bring(self):
        both = [name.format(way) for name in (CONV, POOL, "spatial_batchnorm_{}")
                for way in ("forward", "backward")]
        fast = [f"{name}_{way}_{how}" for name, hows in (
            ("conv", ("fast", "im2col", "strides")), ("max_pool", ("fast", "im2col", "reshape")))
            for way in ("forward", "backward") for how in hows]
        utils = [f"{name}_{way}" for name in (
            "affine_relu", "affine_bn_relu", "affine_ln_relu", "conv_relu", "conv_bn_relu",
            "conv_relu_pool") for way in ("forward", "backward")]
        older = ["affine_forward", "softmax_loss", *both]
        for module, expected in (
                ("layers", [*older, "layernorm_forward", "layernorm_backward",
                            "batchnorm_backward_alt", "spatial_groupnorm_forward",
                            "spatial_groupnorm_backward"]),
                ("conv_layers", older), ("fast_layers", fast),
                ("layer_utils", [*older, *fast, *utils]),
                ("optim", ["sgd", "sgd_momentum", "rmsprop", "adam"])):
            names = {}
            exec(f"from layerd.{module} import *", names)  # pylint: disable=exec-used
            self.assertIs(names["np"], np)
            for name in expected:
                self.assertIsInstance(names[name], types.FunctionType, (module, name))

    def test_results_are_the_callers_own(self):
        x, w = numbers(2, 2, 4, 4), numbers(3, 2, 3, 3)
        out, cache = layers.conv_forward_naive(x, w, np.zeros(3), {"stride": 1, "pad": 1})
        arrays = [out, *layers.conv_backward_naive(out, cache)]
        pooled, cache = layers.max_pool_forward_naive(out, {"pool_height": 2, "pool_width": 2,
                                                            "stride": 2})
        for array in *arrays, pooled, layers.max_pool_backward_naive(pooled, cache):
            self.assertTrue(array.flags.writeable and array.flags.owndata and array.flags.aligned)
            array += 1

    def test_caches_are_the_courses(self):
        x, w, b = numbers(2, 2, 4, 4), numbers(3, 2, 3, 3), numbers(3)
        param = {"stride": 1, "pad": 1}
        out, cache = layers.conv_forward_naive(x, w, b, param)
        for kept, given in zip(cache, (x, w, b, param)):
            self.assertIs(kept, given)
        want = reference.conv_backward_naive(out, (x, w, b, param))
        again = pickle.loads(pickle.dumps(cache))
        for one in cache, again, (x, w, b, param), [x, w, b, param, "columns of fast_layers.py"]:
            compare(self, layers.conv_backward_naive(out, one), want, (1e-11, 1e-12))
        param = {"pool_height": 2, "pool_width": 2, "stride": 2, "more": "of the caller's"}
        out, cache = layers.max_pool_forward_naive(x, param)
        self.assertTrue(cache[0] is x and cache[1] is param)
        for one in cache, (x, param):
            compare(self, layers.max_pool_backward_naive(out, one),
                    reference.max_pool_backward_naive(out, (x, param)), (0, 0))

    def test_dictionaries_are_left_alone(self):
        param = {"stride": 1, "pad": 0, "mode": "train", "more": object()}
        before = dict(param)
        layers.conv_forward_naive(numbers(1, 1, 2, 2), numbers(1, 1, 2, 2), [0], param)
        self.assertEqual(param, before)

    def test_fast_names_are_the_naive_ones(self):
        x, w, b = numbers(2, 2, 5, 5), numbers(3, 2, 2, 2), numbers(3)
        param = {"stride": 2, "pad": 0}
        pool_param = {"pool_height": 2, "pool_width": 2, "stride": 2}
        want, kept = reference.conv_forward_naive(x, w, b, param)
        for how in "fast", "im2col", "strides":
            out, cache = getattr(fast_layers, f"conv_forward_{how}")(x, w, b, param)
            compare(self, [out, getattr(fast_layers, f"conv_backward_{how}")(out, cache)],
                    [want, reference.conv_backward_naive(out, kept)], (1e-11, 1e-13))
        want, kept = reference.max_pool_forward_naive(x, pool_param)
        for how in "fast", "im2col", "reshape":
            out, cache = getattr(fast_layers, f"max_pool_forward_{how}")(x, pool_param)
            compare(self, [out, getattr(fast_layers, f"max_pool_backward_{how}")(out, cache)],
                    [want, reference.max_pool_backward_naive(out, kept)], (0, 0))

    def test_no_images(self):
        x, w = np.zeros((0, 2, 5, 5)), numbers(3, 2, 3, 3)
        out, cache = layers.conv_forward_naive(x, w, numbers(3), {"stride": 1, "pad": 1})
        self.assertEqual(out.shape, (0, 3, 5, 5))
        dx, dw, db = layers.conv_backward_naive(out, cache)
        self.assertEqual((dx.shape, dw.tolist(), db.tolist()),
                         (x.shape, np.zeros(w.shape).tolist(), [0, 0, 0]))
        out, cache = layers.max_pool_forward_naive(x, {"pool_height": 2, "pool_width": 2,
                                                       "stride": 2})
        self.assertEqual(out.shape, (0, 2, 2, 2))
        self.assertEqual(layers.max_pool_backward_naive(out, cache).shape, x.shape)

    def test_errors_name_what_is_wrong(self):
        x, w, b = numbers(2, 3, 4, 4), numbers(5, 3, 3, 3), numbers(5)
        pool = {"pool_height": 2, "pool_width": 2, "stride": 1}
        _, pooled = layers.max_pool_forward_naive(x, pool)

        def conv(x, w, b, **param):
            return lambda: layers.conv_forward_naive(x, w, b, param)
        for call, pointer, *words in (
                (conv(x, w[:, :2], b), "/w", "(2, 3, 4, 4)", "(5, 2, 3, 3)"),
                (conv(x, w, b[:4]), "/b", "(4,)", "(5, 3, 3, 3)"),
                (conv(x[0], w, b), "/x", "(3, 4, 4)"),
                (conv(x[:, :, :2], w, b), "/w", "3", "2"),
                (conv(x, w, b, stride=0), "/conv_param/stride", "0"),
                (conv(x, w, b, pad=-1), "/conv_param/pad", "-1"),
                (conv(x, w, b, pad=0.5), "/conv_param/pad", "0.5"),
                (lambda: layers.max_pool_forward_naive(x, {}), "/pool_param/pool_height"),
                (lambda: layers.max_pool_forward_naive(x, {**pool, "pool_height": 5}),
                 "/pool_param/pool_height", "5", "4"),
                (lambda: layers.max_pool_backward_naive(x, pooled), "/dout", "(2, 3, 4, 4)"),
                (lambda: layers.conv_backward_naive(x, pooled), "/cache", "max_pool", "conv")):
            with self.assertRaises(layerd.InvalidRequest) as raised:
                call()
            self.assertIsInstance(raised.exception, ValueError)
            self.assertEqual(raised.exception.pointer, pointer)
            for word in words:
                self.assertIn(word, str(raised.exception))


if __name__ == "__main__":
    unittest.main()
