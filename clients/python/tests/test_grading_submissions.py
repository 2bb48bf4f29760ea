"""Submissions in which there is little to test, and results that cannot be written."""
import json
import os
import stat
import subprocess
import sys
import unittest

from submissions import HERE, GradingTest

RELU = "relu/forward"


class BadFiles(GradingTest):
    def not_gradable(self, words, **files):
        result = self.grade(self.submission(**files), RELU)
        self.assertEqual((result["state"], result["points"], result["tests"]),
                         ("not gradable", None, []))
        self.assertIn(words, result["words"])

    def replaced_by(self, make, words):
        """Puts something else in the place of layers.py."""
        path = self.submission() / "cs231n" / "layers.py"
        path.unlink()
        make(path)
        result = self.grade(self.place / "sub", RELU)
        self.assertEqual(result["state"], "not gradable")
        self.assertIn(words, result["words"])

    def test_no_file(self):
        self.replaced_by(lambda path: None, "there is no cs231n/layers.py in the submission")

    def test_file_in_another_place(self):
        self.replaced_by(lambda path: path.rename(path.parent.parent / "layers.py")
                         if path.exists() else (path.parent.parent / "layers.py").write_text("1"),
                         "but a layers.py: put it where cs231n/layers.py should be")

    def test_empty_submission(self):
        (self.place / "empty").mkdir()
        result = self.grade(self.place / "empty", RELU)
        self.assertEqual(result["words"], "there is no cs231n/layers.py in the submission")

    def test_directory(self):
        self.replaced_by(lambda path: path.mkdir(), "cs231n/layers.py is a directory, but must be")

    def test_links_out(self):
        secret = self.place / "secret.py"
        secret.write_text("1")
        self.replaced_by(lambda path: path.symlink_to(secret), "cs231n/layers.py is a link")

    def test_directory_that_is_a_link_out(self):
        root = self.submission()
        (root / "cs231n").rename(self.place / "elsewhere")
        (root / "cs231n").symlink_to(self.place / "elsewhere")
        self.assertIn("there is no cs231n/layers.py", self.grade(root, RELU)["words"])

    def test_fifo(self):
        self.replaced_by(os.mkfifo, "cs231n/layers.py is no regular file")

    def test_100_megabytes(self):
        self.not_gradable("cs231n/layers.py has 95 MiB, but at most 1 MiB", layers=b"#" * 10**8)

    def test_empty_file(self):
        self.not_gradable("cs231n/layers.py is empty", layers="")

    def test_does_not_parse(self):
        self.not_gradable("cs231n/layers.py is no Python: '(' was never closed at line 2",
                          layers="import numpy as np\nx = (1,\n")
        self.not_gradable("Nothing of the file can be tested until it parses", layers="  x = 1\ny")

    def test_python_2(self):
        self.not_gradable("It was written for Python 2", layers="print 'hello'\n")

    def test_other_encodings(self):
        self.not_gradable("is no Python", layers="x = 'é'\n".encode("latin-1"))
        self.not_gradable("cs231n/layers.py", layers="x = 1\n".encode("utf-16"))
        self.not_gradable("cs231n/layers.py", layers=b"x = '\0'\n")

    def test_encoding_that_is_said(self):
        text = "# coding: latin-1\nimport numpy as np\nx = 'é'\n" \
               "def relu_forward(x):\n    return np.maximum(x, 0), x\n"
        self.assertEqual(self.grade(self.submission(layers=text.encode("latin-1")), RELU)["points"],
                         1)
        self.assertEqual(self.grade(self.submission(layers="\ufeff" + text[18:]), RELU)["points"],
                         1)

    def test_nested_too_deeply(self):
        self.not_gradable("cs231n/layers.py", layers="x = " + "(" * 100000)
        self.not_gradable("cs231n/layers.py", layers="x = " + "-" * 500000 + "1")

    def test_import_that_fails(self):
        self.not_gradable("cs231n/layers.py cannot be imported: it raised ModuleNotFoundError at "
                          "line 1 of cs231n/layers.py: No module named 'nothing'",
                          layers="import nothing\n")
        self.not_gradable("it raised SystemExit", layers="import sys\nsys.exit(0)\n")
        self.not_gradable("importing cs231n/layers.py ended the process (exit status 0)",
                          layers="import os\nos._exit(0)\n")

    def test_one_of_two_files(self):
        root = self.submission()
        (root / "cs231n" / "optim.py").unlink()
        tests = self.results_of(root, RELU, {"operation": "sgd/update", "file": "cs231n/optim.py"})
        self.assertEqual((tests["relu_forward"]["points"], tests["sgd"]["points"]), (1, 0))
        self.assertEqual(tests["sgd"]["words"],
                         "there is no cs231n/optim.py in the submission")

    def test_digest_is_that_of_the_code(self):
        first = self.grade(self.submission(), RELU)["digest"]
        (self.place / "sub" / "notes.txt").write_text("none of it")
        self.assertEqual(self.grade(self.place / "sub", RELU)["digest"], first)
        self.assertNotEqual(self.grade(self.submission(other="1"), RELU)["digest"], first)


class ResultsFiles(GradingTest):
    def run_with(self, target, *options, **environment):
        return self.command("--rubric", self.rubric(RELU), "--submission", self.submission(),
                            "--results", target, *options, **environment)

    def test_link_is_not_written_through(self):
        victim = self.place / "victim"
        victim.write_text("old")
        (self.place / "out.json").symlink_to(victim)
        status, _, told = self.run_with(f"json:{self.place}/out.json")
        self.assertEqual(status, 3)
        self.assertIn("it is a link, which nothing is written through", told)
        self.assertEqual(victim.read_text(), "old")

    def test_directory_is_made(self):
        target = self.place / "a" / "b" / "results.json"
        self.assertEqual(self.run_with(f"prairielearn:{target}")[0], 0)
        self.assertEqual(json.loads(target.read_text())["score"], 1)
        self.assertEqual(stat.S_IMODE(target.stat().st_mode), 0o644)
        self.assertEqual(os.listdir(target.parent), ["results.json"])

    def test_place_that_is_no_directory(self):
        (self.place / "file").write_text("")
        status, _, told = self.run_with(f"json:{self.place}/file/out.json")
        self.assertEqual(status, 3)
        self.assertIn("the results cannot be written to", told)

    def test_full_disk(self):
        """As far as a limit on the size of files is like one; what was there stays."""
        target = self.place / "out.json"
        target.write_text("old")
        code = ("import resource, signal, sys\n"
                "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
                "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
                "from layerd.grading import files\n"
                "try:\n    files.write(sys.argv[1], b'x' * 100)\n"
                "except files.ResultsError as error:\n    print(error)\n")
        told = subprocess.run([sys.executable, "-B", "-c", code, target], capture_output=True,
                              text=True, check=True,
                              env={**os.environ, "PYTHONPATH": str(HERE.parent)}).stdout
        self.assertEqual(told, f"the results cannot be written to {target}: File too large\n")
        self.assertEqual((target.read_text(), os.listdir(self.place)), ("old", ["out.json"]))

    def test_stdout_holds_the_results_alone(self):
        status, out, told = self.run_with("autolab:-")
        self.assertEqual((status, told), (0, ""))
        self.assertEqual(json.loads(out.splitlines()[-1]), {"scores": {"relu_forward": 1.0}})
        status, out, told = self.run_with("coderunner:-")
        self.assertEqual((status, told, json.loads(out)["fraction"]), (0, "", 1))

    def test_several_targets(self):
        status, _, told = self.run_with(f"json:{self.place}/a.json", "--results",
                                        f"ags:{self.place}/b.json", "--user", "u7")
        self.assertEqual(status, 0, told)
        self.assertEqual(json.loads((self.place / "b.json").read_text())["userId"], "u7")


class Commands(GradingTest):
    def refused(self, words, *arguments):
        status, out, told = self.command(*arguments)
        self.assertEqual((status, out), (2, ""))
        self.assertIn(words, told)

    def test_arguments(self):
        sub, rubric = self.submission(), self.rubric(RELU)
        common = "--rubric", rubric, "--submission", sub
        self.refused("no submission is given", "--rubric", rubric)
        self.refused("--results is json, but must be PLATFORM:PATH", *common, "--results", "json")
        self.refused("--results is moodle:x, but must be", *common, "--results", "moodle:x")
        self.refused("ags results need --user", *common, "--results", "ags:-")
        self.refused("only one of --results can go to stdout", *common, "--results", "json:-",
                     "--results", "junit:-")
        self.refused("each PATH of --results must hold {name}", *common, "--submission", self.place,
                     "--results", "json:out")
        self.refused("two submissions are named sub", *common, "--submission", sub)
        self.refused("the token file none cannot be read", *common, "--token-file", "none")
        self.refused("must hold one token", *common, "--token-file", rubric)
        self.refused("the rubric none cannot be read", "--rubric", "none", "--submission", sub)
        self.refused("--jobs must be at least 1", *common, "--jobs", "0")

    def test_case_that_there_is_not(self):
        rubric = self.rubric({"operation": RELU, "cases": ["plane"]})
        status, out, _ = self.command("--rubric", rubric, "--submission", self.submission())
        self.assertEqual(status, 1)
        self.assertIn("sub: not graded: the test relu_forward has the case plane, but relu/forward "
                      "has plain, images", out)

    def test_progress_on_a_terminal_alone(self):
        master, terminal = os.openpty()
        command = [sys.executable, "-B", "-m", "layerd.grading", "--rubric",
                   self.rubric(RELU, "affine/forward"), "--submission", self.submission()]
        out = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(HERE.parent)},
                             stderr=terminal, stdout=subprocess.PIPE, check=True).stdout
        os.close(terminal)
        told = os.read(master, 1 << 16).decode()
        os.close(master)
        self.assertIn("\r\x1b[Ksub: 1 of 2 tests\r\x1b[Ksub: 2 of 2 tests", told)
        self.assertIn(b"sub: 2 of 2\n", out)

    def test_many_submissions(self):
        wrong = "def relu_forward(x):\n    return x, x\n"
        for number in range(6):
            self.submission(*[wrong] * (number % 2), name=f"all/student{number}")
        (self.place / "all" / "empty").mkdir()
        (self.place / "all" / "a file").write_text("")
        status, out, told = self.command(
            "--rubric", self.rubric(RELU, "affine/forward"), "--submissions", self.place / "all",
            "--jobs", 3, "--results", f"json:{self.place}/out/{{name}}.json",
            "--grades", self.place / "grades.csv")
        self.assertEqual((status, out, told), (0, "", ""))
        self.assertEqual((self.place / "grades.csv").read_text(), """\
submission,state,points,of,relu_forward,affine_forward
empty,not gradable,,2,,
student0,graded,2,2,1,1
student1,graded,1,2,0,1
student2,graded,2,2,1,1
student3,graded,1,2,0,1
student4,graded,2,2,1,1
student5,graded,1,2,0,1
""")
        self.assertEqual(len(os.listdir(self.place / "out")), 7)


@unittest.skipUnless(os.getuid() == 0, "only root can become another user")
class Users(GradingTest):
    """The grader as another user, who cannot become one of the tests' own."""

    def run_as_nobody(self, *options):
        os.chmod(self.place, 0o777)
        sub, rubric = self.submission(), self.rubric(RELU)
        code = ("import os, sys\nos.setgroups([])\nos.setgid(65534)\nos.setuid(65534)\n"
                "from layerd.grading.command import main\nsys.exit(main(sys.argv[1:]))\n")
        return subprocess.run(
            [sys.executable, "-B", "-c", code, "--rubric", rubric, "--submission", sub, *options],
            env={**os.environ, "PYTHONPATH": str(HERE.parent)}, capture_output=True, text=True,
            check=False)

    def test_landlock_stands_in(self):
        done = self.run_as_nobody()
        self.assertEqual((done.returncode, done.stdout),
                         (0, "sub: 1 of 1\n  relu_forward: 1 of 1\n"))
        self.assertRegex(done.stderr, r"walls that do not stand here: uid \(only root can change")
