"""layerd.Network: what it learns, step by step beside NumPy, and what failing calls do to it."""
import pathlib
import signal
import time
import unittest

import numpy as np
import reference
import reference_optim
from support import Relay, daemon, in_each_form, is_freed, numbers

import layerd

DIGITS = pathlib.Path(__file__).resolve().parents[3] / "tests/data/digits.csv"
DENSE = [("affine", 7), ("batchnorm", {"momentum": 0.8}), "relu", ("dropout", 0.75),
         ("affine", 6), ["layernorm", {"eps": 1e-3}], ("dropout", 0.5, {"seed": 40}), ("affine", 3)]
CONVOLUTIONAL = [("conv", 4, 3, {"pad": 1}), "spatial_batchnorm", "relu",
                 ("max_pool", 2), ("conv", 4, (2, 1), {"stride": 2}),
                 ("spatial_groupnorm", 2, {"eps": 1e-4}), ("affine", 3)]
XOR = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]


class ByNumpy:
    """The network of the same layers, written out with the functions of reference.py."""

    def __init__(self, layers, weights, loss, rule, config, seed=0):
        self.layers = [[layer] if isinstance(layer, str) else [*layer] for layer in layers]
        self.values = dict(weights)
        self.configs = {name: dict(config) for name in weights if "running" not in name}
        self.loss, self.rule, self.seed = loss, getattr(reference_optim, rule), seed
        self.t = 0

    def param(self, i, mode):
        name, *arguments = self.layers[i]
        options = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
        if name == "dropout":
            own = options.get("seed")
            seed = self.seed + self.t * len(self.layers) + i if own is None else own + self.t
            return {"p": arguments[0], "mode": mode, "seed": seed}
        if name.endswith("batchnorm"):
            return {**options, "mode": mode, "running_mean": self.values[f"{i}.running_mean"],
                    "running_var": self.values[f"{i}.running_var"]}
        if name == "conv":
            return {"stride": 1, "pad": 0, **options}
        if name == "max_pool":
            return {"pool_height": 2, "pool_width": 2, "stride": 2}
        return options

    def forward(self, x, mode):
        """The scores and, in the order of the layers, name, fields of its weights and cache."""
        run = []
        for i, (name, *arguments) in enumerate(self.layers):
            fields = {"affine": "w b", "conv": "w b", "relu": "", "max_pool": "", "dropout": ""
                      }.get(name, "gamma beta").split()
            given = [self.values[f"{i}.{field}"] for field in fields]
            if name == "spatial_groupnorm":
                given = [value.reshape(1, -1, 1, 1) for value in given] + [arguments[0]]
            param = self.param(i, mode)
            suffix = "_naive" if name in ("conv", "max_pool") else ""
            given += [] if name in ("affine", "relu") else [param]
            x, cache = getattr(reference, f"{name}_forward{suffix}")(x, *given)
            for field in "running_mean", "running_var":
                if field in param:
                    self.values[f"{i}.{field}"] = param[field]
            run.append((f"{name}_backward{suffix}", fields, cache))
        return x, run

    def step(self, x, y):
        scores, run = self.forward(x, "train")
        loss, dout = getattr(reference, f"{self.loss}_loss")(scores, y)
        for i, (backward, fields, cache) in reversed([*enumerate(run)]):
            if backward == "affine_backward" and cache[0].ndim > 2:
                dout, dw, db = reference.affine_backward(dout, cache)
                gradients = [dw, db]
            else:
                found = getattr(reference, backward)(dout, cache)
                dout, *gradients = found if fields else [found]
            for field, gradient in zip(fields, gradients):
                self.update(f"{i}.{field}", gradient)
        self.t += 1
        return loss

    def update(self, name, gradient):
        value = self.values[name].copy()
        self.values[name], self.configs[name] = self.rule(
            value, gradient.reshape(value.shape), self.configs[name])


def digits():
    """Images as vectors and their labels: those to train on, and every fifth, held back."""
    rows = np.loadtxt(DIGITS, delimiter=",", dtype=int)
    held = np.arange(len(rows)) % 5 == 0
    x, y = rows[:, :64] / 16, rows[:, 64]
    return x[~held], y[~held], x[held], y[held]


@in_each_form
class Steps(unittest.TestCase):
    def beside_numpy(self, layers, shape, tolerance=(1e-9, 1e-11), dtype="float64", loss="softmax",
                     rule="sgd", **config):
        with layerd.Network(self.client, layers, input=shape, loss=loss, update=rule, seed=5,
                            dtype=dtype, **config) as net:
            other = ByNumpy(layers, net.weights(), loss, rule, config, seed=5)
            for i in range(3):
                x, y = numbers(6, *np.atleast_1d(shape), dtype=dtype, seed=i), [0, 2, 1, 1, 0, i]
                got, want = net.step(x, y), other.step(x, y)
                self.assertEqual(got.dtype, dtype)
                np.testing.assert_allclose(got, want, *tolerance)
                weights = net.weights()
                self.assertEqual(weights.keys(), other.values.keys())
                for name, value in weights.items():
                    self.assertEqual(value.dtype, dtype)
                    np.testing.assert_allclose(value, other.values[name], *tolerance, err_msg=name)
            np.testing.assert_allclose(net.predict(x), other.forward(x, "test")[0], *tolerance)
            self.assertEqual(net.t, 3)

    def test_every_update(self):
        for rule, config in (("sgd", {"learning_rate": 0.3}), ("sgd", {}), ("rmsprop", {}),
                             ("sgd_momentum", {"learning_rate": 0.1, "momentum": 0.7}),
                             ("rmsprop", {"learning_rate": 0.05, "decay_rate": 0.9}),
                             ("adam", {"learning_rate": np.float64(0.02), "beta1": 0.8})):
            with self.subTest(rule, **config):
                self.beside_numpy([("affine", 5), "relu", ("affine", 3)], 4, rule=rule, **config)

    def test_every_layer(self):
        self.beside_numpy(DENSE, 4, rule="sgd", learning_rate=0.1)
        self.beside_numpy(CONVOLUTIONAL, (2, 5, 4), rule="sgd", learning_rate=0.1)

    def test_the_hinge_loss(self):
        self.beside_numpy([("affine", 3)], (2, 2), loss="svm", rule="sgd_momentum")

    def test_in_float32(self):
        self.beside_numpy([("affine", 5), "batchnorm", "relu", ("affine", 3)], 4, (1e-3, 1e-4),
                          "float32", rule="sgd_momentum")

    def test_it_learns_xor(self):
        for update, rate in ("sgd", 0.5), ("sgd_momentum", 0.1), ("rmsprop", 0.02), ("adam", 0.05):
            with layerd.Network(self.client, [("affine", 8), "relu", ("affine", 2)], input=2,
                                update=update, learning_rate=rate, seed=1) as net:
                losses = [net.step(*XOR) for _ in range(150)]
                self.assertLess(losses[-1], 0.1, update)
                self.assertEqual(net.predict(XOR[0]).argmax(axis=1).tolist(), XOR[1])

    def test_kept_batches(self):
        x, y = self.client.put(XOR[0], np.float64), self.client.put(XOR[1])
        with self.network() as net, self.network() as other:
            self.assertEqual(net.step(x, y), other.step(*XOR))
            np.testing.assert_array_equal(net.predict(x), other.predict(XOR[0]))

    def network(self, layers=(("affine", 8), "relu", ("affine", 2)), **more):
        return layerd.Network(self.client, layers, **{"input": 2, "update": "adam", **more})

    def test_the_learning_rate_may_be_changed(self):
        with self.network(learning_rate=0.0) as net:
            before = net.weights()
            net.step(*XOR)
            np.testing.assert_array_equal(net.weights()["0.w"], before["0.w"])
            net.learning_rate = 0.1
            net.step(*XOR)
            self.assertTrue((net.weights()["2.b"] != before["2.b"]).all())

    def test_first_weights(self):
        layers = [("conv", 3, 2), "spatial_batchnorm", ("affine", 5)]
        with self.network(layers, input=(2, 3, 3), seed=7) as net:
            draw = np.random.RandomState(7)
            want = {"0.w": draw.randn(3, 2, 2, 2) * np.sqrt(2 / 8), "0.b": np.zeros(3),
                    "1.gamma": np.ones(3), "1.beta": np.zeros(3),
                    "1.running_mean": np.zeros(3), "1.running_var": np.zeros(3),
                    "2.w": draw.randn(12, 5) * np.sqrt(2 / 12), "2.b": np.zeros(5)}
            got = net.weights()
            self.assertEqual(list(got), list(want))
            for name, value in want.items():
                np.testing.assert_array_equal(got[name], value)

    def test_weights_that_are_set(self):
        with self.network() as net:
            net.step(*XOR)
            before = net.weights()
            net.set_weights({"2.w": np.ones((8, 2), np.float32), "2.b": [1, 2]})
            after = net.weights()
            np.testing.assert_array_equal(after["0.w"], before["0.w"])
            np.testing.assert_array_equal(after["2.w"], np.ones((8, 2)))
            hidden = np.maximum(XOR[0] @ after["0.w"] + after["0.b"], 0).sum(axis=1, keepdims=True)
            np.testing.assert_allclose(net.predict(XOR[0]), hidden + [[1, 2]], 1e-12)
            for wrong in {"2.w": np.ones((2, 8))}, {"1.w": [1.0]}, {"2.b": [1, 2], "0.w.m": 1}:
                with self.assertRaises(ValueError):
                    net.set_weights(wrong)
            np.testing.assert_array_equal(net.weights()["2.b"], [1, 2])

    def test_what_no_network_can_be(self):
        for layers in ([("afine", 3)], [("affine",)], [("conv", 2, 3)], ["batchnorm", "max_pool"],
                       ["relu", ("dropout", 0.5, {"P": 1})]):
            with self.assertRaisesRegex(ValueError, f"layer {len(layers) - 1}"):
                self.network(layers)
        for layers in ["batchnorm"], ["layernorm"], [("conv", 2, 5)], [("conv", 2, (1, 5))]:
            with self.assertRaisesRegex(ValueError, r"layer 0.*\(2, 4, 4\)"):
                self.network(layers, input=(2, 4, 4))
        for more in {"loss": "hinge"}, {"update": "momentum"}, {"dtype": "int64"}:
            with self.assertRaises(ValueError):
                self.network(**more)


@in_each_form
class Failures(unittest.TestCase):
    """A network goes on after them as one that never saw them."""

    def setUp(self):
        self.batches = [(numbers(5, 4, seed=i), np.arange(i, i + 5) % 3) for i in range(6)]

    def network(self, client):
        return layerd.Network(client, DENSE, input=4, update="adam", learning_rate=0.01)

    def losses(self, client, fail):
        """Of every batch's step, before the third of which something happens."""
        losses = []
        with self.network(client) as net:
            for i, batch in enumerate(self.batches):
                if i == 2:
                    fail(net)
                losses.append(net.step(*batch))
            return losses, net.weights()

    def same(self, client, fail):
        losses, weights = self.losses(client, fail)
        want, theirs = self.losses(self.client, lambda net: None)
        self.assertEqual(losses, want)
        for name, value in theirs.items():
            np.testing.assert_array_equal(weights[name], value)

    def test_a_batch_that_is_wrong(self):
        def fail(net):
            for x, y, code in ((numbers(5, 4), [0, 1, 2, 3, 0], "label_out_of_range"),
                               (numbers(5, 4), [0, 1, -2, 1, 0], "label_out_of_range"),
                               (numbers(5, 4), [0, 1, 256, 1, 0], "label_out_of_range"),
                               (numbers(5, 3), [0, 1, 2, 1, 0], "shape_mismatch"),
                               (numbers(5, 4), [0, 1], "shape_mismatch")):
                with self.assertRaises(layerd.InvalidRequest) as raised:
                    net.step(x, y)
                self.assertEqual(raised.exception.code, code)
        self.same(self.client, fail)

    def test_an_answer_that_is_lost(self):
        with Relay() as relay, layerd.Client(relay.url, form=self.form) as client:
            def fail(net):
                relay.loses = True
                for _ in range(2):
                    with self.assertRaises(layerd.ConnectionFailed):
                        net.step(*self.batches[2])
                with self.assertRaises(layerd.ConnectionFailed):
                    net.predict(self.batches[2][0])
                relay.loses = False
                self.assertEqual(net.t, 2)
            self.same(client, fail)

    def test_an_answer_that_is_late(self):
        with Relay() as relay, layerd.Client(relay.url, form=self.form) as client:
            def fail(net):
                relay.delay, client.timeout = 0.6, 0.2
                with self.assertRaises(layerd.TimedOut):
                    net.step(*self.batches[2])
                relay.delay, client.timeout = 0, 60
            self.same(client, fail)

    def test_an_interrupt(self):
        def interrupt(*_):
            raise KeyboardInterrupt

        with Relay() as relay, layerd.Client(relay.url, form=self.form) as client:
            def fail(net):
                relay.delay = 0.6
                before = signal.signal(signal.SIGALRM, interrupt)
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.2)
                    with self.assertRaises(KeyboardInterrupt):
                        net.step(*self.batches[2])
                finally:
                    signal.signal(signal.SIGALRM, before)
                relay.delay = 0
            self.same(client, fail)

    def test_a_budget_that_is_used_up(self):
        with daemon("--cache-budget", "64KiB") as url, layerd.Client(
                url, form=self.form, retries=0) as client:
            def fail(net):
                filled = []
                with self.assertRaises(layerd.Unavailable):
                    while True:
                        filled.append(client.put(numbers(100)))
                with self.assertRaises(layerd.Unavailable) as raised:
                    net.step(*self.batches[2])
                self.assertEqual(raised.exception.code, "cache_full")
            self.same(client, fail)

    def test_a_learning_rate_that_is_none(self):
        def fail(net):
            net.learning_rate = -1
            with self.assertRaises(layerd.InvalidRequest) as raised:
                net.step(*self.batches[2])
            self.assertEqual(raised.exception.code, "invalid_param")
            net.learning_rate = 0.01
        self.same(self.client, fail)

    def test_weights_that_are_gone(self):
        net = self.network(self.client)
        net.step(*self.batches[0])
        self.client.close()
        with self.assertRaises(layerd.Error) as raised:
            net.step(*self.batches[1])
        self.assertEqual((raised.exception.status, raised.exception.code), (404, "unknown_cache"))


@in_each_form
class Handles(unittest.TestCase):
    def network(self):
        return layerd.Network(self.client, DENSE, input=4, update="adam")

    def handles(self, net):
        return [tensor.handle for tensor in net._state.held.values()]

    def test_those_of_the_step_before_are_given_up_by_the_next_call(self):
        x, y = numbers(5, 4), [0, 1, 2, 0, 1]
        with self.network() as net:
            first = self.handles(net)
            net.step(x, y)
            second = self.handles(net)
            self.assertFalse(any(map(is_freed, second)))
            net.step(x, y)
            self.assertTrue(all(map(is_freed, first)))
            net.predict(x)
            self.assertTrue(all(map(is_freed, second)))
            self.assertFalse(any(map(is_freed, self.handles(net))))

    def test_close(self):
        net = self.network()
        net.step(numbers(5, 4), [0, 1, 2, 0, 1])
        held = self.handles(net)
        net.close()
        self.assertTrue(all(map(is_freed, held)))
        net.close()
        for use in (lambda: net.step(numbers(5, 4), [0] * 5), lambda: net.predict(numbers(5, 4)),
                    net.weights, lambda: net.set_weights({})):
            with self.assertRaisesRegex(ValueError, "closed"):
                use()

    def test_one_that_is_forgotten(self):
        net = self.network()
        net.step(numbers(5, 4), [0, 1, 2, 0, 1])
        held = self.handles(net)
        del net
        self.client.version()
        self.assertTrue(all(map(is_freed, held)))


class Expiry(unittest.TestCase):
    def test_all_of_a_network_lives_as_long_as_it_is_used(self):
        """What only steps use, too, in a second of predictions, and what is old is not missed."""
        with daemon("--cache-lifetime", "1s") as url, layerd.Client(url) as client, layerd.Network(
                client, DENSE, input=4, update="adam") as net:
            x, y = numbers(5, 4), [0, 1, 2, 0, 1]
            net.step(x, y)
            for _ in range(8):
                time.sleep(0.2)
                net.predict(x)
            net.step(x, y)
            time.sleep(2)
            with self.assertRaises(layerd.Error) as raised:
                net.step(x, y)
            self.assertEqual(raised.exception.code, "unknown_cache")
            with self.assertRaises(layerd.Error):
                net.predict(x)


class Wire(unittest.TestCase):
    def test_a_step_is_one_call_and_little_more_than_the_batch(self):
        """With weights that stay, 2 KiB beside it, both ways; adam's handles are three times as
        many."""
        x, y = numbers(64, 784, dtype=np.float32), np.arange(64) % 10
        for update, most in ("sgd", 2048), ("sgd_momentum", 2900), ("adam", 3700):
            with Relay() as relay, layerd.Client(relay.url) as client, layerd.Network(
                    client, [("affine", 100), "relu", ("affine", 10)], input=784, update=update,
                    learning_rate=1e-3, dtype="float32") as net:
                for _ in range(2):
                    net.step(x, y)
                relay.sent = relay.received = 0
                relay.requests.clear()
                for _ in range(10):
                    net.step(x, y)
                self.assertEqual(relay.requests, [b"POST /graph"] * 10)
                beside = (relay.sent + relay.received) / 10 - x.nbytes - y.nbytes
                self.assertLess(beside, most, update)


class Digits(unittest.TestCase):
    def test_it_reads_digits_that_it_has_not_seen(self):
        x, y, x_held, y_held = digits()
        layers = [("affine", 64), "batchnorm", "relu", ("dropout", 0.9), ("affine", 10)]
        with layerd.Client() as client, layerd.Network(
                client, layers, input=64, update="adam", learning_rate=5e-3, seed=3,
                dtype="float32") as net:
            draw = np.random.RandomState(0)
            for _ in range(8):
                order = draw.permutation(len(x))
                for begin in range(0, len(x), 50):
                    rows = order[begin:begin + 50]
                    loss = net.step(x[rows], y[rows])
            self.assertLess(loss, 0.3)
            self.assertGreater(np.mean(net.predict(x_held).argmax(axis=1) == y_held), 0.95)


if __name__ == "__main__":
    unittest.main()
