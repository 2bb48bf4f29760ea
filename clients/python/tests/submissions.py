"""Submissions for the tests of grading: right ones, with a function replaced, with other files."""
import contextlib
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from layerd.grading import command
from layerd.grading.planted import right

HERE = pathlib.Path(__file__).resolve().parent


class GradingTest(unittest.TestCase):
    """Has a directory of its own, `self.place`, and grades submissions in it by the command."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.place = pathlib.Path(folder.name)
        self.place.chmod(0o755)

    def submission(self, *replaced, name="sub", **files):
        """A right submission, in which the text of a function is replaced by another's, and which
        has more files by name ("numpy" for numpy.py). Returns its directory."""
        root = self.place / name
        text = right("layers.py") + "\n\n" + "\n\n".join(replaced)
        for path, content in {"layers": text, "optim": right("optim.py"), **files}.items():
            target = root / "cs231n" / f"{path}.py"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())
        return root

    def rubric(self, *tests, **keys):
        """A rubric of tests, each an operation or an object; 1 point each unless it says so."""
        items = [{"points": 1, **({"operation": test} if isinstance(test, str) else test)}
                 for test in tests]
        path = self.place / "rubric.json"
        path.write_text(json.dumps({"assignment": "a2", "file": "cs231n/layers.py", **keys,
                                    "tests": items}))
        return path

    def command(self, *arguments, **environment):
        """Runs layerd-grade. Returns its status, stdout and stderr."""
        paths = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, "-B", "-m", "layerd.grading", *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": paths, **environment}, capture_output=True,
            text=True, check=False, timeout=120)
        return done.returncode, done.stdout, done.stderr

    def grade(self, root, *tests, options=()):
        """The result of a submission, as plain JSON has it; graded in this process."""
        target = self.place / "result.json"
        told = io.StringIO()
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            status = command.main([*map(str, (
                "--rubric", self.rubric(*tests), "--submission", root, "--results",
                f"json:{target}", *options))])
        self.assertEqual(status, 0, told.getvalue())
        self.assertRegex(told.getvalue(),
                         r"\A(layerd-grade: walls that do not stand here: .*\n)?\Z")
        return json.loads(target.read_text())

    def results_of(self, root, *tests):
        """The tests of a graded submission, by name."""
        result = self.grade(root, *tests)
        self.assertEqual(result["state"], "graded", result["words"])
        return {test["name"]: test for test in result["tests"]}
