"""What the tests share: the daemon, and requests that need a live cache."""
import copy
import unittest

from daemon import example

daemon = None  # set by run.py


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
        """Runs it, and gives up the cache that came of it."""
        answer = self.post(path, body)
        if answer.status == 200 and "cache" in answer.json:
            daemon.send("DELETE", "/cache/" + answer.json["cache"])
        return answer
