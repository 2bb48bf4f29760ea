"""What the document says of challenges: requests and answers fit it, and it takes what the daemon
takes."""
import json

from case import Case
from daemon import answer_example, answer_schema, example, request_schema

SUBMISSION = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def product(inputs):
    """x · w + b"""
    columns = list(zip(*inputs["w"]))
    return [[sum(x * w for x, w in zip(row, column)) + b
             for column, b in zip(columns, inputs["b"])] for row in inputs["x"]]


class Challenges(Case):
    def setUp(self):
        self.path, self.draw = self.operation("drawChallenge")
        self.answer_path, self.answer = self.operation("answerChallenge")

    def given(self, **asked):
        answer = self.post(self.path, {"operation": "affine/forward", **asked})
        self.expect(self.path, self.draw, answer)
        return answer.json

    def test_examples_fit_their_schemas(self):
        for operation in self.draw, self.answer:
            self.assertEqual(self.daemon.errors(request_schema(operation), example(operation)), [])
            self.assertEqual(
                self.daemon.errors(answer_schema(operation), answer_example(operation)), [])

    def test_the_example_runs(self):
        given = self.given(**example(self.draw))
        self.assertEqual(given.keys(), answer_example(self.draw).keys())
        shown = answer_example(self.draw)
        self.assertEqual(product(shown["inputs"]), example(self.answer)["claim"]["out"])
        answer = self.post(self.answer_path, {"challenge": given["challenge"],
                                              "claim": {"out": product(given["inputs"])}})
        self.expect(self.answer_path, self.answer, answer)
        self.assertEqual(answer.json, answer_example(self.answer))

    def test_each_detail_fits(self):
        given = self.given(submission=SUBMISSION)
        details = self.answer["parameters"][0]["schema"]["enum"]
        self.assertEqual(details, ["verdict", "words", "values"])
        for detail in details:
            for out in ([[1]], product(given["inputs"])):
                answer = self.post(f"{self.answer_path}?detail={detail}",
                                   {"challenge": given["challenge"], "claim": {"out": out}})
                self.expect(self.answer_path, self.answer, answer)

    def test_every_case_that_is_listed_is_in_the_document(self):
        listed = self.daemon.send("GET", "/challenge").json["operations"]
        properties = self.daemon.resolve(request_schema(self.draw))["properties"]
        self.assertEqual(properties["operation"]["enum"], list(listed))
        self.assertEqual(set(properties["case"]["enum"]), set().union(*listed.values()))

    def test_what_fits_is_taken_and_what_does_not_is_not(self):
        for more, fits in (({"case": "one"}, True), ({"case": "on"}, False),
                           ({"dtype": "float32"}, True), ({"dtype": "float16"}, False),
                           ({"assignment": "x" * 128}, True), ({"assignment": "x" * 129}, False),
                           ({"submission": SUBMISSION.upper()}, True),
                           ({"submission": SUBMISSION[1:]}, False), ({"submission": 1}, False),
                           ({"operation": "affine"}, False), ({"once": True}, False)):
            with self.subTest(more=more):
                asked = {"operation": "affine/forward", **more}
                errors = self.daemon.errors(request_schema(self.draw), asked)
                self.assertEqual(errors == [], fits)
                answer = self.post(self.path, asked)
                self.expect(self.path, self.draw, answer, 200 if fits else 422)

    def test_challenges_come_in_each_form(self):
        for media_type in self.draw["responses"]["200"]["content"]:
            answer = self.post(self.path, {"operation": "affine/forward"}, Accept=media_type)
            self.expect(self.path, self.draw, answer)
            self.assertEqual(answer.media_type, media_type)
        text = json.dumps({"__metadata__": {"operation": "affine/forward"}}).encode()
        file = len(text).to_bytes(8, "little") + text
        answer = self.post(self.path, file, Content_Type="application/vnd.safetensors")
        self.expect(self.path, self.draw, answer)
