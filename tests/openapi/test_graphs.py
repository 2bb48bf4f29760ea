"""Graphs, by their schemas: what fits is taken, what does not is refused; and what is answered."""
import itertools
import json
import string
import struct

from case import Case
from daemon import answer_example, answer_schema, example, request_schema

GRADIENTS = {"name": "d", "op": "gradients", "of": ["l.loss"], "for": ["x"]}
LOSS = {"inputs": {"x": [[1, 2]], "y": [0]},
        "nodes": [{"name": "l", "op": "softmax/loss", "x": "x", "y": "y"}]}
BYTES = "application/vnd.safetensors"


class Graphs(Case):
    def setUp(self):
        self.path, self.described = self.operation("runGraph")
        self.schema = self.daemon.resolve(request_schema(self.described))

    def check(self, graph, fits, code=None):
        """The schema and the daemon agree on a document."""
        errors = self.daemon.errors(self.schema, graph)
        self.assertEqual(errors == [], fits, f"{graph}: {errors}")
        answer = self.graph(graph)
        self.expect(self.path, self.described, answer, 200 if fits else 422, code)
        return answer

    def node_schema(self, op):
        mapping = self.document["components"]["schemas"]["GraphNode"]["discriminator"]["mapping"]
        return self.daemon.at(mapping[op])

    def graph_of(self, operation):
        """The operation's example as node n, behind the forward that it needs."""
        giver = self.giver_of(operation)
        inputs, nodes = {}, []
        for name, one in ([("f", giver[1])] if giver else []) + [("n", operation)]:
            row, body = one["x-layerd"], example(one)
            node = {"name": name, "op": f"{row['layer']}/{row['operation']}"}
            for field in row["inputs"]:
                node[field["name"]] = f"{name}_{field['name']}"
                inputs[node[field["name"]]] = body[field["name"]]
            if "params_name" in row:
                node[row["params_name"]] = dict(body[row["params_name"]])
            if row["cache"] == "taken":
                node["cache"] = "f.cache"
            nodes.append(node)
        return {"inputs": inputs, "nodes": nodes}

    def nodes(self):
        """(operation, graph, the node that it is)"""
        for _, operation in self.daemon.layer_operations():
            graph = self.graph_of(operation)
            yield operation, graph, graph["nodes"][-1]

    def test_every_operation_is_a_node(self):
        for operation, graph, _ in self.nodes():
            row, answer = operation["x-layerd"], answer_example(operation)
            wanted = {f"n.{field['name']}": answer[field["name"]] for field in row["outputs"]}
            for name, value in answer.get(row.get("params_name"), {}).items():
                wanted[f"n.{row['params_name']}.{name}"] = value
            graph["give"] = list(wanted)
            results = self.check(graph, True).json["results"]
            self.assertEqual(list(results), graph["give"])
            self.assert_alike(results, wanted)

    def test_every_cache_is_kept(self):
        kept = 0
        for operation, graph, node in self.nodes():
            if operation["x-layerd"]["cache"] == "given":
                handle = self.check({**graph, "keep": ["n.cache"]}, True).json["kept"]["n.cache"]
                backward = next(o for _, o in self.daemon.layer_operations()
                                if o["x-layerd"]["layer"] == operation["x-layerd"]["layer"]
                                and o["x-layerd"]["cache"] == "taken")
                other = self.graph_of(backward)
                other["nodes"] = other["nodes"][1:]
                other["inputs"]["c"] = {"cache": handle}
                other["nodes"][0]["cache"] = "c"
                self.check(other, True)
                kept += 1
        self.assertGreater(kept, 5)

    def test_what_a_node_needs_is_missed(self):
        for _, graph, node in self.nodes():
            schema = self.node_schema(node["op"])
            for key, value in list(node.items()):
                required = key in schema["required"]
                del node[key]
                self.check(graph, not required, "missing_field" if required else None)
                node[key] = value
            self.assertEqual(set(schema["properties"]), set(node))

    def test_a_node_takes_nothing_else(self):
        for _, graph, node in self.nodes():
            node["unheard_of"] = "x"
            self.check(graph, False, "unknown_field")

    def test_tensors_of_nodes_are_names(self):
        for operation, graph, node in self.nodes():
            fields = [field["name"] for field in operation["x-layerd"]["inputs"]]
            fields += ["cache"] if "cache" in node else []
            for field in fields:
                name = node[field]
                for wrong in (1, None, True, [name], {"tensor": name}, [[1.0]]):
                    node[field] = wrong
                    self.check(graph, False, "wrong_type")
                for wrong in ("", "1", "a b", "a.", ".a", "a..b", name + "-"):
                    node[field] = wrong
                    self.check(graph, False, "invalid_graph")
                node[field] = name

    def test_vectors_of_nodes_are_names(self):
        checked = 0
        for operation, graph, node in self.nodes():
            row = operation["x-layerd"]
            for parameter in row.get("params", []):
                if parameter["kind"] not in ("tensor", "mask"):
                    continue
                params = node[row["params_name"]]
                if parameter["kind"] == "mask":
                    del params[parameter["instead_of"]]
                    vector = [[i % 2 for i, _ in enumerate(line)]
                              for line in graph["inputs"][node["x"]]]
                else:
                    vector = answer_example(operation)[row["params_name"]][parameter["name"]]
                graph["inputs"]["v"] = vector
                params[parameter["name"]] = "v"
                self.check(graph, True)
                for wrong in (vector, 1, {"tensor": "v"}):
                    params[parameter["name"]] = wrong
                    self.check(graph, False, "wrong_type")
                del params[parameter["name"]]
                checked += 1
        self.assertGreater(checked, 5)

    def test_other_parameters_are_those_of_the_operation(self):
        for operation, graph, node in self.nodes():
            row = operation["x-layerd"]
            if "params_name" not in row:
                continue
            name = row["params_name"]
            of_node, of_operation = (
                self.daemon.resolve(schema["properties"][name])
                for schema in (self.node_schema(node["op"]),
                               self.daemon.resolve(request_schema(operation))))
            self.assertEqual({k: v for k, v in of_node.items() if k != "properties"},
                             {k: v for k, v in of_operation.items() if k != "properties"})
            self.assertEqual(list(of_node["properties"]), list(of_operation["properties"]))
            for parameter in row["params"]:
                if parameter["kind"] not in ("tensor", "mask"):
                    self.assertEqual(of_node["properties"][parameter["name"]],
                                     of_operation["properties"][parameter["name"]])
                    node[name] = {**node[name], parameter["name"]: None}
                    self.check(graph, False)
                    node[name] = example(operation)[name]
            node[name] = {**node[name], "unheard_of": 1}
            self.check(graph, False, "unknown_field")

    def test_names(self):
        for name, fits in (("a" * 64, True), ("a" * 65, False), ("_", True), ("A9_z", True),
                           ("", False), ("9a", False), ("a-b", False), ("a.b", False),
                           ("a b", False), ("é", False)):
            code = None if fits else "invalid_graph"
            self.check({"inputs": {name: 1}, "nodes": []}, fits, code)
            self.check({"inputs": {"x": 1}, "nodes": [
                {"name": name, "op": "relu/forward", "x": "x"}]}, fits, code)

    def test_operations_are_those_of_the_table(self):
        for op in ("affine", "affine/", "Affine/forward", "gradient", "", None, 1):
            graph = {"inputs": {"x": 1}, "nodes": [{"name": "a", "op": op, "x": "x"}]}
            self.check(graph, False)

    def test_as_many_nodes_as_the_schema_says(self):
        most = self.schema["properties"]["nodes"]["maxItems"]
        for count, fits in ((most, True), (most + 1, False)):
            nodes = [{"name": f"n{i}", "op": "relu/forward", "x": "x"} for i in range(count)]
            graph = {"inputs": {"x": 1}, "nodes": nodes}
            answer = self.graph(json.dumps(graph, separators=(",", ":")).encode())
            self.expect(self.path, self.described, answer, 200 if fits else 422,
                        None if fits else "invalid_graph")

    def test_as_many_inputs_as_the_schema_says(self):
        most = self.schema["properties"]["inputs"]["maxProperties"]
        words = ("".join(letters) for length in (1, 2, 3)
                 for letters in itertools.product(string.ascii_letters, repeat=length))
        names = list(itertools.islice(words, most + 1))
        for count, fits in ((most, True), (most + 1, False)):
            inputs = ",".join(f'"{name}":0' for name in names[:count])
            answer = self.graph(b'{"inputs":{%s},"nodes":[]}' % inputs.encode())
            self.expect(self.path, self.described, answer, 200 if fits else 422,
                        None if fits else "invalid_graph")

    def test_gradients(self):
        def check(change, fits, code=None):
            node = {**GRADIENTS, **change}
            node = {key: value for key, value in node.items() if value != "LEFT OUT"}
            self.check({**LOSS, "nodes": LOSS["nodes"] + [node]}, fits, code)

        check({}, True)
        check({"of": ["l.loss", "l.loss"], "for": ["x", "x"]}, True)
        for key in GRADIENTS:
            check({key: "LEFT OUT"}, False, "missing_field")
        for key in ("of", "for"):
            check({key: []}, False, "invalid_graph")
            for wrong in ("x", None, 1, {"x": "x"}, [1], [["x"]]):
                check({key: wrong}, False, "wrong_type")
            check({key: ["a b"]}, False, "invalid_graph")
        check({"x": "x"}, False, "unknown_field")

    def test_inputs(self):
        handle = self.keep(t=[1, 2])["t"]
        cache = self.graph({"inputs": {"x": 1}, "keep": ["r.cache"], "nodes": [
            {"name": "r", "op": "relu/forward", "x": "x"}]}).json["kept"]["r.cache"]
        flat = {"shape": [2], "data": [1, 2]}
        for value, fits in (
                (1, True), ("NaN", True), ([[1, "Infinity"]], True), ([], True), (flat, True),
                ({**flat, "dtype": "int64"}, True), ({"tensor": handle}, True),
                ({"cache": cache}, True),
                ({**flat, "data": [2**53 - 1, -(2**53 - 1)], "dtype": "int64"}, True),
                ({**flat, "data": [2**53, 0], "dtype": "int64"}, False),
                ({**flat, "data": [0.5, 1], "dtype": "int64"}, False),
                ({**flat, "data": ["NaN", 1], "dtype": "int64"}, False),
                ({**flat, "dtype": "int32"}, False), ({**flat, "more": 1}, False),
                ({**flat, "shape": [-2]}, False), ({"shape": [2]}, False), ({"data": [1]}, False),
                ({}, False), ("text", False), (None, False), (True, False),
                ({"tensor": 1}, False), ({"tensor": [handle]}, False), ({"cache": None}, False),
                ({"tensor": handle, "cache": cache}, False), ({"tensor": handle, "more": 1}, False)):
            with self.subTest(value=value):
                self.check({"inputs": {"t": value}, "nodes": []}, fits)

    def test_members(self):
        for change, fits in (
                ({}, True), ({"give": [], "keep": [], "release": []}, True), ({"give": ["x"]}, True),
                ({"keep": ["x", "l.dx", "x"]}, True), ({"dtype": "float32"}, True),
                ({"dtype": "int64"}, False), ({"dtype": None}, False), ({"more": 1}, False),
                ({"inputs": []}, False), ({"inputs": None}, False), ({"nodes": {}}, False),
                ({"nodes": [1]}, False), ({"give": "x"}, False), ({"give": [1]}, False),
                ({"give": {"x": 1}}, False), ({"give": ["x y"]}, False), ({"keep": "x"}, False),
                ({"keep": [None]}, False), ({"keep": ["x."]}, False), ({"release": "x"}, False),
                ({"release": [1]}, False)):
            with self.subTest(change=change):
                self.check({**LOSS, **change}, fits)
        self.check({"inputs": LOSS["inputs"]}, False, "missing_field")
        self.check({"nodes": []}, True)

    def test_results_are_what_their_schema_says(self):
        graph = {
            "inputs": {"x": [[1, "NaN"]], "y": [0], "m": [[0, 1]], "s": 2,
                       "i": {"shape": [2], "data": [1, 2], "dtype": "int64"}},
            "nodes": [{"name": "l", "op": "svm/loss", "x": "x", "y": "y"},
                      {"name": "o", "op": "dropout/forward", "x": "x",
                       "dropout_param": {"p": 0.5, "mode": "train", "mask": "m"}},
                      {"name": "u", "op": "adam/update", "w": "s", "dw": "s", "config": {}}],
            "give": ["x", "i", "m", "s", "y", "l.loss", "o.dropout_param.mode",
                     "o.dropout_param.p", "u.config.t"],
        }
        wanted = {"x": [[1.0, "NaN"]], "i": [1, 2], "s": 2.0, "y": [0],
                  "o.dropout_param.mode": "train", "o.dropout_param.p": 0.5, "u.config.t": 1}
        results = self.check(graph, True).json["results"]
        self.assertEqual(list(results), graph["give"])
        self.assertEqual({name: results[name] for name in wanted}, wanted)
        answer = self.post(self.path + "?tensors=flat", graph)
        self.expect(self.path, self.described, answer)
        self.assertEqual(answer.json["results"]["i"],
                         {"shape": [2], "data": [1, 2], "dtype": "int64"})
        self.assertEqual(answer.json["results"]["x"], {"shape": [1, 2], "data": [1.0, "NaN"]})
        for wrong in ("tests", {"shape": [1]}, None, True, {"tensor": "a"}):
            answer = {"results": {"x": wrong}, "kept": {}}
            self.assertNotEqual(self.daemon.errors(answer_schema(self.described), answer), [])

    def test_the_next_step_takes_what_the_last_one_kept(self):
        answer = self.graph(example(self.described))
        link = self.described["responses"]["200"]["links"]["next"]
        self.assertEqual(link["operationId"], self.described["operationId"])
        losses, handles = [answer.json["results"]["l.loss"]], []
        for _ in range(10):
            handles += answer.json["kept"].values()
            answer = self.graph(follow(link["requestBody"], answer.json))
            self.expect(self.path, self.described, answer)
            losses.append(answer.json["results"]["l.loss"])
        self.assertEqual(losses, sorted(losses, reverse=True))
        self.assertEqual(len(handles), len(set(handles)))
        for handle in handles:
            self.assertEqual(self.daemon.send("GET", "/cache/" + handle).status, 404)
        for handle in answer.json["kept"].values():
            self.assertEqual(self.daemon.send("GET", "/cache/" + handle).status, 200)

    def test_a_file_has_the_document_in_its_metadata(self):
        document = {"inputs": {"b": [0]}, "give": ["a.out"], "keep": ["w"], "nodes": [
            {"name": "a", "op": "affine/forward", "x": "x", "w": "w", "b": "b"}]}
        header = {"__metadata__": {"graph": json.dumps(document)},
                  "x": {"dtype": "F64", "shape": [1, 2], "data_offsets": [0, 16]},
                  "w": {"dtype": "F64", "shape": [2, 1], "data_offsets": [16, 32]}}
        text = json.dumps(header).encode()
        body = struct.pack("<Q", len(text)) + text + struct.pack("<4d", 1, 2, 3, 4)
        self.assertEqual(self.daemon.errors(self.schema, document), [])
        answer = self.graph(body, Content_Type=BYTES)
        self.expect(self.path, self.described, answer)
        self.assertEqual(answer.json["results"], {"a.out": [[11.0]]})
        answer = self.graph(body, Content_Type=BYTES, Accept=BYTES)
        self.expect(self.path, self.described, answer)
        length, = struct.unpack("<Q", answer.body[:8])
        header = json.loads(answer.body[8:8 + length])
        self.assertEqual(list(header["__metadata__"]), ["kept.w"])
        self.assertEqual(struct.unpack("<d", answer.body[8 + length:]), (11.0,))
        self.daemon.send("DELETE", "/cache/" + header["__metadata__"]["kept.w"])


def follow(value, answer):
    """A link's body, with what its runtime expressions stand for."""
    if isinstance(value, dict):
        return {key: follow(member, answer) for key, member in value.items()}
    if isinstance(value, list):
        return [follow(member, answer) for member in value]
    prefix = "$response.body#/"
    if isinstance(value, str) and value.startswith(prefix):
        for key in value.removeprefix(prefix).split("/"):
            answer = answer[key]
        return answer
    return value
