"""The conformance vectors of tests/vectors, whose README has the format."""
import json
import pathlib
import unittest

import numpy as np
from support import in_each_form

import layerd

VECTORS = pathlib.Path(__file__).resolve().parents[3] / "tests/vectors"
# What a client that sends arrays cannot get wrong: JSON itself.
OF_JSON = "wrong_type", "ragged_array", "number_out_of_range", "data", "dtype"


def cases(file):
    for case in json.loads((VECTORS / file).read_text())["cases"]:
        if all("request" in step for step in case["steps"]):
            yield case


def argument(value, dtype, name=""):
    """A value of a vector's request, as one would give it in Python."""
    dtype = int if name == "y" else dtype
    if isinstance(value, dict) and "data" in value:
        return np.array(value["data"], dtype).reshape(value["shape"])
    if isinstance(value, dict):
        return {name: argument(held, dtype, name) for name, held in value.items()}
    if isinstance(value, list):
        return np.array(value, dtype)
    return value


def has_rank_0(request):
    """Whether a parameter is a tensor of rank 0, which a dictionary cannot tell from a number."""
    return any(isinstance(held, dict) and held.get("shape") == []
               for value in request.values() if isinstance(value, dict) and "data" not in value
               for held in value.values())


@in_each_form
class Vectors(unittest.TestCase):
    def run_step(self, step, caches):
        """The dtype and the answer of a step; its cache goes to `caches`."""
        request = dict(step["request"])
        told = caches[-1].dtype if "cache" in request and caches else "float64"
        dtype = np.dtype(request.pop("dtype", told))
        arguments = {name: argument(value, dtype, name) for name, value in request.items()}
        if request.get("cache") == "$cache":
            arguments["cache"] = caches[-1]
        query = "&".join(set(step.get("query", "").split("&")) - {"tensors=flat", ""})
        answer = self.client.call(f"{step['path']}?{query}", **arguments)
        if "cache" in answer:
            caches.append(answer.pop("cache"))
        return dtype, answer

    def compare(self, got, want, step, dtype, where=""):
        if isinstance(want, dict) and "data" not in want:
            self.assertEqual(got.keys(), want.keys(), where)
            for name in want:
                self.compare(got[name], want[name], step, dtype, f"{where}/{name}")
        elif isinstance(want, (dict, list)):
            want = argument(want, dtype)
            dtype = dtype if want.ndim else np.dtype(float)  # of rank 0 it is a number
            want = want.reshape(got.shape) if want.size == 0 else want  # a list drops zeros
            self.assertEqual((got.shape, got.dtype), (want.shape, dtype), where)
            np.testing.assert_allclose(got, want, step["rtol"], step["atol"], err_msg=where)
        elif isinstance(want, float) or want in ("NaN", "Infinity", "-Infinity"):
            np.testing.assert_allclose(got, float(want), step["rtol"], step["atol"], err_msg=where)
        else:
            self.assertEqual(got, want, where)

    def cases(self, file):
        """Those that the client can send in its form: a number of JSON can be of rank 0."""
        for case in cases(file):
            if self.form == "json" or not any(has_rank_0(step["request"]) for step in case["steps"]):
                yield case

    def answers_of(self, file):
        for case in self.cases(file):
            caches = []
            for step in case["steps"]:
                with self.subTest(case["name"]):
                    dtype, got = self.run_step(step, caches)
                    self.compare(got, step["answer"], step, dtype)

    def test_answers(self):
        for file in sorted(VECTORS.glob("*.json")):
            if file.name != "errors.json":
                self.answers_of(file.name)

    def test_errors(self):
        for case in self.cases("errors.json"):
            *before, last = case["steps"]
            if any(word in case["name"] for word in OF_JSON):
                continue
            with self.subTest(case["name"]):
                caches = []
                for step in before:
                    self.run_step(step, caches)
                with self.assertRaises(layerd.Error) as raised:
                    self.run_step(last, caches)
                self.is_error(raised.exception, **last["error"])

    def is_error(self, error, status, code, pointer=None):
        self.assertEqual((error.status, error.code), (status, code))
        # An object that is not there is an empty one to safetensors: "/bn_param/mode" is missing.
        self.assertTrue((error.pointer or "").startswith(pointer or ""), error.pointer)
        self.assertEqual(isinstance(error, ValueError), status in (400, 422))


if __name__ == "__main__":
    unittest.main()
