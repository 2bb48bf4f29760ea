"""Submissions that do harm: each ends with the right points and a sentence, and harms no test.

Each has a hostile relu_forward or does something when it is imported; affine_forward is right, and
is tested before and after. What they may take is limited by the very walls that are tested."""
import contextlib
import functools
import io
import os
import pathlib
import time
import unittest.mock
import urllib.parse

from submissions import GradingTest

from layerd.grading import command, grader, sandbox

FIRST = {"operation": "affine/forward", "name": "before"}
HOSTILE = {"operation": "relu/forward", "name": "hostile", "seconds": 10}
LAST = {"operation": "affine/forward", "name": "after"}
RIGHT = "    return np.maximum(x, 0), x\n"


def relu(body, top=""):
    return f"import os, sys, threading, time\n{top}\ndef relu_forward(x):\n" + "".join(
        f"    {line}\n" for line in body.splitlines()) + RIGHT


class HostileTest(GradingTest):
    def check(self, text, points, words, seconds=10, **files):
        """Grades a submission with this text; returns the hostile test's result."""
        tests = self.results_of(self.submission(text, **files), FIRST,
                                {**HOSTILE, "seconds": seconds}, LAST)
        for name in "before", "after":
            self.assertEqual((tests[name]["points"], tests[name]["words"]), (1, ""))
        self.assertEqual(tests["hostile"]["points"], points, tests["hostile"]["words"])
        self.assertIn(words, tests["hostile"]["words"])
        return tests["hostile"]


class Walls:
    """What walls keep off."""

    def test_endless_loop(self):
        started = time.monotonic()
        self.check(relu("while True: pass"), 0, "relu_forward took longer than 1 s", seconds=1)
        self.assertLess(time.monotonic() - started, 60)

    def test_fork_bomb(self):
        result = self.check(relu("while True: os.fork()"), 0, "relu_forward")
        self.assertEqual(result["verdict"], "crash")
        self.assert_nothing_runs()

    def test_children_that_stay(self):
        self.check(relu("if os.fork() == 0:\n    os.setsid()\n    time.sleep(1000)"), 1, "")
        self.assert_nothing_runs()

    def assert_nothing_runs(self):
        """No process is left of those that graders' tests had as users."""
        left = [path for path in pathlib.Path("/proc").glob("[0-9]*")
                if self.user_of(path) in range(60578, 61184)]
        self.assertEqual(left, [])

    @staticmethod
    def user_of(path):
        try:
            return path.stat().st_uid
        except OSError:
            return None

    def test_memory(self):
        self.check(relu("np.ones(10 << 27)"), 0, "relu_forward used too much memory at line")

    def test_false_results(self):
        target = str(self.place / "result.json")
        self.check(relu("open(sys.argv[0], 'w') if 0 else open(%r, 'w').write('{}')" % target), 0,
                   "relu_forward raised")

    def test_secrets_are_not_there(self):
        secret = self.place / "token"
        secret.write_text("layerd_" + "0" * 46)
        body = (f"found = []\n"
                f"for path in {str(secret)!r}, {str(self.place / 'rubric.json')!r}, "
                f"'/proc/{os.getpid()}/environ', '/proc/1/environ', '/proc/1/mem', "
                f"{str(pathlib.Path(__file__).parent.parent / 'layerd' / 'grading' / 'planted')!r} "
                f"+ '/layers.py':\n"
                f"    try:\n"
                f"        found.append((path, open(path, 'rb').read(100)))\n"
                f"    except OSError:\n"
                f"        pass\n"
                f"print(found, dict(os.environ).keys() - {{'PATH', 'HOME', 'LC_CTYPE'}})")
        root = self.submission(relu(body))
        result = self.grade(root, HOSTILE, options=("--token-file", secret))
        hostile = result["tests"][0]
        self.assertEqual(hostile["points"], 1, hostile["words"])
        self.assertRegex(hostile["printed"], r"^\[(\('[^']*', b''\)(, )?)*\] "
                         r"\{('\w+_NUM_THREADS'(, )?)+\}\n")

    def test_layerd_is_not_there(self):
        self.check(relu("import layerd"), 0, "relu_forward raised ModuleNotFoundError")
        self.check(relu(f"sys.path.append({str(pathlib.Path(__file__).parent.parent)!r})\n"
                        "import layerd.grading.planted.layers"), 0, "relu_forward raised")

    def test_network(self):
        place = urllib.parse.urlsplit(os.environ["LAYERD_URL"])
        self.check(relu(f"import socket\nsocket.create_connection(({place.hostname!r}, "
                        f"{place.port}))"), 0, "relu_forward raised")

    def test_signals_to_others(self):
        self.check(relu("import signal\nfor p in range(1, 400):\n    try: p == os.getpid() or "
                        "os.kill(p, 9)\n    except OSError: pass"), 1, "")

    def test_files_left_behind(self):
        self.check(relu("open('left', 'w').write('a')") +
                   "assert not os.path.exists('left')\n", 1, "")


class AllWalls(Walls, HostileTest):
    """With all walls that can be had here."""


class HostileSubmissions(HostileTest):
    def test_sleep(self):
        self.check(relu("time.sleep(100)"), 0, "relu_forward took longer than 1 s", seconds=1)

    def test_exit_of_the_process(self):
        self.check(relu("os._exit(0)"), 0,
                   "relu_forward ended the process (exit status 0) before it had answered")

    def test_exit(self):
        self.check(relu("sys.exit(0)"), 0, "relu_forward called exit() at line")

    def test_signal(self):
        self.check(relu("import ctypes; ctypes.string_at(0)"), 0,
                   "relu_forward was ended by signal 11 (segmentation fault")

    def test_prints(self):
        result = self.check(relu("for _ in range(1000): print('a' * 100000)"), 1, "")
        self.assertEqual(result["printed"], "a" * 4096)

    def test_zeros_in_prints_and_messages(self):
        result = self.check(relu(r"print('a\0b'); raise ValueError('c\0d\x1b[2J<&')"), 0,
                            "ValueError at line")
        self.assertIn("c\ufffdd\ufffd[2J<&", result["words"])
        self.assertEqual(result["printed"], 2 * "a\ufffdb\n")

    def test_exception_without_a_message(self):
        self.check(relu("raise type('E', (Exception,), {'__str__': lambda self: 1 / 0})"), 0,
                   "relu_forward raised E at line")

    def test_long_message(self):
        result = self.check(relu("raise ValueError('x' * 100000)"), 0, "x" * 100)
        self.assertLess(len(result["words"]), 2000)

    def test_patched_numpy(self):
        patched = "\n".join(f"np.{name} = lambda *a, **k: True" for name in
                            ("array_equal", "allclose", "ascontiguousarray", "asarray", "array"))
        text = f"{patched}\nnp.random.seed = None\n" + relu("return x, x")
        tests = self.results_of(self.submission(text), FIRST, HOSTILE, LAST)
        self.assertEqual(tests["hostile"]["points"], 0)

    def test_numpy_beside(self):
        self.check(relu(""), 1, "", numpy="raise ValueError", json="raise ValueError",
                   frames="raise ValueError", call="raise ValueError")

    def test_writes_to_the_claims(self):
        self.check(relu("def write():\n    while True: os.write(3, b'right' * 1000)\n"
                        "threading.Thread(target=write, daemon=True).start()\ntime.sleep(.2)"), 0,
                   "wrote something else where only the grader's own messages go")

    def test_pickles_in_frames(self):
        marker = self.place / "marker"
        body = f"""
import json, pickle, struct
class Evil:

    def __reduce__(self): return os.system, ('touch {marker}',)
data = pickle.dumps(np.array([Evil()], object))
text = b"{{'descr': '|O', 'fortran_order': False, 'shape': (1,), }}\\n"
frame = b'\\x93NUMPY\\x01\\x00' + struct.pack('<H', len(text)) + text + data
head = json.dumps({{'calls': [{{'returned': [{{'is': 'array', 'frame': 0}}, {{'is': 'None'}}]}}],
                   'frames': [len(frame)]}}).encode()
os.write(3, struct.pack('<I', len(head)) + head + frame)
time.sleep(20)"""
        self.check(relu(body), 0, "only the grader's own messages go")
        self.assertFalse(marker.exists())

    def test_forged_claims_are_claims(self):
        body = """
import json, struct
head = json.dumps({'calls': [{'returned': [{'is': 'array', 'frame': 7}, {'is': 'None'}]}],
                   'verdict': 'right', 'frames': []}).encode()
os.write(3, struct.pack('<I', len(head)) + head)
time.sleep(20)"""
        self.check(relu(body), 0, "only the grader's own messages go")

    def test_closed_channel(self):
        self.check(relu("os.close(3)"), 0, "relu_forward ended the process")

    def test_changed_inputs(self):
        result = self.check(relu("x[...] = np.maximum(x, 0)"), 1, "Note: x is overwritten")
        self.assertEqual(result["status"], "passed")

    def test_answers_that_change_with_time(self):
        text = relu("global calls\ncalls += 1\nif calls > 1: return x, x", "calls = 0")
        result = self.check(text, .5, "(case images)")
        self.assertEqual([case["findings"][0]["verdict"] for case in result["cases"]],
                         ["right", "wrong"])

    def test_large_results(self):
        self.check(relu("return np.broadcast_to(1.0, (1000, 1000, 1000)), None"), 0,
                   "out is of shape (1000, 1000, 1000): far too large")

    def test_results_of_other_types(self):
        for returned, words in (("None", "relu_forward returns None"),
                                ("np.maximum(x, 0)", "returns one value, where out, cache are"),
                                ("(1, 2, 3)", "returns 3 values, where out, cache are wanted"),
                                ("(None, x)", "out is None: not written yet"),
                                ("([{}], x)", "out is of type list"),
                                ("([[1], [2, 3]], x)", "out is of type list"),
                                ("(x.astype(object), x)", "out is of type array of object"),
                                ("(x.astype(complex), x)", "out is of type array of complex128"),
                                ("('right', x)", "out is of type str"),
                                ("({}, x)", "out is of type dict")):
            with self.subTest(returned):
                self.check(relu(f"return {returned}"), 0, words)


class InDocker(Walls, HostileTest):
    """Without namespaces, which a container often may not make: the other walls stand alone."""

    def setUp(self):
        super().setUp()
        alone = functools.partial(sandbox.Sandbox, namespaces=False)
        patched = unittest.mock.patch.object(grader, "Sandbox", alone)
        patched.start()
        self.addCleanup(patched.stop)


class WithoutAnotherUser(GradingTest):
    """Landlock and the filter of system calls alone, as for a teacher who is not root."""

    def setUp(self):
        super().setUp()
        patched = unittest.mock.patch.object(
            grader, "Sandbox",
            lambda uid, hidden: sandbox.Sandbox(None, hidden, namespaces=False))
        patched.start()
        self.addCleanup(patched.stop)

    def test_files(self):
        secret = self.place / "secret"
        secret.write_text("secret")
        text = relu(f"for path, how in (({str(secret)!r}, 'r'), ({str(self.place / 'new')!r}, 'w'),"
                    f" ('/proc/{os.getpid()}/environ', 'r'), ('/etc/passwd', 'r')):\n"
                    "    try:\n        open(path, how)\n        print('opened', path)\n"
                    "    except OSError:\n        pass")
        hostile = self.results_of(self.submission(text), HOSTILE)["hostile"]
        self.assertEqual((hostile["points"], hostile["printed"]), (1, ""))

    def test_processes_and_network(self):
        text = relu(f"import signal, socket\n"
                    f"for work in (lambda: os.kill({os.getpid()}, 9), lambda: os.kill(-1, 9), "
                    f"lambda: os.kill(os.getppid(), 9), socket.socket, "
                    f"lambda: socket.socket(socket.AF_UNIX)):\n"
                    "    try:\n        work()\n        print('done')\n"
                    "    except OSError:\n        pass\n"
                    "if os.fork() == 0:\n    os.setsid()\n    time.sleep(1000)")
        hostile = self.results_of(self.submission(text), HOSTILE, LAST)["hostile"]
        self.assertEqual((hostile["points"], hostile["printed"]), (1, ""))
        left = [path for path in pathlib.Path("/proc").glob("[0-9]*/stat")
                if self.parent_of(path) == os.getpid()]
        self.assertEqual(left, [])

    @staticmethod
    def parent_of(stat):
        try:
            return int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
        except OSError:
            return None

    def test_no_wall_at_all(self):
        def weak(uid, hidden):
            made = alone(uid, hidden)
            made.walls.update(uid="not root", landlock="not here")
            return made

        alone = functools.partial(sandbox.Sandbox, namespaces=False)
        with unittest.mock.patch.object(grader, "Sandbox", weak):
            options = ("--rubric", str(self.rubric("relu/forward")), "--submission",
                       str(self.submission()))
            told = io.StringIO()
            with contextlib.redirect_stderr(told), contextlib.redirect_stdout(told):
                self.assertEqual(command.main(list(options)), 2)
                self.assertEqual(command.main([*options, "--weak"]), 0)
        self.assertIn("layerd-grade: students' code would run with the grader's own rights",
                      told.getvalue())
        self.assertIn("sub: 1 of 1", told.getvalue())

    def test_no_capabilities(self):
        text = relu("head, data = (ctypes.c_uint32 * 2)(0x20080522), (ctypes.c_uint32 * 6)()\n"
                    "print(ctypes.CDLL(None).capget(head, data), *data)", "import ctypes")
        hostile = self.results_of(self.submission(text), HOSTILE)["hostile"]
        self.assertEqual(hostile["printed"], 2 * "0 0 0 0 0 0 0\n")
