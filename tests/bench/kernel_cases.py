"""What the kernels part times: every operation of the library's table at its shapes, in both
dtypes, with the same inputs in every process that makes them."""
from math import prod

import numpy as np

import shim

# The lengths that stand for the letters of a layer's patterns, by the letter that tells its kind:
# M is a matrix product, C are scores of classes, D (and "...") anything else.
SHAPES = {
    "M": [(1, 784, 10), (64, 784, 100), (256, 784, 100), (1024, 4096, 1024)],
    "C": [(1, 10), (256, 10), (4096, 1000)],
    "D": [(1, 784), (64, 784), (256, 1024), (4096, 1024)],
}
LETTERS = {"M": "NDM", "C": "NC", "D": "ND"}


class Case:
    """An operation at a shape in a dtype; a backward with the forward that it is of."""

    def __init__(self, operation, first, lengths, dtype):
        self.operation, self.lengths, self.dtype = operation, lengths, dtype
        self.name = f"{operation.layer} {operation.name}"
        self.forward = Case(first, None, lengths, dtype) if operation.name == "backward" else None
        self.is_product = "M" in lengths
        self.is_seeded = any(p["kind"] == "integer" for p in operation.params)
        self.is_elementwise = not self.is_seeded and all(
            field["shape"] == "..." for field in operation.inputs + operation.outputs)
        self.is_largest = tuple(lengths.values()) in [shapes[-1] for shapes in SHAPES.values()]

    def text(self, dtype=True):
        n, *rest = self.lengths.values()
        shape = f"({n},{rest[0]})" + (f"·({rest[0]},{rest[1]})" if self.is_product else "")
        return f"{self.name} {shape}" + (f" {self.dtype}" if dtype else "")

    def shape(self, field):
        pattern = field["shape"]
        letters = "ND" if pattern == "..." else pattern.replace("...", "").split()
        return tuple(self.lengths[letter] for letter in letters)

    def arrays(self):
        random = np.random.default_rng(0)
        return [random.integers(0, self.lengths["C"], self.shape(field)) if field["labels"]
                else random.standard_normal(self.shape(field)).astype(self.dtype)
                for field in self.operation.inputs]

    def params(self):
        values = {"choice": lambda p: p["choice"], "number": lambda p: p["number"],
                  "integer": lambda p: 1}
        return {p["name"]: values[p["kind"]](p) for p in self.operation.params
                if p["kind"] in values}

    def products(self):
        """(a, b, shape) of the matrix products that the operation is"""
        n, d, m = (self.lengths[letter] for letter in "NDM")
        if not self.forward:
            x, w, _ = self.arrays()
            return [(x, w, (0, 0, n, m, d))]
        (x, w, _), (dout,) = self.forward.arrays(), self.arrays()
        return [(dout, w, (0, 1, n, d, m)), (x, dout, (1, 0, d, m, n))]

    def amount(self):
        """Operations on numbers of a product, bytes read and written of anything else"""
        if self.is_product:
            return 2 * prod(self.lengths.values()) * (2 if self.forward else 1)
        return sum(prod(self.shape(field)) * (8 if field.get("labels") else
                                              np.dtype(self.dtype).itemsize)
                   for field in self.operation.inputs + self.operation.outputs)


def cases():
    table = shim.operations()
    for operation in table:
        layer = [o for o in table if o.layer == operation.layer]
        patterns = "".join(field["shape"] for o in layer for field in o.inputs)
        kind = next((letter for letter in "MC" if letter in patterns), "D")
        for lengths in SHAPES[kind]:
            for dtype in ("float64", "float32"):
                yield Case(operation, layer[0], dict(zip(LETTERS[kind], lengths)), dtype)
