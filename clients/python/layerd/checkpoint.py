"""Checkpoints: safetensors files of arrays by name, with texts in their __metadata__."""
import contextlib
import os
from collections.abc import Mapping
from typing import Any, Union

import numpy as np

from .connection import Answer
from .forms import file_parts, read_file
from .origins import is_ours

Path = Union[str, "os.PathLike[str]"]


def write(path: Path, arrays: Mapping[str, np.ndarray], texts: Mapping[str, str]) -> None:
    """Writes a file. One of this name that was there before stays whole until this is."""
    beside = f"{os.fspath(path)}.{os.getpid()}.part"
    try:
        with open(beside, "wb") as file:
            file.writelines(file_parts(arrays, texts))
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
        raise


def read(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The arrays and texts of a file. ValueError: it is none."""
    with open(path, "rb") as file:
        try:
            texts, arrays = read_file(Answer(200, "", {}, os.fstat(file.fileno()).st_size, file))
        except (ValueError, LookupError, TypeError, ConnectionError) as error:
            if not is_ours(error):
                raise
            raise ValueError(f"{os.fspath(path)} is no safetensors file of float64, float32, int64 "
                             f"or uint8: {error}") from error
    return arrays, texts
