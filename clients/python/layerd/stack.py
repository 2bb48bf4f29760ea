"""The layers of a Network: what each makes of a shape, the arrays it has, the node it is."""
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple, Optional, Union

import numpy as np

from .origins import is_ours

Shape = tuple[int, ...]
Spec = Union[str, Sequence[Any]]  # "relu", ("affine", 100), ("conv", 16, 3, {"pad": 1})


class Layer(NamedTuple):
    """A layer in its place."""

    op: str
    out: Shape                           # of what it makes of one example
    weights: Mapping[str, Shape] = {}    # which it learns, by field
    running: Mapping[str, Shape] = {}    # which it moves, by field
    param_name: Optional[str] = None     # of the dictionary, as the operation has it
    params: Mapping[str, Any] = {}
    has_mode: bool = False

    def node(self, index: int, before: str, mode: str) -> dict[str, Any]:
        """The node of a graph that is this layer after a value named `before`. Its arrays are named
        by the field and its index: "w0"."""
        node = {"name": f"n{index}", "op": f"{self.op}/forward", "x": before}
        node.update({field: f"{field}{index}" for field in self.weights})
        params = {**self.params, **{field: f"{field}{index}" for field in self.running}}
        if self.has_mode:
            params["mode"] = mode
        if params:
            node[self.param_name] = params
        return node

    def first(self, field: str, draw: np.random.RandomState) -> np.ndarray:
        """What an array begins with: w drawn, sqrt(2 / inputs) wide; gamma ones; others zeros."""
        shape = self.weights.get(field) or self.running[field]
        if field == "w":
            inputs = shape[0] if self.op == "affine" else prod(shape[1:])
            return draw.randn(*shape) * np.sqrt(2 / inputs)
        return np.ones(shape) if field == "gamma" else np.zeros(shape)


def build(specs: Sequence[Spec], shape: Shape) -> list[Layer]:
    """The layers, one after the other, on examples of this shape. ValueError: one does not fit."""
    layers: list[Layer] = []
    for index, spec in enumerate(specs):
        name, *arguments = [spec] if isinstance(spec, str) else spec
        options = arguments.pop() if arguments and isinstance(arguments[-1], Mapping) else {}
        if name not in _KINDS:
            raise ValueError(f"layer {index} is {name!r}, but must be one of {', '.join(_KINDS)}")
        try:
            layers.append(_KINDS[name](shape, *arguments, **options))
        except (TypeError, ValueError) as error:
            if not is_ours(error):
                raise
            raise ValueError(f"layer {index}, {name}, on examples of shape {shape}: {error}"
                             ) from error
        shape = layers[-1].out
    return layers


def _affine(shape: Shape, outputs: int) -> Layer:
    return Layer("affine", (outputs,), {"w": (prod(shape), outputs), "b": (outputs,)})


def _relu(shape: Shape) -> Layer:
    return Layer("relu", shape)


def _dropout(shape: Shape, p: float, seed: Optional[int] = None) -> Layer:
    params = {"p": p} if seed is None else {"p": p, "seed": seed}
    return Layer("dropout", shape, {}, {}, "dropout_param", params, True)


def _batchnorm(shape: Shape, **params: float) -> Layer:
    _check(shape, 1, "a batch of vectors: for images there is spatial_batchnorm")
    return _moving("batchnorm", shape, shape, params)


def _spatial_batchnorm(shape: Shape, **params: float) -> Layer:
    _check(shape, 3, "images (C, H, W): for vectors there is batchnorm")
    return _moving("spatial_batchnorm", shape, shape[:1], params)


def _moving(op: str, shape: Shape, vector: Shape, params: Mapping[str, float]) -> Layer:
    return Layer(op, shape, {"gamma": vector, "beta": vector},
                 {"running_mean": vector, "running_var": vector}, "bn_param", params, True)


def _layernorm(shape: Shape, **params: float) -> Layer:
    _check(shape, 1, "a batch of vectors: for images there is spatial_groupnorm")
    return Layer("layernorm", shape, {"gamma": shape, "beta": shape}, {}, "ln_param", params)


def _spatial_groupnorm(shape: Shape, groups: int, **params: float) -> Layer:
    _check(shape, 3, "images (C, H, W): for vectors there is layernorm")
    return Layer("spatial_groupnorm", shape, {"gamma": shape[:1], "beta": shape[:1]}, {},
                 "gn_param", {"groups": groups, **params})


def _conv(shape: Shape, filters: int, size: Union[int, Sequence[int]], stride: int = 1,
          pad: int = 0) -> Layer:
    _check(shape, 3, "images (C, H, W)")
    sides = _sides(size)
    out = _windows(shape, sides, stride, pad)
    return Layer("conv", (filters, *out), {"w": (filters, shape[0], *sides), "b": (filters,)}, {},
                 "conv_param", {"stride": stride, "pad": pad})


def _max_pool(shape: Shape, size: Union[int, Sequence[int]], stride: Optional[int] = None
              ) -> Layer:
    _check(shape, 3, "images (C, H, W)")
    height, width = _sides(size)
    stride = height if stride is None else stride
    out = _windows(shape, (height, width), stride, 0)
    return Layer("max_pool", (shape[0], *out), {}, {}, "pool_param",
                 {"pool_height": height, "pool_width": width, "stride": stride})


def _check(shape: Shape, rank: int, what: str) -> None:
    if len(shape) != rank:
        raise ValueError(f"it takes {what}")


def _sides(size: Union[int, Sequence[int]]) -> Shape:
    height, width = (size, size) if np.asarray(size).ndim == 0 else size
    return height, width


def _windows(shape: Shape, sides: Shape, stride: int, pad: int) -> Shape:
    """How many windows there are one below the other, and side by side."""
    room = [length + 2 * pad - side for length, side in zip(shape[1:], sides)]
    if min(room) < 0 or stride < 1:
        raise ValueError(f"no window of {sides[0]} x {sides[1]} fits, {stride} apart, "
                         f"with {pad} zeros around")
    return tuple(left // stride + 1 for left in room)


_KINDS: dict[str, Callable[..., Layer]] = {
    "affine": _affine, "relu": _relu, "dropout": _dropout, "batchnorm": _batchnorm,
    "spatial_batchnorm": _spatial_batchnorm, "layernorm": _layernorm,
    "spatial_groupnorm": _spatial_groupnorm, "conv": _conv, "max_pool": _max_pool}
