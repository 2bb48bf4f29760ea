"""Trains the homework's three-layer convolutional network on handwritten digits of 8 × 8 pixels.

It is written as for the course: with its layer_utils.py and optim.py in the place of the two
imports, NumPy computes the same.
"""
import pathlib

from layerd.layer_utils import *
from layerd.optim import adam

DIGITS = pathlib.Path(__file__).resolve().parents[3] / "tests/data/digits.csv"


class ThreeLayerConvNet:
    """conv - relu - 2x2 max pool - affine - relu - affine - softmax"""

    conv_param = {"stride": 1, "pad": 1}
    pool_param = {"pool_height": 2, "pool_width": 2, "stride": 2}

    def __init__(self, image=(1, 8, 8), filters=16, size=3, hidden=64, classes=10, reg=1e-3):
        self.reg = reg
        channels, height, width = image
        shapes = {"W1": (filters, channels, size, size),
                  "W2": (filters * (height // 2) * (width // 2), hidden), "W3": (hidden, classes)}
        inputs = {"W1": channels * size * size, "W2": shapes["W2"][0], "W3": hidden}
        self.params = {name: np.random.randn(*shape) * np.sqrt(2 / inputs[name])
                       for name, shape in shapes.items()}
        self.params.update(b1=np.zeros(filters), b2=np.zeros(hidden), b3=np.zeros(classes))

    def loss(self, x, y=None):
        """The scores (N, C) of x where there is no y; else the loss and its gradients by name."""
        p = self.params
        h, layer1 = conv_relu_pool_forward(x, p["W1"], p["b1"], self.conv_param, self.pool_param)
        h, layer2 = affine_relu_forward(h, p["W2"], p["b2"])
        scores, layer3 = affine_forward(h, p["W3"], p["b3"])
        if y is None:
            return scores

        grads = {}
        loss, dscores = softmax_loss(scores, y)
        dh, grads["W3"], grads["b3"] = affine_backward(dscores, layer3)
        dh, grads["W2"], grads["b2"] = affine_relu_backward(dh, layer2)
        _, grads["W1"], grads["b1"] = conv_relu_pool_backward(dh, layer1)
        for name in "W1", "W2", "W3":
            loss += 0.5 * self.reg * np.sum(p[name] ** 2)
            grads[name] += self.reg * p[name]
        return loss, grads


def digits():
    """Images (N, 1, 8, 8) and their labels (N,): those to train on, and every fifth, held back."""
    rows = np.loadtxt(DIGITS, delimiter=",", dtype=int)
    x, y = rows[:, :64].reshape(-1, 1, 8, 8) / 16, rows[:, 64]
    held = np.arange(len(x)) % 5 == 0
    return x[~held], y[~held], x[held], y[held]


def train(model, x, y, epochs=12, batch=50, rate=5e-3, decay=0.85):
    """Adam over shuffled batches, its rate smaller with each epoch; returns each step's loss."""
    configs = {name: {"learning_rate": rate} for name in model.params}
    losses = []
    for _ in range(epochs):
        order = np.random.permutation(len(x))
        for rows in np.split(order, range(batch, len(x), batch)):
            loss, grads = model.loss(x[rows], y[rows])
            for name, grad in grads.items():
                model.params[name], configs[name] = adam(model.params[name], grad, configs[name])
            losses.append(loss)
        for config in configs.values():
            config["learning_rate"] *= decay
    return losses


def main():
    np.random.seed(231)
    x, y, x_held, y_held = digits()
    model = ThreeLayerConvNet()
    losses = train(model, x, y)
    accuracy = np.mean(np.argmax(model.loss(x_held), axis=1) == y_held)
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}, accuracy {accuracy:.1%} held back")


if __name__ == "__main__":
    main()
