"""One of those that the kernels part sets beside each other, in a process of its own:

    kernels.py layerd|NumPy|PyTorch|floor|loop THREADS

Answers what it is asked over its input and output, in pickled objects. The number of a case: makes
it ready, and gives its results, an empty list where it has none to compare, None where it does not
know the case. None: seconds that a call of this case takes. run() of part_kernels.py asks."""
import pickle
import sys
from time import perf_counter as now

import numpy as np

import shim
from kernel_cases import cases

LEAST = 0.005  # a figure takes at least so many seconds


# ---- each gives (seconds a call takes, as a function of how many are made; results) --------------

def layerd(case):
    forward = case.forward and layerd_call(case.forward)
    call = layerd_call(case, forward)
    return call.run, list(call.outputs())


def layerd_call(case, forward=None):
    call = shim.Call(case.operation, case.arrays(), case.params(), forward)
    call.run()
    return call


def floor(case):
    """Bare OpenBLAS of a product, a copy of what is measured in bytes"""
    if not case.counts_flops:
        return shim.copy, []
    if case.kind != "product":
        return None, None
    products = case.products()

    def work(times):
        return sum(shim.product(*p, times) for p in products)
    work(1)
    return work, []


def loop(case):
    """A plain loop in C, of what there is one of"""
    if case.name != "softmax loss":
        return None, None
    work = shim.fused_softmax(*case.arrays(), int(sys.argv[2]))
    work(1)
    return work, []


def numpy(case):
    """Results are the arrays given back, and those given as parameters as they came back"""
    import peer_numpy
    call = call_of(peer_numpy, lambda array: array, case)
    if not call:
        return None, None
    result, params = call()
    arrays = result if isinstance(result, tuple) else (result,)
    if case.operation.name in ("forward", "update"):  # (out, cache), (next_w, config)
        arrays = arrays[:1]
    arrays += tuple(params[p["name"]] for p in case.operation.params if p["kind"] == "tensor")
    return timed(call), [np.array(a).ravel() for a in arrays]


def pytorch(case):
    import peer_torch
    try:
        call = call_of(peer_torch, peer_torch.tensor, case)
        if call:
            call()
            return timed(call), []
    except ValueError:  # batchnorm of one row
        pass
    return None, None


def call_of(module, convert, case):
    """The operation as a function of nothing, by a peer's module: (what it gives, its parameters as
    it left them), or None where the module does not know it"""
    function = getattr(module, f"{case.operation.layer}_{case.operation.name}", None)
    if not function:
        return None
    given = [convert(a) for a in case.arrays()]
    if case.forward:
        (_, cache), _ = call_of(module, convert, case.forward)()
        given.append(cache)
    params = {name: convert(value) if isinstance(value, np.ndarray) else value
              for name, value in case.params().items()}

    def call():
        own = dict(params)
        return function(*given, *([own] if own else [])), own
    return call


def timed(work):
    def seconds(times):
        start = now()
        for _ in range(times):
            work()
        return (now() - start) / times
    return seconds


# ---- questions and answers ---------------------------------------------------------------------

def repeated(work):
    """Seconds of a call, of as many as take long enough; short ones after one that is not counted:
    it brings back to the caches what the others have pushed out"""
    times = max(1, round(LEAST / max(work(1), 1e-7)))

    def seconds():
        if times > 1:
            work(1)
        return work(times)
    return seconds


def questions():
    while True:
        try:
            yield pickle.load(sys.stdin.buffer)
        except EOFError:
            return


def answer(given):
    pickle.dump(given, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def main():
    who, threads = sys.argv[1], int(sys.argv[2])
    shim.use_threads(threads)
    if who == "PyTorch":
        import torch
        torch.set_num_threads(threads)
    contender = {"layerd": layerd, "NumPy": numpy, "PyTorch": pytorch, "floor": floor,
                 "loop": loop}[who]
    known, work = list(cases()), None
    answer("ready")
    for question in questions():
        if question is None:
            answer(work())
            continue
        work = None  # frees the case before
        work, results = contender(known[question])
        work = work and repeated(work)
        answer(results)


if __name__ == "__main__":
    main()
