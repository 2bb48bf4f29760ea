"""Functions of the drop-in beside those of the same names in NumPy, given the same."""
import copy
import itertools

import numpy as np
import reference

from layerd import layers

FLOATS = np.float32, np.float64


def dtypes(count):
    """Each choice of dtypes for so many arrays."""
    return itertools.product(FLOATS, repeat=count)


def compare_layers(case, name, dout, *inputs):
    """Runs a layer ("conv_{}_naive") forward and backward in both modules: values, shapes and
    dtypes of what comes back must be alike, and of what is then in dictionaries among the inputs.
    """
    found = []
    for module in layers, reference:
        its_own = copy.deepcopy(inputs)
        out, cache = getattr(module, name.format("forward"))(*its_own)
        gradients = getattr(module, name.format("backward"))(dout, cache)
        found.append([out, gradients, [param for param in its_own if isinstance(param, dict)]])
    compare(case, *found, tolerance=tolerance(dout, *inputs))


def tolerance(*inputs):
    """Relative and absolute: what rounding explains of a computation with these inputs."""
    arrays = []
    for value in inputs:
        arrays += value.values() if isinstance(value, dict) else [value]
    is_float32 = any(getattr(array, "dtype", None) == np.float32 for array in arrays)
    return (1e-4, 1e-5) if is_float32 else (1e-11, 1e-13)


def compare(case, got, want, tolerance):
    """Results of the drop-in, and of NumPy; in lists, tuples and dictionaries."""
    if isinstance(want, dict):
        case.assertEqual(got.keys(), want.keys())
        for name in want:
            compare(case, got[name], want[name], tolerance)
    elif isinstance(want, (list, tuple)):
        case.assertEqual(len(got), len(want))
        for ours, theirs in zip(got, want):
            compare(case, ours, theirs, tolerance)
    elif isinstance(want, (np.ndarray, np.generic)):
        case.assertEqual((got.shape, got.dtype), (want.shape, want.dtype))
        np.testing.assert_allclose(got, want, *tolerance)
    else:
        case.assertEqual(got, want)
