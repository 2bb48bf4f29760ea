"""A filter of system calls: no way to the network, to other processes or to new namespaces."""
import ctypes
import errno
import os
import platform

import kernel

# By name: the number on x86-64 and on arm64.
_REFUSED = {
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "kcmp": (312, 272), "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
    "pidfd_send_signal": (424, 424), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "unshare": (272, 97), "setns": (308, 268),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "bpf": (321, 280), "perf_event_open": (298, 241),
    "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "kexec_load": (246, 104), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "personality": (135, 92),
}
_SIGNALS = {"kill": (62, 129), "tgkill": (234, 131)}  # to this process alone
_CLONE, _CLONE3, _SECCOMP = (56, 220), (435, 435), (317, 277)
_NEW_NAMESPACES = 0x7E020080
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_X32 = 0x40000000

_LOAD, _EQUAL, _AT_LEAST, _ANY, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # where they lie in seccomp_data
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_SET_MODE_FILTER = 1


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("filter", ctypes.c_void_p)]


def install():
    """Holds this process to the filter, for ever. Needs "no new privileges". OSError: it cannot
    be had."""
    if platform.machine() not in _MACHINES:
        raise OSError(errno.ENOSYS, f"no numbers of system calls are known on {platform.machine()}")
    column, architecture = _MACHINES[platform.machine()]
    code = b"".join(_instruction(*line) for line in _program(column, architecture))
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.addressof(buffer))
    kernel.syscall(_SECCOMP[column], _SET_MODE_FILTER, 0, ctypes.byref(program))


def _program(column, architecture):
    refuse = _RETURN, 0, 0, 0x00050000 | errno.EPERM
    yield _LOAD, 0, 0, _ARCHITECTURE
    yield _EQUAL, 1, 0, architecture
    yield _RETURN, 0, 0, _KILL
    yield _LOAD, 0, 0, _NUMBER
    yield _AT_LEAST, 0, 1, _X32
    yield refuse
    for numbers in _REFUSED.values():
        yield _EQUAL, 0, 1, numbers[column]
        yield refuse
    yield _EQUAL, 0, 1, _CLONE3[column]  # its flags cannot be seen; glibc then takes clone
    yield _RETURN, 0, 0, 0x00050000 | errno.ENOSYS
    for numbers in _SIGNALS.values():
        yield _EQUAL, 0, 4, numbers[column]
        yield _LOAD, 0, 0, _FIRST_ARGUMENT
        yield _EQUAL, 1, 0, os.getpid()
        yield refuse
        yield _RETURN, 0, 0, _ALLOW
    yield _EQUAL, 0, 3, _CLONE[column]
    yield _LOAD, 0, 0, _FIRST_ARGUMENT
    yield _ANY, 0, 1, _NEW_NAMESPACES
    yield refuse
    yield _RETURN, 0, 0, _ALLOW


def _instruction(code, if_true, if_false, value):
    return (code.to_bytes(2, "little") + bytes([if_true, if_false])
            + value.to_bytes(4, "little"))
