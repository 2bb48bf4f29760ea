"""generator: the mask that dropout draws, beside numpy.random's, bit for bit the same."""
from time import perf_counter as time

import numpy as np

import shim
from report import at_least, in_turns, median, ratio, result, table

SIZES, ROUNDS, SEED, P = [1 << 10, 1 << 16, 1 << 22], 9, 7, 0.5


def numpy_mask(size):
    np.random.seed(SEED)
    return np.random.rand(size) < P


def timed(work, times):
    start = time()
    for _ in range(times):
        work()
    return (time() - start) / times


def row(size):
    bits, times = np.zeros(size // 8, np.uint8), max(1, (1 << 18) // size)
    shim.mask(SEED, P, bits)
    if not np.array_equal(np.unpackbits(bits, bitorder="little"), numpy_mask(size)):
        raise SystemExit("dropout's mask is not NumPy's")
    seen = in_turns(ROUNDS, {
        "layerd": lambda: sum(shim.mask(SEED, P, bits) for _ in range(times)) / times,
        "mask": lambda: timed(lambda: numpy_mask(size), times),
        "rand": lambda: timed(lambda: np.random.rand(size), times)})
    each = [median(seen[name]) / size * 1e9 for name in ("layerd", "mask", "rand")]
    return [f"{size:,} elements", *each, ratio(seen["mask"], seen["layerd"]),
            ratio(seen["rand"], seen["layerd"])]


def run():
    rows = [row(size) for size in SIZES]
    made = table("Generator: a seed and its mask, ns an element",
                 ["", "layerd", "NumPy seed, rand < p", "rand alone", "mask ÷ layerd",
                  "rand alone ÷ layerd"], rows)
    worst = min(rows, key=lambda row: row[4])
    return result([made], targets=[at_least(f"NumPy ÷ dropout's mask of {worst[0]}", 3, worst[4])])
