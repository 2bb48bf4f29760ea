"""A kept tensor: an array that the daemon holds, and that is named by a handle."""
from collections.abc import Sequence
from typing import Any, Optional

import numpy as np


class Tensor:
    """Stands for an array that the daemon keeps; that is freed some time after the last reference
    to this is gone, as with a Cache. It goes where an operation takes an array.

    handle  the daemon's name for it
    dtype   float64, float32 or, of labels, int64: what it was kept in

    Its shape is asked of the daemon where it is not known here; np.asarray fetches its numbers.

    Copies are the same tensor. A pickled one, or one made of a handle by hand, is a reference that
    does not keep the tensor alive.
    """

    def __init__(self, handle: str, dtype: Any = np.float64, client: Any = None,
                 shape: Optional[Sequence[int]] = None):
        self.handle = handle
        self.dtype: np.dtype = np.dtype(dtype)
        self.client = client  # which frees it, so it is there as long as this
        self._shape = None if shape is None else tuple(shape)

    @property
    def shape(self) -> tuple[int, ...]:
        if self._shape is None:
            self._shape = tuple(self._home().cache_info(self)["shape"])
        return self._shape

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> np.ndarray:
        return np.asarray(self._home().fetch(self), dtype)

    def _home(self) -> Any:
        if self.client is None:
            raise TypeError("this tensor is a reference without a client: ask one for it, by "
                            "client.fetch(tensor) or client.cache_info(tensor)")
        return self.client

    def __copy__(self) -> "Tensor":
        return self

    def __deepcopy__(self, memo: dict) -> "Tensor":
        return self

    def __reduce__(self) -> tuple:
        return Tensor, (self.handle, self.dtype, None, self._shape)

    def __repr__(self) -> str:
        return f"<layerd.Tensor {self.handle} of {self.dtype.name}>"
