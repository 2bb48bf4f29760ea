"""Backward against numerical gradients, and every function against NumPy's own."""
import unittest

import numpy as np
import reference
from support import in_each_form, numbers

from layerd import layers


def gradient(f, x, df, h=1e-5):
    """Of sum(f(x) * df), by central differences; x is changed in place on the way, as the course's
    checks do."""
    grad = np.zeros_like(x)
    for i in np.ndindex(*x.shape):
        old = x[i]
        x[i] = old + h
        above = np.sum(f(x) * df)
        x[i] = old - h
        below = np.sum(f(x) * df)
        x[i] = old
        grad[i] = (above - below) / (2 * h)
    return grad


@in_each_form
class Gradients(unittest.TestCase):
    def check(self, forward, got, *inputs_and_df):
        """forward(*inputs) -> out; got: the gradients of sum(out * df)."""
        *inputs, df = inputs_and_df
        for i, value in enumerate(inputs):
            def of(changed, i=i):
                return forward(*inputs[:i], changed, *inputs[i + 1:])
            np.testing.assert_allclose(got[i], gradient(of, value, df), 1e-6, 1e-8)

    def test_affine(self):
        x, w, b, dout = numbers(3, 2, 2), numbers(4, 5), numbers(5), numbers(3, 5, seed=1)
        _, cache = layers.affine_forward(x, w, b)
        self.check(lambda *inputs: layers.affine_forward(*inputs)[0],
                   layers.affine_backward(dout, cache), x, w, b, dout)

    def test_relu(self):
        x, dout = numbers(3, 4), numbers(3, 4, seed=1)
        _, cache = layers.relu_forward(x)
        self.check(lambda x: layers.relu_forward(x)[0],
                   [layers.relu_backward(dout, cache)], x, dout)

    def test_batchnorm(self):
        x, gamma, beta, dout = numbers(4, 3), numbers(3, seed=1), numbers(3), numbers(4, 3, seed=2)
        for mode in "train", "test":
            _, cache = layers.batchnorm_forward(x, gamma, beta, {"mode": mode})
            self.check(lambda *inputs: layers.batchnorm_forward(*inputs, {"mode": mode})[0],
                       layers.batchnorm_backward(dout, cache), x, gamma, beta, dout)

    def check_layer(self, name, dout, *inputs_and_params):
        """One whose parameters, after its arrays, are given as they are."""
        inputs = [value for value in inputs_and_params if isinstance(value, np.ndarray)]
        params = inputs_and_params[len(inputs):]
        forward = getattr(layers, name.format("forward"))
        _, cache = forward(*inputs, *params)
        got = getattr(layers, name.format("backward"))(dout, cache)
        self.check(lambda *changed: forward(*changed, *params)[0],
                   got if isinstance(got, tuple) else [got], *inputs, dout)

    def test_layernorm(self):
        self.check_layer("layernorm_{}", numbers(4, 5, seed=3), 5 * numbers(4, 5) + 12,
                         numbers(5, seed=1), numbers(5, seed=2), {})

    def test_conv(self):
        self.check_layer("conv_{}_naive", numbers(2, 2, 5, 4, seed=3), numbers(2, 3, 5, 4),
                         numbers(2, 3, 3, 3, seed=1), numbers(2, seed=2), {"stride": 1, "pad": 1})
        self.check_layer("conv_{}_naive", numbers(1, 2, 1, 3, seed=3), numbers(1, 2, 3, 5),
                         numbers(2, 2, 2, 1, seed=1), numbers(2, seed=2), {"stride": 2, "pad": 0})

    def test_max_pool(self):
        self.check_layer("max_pool_{}_naive", numbers(2, 2, 3, 2, seed=1), numbers(2, 2, 6, 4),
                         {"pool_height": 2, "pool_width": 2, "stride": 2})
        self.check_layer("max_pool_{}_naive", numbers(2, 2, 2, 2, seed=1), numbers(2, 2, 6, 5),
                         {"pool_height": 3, "pool_width": 3, "stride": 2})

    def test_spatial_batchnorm(self):
        for mode in "train", "test":
            self.check_layer("spatial_batchnorm_{}", numbers(2, 3, 4, 2, seed=3),
                             numbers(2, 3, 4, 2), numbers(3, seed=1), numbers(3, seed=2),
                             {"mode": mode})

    def test_spatial_groupnorm(self):
        self.check_layer("spatial_groupnorm_{}", numbers(2, 6, 2, 3, seed=3), numbers(2, 6, 2, 3),
                         numbers(1, 6, 1, 1, seed=1), numbers(1, 6, 1, 1, seed=2), 2, {})

    def test_dropout(self):
        x, dout = numbers(4, 3), numbers(4, 3, seed=1)
        param = {"p": 0.4, "mode": "train", "seed": 5}
        _, cache = layers.dropout_forward(x, param)
        self.check(lambda x: layers.dropout_forward(x, param)[0],
                   [layers.dropout_backward(dout, cache)], x, dout)

    def test_losses(self):
        x, y = numbers(4, 3), np.array([0, 2, 1, 1])
        for loss in layers.svm_loss, layers.softmax_loss:
            self.check(lambda x: loss(x, y)[0], [loss(x, y)[1]], x, 1.0)


@in_each_form
class AgainstNumPy(unittest.TestCase):
    def check(self, got, want):
        for ours, theirs in zip(got, want):
            self.assertEqual(np.shape(ours), np.shape(theirs))
            np.testing.assert_allclose(ours, theirs, 1e-11, 1e-13)

    def test_affine(self):
        inputs, dout = (numbers(5, 3, 2), numbers(6, 4), numbers(4)), numbers(5, 4)
        out, cache = layers.affine_forward(*inputs)
        want, kept = reference.affine_forward(*inputs)
        self.check([out, *layers.affine_backward(dout, cache)],
                   [want, *reference.affine_backward(dout, kept)])

    def test_relu(self):
        x, dout = numbers(2, 3, 4, 5), numbers(2, 3, 4, 5, seed=1)
        out, cache = layers.relu_forward(x)
        self.check([out, layers.relu_backward(dout, cache)],
                   [np.maximum(x, 0), reference.relu_backward(dout, x)])

    def test_batchnorm(self):
        ours, theirs = {"mode": "train", "momentum": 0.8}, {"mode": "train", "momentum": 0.8}
        for step in range(4):
            ours["mode"] = theirs["mode"] = "test" if step == 3 else "train"
            x, dout = numbers(6, 3, seed=step), numbers(6, 3, seed=9)
            out, cache = layers.batchnorm_forward(x, numbers(3), numbers(3), ours)
            want, kept = reference.batchnorm_forward(x, numbers(3), numbers(3), theirs)
            self.assertEqual(ours.keys(), theirs.keys())
            self.check(
                [out, ours["running_mean"], ours["running_var"],
                 *layers.batchnorm_backward(dout, cache)],
                [want, theirs["running_mean"], theirs["running_var"],
                 *reference.batchnorm_backward(dout, kept)])

    def test_dropout(self):
        for mode in "train", "test":
            x, param = numbers(50, 4), {"p": 0.7, "mode": mode, "seed": 12}
            out, cache = layers.dropout_forward(x, param)
            want, kept = reference.dropout_forward(x, param)
            self.check([out, layers.dropout_backward(x, cache)],
                       [want, reference.dropout_backward(x, kept)])

    def test_losses(self):
        x, y = 10 * numbers(7, 5), np.arange(7) % 5
        self.check(layers.svm_loss(x, y), reference.svm_loss(x, y))
        self.check(layers.softmax_loss(x, y), reference.softmax_loss(x, y))


if __name__ == "__main__":
    unittest.main()
