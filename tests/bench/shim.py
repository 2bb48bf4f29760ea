"""shim.c from Python: the library's operations and the machine's floors, timed in C."""
import ctypes as c

import numpy as np

from prepare import BUILD, THREADED_BLAS

DTYPES = {"float64": 0, "float32": 1}
library = c.CDLL(str((BUILD / "shim.so").resolve()))
blas = c.CDLL(str((THREADED_BLAS / "libopenblas.so.0").resolve()))
library.bench_describe.restype = c.c_void_p
library.bench_open.restype = c.c_void_p
library.bench_error.restype = c.c_char_p
library.bench_input.restype = c.c_bool
library.bench_tensor.restype = c.c_bool
for found in ("bench_output", "bench_tensor_after"):
    getattr(library, found).restype = c.c_void_p
COPIED = 64 << 20  # bytes: larger than the caches
use_threads = library.bench_threads
for timed in ("bench_run", "bench_copy", "bench_product", "bench_mask"):
    getattr(library, timed).restype = c.c_double


def pointer(array):
    return c.c_void_p(array.ctypes.data)


class Operation:
    """A row of the library's table."""

    def __init__(self, index, lines):
        self.index = index
        self.inputs, self.outputs, self.params = [], [], []
        for kind, *words in lines:
            if kind == "name":
                self.layer, self.name = words
            elif kind == "input":
                self.inputs.append({"name": words[0], "shape": words[1], "labels": words[2] == "1"})
            elif kind == "output":
                self.outputs.append({"name": words[0], "shape": words[1]})
            elif kind == "work":
                self.work = float(words[0]), words[1].split()
            else:
                self.params.append({"name": words[0], "kind": words[1], "choice": words[2],
                                    "number": float(words[3]), "shape": words[4]})


def operations():
    """Every operation of the table, in its order"""
    found = []
    while text := library.bench_describe(len(found)):
        lines = c.string_at(text).decode().splitlines()
        c.CDLL(None).free(c.c_void_p(text))
        found.append(Operation(len(found), [line.split("\t") for line in lines]))
    return found


class Call:
    """A call of an operation on given arrays, that may be run again and again."""

    def __init__(self, operation, arrays, params=None, forward=None):
        self.operation, self.arrays = operation, arrays
        self.forward = forward  # its cache refers to its arrays
        self.dtype = next(a.dtype for a in arrays if a.dtype.kind == "f")
        self.call = c.c_void_p(library.bench_open(operation.index, DTYPES[self.dtype.name]))
        for i, array in enumerate(arrays):
            self.give(library.bench_input, i, array)
        self.params = params or {}
        for i, param in enumerate(operation.params):
            if param["name"] in self.params:
                self.set(i, param, self.params[param["name"]])
        if forward:
            library.bench_cache(self.call, forward.call)

    def give(self, to, i, array):
        """A copy of the array"""
        shape = (c.c_size_t * array.ndim)(*array.shape)
        if not to(self.call, i, array.ndim, shape, pointer(array)):
            raise SystemExit(library.bench_error(self.call).decode())

    def set(self, i, param, value):
        if param["kind"] == "choice":
            library.bench_choice(self.call, i)
        elif param["kind"] == "tensor":
            self.give(library.bench_tensor, i, value)
        else:
            library.bench_number(self.call, i, c.c_double(value))

    def run(self, times=1):
        """Seconds a call"""
        seconds = library.bench_run(self.call, times)
        if seconds < 0:
            raise SystemExit(library.bench_error(self.call).decode())
        return seconds

    def outputs(self):
        """Copies of what the last call gave, flat: the outputs, and the given tensors that came
        back among the parameters"""
        for i in range(len(self.operation.outputs)):
            yield self.copied(library.bench_output, i)
        for i, param in enumerate(self.operation.params):
            if param["kind"] == "tensor" and param["name"] in self.params:
                yield self.copied(library.bench_tensor_after, i)

    def copied(self, found, i):
        size = c.c_size_t()
        data = found(self.call, i, c.byref(size))
        real = c.POINTER(c.c_double if self.dtype.itemsize == 8 else c.c_float)
        return np.ctypeslib.as_array(c.cast(data, real), (size.value,)).copy()

    def __del__(self):
        library.bench_close(self.call)


def product(a, b, shape, times=1, kept={}):
    """Seconds of bare OpenBLAS for shape = (transpose a, transpose b, m, n, k)"""
    m, n = shape[2:4]
    out = kept.setdefault((m, n, a.dtype.name), np.zeros((m, n), a.dtype))
    gemm = blas.cblas_dgemm if a.dtype == np.float64 else blas.cblas_sgemm
    return library.bench_product(c.cast(gemm, c.c_void_p), DTYPES[a.dtype.name],
                                 (c.c_int * 5)(*shape), pointer(a), pointer(b), pointer(out), times)


def copy(times=1, kept={}):
    """Seconds of a copy of COPIED bytes, every thread its part"""
    if not kept:
        kept.update((name, np.ones(COPIED, np.uint8)) for name in ("from", "to"))
    return library.bench_copy(pointer(kept["to"]), pointer(kept["from"]), c.c_size_t(COPIED), times)


def mask(seed, p, bits):
    """Seconds of dropout's mask into `bits`, 8 elements a byte"""
    return library.bench_mask(c.c_uint32(seed), c.c_double(p), c.c_size_t(8 * bits.size),
                              pointer(bits))
