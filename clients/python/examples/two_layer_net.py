"""Trains a two-layer network with batch normalisation and dropout on three spiral arms.

It is written as for the course: with `from .layers import *` in the place of the one import, NumPy
computes the same.
"""
from layerd.layers import *


def spirals(per_class=80, classes=3):
    """x (N, 2), y (N,): points on spiral arms, one a class."""
    x, y = [], []
    for arm in range(classes):
        radius = np.linspace(0.05, 1, per_class)
        angle = 4 * (radius + arm) + 0.2 * np.random.randn(per_class)
        x.append(np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1))
        y.append(np.full(per_class, arm))
    return np.concatenate(x), np.concatenate(y)


class TwoLayerNet:
    """affine - batchnorm - relu - dropout - affine - softmax"""

    def __init__(self, inputs=2, hidden=32, classes=3, keep=0.9, reg=1e-4):
        self.reg = reg
        self.bn_param = {}
        self.dropout_param = {"p": keep}
        self.params = {
            "W1": 0.5 * np.random.randn(inputs, hidden), "b1": np.zeros(hidden),
            "gamma": np.ones(hidden), "beta": np.zeros(hidden),
            "W2": 0.1 * np.random.randn(hidden, classes), "b2": np.zeros(classes),
        }

    def loss(self, x, y=None):
        """The scores (N, C) of x where there is no y; else the loss and its gradients by name."""
        p = self.params
        self.bn_param["mode"] = self.dropout_param["mode"] = "test" if y is None else "train"
        h, affine1 = affine_forward(x, p["W1"], p["b1"])
        h, batchnorm = batchnorm_forward(h, p["gamma"], p["beta"], self.bn_param)
        h, relu = relu_forward(h)
        h, dropout = dropout_forward(h, self.dropout_param)
        scores, affine2 = affine_forward(h, p["W2"], p["b2"])
        if y is None:
            return scores

        grads = {}
        loss, dscores = softmax_loss(scores, y)
        dh, grads["W2"], grads["b2"] = affine_backward(dscores, affine2)
        dh = relu_backward(dropout_backward(dh, dropout), relu)
        dh, grads["gamma"], grads["beta"] = batchnorm_backward(dh, batchnorm)
        _, grads["W1"], grads["b1"] = affine_backward(dh, affine1)
        for name in "W1", "W2":
            loss += 0.5 * self.reg * np.sum(p[name] ** 2)
            grads[name] += self.reg * p[name]
        return loss, grads


def train(model, x, y, steps=300, batch=32, rate=0.1, momentum=0.9):
    """Stochastic gradient descent with momentum; returns the loss of each step."""
    velocity = {name: np.zeros_like(value) for name, value in model.params.items()}
    losses = []
    for _ in range(steps):
        rows = np.random.choice(len(x), batch)
        loss, grads = model.loss(x[rows], y[rows])
        for name, grad in grads.items():
            velocity[name] = momentum * velocity[name] - rate * grad
            model.params[name] += velocity[name]
        losses.append(loss)
    return losses


def main():
    np.random.seed(231)
    x, y = spirals()
    model = TwoLayerNet()
    losses = train(model, x, y)
    accuracy = np.mean(np.argmax(model.loss(x), axis=1) == y)
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}, accuracy {accuracy:.1%}")


if __name__ == "__main__":
    main()
