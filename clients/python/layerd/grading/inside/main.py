"""The process that a grader forks students' processes from, one a test: it has imported NumPy, put
up what walls it can, and holds no secret and no code of anybody but ours.

    python3 -I -B main.py DESCRIPTOR

The descriptor is of a socket on which the grader sends {"test": …} with the descriptors of the
test's own socket and of a file for what it prints; then "end", unless the test ended before. What
comes back is how it ended. When the socket closes, all ends.
"""
import fcntl
import json
import os
import select
import signal
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
# pylint: disable=wrong-import-position
import call
import frames
import kernel
import spaces
import walls

sys.path.remove(HERE)
for _name in ("call", "frames", "importing", "kernel", "landlock", "seccomp", "spaces", "walls"):
    del sys.modules[_name]  # a student's own file may have such a name

PRINTED = 64 << 10  # bytes that are kept of what a test prints
_LONGEST = 1 << 16  # a message of the grader


class Server:
    """Runs tests, one at a time."""

    def __init__(self, control):
        self._control = control
        self._config = json.loads(control.recv(_LONGEST))
        call.give_back_what_is_gone()
        self._spaces = {}
        if self._config["namespaces"]:
            spaces.enter(self._spaces)
            spaces.hide(self._config["hidden"], self._config["scratch"], self._spaces)
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)  # not before: who is not could not map its user
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        self._walls = walls.Walls(self._config, call.python_directories())
        self._walls.probe()
        control.send(json.dumps({**self._walls.standing, **self._spaces}).encode())

    def serve(self):
        while True:
            text, descriptors, _, _ = socket.recv_fds(self._control, _LONGEST, 2)
            if not text:
                return
            message = json.loads(text)
            if "test" not in message:
                continue  # "end", of a test that ended by itself
            claims, printed = descriptors
            self._control.send(json.dumps(self._run(message["test"], claims, printed)).encode())

    def _run(self, test, claims, printed):
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            self._in_child(test, claims, writer)
        os.close(writer)
        os.close(claims)
        try:
            return self._watch(child, reader, printed)
        finally:
            os.close(reader)
            os.close(printed)
            self._empty_scratch()

    def _in_child(self, test, claims, writer):
        try:
            kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
            os.setsid()
            nothing = os.open("/dev/null", os.O_RDONLY)
            sources = [fcntl.fcntl(source, fcntl.F_DUPFD, 16)  # out of the targets' way
                       for source in (nothing, writer, writer, claims)]
            for target, source in enumerate(sources):
                os.dup2(source, target)
            os.chdir(self._config["scratch"])
            self._walls.enclose(test["processor"])
            os.closerange(4, 256)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)  # a change of user takes it back
        except BaseException as error:  # pylint: disable=broad-except
            os.write(3, frames.encode({"walls": f"{type(error).__name__}: {error}"}))
            os._exit(1)
        call.serve(3, self._config["submission"])
        os._exit(0)

    def _watch(self, child, reader, printed):
        """Waits for the end of a test, and ends what it leaves."""
        started = time.monotonic()
        room = PRINTED
        ended = False
        watched = select.poll()
        for descriptor in reader, self._control:
            watched.register(descriptor, select.POLLIN)
        exit_of = os.pidfd_open(child) if hasattr(os, "pidfd_open") else -1
        if exit_of >= 0:
            watched.register(exit_of, select.POLLIN)
        while not ended:
            ready = [descriptor for descriptor, _ in watched.poll(None if exit_of >= 0 else 20)]
            if reader in ready:
                room, more = _drain(reader, printed, room)
                if not more:
                    watched.unregister(reader)
            ended = (exit_of in ready or self._control.fileno() in ready
                     or exit_of < 0 and not _runs(child))
        if exit_of >= 0:
            os.close(exit_of)
        over = _runs(child)
        self._kill_all(child)
        _, status, used = os.wait4(child, 0)
        _reap()
        os.set_blocking(reader, False)
        try:
            for _ in range(64):
                room, more = _drain(reader, printed, room)
                if not more:
                    break
        except BlockingIOError:
            pass
        code = os.waitstatus_to_exitcode(status)
        return {"exit": None if over else code, "seconds": time.monotonic() - started,
                "processor": used.ru_utime + used.ru_stime, "printed": PRINTED - room}

    def _kill_all(self, child):
        os.kill(child, signal.SIGKILL)
        if os.getpid() == 1:
            _kill_everything()
        elif self._walls.standing["uid"] is True:
            killer = os.fork()
            if not killer:
                try:
                    os.setresuid(*[self._config["uid"]] * 3)
                    _kill_everything()
                finally:
                    os._exit(0)
            os.waitpid(killer, 0)
        else:
            _kill_descendants(child)

    def _empty_scratch(self):
        for folder, folders, files in os.walk(self._config["scratch"], topdown=False):
            for name in files + [name for name in folders
                                 if os.path.islink(os.path.join(folder, name))]:
                _ignoring_errors(os.unlink, os.path.join(folder, name))
            for name in folders:
                _ignoring_errors(os.rmdir, os.path.join(folder, name))


def _drain(reader, printed, room):
    """Takes what was printed, and keeps the first of it. Returns what room is left, and whether
    there may come more."""
    data = os.read(reader, 1 << 16)
    kept = data[:room]
    while kept:
        kept = kept[os.write(printed, kept):]
    return max(0, room - len(data)), bool(data)


def _kill_everything():
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _kill_descendants(child):
    """Stops all that come from us, until there are no new ones, then kills them."""
    stopped = {child}
    while True:
        found = _descendants() - stopped
        if not found:
            break
        for process in found:
            _ignoring_errors(os.kill, process, signal.SIGSTOP)
        stopped |= found
    for process in stopped - {child}:
        _ignoring_errors(os.kill, process, signal.SIGKILL)


def _descendants():
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                parents[int(name)] = int(file.read().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, ours = set(), {os.getpid()}
    while ours:
        ours = {process for process, parent in parents.items() if parent in ours} - found
        found |= ours
    return found


def _ignoring_errors(work, *arguments):
    try:
        work(*arguments)
    except OSError:
        pass


def _runs(child):
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def _reap():
    """What the test left came to us, and is dead."""
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        pass


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as grader:
        Server(grader).serve()
