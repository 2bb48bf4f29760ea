"""What the tests share: the daemon, and requests that need a live cache."""
import copy
import unittest

from daemon import example

daemon = None  # set by run.py


def flatten(value):
    """Numbers and texts of a document, in order; of handles, for what they were given."""
    if isinstance(value, dict):
        leaves = [leaf for key in value if key not in ("cache", "kept")
                  for leaf in flatten(value[key])]
        return leaves + list(value.get("kept", []))
    if isinstance(value, list):
        return [leaf for item in value for leaf in flatten(item)]
    return [value]


def handles_of(answer):
    """Those that an answer gave."""
    if answer.status != 200 or answer.media_type != "application/json":
        return []
    cache = [answer.json["cache"]] if "cache" in answer.json else []
    return cache + list(answer.json.get("kept", {}).values())


class Case(unittest.TestCase):
    @property
    def daemon(self):
        return daemon

    @property
    def document(self):
        return daemon.document

    def operation(self, operation_id):
        """(path, operation)"""
        return next((path, o) for path, _, o in daemon.operations()
                    if o["operationId"] == operation_id)

    def post(self, path, body, **headers):
        return daemon.send("POST", path, body, **headers)

    def expect(self, path, operation, answer, status=200, code=None):
        """The answer has that status (and code), and is what the document says of it."""
        about = f"{path} {answer.status} {answer.body[:300]}"
        self.assertEqual(answer.status, status, about)
        if code:
            self.assertEqual(answer.json["code"], code, about)
        self.assertEqual(daemon.faults(operation, answer), [], about)

    def assert_alike(self, got, want):
        """All alike, to the 15 digits that the document has."""
        got, want = flatten(got), flatten(want)
        self.assertEqual(len(got), len(want))
        for g, w in zip(got, want):
            if isinstance(w, float):
                self.assertAlmostEqual(g, w, delta=1e-14 * max(1, abs(w)))
            else:
                self.assertEqual(g, w)

    def body_of(self, operation, name="nested"):
        """The example, with a cache that lives where it takes one."""
        body = copy.deepcopy(example(operation, name))
        giver = self.giver_of(operation)
        if giver:
            path, forward = giver
            body["cache"] = self.post(path, example(forward)).json["cache"]
            self.addCleanup(daemon.send, "DELETE", "/cache/" + body["cache"])
        return body

    def giver_of(self, operation):
        """(path, operation) that links to this one."""
        for path, other in daemon.layer_operations():
            for link in other["responses"]["200"].get("links", {}).values():
                if link["operationId"] == operation["operationId"]:
                    return path, other
        return None

    def run_operation(self, path, operation, body):
        """Runs it, and gives up what it kept."""
        answer = self.post(path, body)
        for handle in handles_of(answer):
            daemon.send("DELETE", "/cache/" + handle)
        return answer

    def graph(self, document, **headers):
        """The answer to a graph; what it kept is given up when the test ends."""
        answer = self.post("/graph", document, **headers)
        for handle in handles_of(answer):
            self.addCleanup(daemon.send, "DELETE", "/cache/" + handle)
        return answer

    def keep(self, **tensors):
        """Their handles, by name."""
        answer = self.graph({"inputs": tensors, "nodes": [], "keep": list(tensors)})
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json["kept"]
