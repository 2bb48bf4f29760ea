"""shim.c from Python: the library's operations and the machine's floors, timed in C."""
import ctypes as c

import numpy as np

from prepare import BUILD, THREADED_BLAS

DTYPES, LABELS = {"float64": 0, "float32": 1}, 2
library = c.CDLL(str((BUILD / "shim.so").resolve()))
blas = c.CDLL(str((THREADED_BLAS / "libopenblas.so.0").resolve()))
fused = c.CDLL(str((BUILD / "fused.so").resolve()))
library.bench_describe.restype = c.c_void_p
library.bench_open.restype = c.c_void_p
library.bench_graph_make.restype = c.c_void_p
for told in ("bench_error", "bench_graph_error"):
    getattr(library, told).restype = c.c_char_p
for made in ("bench_input", "bench_tensor", "bench_graph_input", "bench_graph_node",
             "bench_graph_gradients", "bench_graph_want"):
    getattr(library, made).restype = c.c_bool
for found in ("bench_output", "bench_tensor_after"):
    getattr(library, found).restype = c.c_void_p
COPIED = 64 << 20  # bytes: larger than the caches
use_threads = library.bench_threads
for timed in ("bench_run", "bench_graph_run", "bench_copy", "bench_product", "bench_mask"):
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


class Graph:
    """A graph's document, as POST /graph takes it, on tensors by name, to be run again and again.
    Parameters that it has are a node's first, and numbers."""

    def __init__(self, document, tensors):
        self.dtype = DTYPES[next(t.dtype.name for t in tensors.values() if t.dtype.kind == "f")]
        self.table = {f"{o.layer}/{o.name}": o for o in operations()}
        self.tensors = tensors
        self.parts = [self.input(*named) for named in tensors.items()]
        self.parts += [self.gradients(node) if node["op"] == "gradients" else self.node(node)
                       for node in document["nodes"]]
        self.parts += [(library.bench_graph_want, name.encode())
                       for name in document["give"] + document["keep"]]

    def input(self, name, array):
        dtype = self.dtype if array.dtype.kind == "f" else LABELS
        shape = (c.c_size_t * array.ndim)(*array.shape)
        return (library.bench_graph_input, name.encode(), dtype, array.ndim, shape, pointer(array))

    def node(self, node):
        operation = self.table[node["op"]]
        params = next((value for value in node.values() if isinstance(value, dict)), {})
        named = [param["name"] for param in operation.params[:len(params)]]
        return (library.bench_graph_node, node["name"].encode(), operation.index,
                *texts(node[field["name"]] for field in operation.inputs),
                len(params), (c.c_double * len(params))(*(params[name] for name in named)))

    def gradients(self, node):
        return (library.bench_graph_gradients, node["name"].encode(), *texts(node["of"]),
                *texts(node["for"]))

    def run(self):
        """Processor seconds of one run, without building it"""
        graph = c.c_void_p(library.bench_graph_make(self.dtype))
        if all(part(graph, *arguments) for part, *arguments in self.parts):
            seconds = library.bench_graph_run(graph)
            if seconds >= 0:
                return seconds
        raise SystemExit(library.bench_graph_error().decode())


def texts(names):
    """How many, and the names as C has them"""
    encoded = [name.encode() for name in names]
    return len(encoded), (c.c_char_p * len(encoded))(*encoded)


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


def fused_softmax(x, y, threads):
    """A function of how many calls: seconds of a plain loop's"""
    loop = fused.bench_softmax_f64 if x.dtype == np.float64 else fused.bench_softmax_f32
    loop.restype = c.c_double
    sizes, dx = [c.c_size_t(length) for length in x.shape], np.zeros_like(x)
    return lambda times: loop(*sizes, pointer(x), pointer(y), pointer(dx), threads, times)


def mask(seed, p, bits):
    """Seconds of dropout's mask into `bits`, 8 elements a byte"""
    return library.bench_mask(c.c_uint32(seed), c.c_double(p), c.c_size_t(8 * bits.size),
                              pointer(bits))
