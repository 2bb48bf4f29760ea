"""Every example runs, and gets the answer that stands beside it."""
from case import Case
from daemon import answer_example, answer_schema, example, examples, request_schema


class Examples(Case):
    def test_requests_fit_their_schema(self):
        for _, operation in self.daemon.computing():
            for name in examples(operation):
                self.assertEqual(
                    self.daemon.errors(request_schema(operation), example(operation, name)), [])

    def test_answers_fit_their_schema(self):
        for _, operation in self.daemon.computing():
            for name in examples(operation):
                self.assertEqual(
                    self.daemon.errors(answer_schema(operation), answer_example(operation, name)),
                    [])

    def test_each_runs_and_is_answered_as_shown(self):
        for path, operation in self.daemon.computing():
            for name in examples(operation):
                with self.subTest(path=path, example=name):
                    answer = self.run_operation(path, operation, self.body_of(operation, name))
                    self.expect(path, operation, answer)
                    self.assert_alike(answer.json, answer_example(operation, name))

    def test_links_lead_from_a_cache_to_its_use(self):
        followed = 0
        for path, operation in self.daemon.layer_operations():
            for link in operation["responses"]["200"].get("links", {}).values():
                given = self.post(path, example(operation)).json
                target, other = self.operation(link["operationId"])
                body = dict(link["requestBody"])
                self.assertEqual(body["cache"], "$response.body#/cache")
                body["cache"] = given["cache"]
                answer = self.post(target + "?cache=release", body)
                self.expect(target, other, answer)
                self.assert_alike(answer.json, answer_example(other))
                followed += 1
        takers = [o for _, o in self.daemon.layer_operations() if o["x-layerd"]["cache"] == "taken"]
        self.assertEqual(followed, len(takers))

    def test_query_parameters_are_taken_where_they_stand(self):
        everything = {(p["name"], value) for _, o in self.daemon.computing()
                      for p in o["parameters"] for value in p["schema"]["enum"]}
        self.assertGreaterEqual(len(everything), 3)
        for path, operation in self.daemon.computing():
            own = {(p["name"], value) for p in operation["parameters"]
                   for value in p["schema"]["enum"]}
            for key, value in everything:
                with self.subTest(path=path, query=f"{key}={value}"):
                    body = self.body_of(operation)
                    answer = self.run_operation(f"{path}?{key}={value}", operation, body)
                    if (key, value) in own:
                        self.expect(path, operation, answer)
                    else:
                        self.expect(path, operation, answer, 400, "invalid_query")

    def test_answers_come_in_each_form(self):
        for path, operation in self.daemon.computing():
            gives = operation.get("x-layerd", {}).get("cache") == "given"
            query = "?cache=none" if gives else ""
            for media_type in operation["responses"]["200"]["content"]:
                answer = self.post(path + query, self.body_of(operation), Accept=media_type)
                self.expect(path, operation, answer)
                self.assertEqual(answer.media_type, media_type)
