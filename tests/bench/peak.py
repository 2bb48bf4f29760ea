"""The bytes that one call of the library takes at its peak beyond its inputs, in a process of its
own:

    peak.py LAYER INDEX THREADS

INDEX is that of the layer's case, as kernel_cases.py counts them."""
import ctypes
import os
import sys

import shim
from kernel_cases import cases
from servers import memory, reset_peak


def made(case, forward=None):
    return shim.Call(case.operation, case.arrays(), case.params(), forward)


def main():
    layer, index, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    shim.use_threads(threads)
    case = list(cases([layer]))[index]
    forward = case.forward and made(case.forward)
    if forward:
        forward.run()
    call = made(case, forward)
    ctypes.CDLL(None).malloc_trim(0)  # what was freed would hide as much of what the call takes
    reset_peak(os.getpid())
    idle = memory(os.getpid(), "VmRSS")
    call.run()
    print(memory(os.getpid(), "VmHWM") - idle)


if __name__ == "__main__":
    main()
