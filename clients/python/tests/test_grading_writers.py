"""Results as each platform takes them."""
import json
import unittest
import xml.etree.ElementTree as xml

from layerd.grading.results import (GRADED, NOT_GRADABLE, NOT_GRADED, CaseResult, Finding, Report,
                                    TestResult)
from layerd.grading.rubric import read
from layerd.grading.writers import WRITERS, Given

EVIL = 'a <b> & "c": \'d\''
OPERATIONS = "affine/forward", "relu/forward", "svm/loss", "adam/update"


def report(*shares, state=GRADED, why="", says="", **keys):
    """A report of tests, each of 4 points and so many quarters of them."""
    tests = [{"operation": OPERATIONS[place], "points": 4, **(keys if place == 0 else {})}
             for place in range(len(shares) or 1)]
    rubric = read(json.dumps({"assignment": "a2", "file": "layers.py", "tests": tests}))
    results = [TestResult(test, [CaseResult(str(case), [
        Finding("out", "right") if case < share else Finding("out", "wrong", "fault", says)])
        for case in range(4)]) for test, share in zip(rubric.tests, shares)]
    return Report(rubric, "anna", state, why, results, "0" * 64, {"walls": {"uid": True}}, 1.5)


def written(platform, result, metadata=None):
    data = WRITERS[platform](result, Given(metadata, "user-1"))
    return data if data is None else data.decode()


def document(platform, result, metadata=None):
    return json.loads(written(platform, result, metadata))


class EveryWriter(unittest.TestCase):
    def test_nothing_breaks_any(self):
        """10 MB of words, NULs, names that are markup: it is valid, and not too long."""
        for platform in WRITERS:
            for says in "x" * 10_000_000, "é" * 10_000_000, "a\0b\x1b[0m\ud800\ufffe", EVIL:
                for state in GRADED, NOT_GRADABLE, NOT_GRADED:
                    with self.subTest(platform, says=says[:9], state=state):
                        made = written(platform, report(2, 4, state=state, why=says[:5000],
                                                        says=says, name=EVIL))
                        if made is not None:
                            self.assertLess(len(made.encode()), 60_000)
                            self.assertNotIn("\0", made)
                            self.assertNotIn("\\u0000", made)
                            self.parse(platform, made)

    @staticmethod
    def parse(platform, made):
        if platform == "junit":
            xml.fromstring(made.encode())
        elif platform == "autolab":
            for line in made.splitlines():
                if line.startswith("{"):
                    json.loads(line)
        else:
            json.loads(made)

    def test_many_long_words_are_cut_in_all(self):
        rubric = read(json.dumps({"assignment": "a", "file": "a.py", "tests": [
            {"operation": "relu/forward", "name": f"t{i}", "points": 1} for i in range(100)]}))
        tests = [TestResult(test, [CaseResult("plain", [Finding("out", "wrong", "", "é" * 4000)])])
                 for test in rubric.tests]
        words = Report(rubric, "a", GRADED, tests=tests).all_words()
        self.assertLessEqual(sum(len(text.encode()) for text in words.values()), 200 << 10)
        self.assertLessEqual(max(len(text.encode()) for text in words.values()), 4 << 10)
        self.assertEqual(words["t0"][-2:], "é…")


class Gradescope(unittest.TestCase):
    def test_points(self):
        for quarters, status in ((0, "failed"), (4, "passed"), (2, "failed")):
            made = document("gradescope", report(quarters, 4, says="no", number="1.1"))
            self.assertEqual((made["score"], made["tests"][0]["score"]),
                             (4 + quarters, quarters))
            first = made["tests"][0]
            self.assertEqual((first["max_score"], first["status"], first["number"],
                              first["visibility"]), (4, status, "1.1", "visible"))
            self.assertEqual(made["tests"][1]["status"], "passed")
        self.assertEqual(made["tests"][0]["output"], "no (case 2, 3)")
        self.assertEqual(made["extra_data"]["walls"], {"uid": True})

    def test_visibility(self):
        made = document("gradescope", report(0, says="no", visibility="hidden"))
        self.assertEqual([(test["visibility"], test["output"]) for test in made["tests"]],
                         [("hidden", "no")])
        made = document("gradescope", report(0, says="no", words="after_due_date"))
        result, later = made["tests"]
        self.assertEqual((result["visibility"], "output" in result), ("visible", False))
        self.assertEqual((later["visibility"], later["output"], "score" in later),
                         ("after_due_date", "no", False))

    def test_not_gradable(self):
        made = document("gradescope", report(state=NOT_GRADABLE, why="there is no <file>"))
        self.assertEqual((made["score"], made["output"], made["output_format"]),
                         (0, "there is no <file>", "text"))

    def test_not_graded_keeps_the_results_before(self):
        before = [{"score": "3", "results": {"score": 3.0, "tests": [{"score": 3}]}},
                  {"score": "5", "results": {"score": 5.0, "tests": [{"score": 5}],
                                             "output": "old"}}, {"score": None, "results": None}]
        made = document("gradescope", report(2, state=NOT_GRADED, why="no server"),
                        {"previous_submissions": before})
        self.assertEqual((made["score"], made["tests"]), (5.0, [{"score": 5}]))
        self.assertIn("was not graded: no server", made["output"])

    def test_not_graded_without_results_before_has_no_score(self):
        for metadata in None, {}, {"previous_submissions": []}, {"previous_submissions": [7]}:
            made = document("gradescope", report(2, state=NOT_GRADED, why="no"), metadata)
            self.assertFalse({"score", "tests"} & made.keys())


class PrairieLearn(unittest.TestCase):
    def test_score_is_from_0_to_1(self):
        for quarters in 0, 1, 4:
            made = document("prairielearn", report(quarters, 4, says="no"))
            self.assertEqual((made["gradable"], made["score"]), (True, (quarters + 4) / 8))
            self.assertEqual((made["tests"][0]["points"], made["tests"][0]["max_points"]),
                             (quarters, 4))

    def test_hidden_tests_are_one_without_words(self):
        made = document("prairielearn", report(0, 4, says="no", visibility="after_due_date"))
        self.assertEqual([(test["name"], test["points"], test["output"])
                          for test in made["tests"]],
                         [("relu_forward", 4, ""), ("hidden tests", 0, "")])

    def test_not_gradable_and_not_graded_cost_no_attempt(self):
        for state in NOT_GRADABLE, NOT_GRADED:
            made = document("prairielearn", report(state=state, why="no file"))
            self.assertEqual(made, {"gradable": False, "format_errors": ["no file"]})


class Autolab(unittest.TestCase):
    def test_last_line_is_the_scores(self):
        lines = written("autolab", report(0, 2, 4, says="no", name="Part a: forward")).splitlines()
        self.assertEqual(json.loads(lines[-1]), {"scores": {
            "Part a - forward": 0, "relu_forward": 2, "svm_loss": 4}})
        self.assertNotRegex(lines[-1].replace('{"scores": ', ""), r"\w:")
        feedback = json.loads(lines[-2])
        self.assertEqual(feedback["Tests"]["relu_forward"],
                         {"passed": False, "hint": "no (case 2, 3)"})
        self.assertEqual((feedback["_presentation"], feedback["stages"]), ("semantic", ["Tests"]))

    def test_hidden(self):
        lines = written("autolab", report(0, 4, says="no", visibility="hidden")).splitlines()
        self.assertEqual(json.loads(lines[-1])["scores"], {"affine_forward": 0, "relu_forward": 4})
        self.assertEqual(json.loads(lines[-2])["Tests"]["hidden tests"],
                         {"passed": False, "hint": ""})

    def test_not_gradable_is_0_and_not_graded_has_no_scores(self):
        lines = written("autolab", report(state=NOT_GRADABLE, why="no file")).splitlines()
        self.assertEqual(json.loads(lines[-1]), {"scores": {"affine_forward": 0}})
        self.assertNotIn("scores", written("autolab", report(state=NOT_GRADED, why="no")))


class JUnit(unittest.TestCase):
    @staticmethod
    def share(result):
        """What CodeGrade makes of it: the share of cases that succeed."""
        cases = xml.fromstring(written("junit", result).encode()).findall(".//testcase")
        passed = [case for case in cases if case.find("failure") is None
                  and case.find("error") is None]
        return len(passed) / len(cases)

    def test_share_of_cases_is_that_of_points(self):
        for quarters in range(5):
            self.assertAlmostEqual(self.share(report(quarters, 4)), (quarters + 4) / 8)
        self.assertAlmostEqual(self.share(report(1, 4, points=1.5)), (1.5 / 4 + 4) / 5.5)

    def test_failures_have_words(self):
        root = xml.fromstring(written("junit", report(2, says=EVIL, name=EVIL)).encode())
        self.assertEqual((root.get("tests"), root.get("failures")), ("2", "1"))
        case = root.findall(".//testcase")[1]
        self.assertEqual(case.get("name"), f"{EVIL}, part 2 of 2")
        self.assertEqual(case.find("failure").text, f"{EVIL} (case 2, 3)")

    def test_not_gradable_fails_and_not_graded_is_an_error(self):
        for state, name in ((NOT_GRADABLE, "failure"), (NOT_GRADED, "error")):
            root = xml.fromstring(written("junit", report(state=state, why="why")).encode())
            self.assertEqual(root.find(f".//{name}").get("message"), "why")


class CodeRunner(unittest.TestCase):
    def test_keys_are_those_that_there_are(self):
        for quarters in 0, 2, 4:
            made = document("coderunner", report(quarters, 4, says="<no>"))
            self.assertEqual(made.keys(), {"fraction", "testresults", "columnformats"})
            self.assertEqual(made["fraction"], (quarters + 4) / 8)
            head, first, second = made["testresults"]
            self.assertEqual(head[0], "iscorrect")
            self.assertEqual(len(made["columnformats"]), len(head) - 1)
            self.assertEqual((first[0], second[0]), (int(quarters == 4), 1))
        self.assertEqual(made["testresults"][1][2], "4 of 4")

    def test_words_are_html(self):
        made = document("coderunner", report(0, says=EVIL))
        self.assertEqual(made["testresults"][1][3],
                         "a &lt;b&gt; &amp; &quot;c&quot;: &#x27;d&#x27;")

    def test_not_gradable_is_0_and_not_graded_is_nothing(self):
        made = document("coderunner", report(state=NOT_GRADABLE, why="<no>"))
        self.assertEqual(made, {"fraction": 0, "epiloguehtml": "<p>&lt;no&gt;</p>"})
        self.assertIsNone(written("coderunner", report(state=NOT_GRADED)))


class Ags(unittest.TestCase):
    def test_score(self):
        for quarters in 0, 2, 4:
            made = document("ags", report(quarters, 4, says="no"))
            self.assertEqual((made["scoreGiven"], made["scoreMaximum"], made["userId"],
                              made["activityProgress"], made["gradingProgress"]),
                             (quarters + 4, 8, "user-1", "Completed", "FullyGraded"))
            self.assertRegex(made["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(made["comment"], "affine_forward: 4 of 4\nrelu_forward: 4 of 4")

    def test_not_graded_has_no_score(self):
        made = document("ags", report(state=NOT_GRADED))
        self.assertEqual((made["gradingProgress"], made.keys() & {"scoreGiven", "scoreMaximum"}),
                         ("Pending", set()))
        made = document("ags", report(state=NOT_GRADABLE, why="no file"))
        self.assertEqual((made["gradingProgress"], made["scoreGiven"], made["comment"]),
                         ("FullyGraded", 0, "no file"))


class Xqueue(unittest.TestCase):
    def test_message_is_xml_with_one_root(self):
        for quarters in 0, 2, 4:
            made = document("xqueue", report(quarters, 4, says=EVIL, name=EVIL))
            self.assertEqual((made["correct"], made["score"]), (quarters == 4, quarters + 4))
            root = xml.fromstring(made["msg"])
            self.assertEqual(root.tag, "div")
        self.assertEqual("".join(root.find("p").itertext()), f"{EVIL}: 4 of 4")

    def test_not_graded_is_no_reply(self):
        self.assertIsNone(written("xqueue", report(state=NOT_GRADED)))
        made = document("xqueue", report(state=NOT_GRADABLE, why="<no>"))
        self.assertEqual((made["correct"], made["score"], made["msg"]),
                         (False, 0, "<div><p>&lt;no&gt;</p></div>"))


class PlainJson(unittest.TestCase):
    def test_all_is_there(self):
        made = document("json", report(2, 4, says="no", visibility="hidden"))
        self.assertEqual((made["state"], made["points"], made["max_points"], made["submission"]),
                         ("graded", 6, 8, "anna"))
        first = made["tests"][0]
        self.assertEqual((first["verdict"], first["faults"], first["visibility"], first["words"]),
                         ("wrong", ["fault"], "hidden", "no (case 2, 3)"))
        self.assertIsNone(document("json", report(2, state=NOT_GRADED))["points"])
