"""The two forms of a body: safetensors and JSON. Each turns the arguments of a call into bytes and
an answer into results.

Arguments are, by name: a C-ordered array of float64, float32, int64 or uint8; a kept tensor; a
string; or a dictionary of these and of numbers (bn_param). Results are arrays, strings, numbers and
dictionaries of them.

A graph is a document, as JSON has it, and the arrays among its inputs.
"""
import json
import re
import struct
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Any, Union

import numpy as np

from .connection import Answer
from .decimals import written
from .tensor import Tensor

Value = Union[np.ndarray, Tensor, str, int, float, dict[str, Any]]


_NAMES: dict[np.dtype, str] = {
    np.dtype("<f8"): "F64", np.dtype("<f4"): "F32", np.dtype("<i8"): "I64",
    np.dtype("u1"): "U8"}
_DTYPES: dict[str, np.dtype] = {name: dtype for dtype, name in _NAMES.items()}
_INTEGER = re.compile(r"-?\d+")
_FLOAT = re.compile(r"-?(\d+(\.\d*)?([eE][-+]?\d+)?|Infinity)|NaN")
_NOT_FINITE = {text: float(text) for text in ("NaN", "Infinity", "-Infinity")}


class Form(ABC):
    """How a body is written and read."""

    content_type: str
    query: str  # of a request for an answer in this form

    @staticmethod
    @abstractmethod
    def encode(arguments: Mapping[str, Value], dtype: np.dtype) -> list[bytes]:
        """The body of a call of this dtype, in parts."""

    @staticmethod
    @abstractmethod
    def decode(answer: Answer, dtype: np.dtype) -> dict[str, Any]:
        """The results of a call of this dtype; each array owns its memory."""

    @staticmethod
    @abstractmethod
    def encode_graph(document: dict[str, Any], arrays: Mapping[str, np.ndarray], dtype: np.dtype
                     ) -> list[bytes]:
        """The body of a graph."""

    @staticmethod
    @abstractmethod
    def decode_graph(answer: Answer, dtype: np.dtype, keep: Collection[str]
                     ) -> tuple[dict[str, Any], dict[str, str]]:
        """The results of a graph, and the handles of what was to be kept."""


class Safetensors(Form):
    """Tensors as their bytes (https://github.com/huggingface/safetensors): exact, and no copy.

    A file is the length of its header (8 bytes, little-endian), the header, which is JSON, and the
    tensors. What is no tensor stands in the header's __metadata__, as a string."""

    content_type = "application/vnd.safetensors"
    query = ""

    @staticmethod
    def encode(arguments: Mapping[str, Value], dtype: np.dtype) -> list[bytes]:
        tensors: dict[str, np.ndarray] = {}
        metadata: dict[str, str] = {}
        for name, value in _flat(arguments):
            if isinstance(value, np.ndarray):
                tensors[name] = value
            elif isinstance(value, Tensor):
                metadata[name] = value.handle
                metadata["dtype"] = dtype_name(dtype)  # which no tensor of the file may tell
            else:
                metadata[name] = value if isinstance(value, str) else repr(value)
        return file_parts(tensors, metadata)

    @staticmethod
    def decode(answer: Answer, dtype: np.dtype) -> dict[str, Any]:
        results: dict[str, Any] = {}
        metadata, tensors = read_file(answer)
        for name, text in metadata.items():
            _put(results, name, text if name == "cache" else _number(text))
        for name, tensor in tensors.items():
            _put(results, name, tensor)
        return results

    @staticmethod
    def encode_graph(document: dict[str, Any], arrays: Mapping[str, np.ndarray], dtype: np.dtype
                     ) -> list[bytes]:
        if not any(array.dtype == dtype for array in arrays.values()):
            document = {"dtype": dtype_name(dtype), **document}
        return file_parts(arrays, {"graph": _document(document).decode()})

    @staticmethod
    def decode_graph(answer: Answer, dtype: np.dtype, keep: Collection[str]
                     ) -> tuple[dict[str, Any], dict[str, str]]:
        metadata, results = read_file(answer)
        kept = {name: metadata.pop(f"kept.{name}") for name in keep}
        return {**results, **{name: _number(text) for name, text in metadata.items()}}, kept


def file_parts(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> list[bytes]:
    """A safetensors file, in parts."""
    entries = [f'"__metadata__":{json.dumps(metadata)}'] if metadata else []
    parts: list[Any] = [b""]
    offset = 0
    # The wide ones first: each then lies at a multiple of its width.
    for name, tensor in sorted(tensors.items(), key=lambda item: -item[1].itemsize):
        end = offset + tensor.nbytes
        # By hand: json.dumps of the whole header takes a tenth of a small call.
        entries.append(f'{json.dumps(name)}:{{"dtype":"{_NAMES[tensor.dtype]}","shape":'
                       f'{[*tensor.shape]},"data_offsets":[{offset},{end}]}}')
        parts.append(_bytes(tensor))
        offset = end
    header = f"{{{','.join(entries)}}}".encode()
    header += b" " * (-len(header) % 8)
    parts[0] = struct.pack("<Q", len(header)) + header
    return parts


def read_file(answer: Answer) -> tuple[dict[str, str], dict[str, Any]]:
    """The __metadata__ of a safetensors file, and its tensors."""
    header = json.loads(answer.read(struct.unpack("<Q", answer.read(8))[0]))
    metadata = header.pop("__metadata__", {})
    tensors: dict[str, Any] = {}
    offset = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        tensor = np.empty(entry["shape"], _DTYPES[entry["dtype"]])
        if entry["data_offsets"] != [offset, offset + tensor.nbytes]:
            raise ValueError(f"{name} lies where it should not")
        if tensor.size:
            answer.readinto(_bytes(tensor))
        offset += tensor.nbytes
        tensors[name] = tensor
    return metadata, tensors


class Json(Form):
    """Tensors as decimals, to be read by eye: exact too, and some twenty times slower."""

    content_type = "application/json"
    query = "tensors=flat"  # a nested list cannot tell (0, 3) from (0,)

    @staticmethod
    def encode(arguments: Mapping[str, Value], dtype: np.dtype) -> list[bytes]:
        return Json.body({"dtype": dtype_name(dtype), **arguments})

    @staticmethod
    def body(members: Mapping[str, Value]) -> list[bytes]:
        """That of a request which is not a call's."""
        return [_json({**members})]

    @staticmethod
    def decode(answer: Answer, dtype: np.dtype) -> dict[str, Any]:
        return {name: _from_json(value, dtype)
                for name, value in json.loads(answer.read(answer.length)).items()}

    @staticmethod
    def encode_graph(document: dict[str, Any], arrays: Mapping[str, np.ndarray], dtype: np.dtype
                     ) -> list[bytes]:
        inputs = {**document.get("inputs", {}), **arrays}
        members = b",".join(b"%s:%s" % (_json(name), _input(held)) for name, held in inputs.items())
        rest = {name: value for name, value in document.items() if name != "inputs"}
        return [b'{"dtype":"%s","inputs":{%s},%s' % (dtype_name(dtype).encode(), members,
                                                     _document(rest)[1:])]

    @staticmethod
    def decode_graph(answer: Answer, dtype: np.dtype, keep: Collection[str]
                     ) -> tuple[dict[str, Any], dict[str, str]]:
        document = Json.decode(answer, dtype)
        return document["results"], document["kept"]


def _document(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), default=_number_of_numpy).encode()


def _number_of_numpy(value: Any) -> Union[int, float]:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a node holds {value!r}, but takes arrays and what is kept by the names of "
                    "inputs")


def _input(value: Any) -> bytes:
    """An input of a graph: labels say that they are some."""
    text = _json(value)
    is_labels = isinstance(value, np.ndarray) and value.dtype.kind in "iu"
    return text[:-1] + b',"dtype":"int64"}' if is_labels else text


def dtype_name(dtype: np.dtype) -> str:
    return f"float{8 * dtype.itemsize}"  # NumPy's own takes any KeyError for its own (origins.py)


def _json(value: Value) -> bytes:
    if isinstance(value, dict):
        members = [b"%s:%s" % (_json(name), _json(held)) for name, held in value.items()]
        return b"{%s}" % b",".join(members)
    if isinstance(value, Tensor):
        return _json({"tensor": value.handle})
    if isinstance(value, np.ndarray):
        return b'{"shape":%s,"data":[%s]}' % (json.dumps(value.shape).encode(), written(value))
    return json.dumps(value).encode()


def _from_json(value: Any, dtype: np.dtype) -> Any:
    if isinstance(value, str):
        return _NOT_FINITE.get(value, value)
    if not isinstance(value, dict):
        return value
    if not value.keys() >= {"shape", "data"}:
        return {name: _from_json(held, dtype) for name, held in value.items()}
    array = np.array(value["data"], value.get("dtype", dtype))  # which reads "NaN" as a number
    array.shape = value["shape"]  # reshape's would not own its memory
    return array


def _flat(arguments: Mapping[str, Value]) -> list[tuple[str, Any]]:
    """Names and values, those of a dictionary as "bn_param.mode"."""
    pairs: list[tuple[str, Any]] = []
    for name, value in arguments.items():
        if isinstance(value, dict):
            pairs += [(f"{name}.{inner}", held) for inner, held in value.items()]
        else:
            pairs.append((name, value))
    return pairs


def _put(results: dict[str, Any], name: str, value: Any) -> None:
    """Sets results["bn_param"]["mode"] by the name "bn_param.mode"."""
    *path, last = name.split(".")
    for part in path:
        results = results.setdefault(part, {})
    results[last] = value


def _number(text: str) -> Union[str, int, float]:
    """The number that a text is, or else the text."""
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _bytes(array: np.ndarray) -> memoryview:
    """The memory of a C-ordered array."""
    return array.data.cast("B") if array.size else memoryview(b"")  # no cast of no elements
