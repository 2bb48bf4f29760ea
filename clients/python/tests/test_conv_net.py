"""layer_utils, and the example that is made of it: the same by layerd and by NumPy."""
import pathlib
import pickle
import sys
import types
import unittest

import numpy as np
from beside import compare
from support import in_each_form, numbers
from test_gradients import gradient

import layerd
from layerd import layer_utils, layers

EXAMPLE = pathlib.Path(__file__).resolve().parents[1] / "examples/conv_net.py"
IMPORTS = "from layerd.layer_utils import *", "from layerd.optim import adam"
NUMPYS = "from layer_utils_of_numpy import *", "from reference_optim import adam"


def module(name, path, before, after):
    """The module of a file, in which the lines `before` are those of `after`."""
    source = path.read_text()
    for old, new in zip(before, after):
        assert source.count(old) == 1
        source = source.replace(old, new)
    made = sys.modules[name] = types.ModuleType(name)
    made.__file__ = str(path)
    exec(compile(source, path, "exec"), made.__dict__)
    return made


numpys_utils = module("layer_utils_of_numpy", pathlib.Path(layer_utils.__file__),
                      ("from .layers import *", "from .fast_layers import *"),
                      ("from reference import *", "import reference"))
BY = {"layerd": module("example", EXAMPLE, (), ()),
      "NumPy": module("example_of_numpy", EXAMPLE, IMPORTS, NUMPYS)}


@in_each_form
class Utils(unittest.TestCase):
    def inputs(self):
        """By name, how each is called."""
        x, w, b = numbers(4, 2, 3), numbers(6, 5, seed=1), numbers(5, seed=2)
        gamma, beta = numbers(5, seed=3), numbers(5, seed=4)
        images, kernels = numbers(2, 3, 5, 4), numbers(5, 3, 3, 3, seed=1)
        conv, pool = {"stride": 1, "pad": 1}, {"pool_height": 2, "pool_width": 2, "stride": 2}
        return {"affine_relu": (x, w, b),
                "affine_bn_relu": (x, w, b, gamma, beta, {"mode": "train"}),
                "affine_ln_relu": (x, w, b, gamma, beta, {}),
                "conv_relu": (images, kernels, b, conv),
                "conv_bn_relu": (images, kernels, b, gamma, beta, conv, {"mode": "train"}),
                "conv_relu_pool": (images, kernels, b, conv, pool)}

    def test_beside_numpy(self):
        for name, inputs in self.inputs().items():
            found = []
            for utils in layer_utils, numpys_utils:
                out, cache = getattr(utils, f"{name}_forward")(*inputs)
                dout = numbers(*out.shape, seed=9)
                found.append([out, getattr(utils, f"{name}_backward")(dout, cache)])
            compare(self, *found, tolerance=(1e-10, 1e-12))

    def test_gradients(self):
        for name, inputs in self.inputs().items():
            forward = getattr(layer_utils, f"{name}_forward")
            out, cache = forward(*inputs)
            dout = numbers(*out.shape, seed=9)
            gradients = getattr(layer_utils, f"{name}_backward")(dout, cache)
            for i, got in enumerate(gradients[1:], 1):
                def changed(value, i=i):
                    return forward(*inputs[:i], value, *inputs[i + 1:])[0]
                np.testing.assert_allclose(got, gradient(changed, inputs[i], dout), 1e-5, 1e-7)


@in_each_form
class Network(unittest.TestCase):
    def curve(self, by, dtype):
        """Losses of the first epoch, the scores after it and the generator's next draw."""
        example = BY[by]
        np.random.seed(231)
        x, y, x_held, _ = example.digits()
        x, y = x[:200].astype(dtype), y[:200].astype(np.uint8)
        model = example.ThreeLayerConvNet(filters=4, hidden=20)
        for name, value in model.params.items():
            model.params[name] = value.astype(dtype)
        losses = example.train(model, x, y, epochs=2, batch=30)
        pickle.dumps(model)
        return losses, model.loss(x_held.astype(dtype)), np.random.rand()

    def test_the_loss_curve_is_numpys(self):
        ours, numpys = self.curve("layerd", np.float64), self.curve("NumPy", np.float64)
        np.testing.assert_allclose(ours[0], numpys[0], 0, 1e-10)
        np.testing.assert_allclose(ours[1], numpys[1], 1e-9, 1e-10)
        self.assertEqual(ours[2], numpys[2])
        self.assertLess(ours[0][-1], ours[0][0])

    def test_in_float32(self):
        ours, numpys = self.curve("layerd", np.float32), self.curve("NumPy", np.float32)
        np.testing.assert_allclose(ours[0], numpys[0], 0, 1e-3)
        self.assertEqual(ours[1].dtype, np.float32)


class Example(unittest.TestCase):
    def test_it_reads_digits_that_it_has_not_seen(self):
        example = BY["layerd"]
        np.random.seed(231)
        x, y, x_held, y_held = example.digits()
        model = example.ThreeLayerConvNet()
        with layerd.Client() as client:
            layers.set_client(client)
            example.train(model, x, y)
            scores = model.loss(x_held)
        self.assertEqual(len(y_held), 360)
        self.assertGreater(np.mean(np.argmax(scores, axis=1) == y_held), 0.97)


if __name__ == "__main__":
    unittest.main()
