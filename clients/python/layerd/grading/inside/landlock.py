"""Landlock: files that a process, and all that come from it, may still read or write."""
import ctypes
import fcntl
import os

import kernel

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # alike on every architecture

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE = 1 << 14
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_FILE_SYSTEM = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_FILE_SYSTEM_LATEST = (1 << 16) - 1
_TCP = 3    # bind and connect
_SCOPED = 3  # no abstract sockets of others, no signals to others


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


class Ruleset:
    """What is still allowed. OSError: the kernel has no Landlock, or may not use it here.

    readable  directories, with all that is beneath them
    writable  the same
    devices   files that may be read and written
    hidden    directories that are not readable even where one of `readable` holds them
    """

    def __init__(self, readable, writable, devices, hidden):
        version = kernel.syscall(_CREATE, 0, 0, 1)
        self._files = _FILE_SYSTEM.get(version, _FILE_SYSTEM_LATEST)
        rules = _Ruleset(self._files, _TCP if version >= 4 else 0, _SCOPED if version >= 6 else 0)
        size = 24 if version >= 6 else 16 if version >= 4 else 8
        made = kernel.syscall(_CREATE, ctypes.byref(rules), size, 0)
        self._ruleset = fcntl.fcntl(made, fcntl.F_DUPFD_CLOEXEC, 16)  # a test's own are below
        os.close(made)
        hidden = [os.path.realpath(path) for path in hidden]
        for path in readable:
            self._read(os.path.realpath(path), hidden)
        for path in writable:
            self._allow(path, self._files)
        for path in devices:
            self._allow(path, _READ_FILE | _WRITE_FILE | self._files & _TRUNCATE)

    def restrict(self):
        """Holds this process to it, for ever. Needs "no new privileges"."""
        kernel.syscall(_RESTRICT, self._ruleset, 0)

    def _read(self, path, hidden):
        if path in hidden:
            return
        if not any(other.startswith(path.rstrip("/") + "/") for other in hidden):
            self._allow(path, _READ)
            return
        self._allow(path, _READ_DIR)  # for Python's import, which lists it
        for name in os.listdir(path):
            self._read(os.path.join(path, name), hidden)

    def _allow(self, path, allowed):
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return  # what is not there needs no leave
        if not os.path.isdir(path):
            allowed &= _EXECUTE | _READ_FILE | _WRITE_FILE | _TRUNCATE
        beneath = _Beneath(allowed, descriptor)
        try:
            kernel.syscall(_ADD, self._ruleset, 1, ctypes.byref(beneath), 0)
        finally:
            os.close(descriptor)
