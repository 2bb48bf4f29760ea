"""The daemon under test and its document."""
import http.client
import json
import urllib.parse

import jsonschema


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def media_type(self):
        return self.headers.get("Content-Type", "").split(";")[0]

    @property
    def json(self):
        return json.loads(self.body)


class Daemon:
    def __init__(self, url):
        self.address = urllib.parse.urlsplit(url).netloc
        self.connection = http.client.HTTPConnection(self.address, timeout=30)
        self.document = self.send("GET", "/openapi.json").json

    def send(self, method, target, body=None, **headers):
        """Over one connection for all; a body that is no bytes is sent as JSON."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        self.connection.request(method, target, body, headers)
        response = self.connection.getresponse()
        answer = Answer(response)
        if answer.headers.get("Connection") == "close":
            self.connection.close()
        return answer

    def operations(self):
        """(path, method, operation) of all that the document has."""
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                if method != "parameters":
                    yield path, method, operation

    def layer_operations(self):
        """(path, operation) of those of a layer."""
        return [(path, o) for path, _, o in self.operations() if "x-layerd" in o]

    def computing(self):
        """(path, operation) of those of a layer, of graphs, and of checks."""
        return [(path, o) for path, _, o in self.operations()
                if "x-layerd" in o or path == "/graph"] + self.checks()

    def checks(self):
        """(path, operation) of those of a layer's operations."""
        return [(path, o) for path, _, o in self.operations() if path.startswith("/check/")]

    def at(self, pointer):
        """What a "#/..." reference points at."""
        value = self.document
        for key in pointer[2:].split("/"):
            value = value[key.replace("~1", "/").replace("~0", "~")]
        return value

    def resolve(self, value):
        return self.at(value["$ref"]) if "$ref" in value else value

    def errors(self, schema, value):
        """What a schema of the document has against a value."""
        resolver = jsonschema.RefResolver("", self.document)
        validator = jsonschema.Draft202012Validator(
            schema, resolver=resolver, format_checker=jsonschema.FormatChecker())
        return [f"{e.json_path}: {e.message}"[:300] for e in validator.iter_errors(value)]

    def faults(self, operation, answer):
        """What the document has against an answer: its status, headers, media type and body."""
        if str(answer.status) not in operation["responses"]:
            return [f"status {answer.status} is not in the document"]
        response = self.resolve(operation["responses"][str(answer.status)])
        faults = [f"no {name}" for name in response["headers"] if name not in answer.headers]
        content = response.get("content")
        if content is None:
            return faults + (["a body"] if answer.body else [])
        if answer.media_type not in content:
            return faults + [f"{answer.media_type} is not in the document"]
        if not answer.media_type.endswith("json"):
            return faults
        return faults + self.errors(content[answer.media_type]["schema"], answer.json)


def example(operation, name="nested"):
    return operation["requestBody"]["content"]["application/json"]["examples"][name]["value"]


def examples(operation):
    """Their names."""
    return list(operation["requestBody"]["content"]["application/json"]["examples"])


def request_schema(operation):
    return operation["requestBody"]["content"]["application/json"]["schema"]


def answer_schema(operation):
    return operation["responses"]["200"]["content"]["application/json"]["schema"]


def answer_example(operation, name="nested"):
    """The answer to an example; those of a call in two forms have one."""
    shown = operation["responses"]["200"]["content"]["application/json"]["examples"]
    return shown.get(name, shown["nested"])["value"]
