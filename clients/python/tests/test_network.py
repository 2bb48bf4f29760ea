"""The example: the same network, its one import changed, by layerd and by NumPy."""
import pathlib
import pickle
import unittest

import numpy as np
from support import in_each_form

import layerd
from layerd import layers

EXAMPLE = pathlib.Path(__file__).resolve().parents[1] / "examples/two_layer_net.py"
IMPORT = "from layerd.layers import *"


def example(line):
    """The example's names, with this line in the place of its import of the layers."""
    names = {"__name__": "example"}
    source = EXAMPLE.read_text()
    assert source.count(IMPORT) == 1
    exec(compile(source.replace(IMPORT, line), EXAMPLE, "exec"), names)
    return names


@in_each_form
class Network(unittest.TestCase):
    def curve(self, line, seed, dtype=np.float64):
        """Losses, scores and the generator's next draw. The seed of dropout, where there is one,
        sets NumPy's generator at each step, and so decides the batches."""
        names = example(line)
        np.random.seed(231)
        x, y = names["spirals"]()
        model = names["TwoLayerNet"]()
        for name, value in model.params.items():
            model.params[name] = value.astype(dtype)
        model.dropout_param.update(seed)
        losses = names["train"](model, x.astype(dtype), y.astype(np.uint8), steps=25)
        return losses, model.loss(x.astype(dtype)), np.random.rand(), model

    def test_the_loss_curve_is_numpys(self):
        ours = self.curve(IMPORT, {"seed": 5})
        numpys = self.curve("from reference import *", {"seed": 5})
        np.testing.assert_allclose(ours[0], numpys[0], 0, 1e-10)
        np.testing.assert_allclose(ours[1], numpys[1], 1e-9, 1e-10)
        self.assertEqual(ours[2], numpys[2])
        self.assertLess(ours[0][-1], ours[0][0])

    def test_in_float32(self):
        ours = self.curve(IMPORT, {"seed": 5}, np.float32)
        numpys = self.curve("from reference import *", {"seed": 5}, np.float32)
        np.testing.assert_allclose(ours[0], numpys[0], 0, 1e-3)
        self.assertEqual({ours[1].dtype, *(value.dtype for value in ours[3].params.values())},
                         {np.dtype(np.float32)})

    def test_without_a_seed(self):
        ours, numpys = self.curve(IMPORT, {}), self.curve("from reference import *", {})
        np.testing.assert_allclose(ours[0], numpys[0], 0, 1e-10)
        self.assertEqual(ours[2], numpys[2])


class Example(unittest.TestCase):
    def test_it_learns_and_can_be_pickled(self):
        names = example(IMPORT)
        np.random.seed(231)
        x, y = names["spirals"]()
        model = names["TwoLayerNet"]()
        with layerd.Client() as client:
            layers.set_client(client)
            names["train"](model, x, y, steps=200)
            scores = model.loss(x)
            self.assertGreater(np.mean(np.argmax(scores, axis=1) == y), 0.9)
            pickle.dumps(model.__dict__)


if __name__ == "__main__":
    unittest.main()
