"""What the document says of checks: the daemon takes what fits, refuses what does not, and finds
only faults that are listed."""
import copy

from case import Case
from daemon import answer_schema, example, request_schema

AFFINE = {"x": [[1, 2], [3, 4]], "w": [[0.5], [-1]], "b": [10]}


class Checks(Case):
    def check(self, path, operation, body, fits, code=None):
        """The schema and the daemon agree on a body."""
        errors = self.daemon.errors(request_schema(operation), body)
        self.assertEqual(errors == [], fits, f"{path} {body}: {errors}")
        answer = self.post(path, body)
        self.expect(path, operation, answer, 200 if fits else 422, code)
        return answer.json

    def affine(self, claim, fits=True, code=None, **more):
        path, operation = self.operation("checkAffineForward")
        return self.check(path, operation, {**AFFINE, "claim": claim, **more}, fits, code)

    def faults(self, operation):
        """The codes of a check's operation, and of all."""
        path = next(p for p, o in self.daemon.checks() if o is operation)
        row = self.document["paths"][path.removeprefix("/check")]["post"]["x-layerd"]
        general = self.document["components"]["schemas"]["Fault"]["x-layerd"]
        return {fault["code"] for fault in row["faults"] + general}

    def test_every_operation_can_be_checked(self):
        self.assertEqual([path for path, _ in self.daemon.checks()],
                         ["/check" + path for path, _ in self.daemon.layer_operations()])

    def test_what_is_missing_is_missed(self):
        for path, operation in self.daemon.checks():
            schema = self.daemon.resolve(request_schema(operation))
            for field in schema["properties"]:
                body = copy.deepcopy(example(operation))
                body.pop(field, None)
                required = field in schema["required"]
                self.check(path, operation, body, not required, "missing_field" if required else None)

    def test_nothing_else_is_taken(self):
        for path, operation in self.daemon.checks():
            body = example(operation)
            for more in ({"cache": "0"}, {"unheard_of": 1},
                         {"claim": {**body["claim"], "unheard_of": 1}}):
                self.check(path, operation, {**body, **more}, False, "unknown_field")
            self.check(path, operation, {**body, "claim": {}}, False, "missing_field")
            for wrong in ([1], "out", None, 1):
                self.check(path, operation, {**body, "claim": wrong}, False, "wrong_type")

    def test_claims_of_any_shape_are_judged(self):
        for path, operation in self.daemon.checks():
            body = copy.deepcopy(example(operation))
            for name in body["claim"]:
                for value in (1, [[[1, 2]]], [], {"shape": [3], "data": [1, "NaN", "Infinity"]}):
                    if isinstance(body["claim"][name], dict):
                        value = {key: value for key in body["claim"][name]}
                    found = self.check(path, operation, {**body, "claim": {name: value}}, True)
                    self.assertEqual(found["verdict"], "wrong", (path, name, value))
                for value in ("text", True, None, {"tensor": "0"}):
                    self.check(path, operation, {**body, "claim": {name: value}}, False)

    def test_each_detail_fits_and_faults_are_listed(self):
        for path, operation in self.daemon.checks():
            detail = next(p for p in operation["parameters"] if p["name"] == "detail")
            self.assertEqual(detail["schema"]["enum"], ["verdict", "words", "values"])
            for value in detail["schema"]["enum"]:
                answer = self.post(f"{path}?detail={value}", example(operation, "wrong"))
                self.expect(path, operation, answer)
                finding, = answer.json["claim"].values()
                self.assertEqual(finding["verdict"], "wrong")
                self.assertEqual("fault" in finding and "says" in finding, value != "verdict")
                self.assertEqual("expected" in finding, value == "values")
                if value != "verdict":
                    self.assertIn(finding["fault"], self.faults(operation))

    def test_faults_are_told_in_words(self):
        known = self.document["components"]["schemas"]["Fault"]["enum"]
        for _, operation in self.daemon.layer_operations():
            for fault in operation["x-layerd"]["faults"]:
                self.assertIn(fault["code"], known)
                self.assertRegex(fault["says"], r"^([^A-Z]|NaN|[A-Z]\b).*[^.]$")

    def test_cases_are_those_of_challenges(self):
        listed = self.daemon.send("GET", "/challenge").json["operations"]
        for path, operation in self.daemon.layer_operations():
            self.assertEqual(operation["x-layerd"]["cases"], listed[path[1:]])

    def test_a_missing_bias_is_named(self):
        found = self.affine({"out": [[-1.5], [-2.5]]})
        self.assertEqual(found["claim"]["out"]["fault"], "bias_missing")
        self.assertEqual(self.affine({"out": [[8.5], [7.5]]})["verdict"], "right")

    def test_precision_and_tolerance(self):
        near = {"out": [[8.5], [7.5000001]]}
        for more, fits, verdict in (
                ({}, True, "wrong"), ({"precision": "float64"}, True, "wrong"),
                ({"precision": "float32"}, True, "right"), ({"dtype": "float32"}, True, "right"),
                ({"precision": "float16"}, False, None), ({"precision": 1}, False, None),
                ({"tolerance": {"atol": 1e-6}}, True, "right"),
                ({"tolerance": {"rtol": 1e-6, "atol": 0}}, True, "right"),
                ({"tolerance": {}}, True, "wrong"), ({"tolerance": {"atol": -1}}, False, None),
                ({"tolerance": {"atol": "1"}}, False, None), ({"tolerance": 1}, False, None),
                ({"tolerance": {"tol": 1}}, False, None)):
            with self.subTest(more=more):
                found = self.affine(near, fits, **more)
                self.assertEqual(found.get("verdict"), verdict)

    def test_parameters_that_come_back_are_claimed(self):
        path, operation = self.operation("checkAdamUpdate")
        body = copy.deepcopy(example(operation))
        for t, verdict in ((1, "right"), (1.0, "right"), (2, "wrong"), (1.5, "wrong")):
            body["claim"] = {"config": {"t": t}}
            found = self.check(path, operation, body, True)
            self.assertEqual(found["claim"]["config"]["t"]["verdict"], verdict)
        for wrong in ("1", True, [1], None):
            body["claim"] = {"config": {"t": wrong}}
            self.check(path, operation, body, False, "wrong_type")

    def test_a_verdict_holds_nothing_else(self):
        _, operation = self.operation("checkAffineForward")
        for wrong in ({"verdict": "right"}, {"verdict": "good", "claim": {}}, {"claim": {}},
                      {"verdict": "right", "claim": {"out": "right"}},
                      {"verdict": "wrong", "claim": {"out": {"fault": "bias_missing"}}},
                      {"verdict": "wrong", "claim": {"out": {"verdict": "wrong", "fault": "new"}}},
                      {"verdict": "right", "claim": {}, "score": 1}):
            self.assertNotEqual(self.daemon.errors(answer_schema(operation), wrong), [])
