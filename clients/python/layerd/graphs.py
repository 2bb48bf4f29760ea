"""Graphs, several operations in one call: what is sent of one, and what its handles stand for."""
from collections.abc import Mapping, Sequence
from typing import Any, Union

import numpy as np

from .arguments import INT64, cast, float_dtype, float_dtypes, floating, kept_dtype
from .cache import Cache
from .tensor import Tensor

Nodes = Sequence[Mapping[str, Any]]


def prepare(inputs: Mapping[str, Any], dtype: Any
            ) -> tuple[dict[str, np.ndarray], dict[str, dict[str, str]], np.dtype]:
    """The arrays among a graph's inputs; of the others what stands for them in its document; and
    the dtype of the call, found as for an operation where it is not given."""
    arrays: dict[str, Any] = {}
    handles: dict[str, dict[str, str]] = {}
    for name, value in inputs.items():
        if isinstance(value, (Cache, Tensor)):
            handles[name] = {"cache" if isinstance(value, Cache) else "tensor": value.handle}
        else:
            arrays[name] = np.asarray(value)
    if dtype is None:
        dtype = kept_dtype(inputs) or floating(*float_dtypes(arrays))
    else:
        dtype = float_dtype(dtype)
    return cast(arrays, dtype), handles, dtype


def stand_in(name: str, handle: str, nodes: Nodes, inputs: Mapping[str, Any], dtype: np.dtype,
             client: object) -> Union[Cache, Tensor]:
    """What stands for a kept value of this name: one of the inputs, as they were sent, or of the
    nodes' results."""
    value = inputs.get(name)
    if isinstance(value, Cache):
        return Cache(handle, value.dtype, value.dtypes, client)
    if isinstance(value, Tensor):
        return Tensor(handle, value.dtype, client)
    if isinstance(value, np.ndarray):
        kept_in = INT64 if value.dtype.kind == "u" else value.dtype
        return Tensor(handle, kept_in, client, value.shape)
    owner, _, field = name.partition(".")
    if field == "cache":
        node = next(node for node in nodes if node["name"] == owner)
        if node["op"] != "gradients":  # whose "d.cache" is that of an input named so
            return Cache(handle, dtype, dict.fromkeys(node, dtype), client)
    return Tensor(handle, dtype, client)
