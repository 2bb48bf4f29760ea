"""The document itself: a valid one, and complete."""
import json
import pathlib
import re
import urllib.parse

import jsonschema

from case import Case
from daemon import request_schema

HERE = pathlib.Path(__file__).parent


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for member in value:
            yield from references(member)


class Document(Case):
    def test_is_valid_openapi(self):
        schema = json.loads((HERE / "oas-3.1.schema.json").read_text())
        validator = jsonschema.Draft202012Validator(schema)
        self.assertEqual([e.message[:300] for e in validator.iter_errors(self.document)], [])

    def test_its_schemas_are_valid(self):
        for schema in self.document["components"]["schemas"].values():
            jsonschema.Draft202012Validator.check_schema(schema)

    def test_its_references_lead_somewhere(self):
        found = set(references(self.document))
        self.assertGreater(len(found), 20)
        for reference in found:
            self.daemon.at(reference)

    def test_no_component_is_left_over(self):
        used = set(references(self.document))
        for kind, components in self.document["components"].items():
            for name in components:
                self.assertIn(f"#/components/{kind}/{name}", used)

    def test_the_server_is_where_the_document_is(self):
        address = urllib.parse.urljoin("http://proxy/layers/openapi.json",
                                       self.document["servers"][0]["url"])
        self.assertEqual(address, "http://proxy/layers/")

    def test_a_message_holds_the_same_in_each_form(self):
        for path, operation in self.daemon.computing():
            for message in operation["requestBody"], operation["responses"]["200"]:
                held = {form["schema"]["$ref"] for form in message["content"].values()}
                self.assertEqual(len(held), 1, path)

    def test_operation_ids_are_unique(self):
        ids = [o["operationId"] for _, _, o in self.daemon.operations()]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertIn("affineForward", ids)

    def test_it_is_the_same_every_time(self):
        self.assertEqual(self.daemon.send("GET", "/openapi.json").json, self.document)

    def test_head_tells_its_length(self):
        get, head = (self.daemon.send(m, "/openapi.json") for m in ("GET", "HEAD"))
        self.assertEqual(head.status, 200)
        self.assertEqual(head.body, b"")
        self.assertEqual(int(head.headers["Content-Length"]), len(get.body))

    def test_the_operations_are_those_of_the_readme(self):
        readme = (HERE / "../../README.md").read_text()
        rows = re.findall(r"^\| `(/\w+/\w+)` \|", readme, re.MULTILINE)
        self.assertEqual(sorted(rows), sorted(path for path, _ in self.daemon.layer_operations()))

    def test_the_version_is_the_daemons(self):
        version = self.daemon.send("GET", "/version").json["version"]
        self.assertEqual(self.document["info"]["version"], version)

    def test_what_stands_beside_the_operations_answers_as_it_says(self):
        for path, method, operation in self.daemon.operations():
            if method == "get" and "{" not in path:
                self.expect(path, operation, self.daemon.send("GET", path))

    def test_a_handle_can_be_looked_at_and_given_up(self):
        path, forward = next((p, o) for p, o in self.daemon.layer_operations()
                             if o["x-layerd"]["cache"] == "given")
        cache = self.post(path, self.body_of(forward)).json["cache"]
        for method, status in (("get", 200), ("delete", 204), ("get", 404), ("delete", 404)):
            answer = self.daemon.send(method.upper(), "/cache/" + cache)
            self.expect(path, self.document["paths"]["/cache/{handle}"][method], answer, status)

    def test_a_handle_tells_what_it_stands_for(self):
        get = self.document["paths"]["/cache/{handle}"]["get"]
        cache = self.post("/relu/forward", {"x": [1]}).json["cache"]
        kept = self.keep(w=[[1, 2, 3], [4, 5, 6]], s=1,
                         y={"shape": [2], "data": [0, 1], "dtype": "int64"})
        self.addCleanup(self.daemon.send, "DELETE", "/cache/" + cache)
        for handle, layer, dtype, shape in ((cache, "relu", "float64", None),
                                            (kept["w"], None, "float64", [2, 3]),
                                            (kept["s"], None, "float64", []),
                                            (kept["y"], None, "int64", [2])):
            answer = self.daemon.send("GET", "/cache/" + handle)
            self.expect("/cache/" + handle, get, answer)
            told = [answer.json.get(key) for key in ("layer", "dtype", "shape")]
            self.assertEqual(told, [layer, dtype, shape])
            self.assertEqual("shape" in answer.json, shape is not None)
            self.assertIn("layer", answer.json)

    def test_descriptions_and_rows_tell_the_same(self):
        for path, operation in self.daemon.layer_operations():
            row = operation["x-layerd"]
            self.assertEqual(path, f"/{row['layer']}/{row['operation']}")
            request = self.document["components"]["schemas"][
                operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
                .rsplit("/", 1)[1]]
            names = {field["name"] for field in row["inputs"]} | {"dtype"}
            names |= {row["params_name"]} if "params_name" in row else set()
            names |= {"cache"} if row["cache"] == "taken" else set()
            self.assertEqual(set(request["properties"]), names)

    def test_lengths_that_follow_from_others_have_their_formulas(self):
        formulas = {}
        for path, operation in self.daemon.layer_operations():
            answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
            schemas = {"inputs": request_schema(operation), "outputs": answer}
            for side, schema in schemas.items():
                for field in operation["x-layerd"][side]:
                    described = self.daemon.resolve(schema)["properties"][field["name"]]
                    for letter, formula in field.get("derived", {}).items():
                        self.assertIn(letter, field["shape"].split())
                        self.assertIn(f"; {letter} = {formula}", described["description"])
                        formulas[path, field["name"], letter] = formula
        self.assertEqual(formulas["/conv/forward", "out", "P"],
                         "⌊(H + 2·pad − R) / stride⌋ + 1")
        self.assertEqual(formulas["/conv/backward", "dout", "Q"],
                         "⌊(W + 2·pad − S) / stride⌋ + 1")
        self.assertEqual({path for path, _, _ in formulas},
                         {"/conv/forward", "/conv/backward", "/max_pool/forward",
                          "/max_pool/backward"})

    def test_parameters_are_required_where_one_of_them_is(self):
        for path, operation in self.daemon.layer_operations():
            row = operation["x-layerd"]
            if "params_name" in row:
                request = self.daemon.resolve(request_schema(operation))
                self.assertEqual(row["params_name"] in request["required"],
                                 any(param["required"] for param in row["params"]), path)
