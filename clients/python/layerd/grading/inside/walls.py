"""Walls around a student's code, each tried for itself: where one cannot be had, the others stand.

Those of a process (limits, no new privileges, another user, Landlock, a filter of system calls) are
put up in the fork that runs a test, by `enclose`; those of namespaces once for all, by spaces.py.
"""
import os
import resource

import kernel
import landlock
import seccomp

_WALLS = "limits", "no_new_privileges", "uid", "capabilities", "landlock", "seccomp"
_MEGABYTE = 1 << 20
_DEVICES = "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"
_SYSTEM = "/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib", "/etc/ld.so.cache", \
    "/etc/localtime", "/usr/share/zoneinfo"


class Walls:
    """Of each wall by its name, True, or the reason why it does not stand."""

    def __init__(self, config, python):
        """python: directories of Python and its packages."""
        self._config = config
        self._python = python
        self._ruleset = None
        self.standing = {}
        try:
            self._ruleset = landlock.Ruleset(
                [*_SYSTEM, *python, config["submission"]], [config["scratch"]], _DEVICES,
                config["hidden"])
            self.standing["landlock"] = True
        except OSError as error:
            self.standing["landlock"] = f"not here: {error.strerror}"
        self.standing["uid"] = True if config["uid"] else "only root can change to another user"

    def probe(self):
        """Finds out, in forks that then end, which walls stand here."""
        for name in _WALLS:
            if self.standing.get(name, True) is True:
                self.standing[name] = _in_fork(lambda name=name: self._try(name))

    def enclose(self, seconds):
        """Puts up those that stand, around this process. OSError: one of them fell."""
        for name in _WALLS:
            if self.standing[name] is True:
                self._put_up(name, seconds)

    def _try(self, name):
        if name in ("landlock", "seccomp"):
            self._put_up("no_new_privileges", 1)
        self._put_up(name, 1)
        if name == "uid":
            for path in *self._python, self._config["submission"]:
                os.listdir(path)  # a Python in /root is not for others

    def _put_up(self, name, seconds):
        if name == "limits":
            _limit(seconds, self._config["memory"])
        elif name == "no_new_privileges":
            kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        elif name == "uid":
            uid = self._config["uid"]
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        elif name == "capabilities":
            kernel.drop_capabilities()
        elif name == "landlock":
            self._ruleset.restrict()
        elif name == "seccomp":
            seccomp.install()


def _limit(seconds, memory):
    for what, most in (
            (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_AS, memory),
            (resource.RLIMIT_FSIZE, 16 * _MEGABYTE), (resource.RLIMIT_NOFILE, 64),
            (resource.RLIMIT_CORE, 0), (resource.RLIMIT_NPROC, 64),
            (resource.RLIMIT_MEMLOCK, _MEGABYTE), (resource.RLIMIT_MSGQUEUE, 0)):
        hard = resource.getrlimit(what)[1]
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        resource.setrlimit(what, (most, most))
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")  # where memory ends all the same, this process goes first
    except OSError:
        pass


def _in_fork(attempt):
    """True where an attempt in a child of its own ended well, or the reason why not."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            attempt()
            os.write(writer, b"stands")
        except OSError as error:
            place = f" ({error.filename})" if error.filename else ""
            os.write(writer, f"not here: {error.strerror}{place}".encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        text = told.read()
    os.waitpid(child, 0)
    return True if text == "stands" else text or "ended the process that tried it"
