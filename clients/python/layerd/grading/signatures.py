"""The operations as course code has them: names of functions, arguments in their order, results."""
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Signature:
    """How an operation is called.

    function    the name of its function
    takes       arguments, in order, by the operation's own names
    gives       results, in order
    forward     of a backward: the operation whose cache it takes
    moves       a dictionary among the arguments, or the second result, and what the call sets in it
    keys        names in that dictionary, where the course has others than the operation
    """

    function: str
    takes: tuple[str, ...]
    gives: tuple[str, ...]
    forward: Optional[str] = None
    moves: str = ""
    keys: Mapping[str, str] = ()  # type: ignore[assignment]


_NORM = ("x", "gamma", "beta")
_GRADIENTS_OF_NORM = ("dx", "dgamma", "dbeta")


def _layer(name: str, takes: tuple[str, ...], gradients: tuple[str, ...], suffix: str = "",
           moves: str = "") -> dict[str, Signature]:
    return {f"{name}/forward": Signature(f"{name}_forward{suffix}", takes, ("out",), moves=moves),
            f"{name}/backward": Signature(f"{name}_backward{suffix}", ("dout",), gradients,
                                          f"{name}/forward")}


def _update(name: str, keys: Optional[Mapping[str, str]] = None) -> dict[str, Signature]:
    return {f"{name}/update": Signature(name, ("w", "dw", "config"), ("next_w",), moves="config",
                                        keys=keys or {})}


_CS231N: dict[str, Signature] = {
    **_layer("affine", ("x", "w", "b"), ("dx", "dw", "db")),
    **_layer("relu", ("x",), ("dx",)),
    **_layer("batchnorm", (*_NORM, "bn_param"), _GRADIENTS_OF_NORM, moves="bn_param"),
    **_layer("layernorm", (*_NORM, "ln_param"), _GRADIENTS_OF_NORM),
    **_layer("dropout", ("x", "dropout_param"), ("dx",)),
    **_layer("conv", ("x", "w", "b", "conv_param"), ("dx", "dw", "db"), "_naive"),
    **_layer("max_pool", ("x", "pool_param"), ("dx",), "_naive"),
    **_layer("spatial_batchnorm", (*_NORM, "bn_param"), _GRADIENTS_OF_NORM, moves="bn_param"),
    **_layer("spatial_groupnorm", (*_NORM, "G", "gn_param"), _GRADIENTS_OF_NORM),
    "svm/loss": Signature("svm_loss", ("x", "y"), ("loss", "dx")),
    "softmax/loss": Signature("softmax_loss", ("x", "y"), ("loss", "dx")),
    **_update("sgd"), **_update("sgd_momentum"), **_update("rmsprop"), **_update("adam"),
}
COURSES: dict[str, dict[str, Signature]] = {
    "cs231n": _CS231N,
    "ece_c147": {**_CS231N, **_update("rmsprop", {"cache": "a"}),
                 **_update("adam", {"m": "v", "v": "a"})},
}

DROPOUT_CASES = {"dropout/forward": ("plain", "most", "images", "test"),
                 "dropout/backward": ("plain", "most", "images", "test")}

# Cases that a test has only where its rubric names them. Most right batchnorms keep no cache in
# test mode, since the courses never ask for a gradient there.
UNASKED = {("batchnorm/backward", "test"), ("spatial_batchnorm/backward", "test")}
