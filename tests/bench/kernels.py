"""Times every operation of the library's table beside NumPy and, where it is there, PyTorch, with
the threads that its process may use; prints what it found as JSON. Run by part_kernels.py.

An operation whose result is not NumPy's is not timed."""
import json
import os
import sys
from time import perf_counter as now

import numpy as np

import peer_numpy
import shim
from report import in_turns, median, ratio

try:
    if os.environ.get("BENCH_TORCH") == "0":
        raise ImportError
    import peer_torch
    import torch
except ImportError:
    torch = peer_torch = None

ROUNDS, LEAST = 7, 0.002  # a figure takes at least so many seconds

# The lengths that stand for the letters of a layer's patterns, by the letter that tells its kind:
# M is a matrix product, C are scores of classes, D (and "...") anything else.
SHAPES = {
    "M": [(1, 784, 10), (64, 784, 100), (256, 784, 100), (1024, 4096, 1024)],
    "C": [(1, 10), (256, 10), (4096, 1000)],
    "D": [(1, 784), (64, 784), (256, 1024), (4096, 1024)],
}
LETTERS = {"M": "NDM", "C": "NC", "D": "ND"}


def kind_of(layer, table):
    patterns = "".join(f["shape"] for op in table if op.layer == layer for f in op.inputs)
    return next((letter for letter in "MC" if letter in patterns), "D")


def shape_of(pattern, lengths):
    letters = "ND" if pattern == "..." else pattern.replace("...", "").split()
    return tuple(lengths[letter] for letter in letters)


def arrays_of(operation, lengths, dtype):
    random = np.random.default_rng(0)
    for field in operation.inputs:
        shape = shape_of(field["shape"], lengths)
        if field["labels"]:
            yield random.integers(0, lengths["C"], shape)
        else:
            yield random.standard_normal(shape).astype(dtype)


def params_of(operation):
    values = {"choice": lambda p: p["choice"], "number": lambda p: p["number"],
              "integer": lambda p: 1}
    return {p["name"]: values[p["kind"]](p) for p in operation.params if p["kind"] in values}


def flat(result, name):
    """The arrays of a peer's answer, which for a forward is (out, cache)"""
    if name == "forward":
        result = result[:1]
    return [np.ravel(a) for a in (result if isinstance(result, tuple) else (result,))]


def is_numpys(ours, theirs, dtype):
    tolerance = 1e-10 if dtype == "float64" else 2e-4
    return len(ours) == len(theirs) and all(
        np.allclose(a, b, rtol=tolerance, atol=tolerance * max(1, np.abs(b).max(initial=0)))
        for a, b in zip(ours, theirs))


def seconds(work, times):
    start = now()
    for _ in range(times):
        work()
    return (now() - start) / times


def repeated(work):
    """`work(times)` with times that make it take long enough, warm"""
    work(1)
    times = max(1, round(LEAST / max(work(1), 1e-7)))
    return lambda: work(times)


class Case:
    """An operation at a shape in a dtype, with all that it takes."""

    def __init__(self, operation, table, lengths, dtype):
        self.operation, self.dtype, self.lengths = operation, dtype, lengths
        self.arrays = list(arrays_of(operation, lengths, dtype))
        self.params = params_of(operation)
        self.forward = None
        if operation.name == "backward":
            first = next(o for o in table if (o.layer, o.name) == (operation.layer, "forward"))
            self.forward = Case(first, table, lengths, dtype)
            self.forward.call.run()
        self.call = shim.Call(operation, self.arrays, self.params,
                              self.forward and self.forward.call)

    def close(self):
        self.call.close()
        if self.forward:
            self.forward.call.close()

    def peer(self, module, convert):
        """The operation as a function of nothing, by a peer's module"""
        operation = self.operation
        function = getattr(module, f"{operation.layer}_{operation.name}", None)
        if not function:
            return None
        given = [convert(a) for a in self.arrays]
        if self.forward:
            given.append(self.forward.peer(module, convert)()[1])
        if self.params:
            return lambda: function(*given, dict(self.params))
        return lambda: function(*given)

    def products(self):
        """(a, b, shape) of the matrix products that the operation is"""
        n, d, m = (self.lengths[letter] for letter in "NDM")
        if not self.forward:
            return [(self.arrays[0], self.arrays[1], (0, 0, n, m, d))]
        (x, w, _), dout = self.forward.arrays, self.arrays[0]
        return [(dout, w, (0, 1, n, d, m)), (x, dout, (1, 0, d, m, n))]

    def work(self):
        """(operations on numbers or bytes read and written, whether it is a product)"""
        if "M" in self.lengths:
            return sum(2 * m * n * k for _, _, (_, _, m, n, k) in self.products()), True
        outputs = sum(out.nbytes for out in self.call.outputs())
        return sum(a.nbytes for a in self.arrays) + outputs, False


def pytorch(case):
    """PyTorch's own; None where it does not take the shape (batchnorm of one row)"""
    try:
        work = case.peer(peer_torch, peer_torch.tensor)
        if work:
            work()
        return work
    except ValueError:
        return None


def measure(case):
    """One row"""
    numpy = case.peer(peer_numpy, lambda a: a)
    case.call.run()
    name = f"{case.operation.layer} {case.operation.name}"
    row = {"operation": name, "shape": list(case.lengths.values()), "dtype": case.dtype}
    if not numpy:
        return row | {"refused": "peer_numpy.py does not know it"}
    if not is_numpys(list(case.call.outputs()), flat(numpy(), case.operation.name), case.dtype):
        return row | {"refused": "its result is not NumPy's"}
    works = {"layerd": repeated(case.call.run),
             "NumPy": repeated(lambda times: seconds(numpy, times))}
    theirs = torch and pytorch(case)
    if theirs:
        works["PyTorch"] = repeated(lambda times: seconds(theirs, times))
    amount, is_product = case.work()
    if is_product:
        works["OpenBLAS"] = repeated(
            lambda times: sum(shim.product(*p, times) for p in case.products()))
    # threads of a BLAS spin for a while after its products: not into another's time
    seen = in_turns(ROUNDS, works, pause=0.04 if is_product else 0.002)
    row |= {who: median(times) for who, times in seen.items()}
    row |= {who + " ratio": ratio(seen[who], seen["layerd"]) for who in seen if who != "layerd"}
    return row | {"rate": amount / row["layerd"] / 1e9, "is_product": is_product}


def main():
    threads = int(sys.argv[1])
    if torch:
        torch.set_num_threads(threads)
    shim.library.bench_threads(threads)
    table = shim.operations()
    rows = []
    for operation in table:
        kind = kind_of(operation.layer, table)
        for lengths in SHAPES[kind]:
            for dtype in ("float64", "float32"):
                case = Case(operation, table, dict(zip(LETTERS[kind], lengths)), dtype)
                rows.append(measure(case))
                case.close()
    print(json.dumps({"copy": shim.copy_bandwidth(threads), "rows": rows}))


if __name__ == "__main__":
    main()
