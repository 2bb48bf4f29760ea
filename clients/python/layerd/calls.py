"""What the drop-in's modules share: the client that they call, and what becomes of the course's
arrays on the way there and back."""
from collections.abc import Mapping
from typing import Any, Optional, Union

import numpy as np

from .arguments import floating
from .checks import Challenge, Verdict
from .client import Client
from .tensor import Tensor

_client: Optional[Client] = None


def set_client(client: Client) -> None:
    """Has every later call of the drop-in go through `client`."""
    global _client
    _client = client


def call(path: str, **values: Any) -> dict[str, Any]:
    """Client.call, of the client that was set, or else of one made now."""
    return _current().call(path, **values)


def check(path: str, /, *, claim: Mapping[str, Any], **values: Any) -> Verdict:
    """Client.check, of the drop-in's client: whether outputs of an operation are right.

        verdict = layerd.check("affine/forward", x=x, w=w, b=b, claim={"out": out})
    """
    return _current().check(path, claim=claim, **values)


def challenge(operation: str, **asked: Any) -> Challenge:
    """Client.challenge, of the drop-in's client: inputs whose outputs are to be claimed."""
    return _current().challenge(operation, **asked)


def answer(challenge: Union[Challenge, str], claim: Mapping[str, Any], **told: Any) -> Verdict:
    """Client.answer, of the drop-in's client: whether the answer to a challenge is right."""
    return _current().answer(challenge, claim, **told)


def _current() -> Client:
    global _client
    if _client is None:
        _client = Client()
    return _client


def numbers(*values: Any) -> list[Any]:
    """As arrays; those of integers as floats of the dtype that NumPy would compute in. A single
    number is of the first one's, as to NumPy 1 it does not decide the dtype of a result; with NumPy
    2, to which np.float64(1) is no such number, it does not here either. Kept tensors stay."""
    arrays = [value if isinstance(value, Tensor) else np.asarray(value) for value in values]
    if {array.dtype.kind for array in arrays} != {"f"}:
        common = floating(*[array.dtype for array in arrays])
        shaped = [array.dtype for array in arrays if not _is_single(array)]
        dtype = floating(*shaped) if shaped else common
        arrays = [array if array.dtype.kind == "f" or isinstance(array, Tensor) else
                  array.astype(dtype) for array in arrays]
    return [array.astype(arrays[0].dtype) if _is_single(array) else array for array in arrays]


def _is_single(array: Union[np.ndarray, Tensor]) -> bool:
    return not isinstance(array, Tensor) and not array.ndim


def row(value: np.ndarray, width: tuple[int, ...]) -> np.ndarray:
    """The vector of this shape that NumPy would broadcast a value to, to add it to rows. Where it
    would not, the value, for the daemon to say what is wrong with it. So of a kept tensor."""
    if isinstance(value, Tensor):
        return value
    one_row = value.ndim < 2 or value.ndim == 2 and len(value) == 1
    if not one_row or not width or value.size not in (1, *width):
        return value
    vector = np.empty(width, value.dtype)
    vector[:] = value.reshape(-1)
    return vector


def like(array: np.ndarray, *dtypes: np.dtype) -> np.ndarray:
    """A result, computed in the dtype of the whole call, in that of the inputs it depends on. A
    kept tensor stays."""
    if isinstance(array, Tensor):
        return array
    return array.astype(floating(*dtypes), copy=False)


def only(param: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """What an operation takes of a dictionary in which the course's code may keep more."""
    return {name: param[name] for name in names if name in param}
