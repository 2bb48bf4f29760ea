"""The schemas tell the truth: what fits them is taken, what does not is refused."""
import copy
import math

from case import Case
from daemon import request_schema

LARGEST = 1.7976931348623157e308
MOST_INTEGER = 2**53 - 1


# What an operation gives back of a default that it has changed
STEPPED = {"/adam/update": {"t": [1]}}


class Schemas(Case):
    def check(self, path, operation, body, fits, code=None):
        """The schema and the daemon agree on a body."""
        errors = self.daemon.errors(request_schema(operation), body)
        self.assertEqual(errors == [], fits, f"{path} {body}: {errors}")
        answer = self.run_operation(path, operation, body)
        self.expect(path, operation, answer, 200 if fits else 422, code)
        return answer

    def params(self):
        """(path, operation, name of the object, parameter, schema)"""
        for path, operation in self.daemon.layer_operations():
            name = operation["x-layerd"].get("params_name")
            if name:
                request = self.daemon.resolve(request_schema(operation))
                schema = self.daemon.resolve(request["properties"][name])
                for parameter, range_ in schema["properties"].items():
                    yield path, operation, name, parameter, range_

    def check_value(self, path, operation, name, parameter, value, fits):
        with self.subTest(path=path, parameter=parameter, value=value):
            body = self.body_of(operation)
            body[name][parameter] = value
            answer = self.check(path, operation, body, fits)
            if not fits:
                self.assertTrue(answer.json["pointer"].startswith(f"/{name}/{parameter}"))

    def test_numbers_end_where_their_range_does(self):
        checked = 0
        for path, operation, name, parameter, s in self.params():
            if s.get("type") not in ("number", "integer"):
                continue
            step = (lambda v, way: v + math.copysign(1, way)) if s["type"] == "integer" else \
                math.nextafter
            low = s.get("exclusiveMinimum", s.get("minimum"))
            high = s.get("exclusiveMaximum", s.get("maximum", LARGEST))
            if high == MOST_INTEGER:  # what fits a shape is less
                values = []
            else:
                values = [(high, "exclusiveMaximum" not in s)]
            if "exclusiveMinimum" in s:
                values += [(low, False), (step(low, math.inf), True)]
            else:
                values += [(low, True), (step(low, -math.inf), False)]
            if "maximum" in s:
                values += [(step(high, math.inf), False)]
            if "exclusiveMaximum" in s:
                values += [(step(high, -math.inf), True)]
            for value, fits in values:
                self.check_value(path, operation, name, parameter, value, fits)
                checked += 1
        self.assertGreater(checked, 10)

    def test_integers_are_integral(self):
        for path, operation, name, parameter, s in self.params():
            if s.get("type") == "integer":
                self.check_value(path, operation, name, parameter, s["minimum"] + 1.0, True)
                self.check_value(path, operation, name, parameter, s["minimum"] + 0.5, False)

    def test_choices_are_those_of_the_list(self):
        for path, operation, name, parameter, s in self.params():
            if "enum" in s:
                for choice in s["enum"]:
                    self.check_value(path, operation, name, parameter, choice, True)
                for other in (s["enum"][0] + "x", "", s["enum"][0].upper()):
                    self.check_value(path, operation, name, parameter, other, False)

    def test_defaults_are_what_comes_back(self):
        checked = 0
        for path, operation, name, parameter, s in self.params():
            if "default" in s:
                body = self.body_of(operation)
                del body[name][parameter]
                answer = self.check(path, operation, body, True)
                if name in answer.json:
                    self.assertIn(answer.json[name][parameter],
                                  STEPPED.get(path, {}).get(parameter, [s["default"]]))
                    checked += 1
        self.assertGreater(checked, 0)

    def test_parameters_are_of_their_type(self):
        for path, operation, name, parameter, s in self.params():
            for wrong in (True, None, {"a": 1}, "no"):
                self.check_value(path, operation, name, parameter, wrong, False)

    def test_what_is_required_is_missed(self):
        for path, operation in self.daemon.layer_operations():
            request = self.daemon.resolve(request_schema(operation))
            for field in request["properties"]:
                body = self.body_of(operation)
                body.pop(field, None)
                required = field in request["required"]
                self.check(path, operation, body, not required, "missing_field" if required else None)
        for path, operation, name, parameter, _ in self.params():
            request = self.daemon.resolve(request_schema(operation))
            schema = self.daemon.resolve(request["properties"][name])
            body = self.body_of(operation)
            body[name].pop(parameter, None)
            self.check(path, operation, body, parameter not in schema["required"])

    def test_nothing_else_is_taken(self):
        for path, operation in self.daemon.layer_operations():
            body = self.body_of(operation)
            body["unheard_of"] = 1
            self.check(path, operation, body, False, "unknown_field")
        for path, operation, name, _, _ in self.params():
            body = self.body_of(operation)
            body[name]["unheard_of"] = 1
            self.check(path, operation, body, False, "unknown_field")

    def test_both_dtypes_are_taken_and_no_other(self):
        dtypes = self.document["components"]["schemas"]["Dtype"]["enum"]
        for path, operation in self.daemon.layer_operations():
            for dtype in dtypes:
                forward = self.giver_of(operation)
                body = self.body_of(operation)
                body["dtype"] = dtype
                if not forward:
                    self.check(path, operation, body, True)
            self.check(path, operation, {**self.body_of(operation), "dtype": "float16"}, False,
                       "invalid_param")

    def tensors(self):
        for path, operation in self.daemon.layer_operations():
            for field in operation["x-layerd"]["inputs"]:
                yield path, operation, field

    def test_handles_stand_in_the_place_of_tensors(self):
        for path, operation, field in self.tensors():
            body = self.body_of(operation, "flat")
            name = field["name"]
            if field["labels"]:
                body[name]["dtype"] = "int64"
            handle = self.keep(t=body[name])["t"]
            body[name] = {"tensor": handle}
            self.check(path, operation, body, True)
            for wrong in ({"tensor": 1}, {"tensor": None}, {"tensor": [handle]}, {"cache": handle},
                          {"tensor": handle, "more": 1}, handle):
                body[name] = wrong
                self.check(path, operation, body, False)

    def test_handles_stand_in_the_place_of_parameters(self):
        checked = 0
        for path, operation, name, parameter, body in self.vectors():
            handle = self.keep(t=body[name][parameter])["t"]
            body[name][parameter] = {"tensor": handle}
            self.check(path, operation, body, True)
            for wrong in ({"tensor": 1}, {"tensor": handle, "more": 1}, handle):
                body[name][parameter] = wrong
                self.check(path, operation, body, False)
            checked += 1
        self.assertGreater(checked, 0)

    def test_numbers_may_be_no_numbers(self):
        for path, operation, field in self.tensors():
            for text in ("NaN", "Infinity", "-Infinity", "nan", "1"):
                body = self.body_of(operation, "flat")
                body[field["name"]]["data"][0] = text
                fits = not field["labels"] and text[-1] in "Ny"
                self.check(path, operation, body, fits)

    def test_labels_are_integers_from_zero(self):
        for path, operation, field in self.tensors():
            if field["labels"]:
                for label, fits in ((0, True), (1.0, True), (-1, False), (0.5, False)):
                    body = self.body_of(operation)
                    body[field["name"]][0] = label
                    self.check(path, operation, body, fits)

    def vectors(self):
        """(path, operation, name of the object, parameter, a body that has it)"""
        for path, operation in self.daemon.layer_operations():
            row = operation["x-layerd"]
            for parameter in row.get("params", []):
                if parameter["kind"] == "tensor":
                    body = self.body_of(operation)
                    given = self.run_operation(path, operation, body).json[row["params_name"]]
                    body[row["params_name"]][parameter["name"]] = given[parameter["name"]]
                    yield path, operation, row["params_name"], parameter["name"], body
        for path, operation, name, parameter, body in self.masks():
            yield path, operation, name, parameter["name"], body

    def masks(self):
        """(path, operation, name of the object, parameter, a body that has it in the flat form)"""
        for path, operation in self.daemon.layer_operations():
            row = operation["x-layerd"]
            for parameter in row.get("params", []):
                if parameter["kind"] == "mask":
                    body = self.body_of(operation, "flat")
                    del body[row["params_name"]][parameter["instead_of"]]
                    mask = copy.deepcopy(body[row["inputs"][0]["name"]])
                    mask["data"] = [i % 2 for i, _ in enumerate(mask["data"])]
                    body[row["params_name"]][parameter["name"]] = mask
                    yield path, operation, row["params_name"], parameter, body

    def test_masks_are_zeros_and_ones(self):
        checked = 0
        for path, operation, name, parameter, body in self.masks():
            answer = self.check(path, operation, body, True)
            self.assertNotIn(parameter["name"], answer.json[name])
            for element, fits in ((1.0, True), (-0.0, True), (2, False), (0.5, False),
                                  ("NaN", False), (True, False)):
                body[name][parameter["name"]]["data"][0] = element
                self.check(path, operation, body, fits)
                checked += 1
        self.assertGreater(checked, 0)

    def test_what_stands_in_the_place_of_another_does_not_stand_beside_it(self):
        for path, operation, name, parameter, body in self.masks():
            body[name][parameter["instead_of"]] = 1
            answer = self.check(path, operation, body, False, "invalid_param")
            self.assertEqual(answer.json["pointer"], f"/{name}/{parameter['name']}")

    def test_tensors_have_the_rank_of_their_pattern(self):
        for path, operation, field in self.tensors():
            any_rank = field["shape"] == "..."
            for form in ("nested", "flat"):
                body = self.body_of(operation, form)
                name = field["name"]
                body[name] = 0 if form == "nested" else {"shape": [], "data": [0]}
                if not any_rank:
                    self.check(path, operation, body, False, "invalid_shape")
                elif field is not operation["x-layerd"]["inputs"][0]:  # like the first
                    self.check_unlike(path, operation, body)
                elif operation["x-layerd"]["cache"] != "taken" and \
                        len(operation["x-layerd"]["inputs"]) == 1:
                    self.check(path, operation, body, True)

    def check_unlike(self, path, operation, body):
        """A body that fits the schema, but whose shapes do not fit each other"""
        self.assertEqual(self.daemon.errors(request_schema(operation), body), [])
        self.expect(path, operation, self.run_operation(path, operation, body), 422,
                    "shape_mismatch")

    def test_tensors_are_tensors(self):
        for path, operation, field in self.tensors():
            for wrong in ("no", True, None, {"shape": [1]}, {"data": [1]},
                          {"shape": [1], "data": [1], "more": 1}, {"shape": [-1], "data": []},
                          {"shape": [1] * 33, "data": [1]}):
                body = self.body_of(operation)
                body[field["name"]] = wrong
                with self.subTest(path=path, field=field["name"], value=wrong):
                    self.check(path, operation, body, False)
