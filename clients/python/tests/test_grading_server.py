"""Grading with a daemon that is away, slow, asked too often, or that does not know the token."""
import hashlib
import json
import pathlib
import threading
import zlib

from submissions import GradingTest
from support import Relay, daemon

RELU, AFFINE = "relu/forward", "affine/forward"
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def token_of(letter):
    text, check, rest = letter * 40, "", zlib.crc32(letter.encode() * 40)
    for _ in range(6):
        check = DIGITS[rest % 62] + check
        rest //= 62
    return f"layerd_{text}{check}"


class Server(GradingTest):
    def run_with(self, *options, root=None, tests=(RELU, AFFINE), **environment):
        """Runs the command. Returns its status, the results and what it says."""
        target = self.place / "out.json"
        status, _, told = self.command("--rubric", self.rubric(*tests), "--submission",
                                       root or self.submission(), "--results", f"json:{target}",
                                       *options, **environment)
        return status, json.loads(target.read_text()), told

    def test_away(self):
        status, result, _ = self.run_with("--server", "http://127.0.0.1:1", "--patience", 0.5)
        self.assertEqual((status, result["state"], result["points"]), (1, "not graded", None))
        self.assertIn("the server gave no answer: no layerd at http://127.0.0.1:1",
                      result["words"])

    def test_comes_back(self):
        with Relay() as relay:
            relay.loses = True
            timer = threading.Timer(1, setattr, (relay, "loses", False))
            timer.start()
            status, result, _ = self.run_with("--server", relay.url)
            timer.join()
        self.assertEqual((status, result["points"]), (0, 2))
        self.assertGreater(len(relay.requests), 10)

    def test_ends_while_it_grades(self):
        slow = "import time\ndef relu_forward(x):\n    time.sleep(1.5)\n    return x * (x > 0), x\n"
        with daemon() as url:
            results = []
            thread = threading.Thread(target=lambda: results.append(self.run_with(
                "--server", url, "--patience", 0.5, root=self.submission(slow),
                tests=(AFFINE, RELU))))
            thread.start()
            target = self.place / "out.json"
            while not target.exists() or '"affine_forward"' not in target.read_text():
                thread.join(0.02)
        thread.join()
        status, result, _ = results[0]
        self.assertEqual((status, result["state"], result["points"]), (1, "not graded", None))
        self.assertIn("the server gave no answer", result["words"])
        self.assertEqual([test["name"] for test in result["tests"]], ["affine_forward"])

    def test_token(self):
        tokens = self.place / "tokens"
        lines = [f"{name} course {rights} {hashlib.sha256(token_of(letter).encode()).hexdigest()} "
                 f"{limits}" for name, letter, rights, limits in (
                     ("grader", "a", "check", "only=challenge detail=verdict"),
                     ("slow", "b", "check", "rate=20 burst=2"),
                     ("other", "c", "compute", ""))]
        tokens.write_text("\n".join(lines) + "\n")
        with daemon("--tokens", str(tokens)) as url:
            for letter in "d", "c":
                status, result, _ = self.run_with("--server", url, LAYERD_TOKEN=token_of(letter))
                self.assertEqual((status, result["state"]), (1, "not graded"))
                self.assertIn("the server refused: ", result["words"])
            status, result, _ = self.run_with("--server", url, LAYERD_TOKEN=token_of("a"))
            self.assertEqual((status, result["points"]), (0, 2))
            file = self.place / "token"
            file.write_text(token_of("b") + "\n")
            status, result, _ = self.run_with("--server", url, "--token-file", file)
            self.assertEqual((status, result["points"]), (0, 2))
            wrong = self.submission("def relu_forward(x):\n    return np.abs(x), x\n")
            status, result, _ = self.run_with("--server", url, root=wrong,
                                              LAYERD_TOKEN=token_of("a"))
            self.assertEqual((result["points"], result["tests"][0]["words"]), (1, "out is wrong"))

    def test_not_graded_comes_first(self):
        """Before anything else is done, the results say that there are none yet."""
        target = self.place / "first.json"
        status, _, _ = self.command(
            "--rubric", self.rubric(RELU), "--submission", self.submission(), "--results",
            f"gradescope:{target}", "--server", "http://127.0.0.1:1", "--patience", 0.1)
        made = json.loads(pathlib.Path(target).read_text())
        self.assertEqual((status, made["extra_data"]["state"]), (1, "not graded"))
        self.assertNotIn("score", made)
