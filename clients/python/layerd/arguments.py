"""Arguments of a call as its body takes them: arrays of one dtype, strings, numbers, and what the
daemon keeps."""
from collections.abc import Iterator, Mapping
from typing import Any, Optional

import numpy as np

from .cache import Cache
from .forms import Value
from .tensor import Tensor

FLOAT64: np.dtype = np.dtype(np.float64)
FLOAT32: np.dtype = np.dtype(np.float32)
MASK: np.dtype = np.dtype(np.uint8)
INT64: np.dtype = np.dtype(np.int64)


def floating(*dtypes: np.dtype) -> np.dtype:
    """The dtype, float64 or float32, that a computation with arrays of these dtypes is done in:
    NumPy's common one, or float64 where that is one of integers."""
    common: np.dtype = np.result_type(*dtypes) if dtypes else FLOAT64
    if common.kind not in "biuf":
        raise TypeError(f"an array is of dtype {common}, but must be of numbers")
    return FLOAT32 if common.kind == "f" and common.itemsize <= 4 else FLOAT64


def float_dtype(given: Any) -> np.dtype:
    """float64 or float32. ValueError: what was given is another dtype."""
    dtype: np.dtype = np.dtype(given)
    if dtype not in (FLOAT64, FLOAT32):
        raise ValueError(f"the dtype is {given}, but must be float64 or float32")
    return dtype


def prepare(arguments: Mapping[str, Any]) -> tuple[dict[str, Value], np.dtype]:
    """The arguments as forms.py takes them, and the dtype of the call: that of what is kept among
    them, or else the common one of all floats."""
    values = {name: _plain(value) for name, value in arguments.items()}
    dtype = kept_dtype(arguments) or floating(*float_dtypes(values))
    return cast(values, dtype), dtype


def kept_dtype(arguments: Mapping[str, Any]) -> Optional[np.dtype]:
    """The dtype of what is kept among arguments, labels aside; None: nothing is."""
    return next((value.dtype for value in _kept(arguments) if value.dtype.kind == "f"), None)


def _kept(arguments: Mapping[str, Any]) -> Iterator[Any]:
    for value in arguments.values():
        if isinstance(value, (Cache, Tensor)):
            yield value
        elif isinstance(value, Mapping):
            yield from _kept(value)


def _plain(value: Any) -> Value:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Mapping):
        return {name: _plain(held) if _is_whole(held) else np.asarray(held).item()
                for name, held in value.items()}
    if isinstance(value, Cache):
        return value.handle
    return value if isinstance(value, str) else np.asarray(value)


def _is_whole(held: Any) -> bool:
    """Whether what a parameter holds is no number: a string, or an array, a mask of rank 0 too."""
    if isinstance(held, Tensor):
        return True
    array = np.asarray(held)  # not np.ndim, which takes any AttributeError for its own (origins.py)
    is_mask = isinstance(held, np.ndarray) and array.dtype == MASK  # not np.uint8(2)
    return isinstance(held, str) or array.ndim > 0 or is_mask


def float_dtypes(values: Mapping[str, Value]) -> list[np.dtype]:
    found = []
    for value in values.values():
        if isinstance(value, dict):
            found += float_dtypes(value)
        elif isinstance(value, np.ndarray) and value.dtype.kind not in "iu":
            found.append(value.dtype)
    return found


def cast(values: Mapping[str, Value], dtype: np.dtype, are_parameters: bool = False
         ) -> dict[str, Value]:
    """The same, with C-ordered arrays of `dtype`, int64 and uint8."""
    result: dict[str, Value] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            value = cast(value, dtype, are_parameters=True)
        elif isinstance(value, np.ndarray):
            kind = _kind(value.dtype, dtype, are_parameters)
            value = value.astype(kind, order="C", copy=False)
        result[name] = value
    return result


def _kind(held: np.dtype, dtype: np.dtype, is_parameter: bool) -> np.dtype:
    """The dtype in which an array of dtype `held` is sent. Integers are labels, but as parameters
    numbers; truth values as parameters are a mask."""
    if held == MASK or is_parameter and held.kind == "b":
        return MASK
    return INT64 if held.kind in "iu" and not is_parameter else dtype
