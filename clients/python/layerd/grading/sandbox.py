"""The grader's side of the processes in which students' code runs: inside/main.py, which is started
once, and its forks, one a test."""
import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from .inside import frames

_START = 60.0  # seconds that the first process has to put up its walls
_END = 10.0    # and to end a test
_MAIN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inside", "main.py")
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_PLATFORMS = ("/autograder/source", "/autograder/results", "/autograder/submission_metadata.json",
              "/grade/data", "/grade/tests", "/grade/serverFilesCourse", "/grade/results")


class SandboxError(Exception):
    """The walls, or the process within them, could not be had: our fault, not a student's."""


class TestEnded(Exception):
    """A test's process ended, was too slow, or sent what is no message: `str` says it to the
    student; `fault` is its name."""

    def __init__(self, words, fault):
        super().__init__(words)
        self.fault = fault


class Sandbox:
    """A process that tests are forked from. To be used by one thread at a time.

    uid         that the tests run as, or None
    hidden      files and directories that they must not see
    memory      bytes of address space that a test may take
    namespaces  whether to ask for them
    """

    def __init__(self, uid=None, hidden=(), memory=2 << 30, namespaces=True):
        self._root = tempfile.mkdtemp(prefix="layerd-grade-")
        os.chmod(self._root, 0o711)
        self.submission = os.path.join(self._root, "submission")
        self.scratch = os.path.join(self._root, "scratch")
        os.mkdir(self.submission, 0o755)
        os.mkdir(self.scratch)
        os.chmod(self.scratch, 0o1777)
        self._control, inner = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {"PATH": "/usr/bin:/bin", "HOME": self.scratch,
                       **{f"{name}_NUM_THREADS": "1" for name in
                          ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM", "BLIS")}}
        with inner:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-B", _MAIN, str(inner.fileno())], env=environment,
                pass_fds=[inner.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, start_new_session=True, cwd="/")
        config = {"uid": uid, "submission": self.submission, "scratch": self.scratch,
                  "memory": memory, "namespaces": namespaces,
                  "hidden": [path for path in (_PACKAGE, *_PLATFORMS, *hidden)
                             if not _holds_what_is_needed(path, self._root)]}
        try:
            self._control.send(json.dumps(config).encode())
            self.walls = self._heard(_START)
        except (SandboxError, OSError) as error:
            self.close()
            raise SandboxError(f"the process that tests run in did not start: {error}") from error

    def test(self, seconds, left, processor):
        """A process for a test that may take so many seconds, of which some are left, and of a
        processor's time."""
        return TestProcess(self, seconds, left, processor)

    def close(self):
        self._control.close()
        try:
            self._process.wait(_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stderr.close()
        shutil.rmtree(self._root, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _heard(self, seconds):
        """What the first process says."""
        if not select.select([self._control], [], [], seconds)[0]:
            raise SandboxError(f"it was silent for {seconds:g} s")
        text = self._control.recv(1 << 16)
        if not text:
            self._process.wait(_END)
            said = self._process.stderr.read(1 << 16).decode(errors="replace").strip()
            raise SandboxError(said.rpartition("\n")[2] or "it ended")
        return json.loads(text)

    def start(self, claims, printed, processor):
        message = json.dumps({"test": {"processor": processor}}).encode()
        try:
            socket.send_fds(self._control, [message], [claims, printed])
        except OSError as error:
            raise SandboxError(f"the process that tests run in has gone: {error}") from error

    def end(self, seconds):
        """Waits so long for the end of the test that runs, then ends it; tells how it ended."""
        if not select.select([self._control], [], [], seconds)[0]:
            self._control.send(b'{"end": true}')
        return self._heard(_END)

    def fileno(self):
        """Of the descriptor that can be read once a test has ended."""
        return self._control.fileno()


class TestProcess:
    """A fork for one test, which may take so many seconds for all of its answers together; what
    the grader does between them does not count."""

    def __init__(self, sandbox, seconds, left, processor):
        self._sandbox = sandbox
        self._seconds = seconds
        self.left = left
        self._deadline = 0.0
        self._socket, inner = socket.socketpair()
        self._socket.setblocking(False)
        self._printed = tempfile.TemporaryFile()
        self.ended = None  # how, once it has
        with inner:
            sandbox.start(inner.fileno(), self._printed.fileno(), processor)

    def ask(self, header, arrays=()):
        """The answer to a message. TestEnded: there is none."""
        asked = time.monotonic()
        self._deadline = asked + self.left
        try:
            self._send(frames.encode(header, arrays))
            answer, results = frames.decode(self._read)
        except frames.FrameError as error:
            self.close(patience=0)
            raise TestEnded("wrote something else where only the grader's own messages go",
                            "not_readable") from error
        self.left -= time.monotonic() - asked
        if "walls" in answer:
            raise SandboxError(f"a wall fell: {str(answer['walls'])[:200]}")
        return answer, results

    @contextlib.contextmanager
    def aside(self):
        """What is asked within has as much time again, and takes none of the rest."""
        left, self.left = self.left, self._seconds
        try:
            yield
        finally:
            self.left = left

    def close(self, patience=0.5):
        """Ends the process, by itself if it does so in `patience` seconds. Returns how it ended."""
        if self.ended is None:
            self._socket.close()
            self.ended = self._sandbox.end(patience)
        return self.ended

    def printed(self):
        """The beginning of what was printed, after `close`."""
        self._printed.seek(0)
        return self._printed.read().decode(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        try:
            self.close()
        finally:
            self._printed.close()

    def _send(self, data):
        view = memoryview(data)
        while view:
            try:
                view = view[self._socket.send(view):]
            except BlockingIOError:
                self._wait(writing=True)
            except OSError:
                self._fail()

    def _read(self, count):
        data = bytearray()
        while len(data) < count:
            try:
                part = self._socket.recv(min(1 << 20, count - len(data)))
            except BlockingIOError:
                self._wait()
                continue
            except OSError:
                part = b""
            if not part:
                self._fail()
            data += part
        return bytes(data)

    def _wait(self, writing=False):
        left = self._deadline - time.monotonic()
        ready = select.select([self._socket, self._sandbox],
                              [self._socket] if writing else [], [], max(0, left))
        if not any(ready):
            self.close(patience=0)
            raise TestEnded(f"took longer than {self._seconds:g} s", "too_slow")
        if self._socket not in ready[0] and self._socket not in ready[1]:
            self._fail()  # the process ended, but one that it left still holds the socket

    def _fail(self):
        ended = self.close()
        code = ended["exit"]
        if code is None:
            words = "closed the channel that its answers go over"
        elif code >= 0:
            words = f"ended the process (exit status {code}) before it had answered"
        elif code == -24 or code == -9 and ended["processor"] >= self._seconds:
            words = f"took longer than {self._seconds:g} s"
            raise TestEnded(words, "too_slow")
        else:
            words = f"was ended by signal {-code} ({_SIGNALS.get(-code, 'killed')})"
        raise TestEnded(words, "ended")


_SIGNALS = {4: "illegal instruction", 6: "aborted", 7: "bus error", 8: "arithmetic error",
            9: "killed, as for too much memory", 11: "segmentation fault: too deep a recursion, "
            "or memory that is not its own", 25: "a file grew too large", 31: "a forbidden call"}


def _holds_what_is_needed(path, root):
    """Whether Python or our own directory lies beneath a path, so that it cannot be hidden."""
    path = os.path.realpath(path).rstrip("/") + "/"
    needed = root, sys.prefix, sys.base_prefix, os.path.dirname(os.__file__), sys.executable
    return any(f"{os.path.realpath(place)}/".startswith(path) for place in needed)
