"""Graphs: trained from the page, drawn as they are edited, and explained where they are wrong."""
import json
import subprocess
import urllib.error
import urllib.request

import numpy as np

import case
from case import Case, curl_line, field, panel, run_button, status

PATH = "/graph"
TEXT = field(PATH, "graph")
AGAIN = f"[...{panel(PATH)}.querySelectorAll('.run button')][1]"
EXAMPLE = f"[...{panel(PATH)}.querySelectorAll('.run button')][2]"
GO_ON = f"{panel(PATH)}.querySelector('.option input')"
WEIGHTS = {"u1.next_w": "w1", "u2.next_w": "b1", "u3.next_w": "w2", "u4.next_w": "b2"}
BOXES = f"[...{panel(PATH)}.querySelectorAll('.box')]"
# The corners of boxes by name, and where each arrow begins and ends, in the drawing's own pixels.
GEOMETRY = """(() => {
    const boxes = {}, arrows = {};
    for (const box of document.querySelectorAll('.box')) {
        const [x, y] = box.getAttribute('transform').match(/[-.\\d]+/g).map(Number);
        const rect = box.querySelector('rect');
        boxes[box.querySelector('.name').textContent] =
            [x, y, x + Number(rect.getAttribute('width')), y + Number(rect.getAttribute('height'))];
    }
    for (const arrow of document.querySelectorAll('.arrow')) {
        const ends = [0, arrow.getTotalLength()].map((at) => arrow.getPointAtLength(at));
        arrows[arrow.textContent] = ends.flatMap(({x, y}) => [x, y]);
    }
    return {boxes, arrows};
})()"""


def losses(document, steps):
    """What NumPy makes of the example."""
    x, y, w1, b1, w2, b2 = (np.array(document["inputs"][name]) for name in ("x", "y", "w1", "b1", "w2", "b2"))
    rate = document["nodes"][-1]["config"]["learning_rate"]
    found = []
    for _ in range(steps):
        a1 = x @ w1 + b1
        scores = np.maximum(a1, 0) @ w2 + b2
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        found.append(-np.log(p[range(len(y)), y]).mean())
        dscores = (p - np.eye(2)[y]) / len(y)
        da1 = dscores @ w2.T * (a1 > 0)
        w2, b2 = w2 - rate * np.maximum(a1, 0).T @ dscores, b2 - rate * dscores.sum(axis=0)
        w1, b1 = w1 - rate * x.T @ da1, b1 - rate * da1.sum(axis=0)
    return found


class Graph(Case):
    def open_graph(self, **options):
        tab = self.open("#graph", **options)
        tab.until("document.querySelector('.frame svg') !== null")
        return tab

    def text(self, tab):
        return tab.run(f"{TEXT}.value")

    def document(self, tab):
        return json.loads(self.text(tab))

    def write(self, tab, document):
        self.set(tab, PATH, "graph", document if isinstance(document, str) else json.dumps(document))

    def replace(self, tab, old, new):
        text = self.text(tab)
        self.assertIn(old, text)
        self.write(tab, text.replace(old, new))

    def boxes(self, tab):
        """The lines of each box, by its name."""
        lines = tab.run(f"{BOXES}.map((box) => [...box.querySelectorAll('text')].map((line) => line.textContent))")
        return {name: rest for name, *rest in lines}

    def arrows(self, tab):
        return tab.run("[...document.querySelectorAll('.arrow')].map((arrow) => arrow.textContent)")

    def series(self, tab):
        """What is said of the loss."""
        return tab.run(f"{panel(PATH)}.querySelector('.answer figcaption').textContent")

    def kept(self, tab):
        rows = tab.run(f"[...{panel(PATH)}.querySelectorAll('.answer .params tr')]"
                       ".map((row) => [...row.cells].map((cell) => cell.textContent))")
        return dict(rows)

    def step(self, tab):
        """Runs it once, whatever was answered before."""
        tab.click(run_button(PATH))
        tab.until(f"{panel(PATH)}.querySelector('.answer').ariaBusy === 'false'")
        self.assertEqual(tab.run(status(PATH))[:3], "200")

    def repeat(self, tab):
        self.assertEqual(tab.run(f"({AGAIN}.click(), {AGAIN}.textContent)"), "Stop")
        tab.until(f"{AGAIN}.textContent === 'Run 50 times'")

    def problem(self, tab):
        """Runs what is wrong; returns what is said of it, and the part of the text that is selected."""
        tab.click(run_button(PATH))
        tab.until(f"{TEXT}.matches('[aria-invalid]')")
        self.assertTrue(tab.run(f"document.activeElement === {TEXT}"))
        said = tab.run(f"{panel(PATH)}.querySelector('.problem').textContent")
        return said, tab.run(f"{TEXT}.value.slice({TEXT}.selectionStart, {TEXT}.selectionEnd)")

    def faulty(self, tab):
        return tab.run(f"{BOXES}.filter((box) => box.matches('.faulty'))"
                       ".map((box) => box.querySelector('.name').textContent)")

    def fault(self, tab):
        return tab.run(f"{panel(PATH)}.querySelector('.fault').textContent")


class Training(Graph):
    def handle(self, handle):
        """What the daemon says of it; None for one that it does not know."""
        try:
            with urllib.request.urlopen(f"{case.url}/cache/{handle}") as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            self.assertEqual(error.code, 404)

    def test_the_example_learns_xor(self):
        tab = self.open_graph()
        example = self.document(tab)
        expected = losses(example, 52)
        self.step(tab)
        self.assertEqual(self.series(tab), "l.loss %.4g" % expected[0])
        self.step(tab)
        self.assertEqual(self.series(tab), "l.loss %.4g, %.4g at first, after 2 runs" % (expected[1], expected[0]))
        self.repeat(tab)
        self.assertEqual(self.series(tab),
                         "l.loss %.4g, %.4g at first, after 52 runs" % (expected[-1], expected[0]))
        self.assertLess(expected[-1], 0.07)
        scores = self.table(tab, PATH, "a2.out")
        self.assertEqual([int(a < b) for a, b in scores], example["inputs"]["y"])
        # the line of the losses falls from the left to the right
        points = tab.run(f"{panel(PATH)}.querySelector('.series path').getAttribute('d')"
                         r".match(/[\d.]+ [\d.]+/g).map((point) => point.split(' ').map(Number))")
        self.assertEqual([points[0][0], points[-1][0], len(points)], [1, 119, 52])
        heights = [height for _, height in points]
        self.assertEqual(heights, sorted(heights))
        self.assertEqual(tab.complaints(), [])

    def test_handles_take_the_place_of_inputs_and_the_last_ones_go(self):
        tab = self.open_graph()
        example = self.document(tab)
        self.step(tab)
        first = self.kept(tab)
        self.assertEqual(set(first), set(WEIGHTS))
        handles = {"inputs": {**example["inputs"], **{WEIGHTS[name]: {"tensor": handle}
                                                      for name, handle in first.items()}},
                   "release": list(first.values())}
        self.assertEqual(self.document(tab), {**example, **handles})
        self.assertEqual(self.handle(first["u3.next_w"])["shape"], [8, 2])
        self.step(tab)
        second = self.kept(tab)
        self.assertEqual(self.document(tab)["release"], list(second.values()))
        for name in WEIGHTS:
            self.assertIsNone(self.handle(first[name]))
            self.assertIsNotNone(self.handle(second[name]))
        # and the drawing knows their shapes
        self.assertEqual(self.boxes(tab)["w2"], ["kept 8 × 2"])

        tab.click(EXAMPLE)
        self.assertEqual(self.document(tab), example)
        self.step(tab)
        self.assertNotIn("at first", self.series(tab))

    def test_the_text_stays_where_one_does_not_go_on(self):
        tab = self.open_graph()
        text = self.text(tab)
        tab.click(GO_ON)
        self.step(tab)
        self.repeat(tab)
        self.assertEqual(self.text(tab), text)
        loss = "%.4g" % losses(json.loads(text), 1)[0]
        self.assertEqual(self.series(tab), f"l.loss {loss}, {loss} at first, after 51 runs")

    def test_pressing_again_stops(self):
        tab = self.open_graph()
        tab.run(f"{{ {AGAIN}.click(); {AGAIN}.click(); }}")
        tab.until(f"{status(PATH)}.startsWith('200') && {AGAIN}.textContent === 'Run 50 times'")
        self.assertNotIn("runs", self.series(tab))

    def test_what_an_update_remembers_goes_on_too(self):
        tab = self.open_graph()
        config = {"learning_rate": 0.5, "m": "m", "v": "v", "t": 0}
        self.write(tab, {
            "inputs": {"w": [1, 2], "dw": [1, -1], "m": [0, 0], "v": [0, 0]},
            "nodes": [{"name": "u", "op": "adam/update", "w": "w", "dw": "dw", "config": config},
                      {"name": "n", "op": "adam/update", "w": "u.next_w", "dw": "dw"}],
            "give": ["u.config.t"], "keep": ["n.next_w", "u.config.m", "u.config.v"]})
        self.step(tab)
        kept, document = self.kept(tab), self.document(tab)
        self.assertEqual(document["inputs"], {"w": {"tensor": kept["n.next_w"]}, "dw": [1, -1],
                                              "m": {"tensor": kept["u.config.m"]},
                                              "v": {"tensor": kept["u.config.v"]}})
        self.assertEqual(document["nodes"][0]["config"], {**config, "t": 1})
        self.assertEqual(set(document["release"]), set(kept.values()))
        self.step(tab)
        self.assertEqual(self.document(tab)["nodes"][0]["config"]["t"], 2)

    def test_the_line_for_a_shell_gives_the_same_answer(self):
        tab = self.open_graph()
        tab.click(GO_ON)
        self.step(tab)
        line = tab.run(curl_line(PATH))
        said = subprocess.run(["sh", "-c", line], stdout=subprocess.PIPE, check=True).stdout
        shown = tab.run(f"{panel(PATH)}.querySelector('.answer pre').textContent")
        self.assertEqual(json.loads(said)["results"], json.loads(shown)["results"])


class Drawing(Graph):
    def test_boxes_have_the_shapes_of_inputs_and_results(self):
        self.assertEqual(self.boxes(self.open_graph()), {
            "x": ["4 × 2"], "y": ["(4)"], "w1": ["2 × 8"], "b1": ["(8)"], "w2": ["8 × 2"], "b2": ["(2)"],
            "a1": ["affine/forward", "out 4 × 8"],
            "r1": ["relu/forward", "out 4 × 8"],
            "a2": ["affine/forward", "◇ out 4 × 2"],
            "l": ["softmax/loss", "◇ loss scalar"],
            "d": ["gradients", "w1 2 × 8", "b1 (8)", "w2 8 × 2", "b2 (2)"],
            "u1": ["sgd/update", "◆ next_w 2 × 8"], "u2": ["sgd/update", "◆ next_w (8)"],
            "u3": ["sgd/update", "◆ next_w 8 × 2"], "u4": ["sgd/update", "◆ next_w (2)"]})

    def test_arrows_go_from_each_value_to_each_use(self):
        tab = self.open_graph()
        weights = (("w1", "u1", "2 × 8"), ("b1", "u2", "(8)"), ("w2", "u3", "8 × 2"), ("b2", "u4", "(2)"))
        expected = ["x → x of a1, 4 × 2", "w1 → w of a1, 2 × 8", "b1 → b of a1, (8)",
                    "a1.out → x of r1, 4 × 8",
                    "r1.out → x of a2, 4 × 8", "w2 → w of a2, 8 × 2", "b2 → b of a2, (2)",
                    "a2.out → x of l, 4 × 2", "y → y of l, (4)", "l.loss → of of d, scalar"]
        for weight, update, shape in weights:
            expected += [f"{weight} → for of d, {shape}", f"{weight} → w of {update}, {shape}",
                         f"d.{weight} → dw of {update}, {shape}"]
        self.assertEqual(sorted(self.arrows(tab)), sorted(expected))
        wanted = tab.run("[...document.querySelectorAll('.arrow.wanted')].map((arrow) => arrow.textContent)")
        self.assertEqual(sorted(wanted), sorted(f"{w} → for of d, {shape}" for w, _, shape in weights))

    def check_geometry(self, tab):
        """Arrows lead down from box to box; boxes do not touch, and are within the drawing."""
        drawn = tab.run(GEOMETRY)
        boxes = drawn["boxes"]
        for title, (x1, y1, x2, y2) in drawn["arrows"].items():
            source, target = title.split(" → ")
            source = boxes[source.split(".")[0]]
            target = boxes[target.split(" of ")[1].split(",")[0]]
            self.assertTrue(source[0] < x1 < source[2] and target[0] < x2 < target[2], title)
            self.assertEqual([y1, y2], [source[3], target[1]], title)
            self.assertLess(y1, y2)
        names = list(boxes)
        for i, one in enumerate(names):
            for other in names[i + 1:]:
                a, b = boxes[one], boxes[other]
                self.assertTrue(a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1], (one, other))
        width, height = tab.run("['width', 'height'].map((name) => Number("
                                "document.querySelector('.frame svg').getAttribute(name)))")
        for left, top, right, bottom in boxes.values():
            self.assertTrue(0 <= left and right <= width and 0 <= top and bottom <= height)
        return width

    def deep(self, layers):
        """A net of so many layers, each with its update."""
        nodes, weights, value = [], [], "x"
        for i in range(layers):
            nodes += [{"name": f"a{i}", "op": "affine/forward", "x": value, "w": f"w{i}", "b": "b"},
                      {"name": f"r{i}", "op": "relu/forward", "x": f"a{i}.out"}]
            weights, value = weights + [f"w{i}"], f"r{i}.out"
        nodes += [{"name": "l", "op": "svm/loss", "x": value, "y": "y"},
                  {"name": "d", "op": "gradients", "of": ["l.loss"], "for": weights}]
        nodes += [{"name": f"u{i}", "op": "sgd/update", "w": w, "dw": f"d.{w}"} for i, w in enumerate(weights)]
        inputs = {"x": [[1, 2]], "y": [0], "b": [0, 0], **{w: [[1, 0], [0, 1]] for w in weights}}
        return {"inputs": inputs, "nodes": nodes, "keep": [f"u{i}.next_w" for i in range(layers)]}

    def test_boxes_and_arrows_are_where_they_should_be(self):
        for width in (1280, 375):
            tab = self.open_graph(width=width)
            self.assertLessEqual(self.check_geometry(tab), tab.run("document.querySelector('.frame').clientWidth"))
            self.write(tab, self.deep(9))
            self.assertEqual(len(self.boxes(tab)), 12 + 29)
            self.check_geometry(tab)
            self.assertEqual(self.boxes(tab)["u8"], ["sgd/update", "◆ next_w 2 × 2"])
            self.assertLessEqual(tab.run("document.documentElement.scrollWidth"), width)

    def test_what_is_too_large_to_draw_is_told_in_words(self):
        tab = self.open_graph()
        self.write(tab, self.deep(40))
        self.assertEqual(tab.run("document.querySelector('.frame').textContent"),
                         "43 inputs and 122 nodes are too many to draw.")
        self.assertEqual(tab.run("document.querySelectorAll('.drawing li').length"), 165)

    def test_it_is_told_in_words(self):
        tab = self.open_graph()
        self.assertEqual(tab.run("document.querySelector('.frame svg').getAttribute('aria-label')"),
                         "The graph: 6 inputs and 9 nodes, told in words below")
        words = tab.run("[...document.querySelectorAll('.drawing li')].map((line) => line.textContent)")
        self.assertEqual(len(words), 15)
        self.assertEqual(words[0], "x: input, 4 × 2")
        self.assertEqual(words[6], "a1: affine/forward (x = x, w = w1, b = b1), out 4 × 8")
        self.assertEqual(words[11], "u1: sgd/update (w = w1, dw = d.w1), next_w 2 × 8 (kept)")

    def test_it_follows_the_text(self):
        tab = self.open_graph()
        self.replace(tab, '"y": [0, 1, 1, 0]', '"y": [0, 1, 1, 0, 1]')
        self.assertEqual(self.boxes(tab)["y"], ["(5)"])
        self.replace(tab, '"x": "a1.out"', '"x": "a2.out"')
        self.assertEqual(self.boxes(tab)["r1"], ["relu/forward", "✕ a2.out", "out ?"])
        self.assertNotIn("a1.out → x of r1, 4 × 8", self.arrows(tab))
        self.replace(tab, "relu/forward", "relu/forwards")
        self.assertEqual(self.boxes(tab)["r1"], ["relu/forwards"])
        self.assertEqual(tab.run("document.querySelector('[data-pointer=\"/nodes/1\"] .missing').textContent"),
                         "relu/forwards")
        for document in ({}, [], "3", {"inputs": 1, "nodes": [1, [], None, {"name": {}}], "give": 5}):
            self.write(tab, document)
        self.assertEqual(self.boxes(tab), {"?": ["?"]})
        self.assertEqual(tab.complaints(), [])

    def test_shapes_are_worked_out_from_the_operations(self):
        tab = self.open_graph()
        images = {"shape": [2, 3, 9, 8], "data": [0] * 432}
        self.write(tab, {
            "inputs": {"x": images, "w": {"shape": [4, 3, 3, 2], "data": [0] * 72}, "b": [0] * 4,
                       "dout": [[0] * 5] * 2, "m": [[0] * 5] * 48, "c": [0] * 5, "h": {"tensor": "away"},
                       "mean": [1] * 4},
            "nodes": [
                {"name": "k", "op": "conv/forward", "x": "x", "w": "w", "b": "b",
                 "conv_param": {"stride": 2, "pad": 1}},
                {"name": "n", "op": "spatial_batchnorm/forward", "x": "k.out", "gamma": "b", "beta": "b",
                 "bn_param": {"mode": "train", "running_mean": "mean"}},
                {"name": "p", "op": "max_pool/forward", "x": "n.out",
                 "pool_param": {"pool_height": 2, "pool_width": 3, "stride": 1}},
                {"name": "a", "op": "affine/forward", "x": "p.out", "w": "m", "b": "c"},
                {"name": "back", "op": "affine/backward", "dout": "dout", "cache": "a.cache"},
                {"name": "r", "op": "relu/forward", "x": "h"}],
            "keep": ["n.bn_param.running_mean", "a.cache"]})
        boxes = self.boxes(tab)
        self.assertEqual(boxes["k"], ["conv/forward", "out 2 × 4 × 5 × 5"])
        self.assertEqual(boxes["n"], ["spatial_batchnorm/forward", "out 2 × 4 × 5 × 5",
                                      "◆ bn_param.running_mean (4)"])
        self.assertEqual(boxes["p"], ["max_pool/forward", "out 2 × 4 × 4 × 3"])
        self.assertEqual(boxes["a"], ["affine/forward", "out 2 × 5", "◆ cache"])
        self.assertEqual(boxes["back"], ["affine/backward", "dx 2 × 4 × 4 × 3", "dw 48 × 5", "db (5)"])
        self.assertEqual([boxes["h"], boxes["r"]], [["kept ?"], ["relu/forward", "out ?"]])
        self.assertIn("mean → bn_param.running_mean of n, (4)", self.arrows(tab))
        self.assertIn("a.cache → cache of back, ?", self.arrows(tab))

    def test_an_answer_tells_shapes_that_the_text_does_not(self):
        tab = self.open_graph()
        body = json.dumps({"inputs": {"x": [[1, 2, 3]]}, "nodes": [], "keep": ["x"]}).encode()
        request = urllib.request.Request(case.url + PATH, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            handle = json.load(answer)["kept"]["x"]
        self.write(tab, {"inputs": {"x": {"tensor": handle}},
                         "nodes": [{"name": "r", "op": "relu/forward", "x": "x"}], "give": ["r.out"]})
        self.assertEqual(self.boxes(tab)["r"], ["relu/forward", "◇ out ?"])
        self.step(tab)
        self.assertEqual(self.boxes(tab)["r"], ["relu/forward", "◇ out 1 × 3"])

    def test_names_do_no_harm(self):
        tab = self.open_graph()
        names = ["<b>", "<img src=x onerror='window.injected=1'>", "__proto__", "&lt;"]
        self.write(tab, {"inputs": {name: [1] for name in names[:3]},
                         "nodes": [{"name": names[3], "op": "</text><script>", "x": "<b>"},
                                   {"name": "constructor", "op": "relu/forward", "x": "<b>"}]})
        self.assertEqual(set(self.boxes(tab)), {"<b>", "<img src=x onerror='window.…", "__proto__", "&lt;", "constructor"})
        self.assertEqual(self.arrows(tab), ["<b> → x of constructor, (1)"])
        said, selected = self.problem(tab)
        self.assertIn("invalid_graph", said)
        self.assertEqual(tab.run(f"{panel(PATH)}.querySelectorAll('img, script, .drawing b').length"), 0)
        self.assertEqual(tab.run("[window.injected, Object.prototype.length].filter(Boolean).length"), 0)
        self.assertNotEqual(selected, "")


class Errors(Graph):
    def test_a_use_that_is_wrong_is_shown_at_its_place(self):
        tab = self.open_graph()
        self.replace(tab, '"dw": "d.b2"', '"dw": "d.w1"')
        said, selected = self.problem(tab)
        self.assertIn("shape_mismatch at /nodes/8/dw", said)
        self.assertEqual(selected, '"d.w1"')
        self.assertIn("(2, 8)", self.fault(tab))
        self.assertEqual(self.faulty(tab), ["u4"])
        top, height, whole = tab.run(f"[{TEXT}.scrollTop, {TEXT}.clientHeight, {TEXT}.scrollHeight]")
        self.assertTrue(0 < top <= whole - height)  # it is near the end of a long text

        self.replace(tab, '"dw": "d.w1", "config": {"learning_rate": 0.5}}\n ]',
                     '"dw": "d.b2", "config": {"learning_rate": 0.5}}\n ]')
        self.assertEqual([self.faulty(tab), self.fault(tab)], [[], ""])
        self.assertFalse(tab.run(f"{TEXT}.matches('[aria-invalid]')"))
        self.step(tab)

    def test_an_input_a_handle_and_what_is_missing(self):
        tab = self.open_graph()
        self.replace(tab, '"y": [0, 1, 1, 0]', '"y": [0, 1, 7, 0]')
        self.assertEqual(self.problem(tab)[1], "7")
        self.assertEqual(self.faulty(tab), ["y"])
        self.replace(tab, '"y": [0, 1, 7, 0]', '"y": {"tensor": "gone"}')
        said, selected = self.problem(tab)
        self.assertIn("unknown_cache at /inputs/y/tensor", said)
        self.assertEqual(selected, '"gone"')
        self.replace(tab, '"y": {"tensor": "gone"}', '"y": [0, 1, 1, 0]')
        self.replace(tab, '"x": "x", ', "")
        said, selected = self.problem(tab)
        self.assertIn("missing_field at /nodes/0/x", said)
        self.assertEqual(json.loads(selected), {"name": "a1", "op": "affine/forward", "w": "w1", "b": "b1"})

    def test_text_that_is_no_json_says_where(self):
        tab = self.open_graph()
        boxes = self.boxes(tab)
        for text, place in (('{"inputs": {\n  "é": [1, 2,, 3]}}', "Line 2, column 14: a value is missing."),
                            ('{"a": 1', "Line 1, column 8: “,” or “}” is missing."),
                            ('{"a" 1}', "Line 1, column 6: “:” is missing."),
                            ('[1\n]\n 2', "Line 3, column 2: the document has ended before this."),
                            ('[1, ]', "Line 1, column 5: nothing follows the comma."),
                            ("{a: 1}", "Line 1, column 2: this is neither a value nor a mark of JSON."),
                            ("{1: 1}", "Line 1, column 2: a name in quotes is missing."),
                            ('["a\nb"]', "Line 1, column 2: this is neither a value nor a mark of JSON."),
                            ("[01]", "Line 1, column 3: “,” or “]” is missing."),
                            ("[]", ""), ('[NaN, -Infinity, "\\u00e9\\n", 1e-3, true, null]', "")):
            self.write(tab, text)
            self.assertEqual(self.fault(tab), place)
            self.assertEqual(tab.run("document.querySelector('.drawing').matches('.stale')"), place != "")
            if place:  # the last drawing stays, faint
                self.assertEqual(self.boxes(tab), boxes)
        self.assertEqual(tab.complaints(), [])

        self.write(tab, '{"é": "é", "nodes" []}')
        said, selected = self.problem(tab)
        self.assertIn("invalid_json", said)
        self.assertEqual(selected, "[")
