"""A cache: what backward needs of a forward, kept by the daemon."""
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Optional

import numpy as np


class Cache(np.lib.mixins.NDArrayOperatorsMixin):
    """Stands for what the daemon keeps; that is freed some time after the last reference to this
    is gone (layerd.Client says how).

    handle  the daemon's name for it
    dtype   float64 or float32: the forward was computed in it, and the backward will be
    dtypes  those of the arrays that the forward was given, by name

    One of layerd.layers also looks like the course's own: `x, w, b = cache` or `cache[1]` for
    affine, `dropout_param, mask = cache` for dropout, `x, w, b, conv_param = cache` for conv,
    `x, pool_param = cache` for max_pool, and for relu the array x, with its operators and
    attributes.

    Copies are the same cache. A pickled one is a reference that does not keep the cache alive.
    """

    def __init__(self, handle: str, dtype: np.dtype, dtypes: Mapping[str, np.dtype],
                 client: object = None, content: Optional[Callable[[], Any]] = None):
        self.handle = handle
        self.dtype = dtype
        self.dtypes = dtypes
        self.client = client    # which frees it, so it is there as long as this
        self.content = content  # gives what the course would keep

    def __getitem__(self, index: Any) -> Any:
        return self._content()[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._content())

    def __len__(self) -> int:
        return len(self._content())

    def __array__(self, dtype: Optional[np.dtype] = None) -> np.ndarray:
        return np.asarray(self._content(), dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **keywords: Any) -> Any:
        plain = [value._content() if isinstance(value, Cache) else value for value in inputs]
        return getattr(ufunc, method)(*plain, **keywords)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "content" or self.content is None:
            raise AttributeError(f"a cache has no attribute {name}")
        return getattr(self.content(), name)

    def __eq__(self, other: Any) -> Any:
        return super().__eq__(other) if self._is_array() else self is other

    def __ne__(self, other: Any) -> Any:
        return super().__ne__(other) if self._is_array() else self is not other

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        return True

    def _is_array(self) -> bool:
        return self.content is not None and isinstance(self.content(), np.ndarray)

    def _content(self) -> Any:
        if self.content is None:
            raise TypeError("what this cache holds is known to the daemon alone")
        return self.content()

    def __copy__(self) -> "Cache":
        return self

    def __deepcopy__(self, memo: dict) -> "Cache":
        return self

    def __reduce__(self) -> tuple:
        return Cache, (self.handle, self.dtype, self.dtypes, None, self.content)

    def __repr__(self) -> str:
        return f"<layerd.Cache {self.handle} of {self.dtype.name}>"


class Watch(weakref.ref):
    """A weak reference that outlives its Cache or Tensor and still knows the handle. No code of
    Python's need run when that goes, in which what a signal handler raises would be lost."""

    handle = ""  # until it is set, before which a signal handler may raise
