"""Every error that can be provoked is in the document, as it comes."""
import contextlib
import copy
import http.client
import json
import time

from case import Case
from daemon import Answer

provoked = {}  # codes by path, of all tests of this file

# What no request brings about here.
UNPROVOKED = {"unauthorized", "internal", "overloaded", "draining", "store_unavailable"}

GRAPH = {
    "inputs": {"x": [[1, 2]], "w": [[1, 2], [3, 4]], "b": [0, 0], "y": [0]},
    "nodes": [{"name": "a", "op": "affine/forward", "x": "x", "w": "w", "b": "b"},
              {"name": "l", "op": "softmax/loss", "x": "a.out", "y": "y"},
              {"name": "d", "op": "gradients", "of": ["l.loss"], "for": ["w"]},
              {"name": "u", "op": "adam/update", "w": "w", "dw": "d.w", "config": {"t": 1}}],
    "give": ["l.loss"],
}


class Problems(Case):
    def setUp(self):
        self.operations = self.daemon.layer_operations()
        self.first_path, self.first = next(
            (p, o) for p, o in self.operations if o["x-layerd"]["cache"] == "given")

    def expect_problem(self, path, operation, answer, status, code):
        self.expect(path, operation, answer, status, code)
        provoked.setdefault(path, set()).add(code)

    def expect_everywhere(self, status, code, body_of, **headers):
        for path, operation in self.daemon.computing():
            answer = self.post(path, body_of(operation), **headers)
            self.expect_problem(path, operation, answer, status, code)

    def test_bodies_that_are_no_json(self):
        self.expect_everywhere(400, "invalid_json", lambda o: b'{"x": [1,]}')
        answer = self.post(self.first_path, b"{")
        self.assertEqual([answer.json[k] for k in ("offset", "line", "column")], [1, 1, 2])

    def test_bodies_that_are_no_safetensors(self):
        media_type = "application/vnd.safetensors"
        if media_type in self.first["requestBody"]["content"]:
            self.expect_everywhere(400, "invalid_safetensors", lambda o: b"no safetensors",
                                   Content_Type=media_type)

    def test_media_types(self):
        self.expect_everywhere(415, "unsupported_media_type", self.body_of,
                               Content_Type="text/plain")
        self.expect_everywhere(406, "not_acceptable", self.body_of, Accept="text/html")

    def test_queries(self):
        for path, operation in self.daemon.computing():
            answer = self.post(path + "?tensors=round", self.body_of(operation))
            self.expect_problem(path, operation, answer, 400, "invalid_query")
        for path, method, operation in self.daemon.operations():
            if method == "get":
                answer = self.daemon.send("GET", path.replace("{handle}", "0") + "?a=b")
                self.expect_problem(path, operation, answer, 400, "invalid_query")

    def test_bodies_that_are_too_large(self):
        self.expect_everywhere(413, "body_too_large", lambda o: b"[" * (65 << 10))

    def test_requests_that_are_no_http(self):
        self.expect_everywhere(403, "forbidden", self.body_of, Origin="https://other.example")
        self.expect_everywhere(431, "headers_too_large", self.body_of, X_Large="a" * 20000)
        self.expect_everywhere(400, "invalid_request", self.body_of, Host="two names")
        self.expect_everywhere(501, "not_implemented", self.body_of, Transfer_Encoding="gzip")

    def test_fields(self):
        self.expect_everywhere(422, "missing_field", lambda o: {})
        self.expect_everywhere(422, "unknown_field", lambda o: {**self.body_of(o), "z": 1})
        for code, value in (("wrong_type", b'"text"'), ("ragged_array", b"[[1], [2, 3]]"),
                            ("number_out_of_range", b"1e999")):
            for path, operation in self.operations:
                first = operation["x-layerd"]["inputs"][0]["name"]
                body = json.dumps({**self.body_of(operation), first: "HERE"}).encode()
                answer = self.post(path, body.replace(b'"HERE"', value))
                self.expect_problem(path, operation, answer, 422, code)

    def test_shapes(self):
        for path, operation in self.operations:
            inputs = operation["x-layerd"]["inputs"]
            body = self.body_of(operation)
            if inputs[0]["shape"] != "...":
                body[inputs[0]["name"]] = 1
                self.expect_problem(path, operation, self.post(path, body), 422, "invalid_shape")
            if len(inputs) > 1:
                body = self.body_of(operation, "flat")
                body[inputs[1]["name"]]["shape"] = [7] * len(body[inputs[1]["name"]]["shape"])
                body[inputs[1]["name"]]["data"] = [0] * 7 ** len(body[inputs[1]["name"]]["shape"])
                self.expect_problem(path, operation, self.post(path, body), 422, "shape_mismatch")

    def test_parameters_and_labels(self):
        self.expect_everywhere(422, "invalid_param", lambda o: {**self.body_of(o), "dtype": "f8"})
        for path, operation in self.operations:
            for field in operation["x-layerd"]["inputs"]:
                if field["labels"]:
                    body = self.body_of(operation)
                    body[field["name"]][0] = 1000
                    self.expect_problem(path, operation, self.post(path, body), 422,
                                        "label_out_of_range")

    def test_caches(self):
        cache = self.graph({"inputs": {"x": 1}, "nodes": [{"name": "r", "op": "relu/forward",
                            "x": "x"}], "keep": ["r.cache"]}).json["kept"]["r.cache"]
        for path, operation in self.operations:
            first = operation["x-layerd"]["inputs"][0]["name"]
            for handle, status, code in (("0", 404, "unknown_cache"), (cache, 422, "wrong_cache")):
                body = {**self.body_of(operation), first: {"tensor": handle}}
                answer = self.post(path, body)
                self.expect_problem(path, operation, answer, status, code)
                self.assertEqual(answer.json["pointer"], f"/{first}/tensor")
        takers = [(p, o) for p, o in self.operations if o["x-layerd"]["cache"] == "taken"]
        for path, operation in takers:
            body = {**self.body_of(operation), "cache": "0"}
            self.expect_problem(path, operation, self.post(path, body), 404, "unknown_cache")
            other = next(o for _, o in takers if o["tags"] != operation["tags"])
            body["cache"] = self.body_of(other)["cache"]
            self.expect_problem(path, operation, self.post(path, body), 422, "wrong_cache")

    def test_answers_that_are_too_large(self):
        for path, operation in self.operations:
            if [f["shape"] for f in operation["x-layerd"]["inputs"]] == ["..."]:
                body = {**self.body_of(operation), "x": [0] * 10000}
                if operation["x-layerd"]["cache"] == "given":
                    answer = self.post(path, body)
                    self.expect_problem(path, operation, answer, 422, "result_too_large")

    def test_a_full_cache(self):
        path, operation = self.operation("affineForward")
        body = {"x": [[0]] * 1500, "w": [[0]], "b": [0]}
        for _ in range(40):
            answer = self.post(path, body)
            if answer.status != 200:
                break
            self.addCleanup(self.daemon.send, "DELETE", "/cache/" + answer.json["cache"])
        self.expect_problem(path, operation, answer, 503, "cache_full")
        path, operation = self.operation("runGraph")
        answer = self.graph({"inputs": {"x": [0] * 1500}, "nodes": [], "keep": ["x"]})
        self.expect_problem(path, operation, answer, 503, "cache_full")

    def test_graphs(self):
        path, operation = self.operation("runGraph")
        for place, value, status, code, pointer in (
                ("inputs/w", {"tensor": "0"}, 404, "unknown_cache", "/inputs/w/tensor"),
                ("release", ["0"], 404, "unknown_cache", "/release/0"),
                ("inputs/w", "text", 422, "wrong_type", "/inputs/w"),
                ("inputs/w", [[1], [2, 3]], 422, "ragged_array", "/inputs/w/1"),
                ("inputs/w", {"shape": [3], "data": [1]}, 422, "invalid_shape", "/inputs/w"),
                ("inputs/w", [[1, 2]], 422, "shape_mismatch", "/nodes/0/w"),
                ("inputs/y", [2], 422, "label_out_of_range", "/inputs/y/0"),
                ("nodes/0/x", "v", 422, "invalid_graph", "/nodes/0/x"),
                ("nodes/0/op", "affine", 422, "invalid_graph", "/nodes/0/op"),
                ("nodes/1/x", "a.cache", 422, "wrong_cache", "/nodes/1/x"),
                ("nodes/1/z", "x", 422, "unknown_field", "/nodes/1/z"),
                ("nodes/2/for", ["y"], 422, "invalid_graph", "/nodes/2/for/0"),
                ("nodes/3/config", {"t": -1}, 422, "invalid_param", "/nodes/3/config/t"),
                ("give", ["a.cache"], 422, "wrong_cache", "/give/0"),
                ("keep", ["u.config.t"], 422, "wrong_type", "/keep/0")):
            graph = copy.deepcopy(GRAPH)
            *parents, last = [int(key) if key.isdigit() else key for key in place.split("/")]
            at = graph
            for key in parents:
                at = at[key]
            at[last] = value
            with self.subTest(place=place, value=value):
                answer = self.post(path, graph)
                self.expect_problem(path, operation, answer, status, code)
                self.assertEqual(answer.json["pointer"], pointer)

    def test_graphs_that_are_too_large(self):
        path, operation = self.operation("runGraph")
        body = json.dumps({**GRAPH, "inputs": {"x": "HERE"}}).encode()
        answer = self.post(path, body.replace(b'"HERE"', b"1e999"))
        self.expect_problem(path, operation, answer, 422, "number_out_of_range")
        answer = self.post(path, {"inputs": {"x": [0] * 10000}, "nodes": [], "give": ["x"]})
        self.expect_problem(path, operation, answer, 422, "result_too_large")

    def expect_of_challenges(self, path, body, status, code):
        name = "answerChallenge" if path.endswith("/answer") else "drawChallenge"
        answer = self.post(path, body)
        self.expect_problem(path, self.operation(name)[1], answer, status, code)

    def test_challenges(self):
        def give():
            return self.post("/challenge", {"operation": "affine/forward"}).json["challenge"]

        path = "/challenge/answer"
        first, second = give(), give()
        for challenge, out, status, code in ((first, [1], 200, None),
                                             (first, [2], 409, "challenge_spent"),
                                             (second, [1], 503, "challenges_full"),
                                             (first[:-1], [1], 422, "invalid_challenge"),
                                             (first, [[1], [2, 3]], 422, "ragged_array"),
                                             (first, "text", 422, "wrong_type")):
            answer = self.post(path, {"challenge": challenge, "claim": {"out": out}})
            if code:
                self.expect_problem(path, self.operation("answerChallenge")[1], answer, status,
                                    code)
            self.assertEqual(answer.status, status)
        while self.post(path, {"challenge": first, "claim": {"out": [1]}}).status == 200:
            time.sleep(0.05)
        self.expect_of_challenges(path, {"challenge": first, "claim": {"out": [1]}}, 410,
                                  "challenge_expired")

    def test_requests_for_challenges(self):
        for path, body, code in (("/challenge", {}, "missing_field"),
                                 ("/challenge", {"operation": 1}, "wrong_type"),
                                 ("/challenge", {"operation": "affine"}, "invalid_param"),
                                 ("/challenge", {"z": 1}, "unknown_field"),
                                 ("/challenge/answer", {}, "missing_field"),
                                 ("/challenge/answer", {"z": 1}, "unknown_field")):
            self.expect_of_challenges(path, body, 422, code)
        for path in "/challenge", "/challenge/answer":
            self.expect_of_challenges(path, b"{", 400, "invalid_json")

    def test_other_paths_and_methods(self):
        responses = self.document["components"]["responses"]
        paths = [path for path, _ in self.operations] + ["/graph", "/healthz", "/openapi.json"]
        for method, path, name in [("GET", "/nothing", "ProblemNotFound")] + [
                ("PUT", path, "ProblemMethodNotAllowed") for path in paths]:
            answer = self.daemon.send(method, path)
            operation = {"responses": {str(answer.status): responses[name]}}
            self.expect_problem(path, operation, answer, answer.status, answer.json["code"])

    def test_too_many_connections(self):
        with contextlib.ExitStack() as stack:
            answer = None
            for _ in range(40):
                connection = http.client.HTTPConnection(self.daemon.address, timeout=30)
                stack.callback(connection.close)
                connection.request("GET", "/healthz")
                answer = Answer(connection.getresponse())
                if answer.status != 200:
                    break
            self.assertEqual(answer.status, 429)
            self.assertIn("Retry-After", answer.headers)
            schema = self.document["components"]["schemas"]["ProblemRateLimited"]
            self.assertEqual(self.daemon.errors(schema, answer.json), [])
            provoked["/healthz"].add(answer.json["code"])

    def test_zz_no_other_is_in_the_document(self):
        codes = self.document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
        self.assertEqual(set(codes), set().union(UNPROVOKED, *provoked.values()))

    def test_zz_graphs_have_no_other(self):
        _, operation = self.operation("runGraph")
        # what is told before the path is looked at, and what the path decides
        elsewhere = {"rate_limited", "not_found"}
        self.assertEqual(self.codes_of(operation), provoked["/graph"] | elsewhere | UNPROVOKED)

    def test_operations_have_no_problems_of_graphs(self):
        for path, operation in self.operations:
            codes = self.codes_of(operation)
            self.assertNotIn("invalid_graph", codes, path)
            self.assertIn("unknown_cache", codes, path)

    def codes_of(self, operation):
        """Those of the problems that an operation can answer."""
        codes = set()
        for response in operation["responses"].values():
            content = self.daemon.resolve(response).get("content", {})
            if "application/problem+json" in content:
                schema = content["application/problem+json"]["schema"]
                for one in schema.get("oneOf", [schema]):
                    _, own = self.daemon.resolve(one)["allOf"]
                    codes.add(own["properties"]["code"]["const"])
        return codes
