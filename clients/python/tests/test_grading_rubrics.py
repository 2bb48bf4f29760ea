"""Rubrics: what is taken, and the sentence for each that is not."""
import json
import pathlib
import unittest

import layerd
from layerd.grading.command import bundled_rubrics
from layerd.grading.rubric import RubricError, read

RUBRICS = pathlib.Path(layerd.__file__).parent / "rubrics"


def rubric(*tests, **keys):
    return {"assignment": "a2", "file": "cs231n/layers.py", "tests": list(tests), **keys}


def test_of(**keys):
    return {"operation": "affine/forward", "points": 4, **keys}


class Rubrics(unittest.TestCase):
    def refused(self, document, words):
        text = document if isinstance(document, str) else json.dumps(document)
        with self.assertRaises(RubricError) as raised:
            read(text)
        self.assertIn(words, str(raised.exception))

    def test_everything_can_be_said(self):
        found = read(json.dumps(rubric(test_of(
            name="Affine: forward", file="other/layers.py", function="mine", cases=["plain"],
            partial=False, seconds=2.5, dtype="float32", visibility="hidden",
            words="after_due_date", number="1.1"), test_of(
                operation="batchnorm/backward", function="batchnorm_backward_alt",
                forward="theirs", own_gradient=True), points=8, course="cs231n")))
        first, second = found.tests
        self.assertEqual((first.name, first.file, first.function, first.cases, first.partial),
                         ("Affine: forward", "other/layers.py", "mine", ("plain",), False))
        self.assertEqual((first.seconds, first.dtype, first.visibility, first.words, first.number),
                         (2.5, "float32", "hidden", "after_due_date", "1.1"))
        self.assertEqual((second.name, second.forward, second.own_gradient),
                         ("batchnorm_backward_alt", "theirs", True))
        self.assertEqual((found.points, found.files), (8, ["other/layers.py", "cs231n/layers.py"]))

    def test_what_is_not_said_has_a_default(self):
        test, = read(json.dumps(rubric(test_of()))).tests
        self.assertEqual((test.name, test.forward, test.cases, test.partial, test.own_gradient,
                          test.seconds, test.dtype, test.visibility, test.words),
                         ("affine_forward", None, (), True, False, 5, "float64", "visible",
                          "visible"))

    def test_words_are_seen_no_earlier_than_the_result(self):
        test, = read(json.dumps(rubric(test_of(visibility="hidden")))).tests
        self.assertEqual(test.words, "hidden")

    def test_courses_differ_in_names(self):
        document = rubric(test_of(operation="adam/update"), course="ece_c147")
        self.assertEqual(read(json.dumps(document)).tests[0].signature.keys, {"m": "v", "v": "a"})

    def test_unknown_keys(self):
        self.refused(rubric(test_of(), tets=[]),
                     'the rubric has the key "tets", which there is not: is it "tests"?')
        self.refused(rubric(test_of(point=1)),
                     'test 1 has the key "point", which there is not: is it "points"?')

    def test_points(self):
        self.refused(rubric(test_of(), test_of(name="b", points=1.5), points=6),
                     "the tests' points add up to 5.5, but the rubric says 6")
        self.refused(rubric(test_of(points=-1)), "points is -1, but must be from 0 to 1e+06")
        self.refused(rubric(test_of(points=True)), "points must be a number")
        self.refused(rubric(test_of(points="4")), "points must be a number")
        self.refused(rubric(test_of(points=0)), "the tests' points add up to 0")
        self.refused('{"assignment": "a", "tests": [{"operation": "relu/forward", "file": "a.py", '
                     '"points": NaN}]}', "the rubric holds NaN, which is no number")

    def test_missing_keys(self):
        self.refused({}, "the rubric has no assignment")
        self.refused({"assignment": "a"}, "the rubric has no tests")
        self.refused(rubric(), "the rubric has no tests")
        self.refused(rubric({"points": 1}), "test 1 has no operation")
        self.refused({"assignment": "a", "tests": [test_of()]}, "has no file")

    def test_names(self):
        self.refused(rubric(test_of(), test_of()),
                     'two tests are named "affine_forward": names must differ')
        self.refused(rubric(test_of(operation="affine/foward")),
                     'which there is not: is it "affine/forward"?')
        self.refused(rubric(test_of(), course="cs231"), "the course is \"cs231\"")
        self.refused(rubric(test_of(visibility="seen")), 'the visibility "seen"')
        self.refused(rubric(test_of(dtype="float16")), 'the dtype "float16"')
        self.refused(rubric(test_of(seconds=0)), "seconds is 0, but must be from 0.1 to 600")
        self.refused(rubric(test_of(cases=["plain", "plain"])), "cases that are not strings, each")
        self.refused(rubric(test_of(cases=[1])), "cases that are not strings, each")
        self.refused(rubric(test_of(forward="f")), "has a forward, but affine/forward takes no")

    def test_files_lie_in_the_submission(self):
        for path in "/etc/layers.py", "../layers.py", "a/../../layers.py", "layers.txt", "a\0.py":
            self.refused(rubric(test_of(file=path)), "must be the path of a .py file within")

    def test_what_is_no_rubric(self):
        self.refused("[]", "the rubric must be a JSON object")
        self.refused('{"tests": [1}', "the rubric is no JSON: line 1, column 13")
        self.refused("[" * 100000, "")
        self.refused('{"assignment": "a", "assignment": "b"}', 'the key "assignment" twice')
        self.refused(rubric("affine"), "test 1 must be a JSON object")

    def test_those_that_come_along_are_right(self):
        self.assertEqual(bundled_rubrics(), ["cs231n-a1", "cs231n-a2", "ece-c147-hw3",
                                             "ece-c147-hw4", "ece-c147-hw5"])
        for name in bundled_rubrics():
            found = read((RUBRICS / f"{name}.json").read_text())
            self.assertEqual(found.assignment, name)
            self.assertGreaterEqual(found.points, 20)
