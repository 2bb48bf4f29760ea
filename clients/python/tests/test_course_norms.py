"""Layer, spatial batch and group normalisation as course code uses them, and the course's checks of
them."""
import unittest

import numpy as np
from beside import compare_layers, dtypes
from support import in_each_form, numbers

import layerd
from layerd import layers

LAYER, SPATIAL, GROUP = "layernorm_{}", "spatial_batchnorm_{}", "spatial_groupnorm_{}"


@in_each_form
class Published(unittest.TestCase):
    """As the course's notebooks have it, of which some print these digits."""

    def are(self, got, want, places=5e-9):
        np.testing.assert_allclose(got, want, 0, places)

    def test_layernorm(self):
        np.random.seed(231)
        x, w1, w2 = np.random.randn(4, 50), np.random.randn(50, 60), np.random.randn(60, 3)
        a = np.maximum(0, x.dot(w1)).dot(w2)
        self.are(a.mean(axis=1), [-59.06673243, -47.60782686, -43.31137368, -26.40991744])
        for gamma, beta in (1, 0), (3, 5):
            out, _ = layers.layernorm_forward(a, np.full(3, float(gamma)), np.full(3, float(beta)),
                                              {"mode": "train"})
            self.are(out.mean(axis=1), beta, 1e-13)
            self.are(out.std(axis=1), gamma * np.array([0.99999995, 0.99999999, 1, 0.99999969]),
                     gamma * 5e-9)

    def test_spatial_batchnorm(self):
        np.random.seed(231)
        x = 4 * np.random.randn(2, 3, 4, 5) + 10
        for gamma, beta, stds in (([1, 1, 1], [0, 0, 0], [0.99999962, 0.99999951, 0.9999996]),
                                  ([3, 4, 5], [6, 7, 8], [2.99999885, 3.99999804, 4.99999798])):
            out, _ = layers.spatial_batchnorm_forward(x, np.asarray(gamma), np.asarray(beta),
                                                      {"mode": "train"})
            self.assertEqual(out.shape, x.shape)
            self.are(out.mean(axis=(0, 2, 3)), beta, 1e-13)
            self.are(out.std(axis=(0, 2, 3)), stds, 5.1e-9)

    def test_spatial_batchnorm_in_test_mode(self):
        np.random.seed(231)
        param = {"mode": "train"}
        for _ in range(50):
            x = 2.3 * np.random.randn(10, 4, 11, 12) + 13
            layers.spatial_batchnorm_forward(x, np.ones(4), np.zeros(4), param)
        param["mode"] = "test"
        x = 2.3 * np.random.randn(10, 4, 11, 12) + 13
        out, _ = layers.spatial_batchnorm_forward(x, np.ones(4), np.zeros(4), param)
        self.are(out.mean(axis=(0, 2, 3)), [-0.08034406, 0.07562881, 0.05716371, 0.04378383])
        self.are(out.std(axis=(0, 2, 3)), [0.96718744, 1.0299714, 1.02887624, 1.00585577], 5.1e-9)

    def test_spatial_groupnorm(self):
        np.random.seed(231)
        x = 4 * np.random.randn(2, 6, 4, 5) + 10
        self.are(x.reshape(4, -1).mean(axis=1), [9.72505327, 8.51114185, 8.9147544, 9.43448077])
        gamma, beta = np.ones((1, 6, 1, 1)), np.zeros((1, 6, 1, 1))
        out, _ = layers.spatial_groupnorm_forward(x, gamma, beta, 2, {"mode": "train"})
        self.assertEqual(out.shape, x.shape)
        groups = out.reshape(4, -1)
        self.are(groups.mean(axis=1), 0, 1e-13)
        variance = x.reshape(4, -1).var(axis=1)
        self.are(groups.std(axis=1), np.sqrt(variance / (variance + 1e-5)), 1e-13)


@in_each_form
class BesideNumPy(unittest.TestCase):
    def test_layernorm(self):
        for shape, param in (((5, 4), {}), ((1, 7), {"eps": 1e-3}),
                             ((3, 1), {"eps": np.float32(0.5)}),
                             ((0, 4), {"mode": "train", "train": "train"})):
            gamma, beta = numbers(shape[1], seed=1), numbers(shape[1], seed=2)
            compare_layers(self, LAYER, numbers(*shape, seed=3), numbers(*shape), gamma, beta,
                           param)

    def test_layernorm_vectors_of_any_shape_that_numpy_takes(self):
        for shape in (4,), (1, 4), (1,), (1, 1), ():
            gamma = 1 + numbers(*shape, seed=1) ** 2
            compare_layers(self, LAYER, numbers(5, 4, seed=3), numbers(5, 4), gamma, gamma, {})

    def test_layernorm_dtypes_are_those_of_numpy(self):
        for dx, dg, db, dd in dtypes(4):
            compare_layers(self, LAYER, numbers(5, 4, seed=3, dtype=dd), numbers(5, 4, dtype=dx),
                           numbers(4, seed=1, dtype=dg), numbers(4, seed=2, dtype=db), {})

    def test_spatial_batchnorm(self):
        for shape in (2, 3, 4, 5), (1, 2, 2, 1), (3, 1, 1, 1), (2, 4, 1, 3):
            x, dout = numbers(*shape), numbers(*shape, seed=3)
            gamma, beta = numbers(shape[1], seed=1), numbers(shape[1], seed=2)
            for running in {}, {"running_mean": gamma, "running_var": beta**2}:
                for mode in "train", "test":
                    compare_layers(self, SPATIAL, dout, x, gamma, beta,
                                   {"mode": mode, "eps": 1e-4, "momentum": 0.7, "other": 1,
                                    **running})

    def test_spatial_batchnorm_dtypes_are_those_of_numpy(self):
        for dx, dg, dr, dd in dtypes(4):
            compare_layers(self, SPATIAL, numbers(2, 3, 2, 2, seed=3, dtype=dd),
                           numbers(2, 3, 2, 2, dtype=dx), numbers(3, seed=1, dtype=dg),
                           numbers(3, seed=2, dtype=dg),
                           {"mode": "train", "running_mean": numbers(3, dtype=dr),
                            "running_var": np.ones(3, dr)})

    def test_spatial_groupnorm(self):
        for shape, groups, param in (((2, 6, 4, 5), 2, {}), ((2, 4, 3, 2), 1, {"eps": 0.1}),
                                     ((1, 4, 2, 2), np.int32(4), {"mode": "train"}),
                                     ((3, 4, 1, 1), 2, {}), ((2, 3, 1, 1), 3, {})):
            gamma, beta = numbers(1, shape[1], 1, 1, seed=1), numbers(1, shape[1], 1, 1, seed=2)
            compare_layers(self, GROUP, numbers(*shape, seed=3), numbers(*shape), gamma, beta,
                           groups, param)

    def test_spatial_groupnorm_vectors_of_any_shape_that_numpy_takes(self):
        for shape in (1, 4, 1, 1), (4, 1, 1), (1, 1, 1, 1), (1,), ():
            gamma = 1 + numbers(*shape, seed=1) ** 2
            compare_layers(self, GROUP, numbers(2, 4, 3, 3, seed=3), numbers(2, 4, 3, 3), gamma,
                           gamma, 2, {})

    def test_spatial_groupnorm_dtypes_are_those_of_numpy(self):
        for dx, dg, db, dd in dtypes(4):
            compare_layers(self, GROUP, numbers(2, 4, 3, 3, seed=3, dtype=dd),
                           numbers(2, 4, 3, 3, dtype=dx), numbers(1, 4, 1, 1, seed=1, dtype=dg),
                           numbers(1, 4, 1, 1, seed=2, dtype=db), 2, {})

    def test_any_memory_order(self):
        x, dout, vector = numbers(5, 4, 3, 6), numbers(3, 4, 5, 3).T, numbers(8)[::2]
        for view in x.transpose(2, 0, 3, 1)[:, :4, ::2], np.asfortranarray(x)[:3, :, :, :3]:
            like_view = np.resize(dout, view.shape)
            compare_layers(self, SPATIAL, like_view, view, vector, vector, {"mode": "train"})
            compare_layers(self, GROUP, like_view, view, vector[None, :, None, None],
                           vector.reshape(4, 1, 1), 2, {})
            compare_layers(self, LAYER, like_view[:, 0, 0].T, view[:, 0, 0].T, numbers(len(view)),
                           numbers(len(view)), {})


@in_each_form
class Course(unittest.TestCase):
    def results(self):
        x, vector, param = numbers(2, 4, 3, 3), numbers(4), {"mode": "train"}
        out, cache = layers.layernorm_forward(x[:, :, 0, 0], vector, vector, {})
        yield from [out, *layers.layernorm_backward(out, cache)]
        out, cache = layers.spatial_batchnorm_forward(x, vector, vector, param)
        yield from [out, param["running_mean"], *layers.spatial_batchnorm_backward(out, cache)]
        vector = vector.reshape(1, 4, 1, 1)
        out, cache = layers.spatial_groupnorm_forward(x, vector, vector, 2, {})
        yield from [out, *layers.spatial_groupnorm_backward(out, cache)]

    def test_results_are_the_callers_own(self):
        for array in self.results():
            self.assertTrue(array.flags.writeable and array.flags.owndata and array.flags.aligned)
            array += 1

    def test_batchnorms_other_backward_is_the_same(self):
        x, gamma = numbers(6, 3), numbers(3, seed=1)
        compare_layers(self, "batchnorm_{}", x[::-1], x, gamma, gamma, {"mode": "train"})
        out, cache = layers.batchnorm_forward(x, gamma, gamma, {"mode": "train"})
        for one, other in zip(layers.batchnorm_backward(out, cache),
                              layers.batchnorm_backward_alt(out, cache)):
            self.assertEqual(one.tolist(), other.tolist())

    def test_bn_param_is_moved_in_place(self):
        x, param = numbers(2, 3, 4, 4), {"mode": "train", "more": "of the caller's"}
        for _ in range(2):
            layers.spatial_batchnorm_forward(x, np.ones(3), np.zeros(3), param)
        np.testing.assert_allclose(param["running_var"], 0.19 * x.var(axis=(0, 2, 3)), 1e-12)
        self.assertEqual(param["more"], "of the caller's")
        param["mode"] = "test"
        mean = param["running_mean"]
        layers.spatial_batchnorm_forward(x, np.ones(3), np.zeros(3), param)
        self.assertIs(param["running_mean"], mean)

    def test_no_images(self):
        x, gamma = np.zeros((0, 4, 3, 3)), numbers(1, 4, 1, 1)
        out, cache = layers.spatial_groupnorm_forward(x, gamma, gamma, 2, {})
        dx, dgamma, dbeta = layers.spatial_groupnorm_backward(out, cache)
        self.assertEqual((out.shape, dx.shape), (x.shape, x.shape))
        for gradient in dgamma, dbeta:
            self.assertEqual(gradient.tolist(), np.zeros((1, 4, 1, 1)).tolist())
        with self.assertRaises(ValueError):
            layers.spatial_batchnorm_forward(x, np.ones(4), np.ones(4), {"mode": "train"})

    def test_errors_name_what_is_wrong(self):
        x, vector = numbers(2, 4, 3, 3), numbers(4)
        gamma = vector.reshape(1, 4, 1, 1)
        rows, train = x[:, :, 0, 0], {"mode": "train"}

        def group(x, gamma, groups, **param):
            return lambda: layers.spatial_groupnorm_forward(x, gamma, gamma, groups, param)
        for call, *words in (
                (lambda: layers.layernorm_forward(rows, vector[:3], vector, {}), "(3,)", "(2, 4)"),
                (lambda: layers.layernorm_forward(x, vector, vector, {}), "(2, 4, 3, 3)"),
                (lambda: layers.layernorm_forward(rows, vector, vector, {"eps": 0}), "eps", "0"),
                (lambda: layers.spatial_batchnorm_forward(x, gamma, vector, train), "(1, 4, 1, 1)"),
                (lambda: layers.spatial_batchnorm_forward(rows, vector, vector, train), "(2, 4)"),
                (lambda: layers.spatial_batchnorm_forward(x, vector, vector, {}), "mode"),
                (group(x, vector, 2), "(4,)", "(1, 4, 1, 1)", "(2, 4, 3, 3)"),
                (group(x, gamma[:, :3], 2), "(3,)", "(2, 4, 3, 3)"),
                (group(rows, gamma, 2), "(2, 4)"),
                (group(x, gamma, 3), "groups", "3", "4"),
                (group(x, gamma, 0), "groups", "0"),
                (group(x, gamma, 2, eps=-1), "eps", "-1")):
            with self.assertRaises(ValueError) as raised:
                call()
            for word in words:
                self.assertIn(word, str(raised.exception))

    def test_backward_takes_its_own_cache_alone(self):
        x = numbers(2, 4, 3, 3)
        for name in "layernorm", "spatial_batchnorm", "spatial_groupnorm":
            with self.assertRaisesRegex(TypeError, f"{name}_forward"):
                getattr(layers, f"{name}_backward")(x, (x, x))
        _, cache = layers.layernorm_forward(x[0, 0], np.ones(3), np.ones(3), {})
        with self.assertRaises(layerd.InvalidRequest) as raised:
            layers.spatial_batchnorm_backward(x, cache)
        self.assertEqual(raised.exception.code, "wrong_cache")


if __name__ == "__main__":
    unittest.main()
