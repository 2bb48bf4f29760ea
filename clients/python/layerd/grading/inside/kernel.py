"""What the kernel offers and Python's os has not, or not in every version, by ctypes."""
import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18


def syscall(number, *arguments):
    """The result of a system call. OSError: it failed."""
    return _checked(_libc.syscall(ctypes.c_long(number), *map(_word, arguments)))


def prctl(option, value):
    _checked(_libc.prctl(option, *map(_word, (value, 0, 0, 0))))


def unshare(flags):
    _checked(_libc.unshare(flags))


def drop_capabilities():
    """Gives up all that goes beyond a user's rights, those in a namespace of users too."""
    version, nobody_else = 0x20080522, 0
    _checked(_libc.capset((ctypes.c_uint32 * 2)(version, nobody_else), (ctypes.c_uint32 * 6)()))


def mount(source, target, kind, flags, data=None):
    _checked(_libc.mount(*[None if text is None else os.fsencode(text)
                           for text in (source, target, kind)], ctypes.c_ulong(flags),
                         None if data is None else data.encode()))


def _word(value):
    return ctypes.c_ulong(value) if isinstance(value, int) else value


def _checked(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
