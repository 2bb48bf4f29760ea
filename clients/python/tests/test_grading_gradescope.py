"""The example for Gradescope, laid out and run as the platform does: a root directory of its own
with /autograder, the submission's metadata, root as the user, and its limits."""
import json
import os
import shutil
import subprocess
import unittest

from submissions import HERE, GradingTest

from layerd.grading.planted import right

EXAMPLE = HERE.parent / "examples" / "gradescope"
METADATA = {
    "id": 123, "created_at": "2026-11-27T12:00:00.000000-08:00", "submission_method": "upload",
    "assignment": {"id": 7, "course_id": 1, "title": "a2", "total_points": "20.0",
                   "due_date": "2026-11-28T00:00:00.000000-08:00", "late_due_date": None,
                   "release_date": "2026-11-01T00:00:00.000000-08:00", "group_size": None,
                   "group_submission": False},
    "users": [{"email": "a@example.org", "id": 9, "name": "A"}],
    "previous_submissions": [{"submission_time": "2026-11-26T12:00:00.000000-08:00",
                              "score": "8.0", "results": {"score": 8.0, "tests": []}}]}
ENTER = r"""
set -eu
root=$1
mount --bind "$root" "$root" # as a container's, it is a place where something is mounted
for name in usr bin sbin lib lib64 etc dev; do
    [ -e /$name ] || continue
    mkdir "$root/$name"
    mount --rbind /$name "$root/$name"
done
mkdir "$root/proc" "$root/tmp" && mount -t proc proc "$root/proc"
chmod 1777 "$root/tmp"
chroot "$root" /autograder/source/setup.sh
cd "$root/autograder"
exec chroot "$root" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/root \
    timeout 600 sh -c 'cd /autograder && ./run_autograder >results/stdout 2>&1'
"""


def can_have_a_root():
    return os.getuid() == 0 and shutil.which("unshare") and not subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "none", "/tmp"],
        capture_output=True, check=False).returncode


@unittest.skipUnless(can_have_a_root(), "only root can have a root directory of its own")
class GradescopeContainer(GradingTest):
    def run_in_container(self, text, server=None, previous=True):
        """Runs the example on a layers.py, as Gradescope does. Returns the results, and stdout."""
        root = self.place / "root"
        source = root / "autograder" / "source"
        shutil.copytree(EXAMPLE, source)
        shutil.copytree(HERE.parent / "layerd", source / "layerd",
                        ignore=shutil.ignore_patterns("__pycache__"))
        (source / "server").write_text(server or os.environ["LAYERD_URL"])
        (source / "token").write_text("layerd_" + "0" * 46 + "\n")
        script = (source / "run_autograder").read_text()
        self.assertIn(" --patience 120 ", script)
        (root / "autograder" / "run_autograder").write_text(
            script.replace(" --patience 120 ", " --patience 0.5 "))
        (root / "autograder" / "run_autograder").chmod(0o755)
        for name in "submission", "results":
            (root / "autograder" / name).mkdir()
        (root / "autograder" / "submission" / "layers.py").write_text(text)
        metadata = {**METADATA, "previous_submissions": METADATA["previous_submissions"] * previous}
        (root / "autograder" / "submission_metadata.json").write_text(json.dumps(metadata))
        done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "sh", "-c", ENTER, "sh",
                               str(root)], capture_output=True, text=True, check=False)
        self.assertEqual(done.stdout + done.stderr, "")
        results = root / "autograder" / "results"
        return json.loads((results / "results.json").read_text()), (results / "stdout").read_text()

    def test_right(self):
        results, stdout = self.run_in_container(right("layers.py"))
        self.assertEqual((results["score"], stdout), (20, ""))
        self.assertEqual([test["number"] for test in results["tests"]],
                         ["1.1", "1.2", "2.1", "2.2", "3", "4"])
        walls = results["extra_data"]["walls"]
        self.assertEqual({name: walls[name] for name in ("uid", "limits", "seccomp")},
                         {"uid": True, "limits": True, "seccomp": True})

    def test_wrong_and_curious(self):
        found = "found = []\nfor path in ('/autograder/source/token', " \
            "'/autograder/source/rubric.json', '/autograder/submission_metadata.json', " \
            "'/autograder/source/layerd/grading/planted/layers.py'):\n" \
            "    try: found.append(open(path).read())\n    except OSError: pass\n" \
            "try: found.append(open('/autograder/results/results.json', 'w'))\n" \
            "except OSError: pass\n" \
            "if any(found): raise ValueError(found)\n" \
            "def svm_loss(x, y):\n    return 0.0, 0 * x\n"
        results, _ = self.run_in_container(right("layers.py") + found)
        self.assertEqual(results["score"], 16, results["output"])
        result, later = results["tests"][-2:]
        self.assertEqual((result["score"], "output" in result, later["visibility"]),
                         (0, False, "after_due_date"))

    def test_server_that_is_away(self):
        for previous, score in ((True, 8.0), (False, None)):
            with self.subTest(previous):
                shutil.rmtree(self.place / "root", ignore_errors=True)
                results, _ = self.run_in_container(right("layers.py"), "http://127.0.0.1:1",
                                                   previous)
                self.assertEqual(results.get("score"), score)
                self.assertIn("was not graded", results["output"])
