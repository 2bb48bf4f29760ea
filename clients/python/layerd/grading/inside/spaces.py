"""Namespaces: the student's code sees no network, no processes but its own, and not what is hidden.
"""
import os
import sys

import kernel

_FLAGS = {"net": kernel.CLONE_NEWNET, "ipc": kernel.CLONE_NEWIPC, "mount": kernel.CLONE_NEWNS,
          "pid": kernel.CLONE_NEWPID}
_SAFE = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC


def enter(standing):
    """Goes into namespaces of our own, those that can be had, and says in `standing` which. With
    one of processes, what returns is the first process in it; the one before waits for it."""
    if os.getuid() != 0:
        _become_root_of_a_user_namespace(standing)
    for name, flag in _FLAGS.items():
        try:
            kernel.unshare(flag)
            standing[name] = True
        except OSError as error:
            standing[name] = f"not here: {error.strerror}"
    if standing["pid"] is True:
        _be_its_first_process()


def hide(paths, scratch, standing):
    """Makes /proc that of our namespace, the scratch directory one of limited size, and hides
    files and directories."""
    if standing["mount"] is True:
        # Without this, what is mounted here would be mounted outside, too.
        _attempt(standing, "mount",
                 lambda: kernel.mount(None, "/", None, kernel.MS_REC | kernel.MS_PRIVATE))
    if standing["mount"] is not True:
        standing["scratch"] = standing["hidden"] = "needs a namespace of mounts"
        return
    if standing["pid"] is True:
        _attempt(standing, "proc", lambda: kernel.mount("proc", "/proc", "proc", _SAFE))
    _attempt(standing, "scratch", lambda: kernel.mount(
        "scratch", scratch, "tmpfs", _SAFE, "size=16m,nr_inodes=1000,mode=1777"))
    _attempt(standing, "hidden", lambda: [_hide(path) for path in paths if os.path.exists(path)])


def _hide(path):
    if os.path.isdir(path):
        kernel.mount("hidden", path, "tmpfs", _SAFE | kernel.MS_RDONLY, "size=4k,mode=0")
    else:
        kernel.mount("/dev/null", path, None, kernel.MS_BIND)


def _attempt(standing, name, work):
    try:
        work()
        standing[name] = True
    except OSError as error:
        standing[name] = f"not here: {error.strerror}"


def _become_root_of_a_user_namespace(standing):
    uid, gid = os.getuid(), os.getgid()
    try:
        kernel.unshare(kernel.CLONE_NEWUSER)
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"),
                           ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
        standing["user"] = True
    except OSError as error:
        standing["user"] = f"not here: {error.strerror}"


def _be_its_first_process():
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        sys.exit(os.waitstatus_to_exitcode(status) != 0)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)
