"""The update rules as course code uses them, and the course's checks of them."""
import copy
import unittest

import numpy as np
import reference_optim
from beside import compare, dtypes, tolerance
from support import in_each_form, numbers

import layerd
from layerd import optim

RULES = "sgd", "sgd_momentum", "rmsprop", "adam"
MOVING = {"sgd": (), "sgd_momentum": ("velocity",), "rmsprop": ("cache",), "adam": ("m", "v")}


def table(first, last):
    return np.linspace(first, last, num=20).reshape(4, 5)


@in_each_form
class Published(unittest.TestCase):
    """The tables of the course's notebooks."""

    def setUp(self):
        self.w, self.dw = table(-0.4, 0.6), table(-0.6, 0.4)

    def are(self, got, *rows):
        """To 1e-7 relatively, and to the 8 decimals that are printed."""
        np.testing.assert_allclose(got, rows, 1e-7, 5.1e-9)

    def test_sgd_momentum(self):
        config = {"learning_rate": 1e-3, "velocity": table(0.6, 0.9)}
        next_w, _ = optim.sgd_momentum(self.w, self.dw, config=config)
        self.are(next_w,
                 [0.1406, 0.20738947, 0.27417895, 0.34096842, 0.40775789],
                 [0.47454737, 0.54133684, 0.60812632, 0.67491579, 0.74170526],
                 [0.80849474, 0.87528421, 0.94207368, 1.00886316, 1.07565263],
                 [1.14244211, 1.20923158, 1.27602105, 1.34281053, 1.4096])
        self.are(config["velocity"],
                 [0.5406, 0.55475789, 0.56891579, 0.58307368, 0.59723158],
                 [0.61138947, 0.62554737, 0.63970526, 0.65386316, 0.66802105],
                 [0.68217895, 0.69633684, 0.71049474, 0.72465263, 0.73881053],
                 [0.75296842, 0.76712632, 0.78128421, 0.79544211, 0.8096])

    def check_rmsprop(self, name):
        config = {"learning_rate": 1e-2, name: table(0.6, 0.9)}
        next_w, _ = optim.rmsprop(self.w, self.dw, config=config)
        self.are(next_w,
                 [-0.39223849, -0.34037513, -0.28849239, -0.23659121, -0.18467247],
                 [-0.132737, -0.08078555, -0.02881884, 0.02316247, 0.07515774],
                 [0.12716641, 0.17918792, 0.23122175, 0.28326742, 0.33532447],
                 [0.38739248, 0.43947102, 0.49155973, 0.54365823, 0.59576619])
        self.are(config[name],
                 [0.5976, 0.6126277, 0.6277108, 0.64284931, 0.65804321],
                 [0.67329252, 0.68859723, 0.70395734, 0.71937285, 0.73484377],
                 [0.75037008, 0.7659518, 0.78158892, 0.79728144, 0.81302936],
                 [0.82883269, 0.84469141, 0.86060554, 0.87657507, 0.8926])
        self.assertEqual(config.keys(), {"learning_rate", "decay_rate", "epsilon", name})

    def check_adam(self, first, second):
        config = {"learning_rate": 1e-2, first: table(0.6, 0.9), second: table(0.7, 0.5), "t": 5}
        next_w, _ = optim.adam(self.w, self.dw, config=config)
        self.are(next_w,
                 [-0.40094747, -0.34836187, -0.29577703, -0.24319299, -0.19060977],
                 [-0.1380274, -0.08544591, -0.03286534, 0.01971428, 0.0722929],
                 [0.1248705, 0.17744702, 0.23002243, 0.28259667, 0.33516969],
                 [0.38774145, 0.44031188, 0.49288093, 0.54544852, 0.59801459])
        self.are(config[second],
                 [0.69966, 0.68908382, 0.67851319, 0.66794809, 0.65738853],
                 [0.64683452, 0.63628604, 0.6257431, 0.61520571, 0.60467385],
                 [0.59414753, 0.58362676, 0.57311152, 0.56260183, 0.55209767],
                 [0.54159906, 0.53110598, 0.52061845, 0.51013645, 0.49966])
        self.are(config[first],
                 [0.48, 0.49947368, 0.51894737, 0.53842105, 0.55789474],
                 [0.57736842, 0.59684211, 0.61631579, 0.63578947, 0.65526316],
                 [0.67473684, 0.69421053, 0.71368421, 0.73315789, 0.75263158],
                 [0.77210526, 0.79157895, 0.81105263, 0.83052632, 0.85])
        self.assertEqual(config["t"], 6)
        self.assertEqual(config.keys(), {"learning_rate", "beta1", "beta2", "epsilon", "t", first,
                                         second})

    def test_rmsprop(self):
        self.check_rmsprop("cache")

    def test_adam(self):
        self.check_adam("m", "v")

    def test_names_of_ece_239as(self):
        self.check_rmsprop("a")
        self.check_adam("v", "a")


@in_each_form
class BesideNumPy(unittest.TestCase):
    def steps(self, rule, w, gradients, config=None):
        """Both are given the same gradients and each its own weights and config."""
        found = []
        for module in optim, reference_optim:
            its_config, weights = copy.deepcopy(config), w.copy()
            found.append([])
            for dw in gradients:
                weights, its_config = getattr(module, rule)(weights, dw, its_config)
                found[-1].append([weights, copy.deepcopy(its_config)])
        compare(self, *found, tolerance(w, *gradients, config or {}))

    def test_steps(self):
        for rule in RULES:
            for shape in (3, 4), (5,), (2, 3, 2, 2), (0, 3):
                gradients = [numbers(*shape, seed=seed) for seed in range(1, 6)]
                self.steps(rule, numbers(*shape), gradients)
        self.steps("sgd", numbers(3), [numbers(3)], {"learning_rate": 0})
        self.steps("sgd_momentum", numbers(3), [numbers(3)] * 2, {"momentum": 0.5})
        self.steps("rmsprop", numbers(3), [numbers(3)] * 2, {"decay_rate": 0.9, "epsilon": 1e-4})
        self.steps("adam", numbers(3), [numbers(3)] * 2,
                   {"beta1": 0.8, "beta2": np.float64(0.99), "learning_rate": 1, "t": 7})

    def test_dtypes_are_those_of_numpy(self):
        for rule in RULES:
            for dtype, dd, ds in dtypes(3):
                held = {name: np.abs(numbers(3, 2, seed=4, dtype=ds)) for name in MOVING[rule]}
                self.steps(rule, numbers(3, 2, dtype=dtype),
                           [numbers(3, 2, seed=seed, dtype=dd) for seed in (1, 2)], held or None)
                self.steps(rule, numbers(3, 2, dtype=dtype), [numbers(3, 2, seed=1, dtype=dd)])

    def test_any_memory_order(self):
        for rule in RULES:
            self.steps(rule, numbers(4, 6)[::2, ::-1], [numbers(6, 2, seed=1).T] * 2)

    def test_shapes_that_numpy_broadcasts(self):
        """A bias of shape (1, M), whose gradient is of shape (M,)."""
        for rule in RULES:
            self.steps(rule, numbers(1, 4), [numbers(4, seed=1)] * 3)
            self.steps(rule, np.array(2.0), [np.array(0.5)] * 3)
            held = {name: np.array(0.5) for name in MOVING[rule]}
            self.steps(rule, numbers(2, 3), [numbers(2, 3, seed=1)] * 2, held or None)


@in_each_form
class Course(unittest.TestCase):
    def test_sgd_changes_the_weights_in_place(self):
        for w in numbers(3, 4), numbers(3, 4, dtype=np.float32), numbers(6, 8)[::2, ::2]:
            before = w.copy()
            next_w, _ = optim.sgd(w, np.ones((3, 4)), {"learning_rate": 0.5})
            self.assertIs(next_w, w)
            np.testing.assert_allclose(w, before - 0.5, 1e-6)
        self.assertEqual(optim.sgd(2.0, 1.0)[0], 1.99)
        with self.assertRaises(TypeError):
            optim.sgd(np.arange(3), np.ones(3))  # as NumPy's -= does
        with self.assertRaises(ValueError):
            optim.sgd(np.ones(3), np.ones((2, 3)))

    def test_the_others_leave_the_weights_as_they_were(self):
        for rule in RULES[1:]:
            w, dw, config = numbers(3), numbers(3, seed=1), {}
            for name in MOVING[rule]:
                config[name] = np.ones(3)
            given = dict(config)
            next_w, _ = getattr(optim, rule)(w, dw, config)
            self.assertEqual((w.tolist(), dw.tolist()),
                             (numbers(3).tolist(), numbers(3, seed=1).tolist()))
            for array in given.values():
                self.assertEqual(array.tolist(), [1, 1, 1])
            self.assertTrue(next_w.flags.writeable and next_w.flags.owndata)
            for name in MOVING[rule]:
                self.assertTrue(config[name].flags.writeable and config[name].flags.owndata)

    def test_config_is_the_callers(self):
        for rule in RULES:
            config = {"learning_rate": 0.1, "more": "of the caller's"}
            _, got = getattr(optim, rule)(numbers(3), numbers(3), config)
            self.assertIs(got, config)
            self.assertEqual((config["learning_rate"], config["more"]), (0.1, "of the caller's"))
            _, first = getattr(optim, rule)(numbers(3), numbers(3))
            _, second = getattr(optim, rule)(numbers(3), numbers(3))
            self.assertIsNot(first, second)
        _, config = optim.adam(numbers(3), numbers(3))
        self.assertEqual((config["t"], type(config["t"])), (1, int))

    def test_integers_are_numbers(self):
        next_w, config = optim.sgd_momentum(np.arange(3), [1, 2, 3], {"learning_rate": 1})
        self.assertEqual((next_w.tolist(), next_w.dtype), ([-1, -1, -1], np.float64))
        self.assertEqual(config["velocity"].tolist(), [-1, -2, -3])

    def test_errors_name_what_is_wrong(self):
        w = numbers(2, 3)
        for call, pointer, *words in (
                (lambda: optim.adam(w, numbers(2, 4)), "/dw", "(2, 4)", "(2, 3)"),
                (lambda: optim.adam(w, w, {"m": numbers(4)}), "/config/m", "(4,)", "(2, 3)"),
                (lambda: optim.adam(w, w, {"t": -1}), "/config/t", "-1"),
                (lambda: optim.adam(w, w, {"t": 0.5}), "/config/t", "0.5"),
                (lambda: optim.adam(w, w, {"beta1": 1}), "/config/beta1", "1"),
                (lambda: optim.rmsprop(w, w, {"epsilon": 0}), "/config/epsilon", "0"),
                (lambda: optim.sgd(w, w, {"learning_rate": -1}), "/config/learning_rate", "-1"),
                (lambda: optim.sgd_momentum(w, w, {"momentum": 2}), "/config/momentum", "2")):
            with self.assertRaises(layerd.InvalidRequest) as raised:
                call()
            self.assertEqual(raised.exception.pointer, pointer)
            for word in words:
                self.assertIn(word, str(raised.exception))


if __name__ == "__main__":
    unittest.main()
