"""Images: tensors of three and four dimensions, in shades of gray."""
import json

from case import Case, field, panel

FORWARD, BACKWARD = "/conv/forward", "/conv/backward"


def answer(path, name):
    """The figure of an answer."""
    return (f"[...{panel(path)}.querySelectorAll('.answer figure')]"
            f".find((figure) => figure.querySelector('b').textContent === '{name}')")


def picture(path, name):
    """What stands beside a field."""
    return field(path, name) + ".closest('.field').querySelector('.picture')"


def rising(count, rows, columns):
    """Images whose pixels rise from 0 throughout."""
    return [[[(i * rows + y) * columns + x for x in range(columns)] for y in range(rows)]
            for i in range(count)]


class Images(Case):
    def shades(self, tab, node):
        """The red, green and blue of each pixel, image by image."""
        return tab.run(f"""[...{node}.querySelectorAll('canvas')].map((canvas) => {{
            const {{width, height}} = canvas;
            const {{data}} = canvas.getContext('2d').getImageData(0, 0, width, height);
            return Array.from({{length: width * height}}, (_, i) => [...data.slice(4 * i, 4 * i + 3)]);
        }})""")

    def columns(self, tab, node):
        """How many images stand in each row, by where they are."""
        tops = tab.run(f"[...{node}.querySelectorAll('canvas')]"
                       ".map((canvas) => canvas.getBoundingClientRect().top)")
        return [tops.count(top) for top in sorted(set(tops))]

    def label(self, tab, node):
        return tab.run(f"{node}.querySelector('[role=img]').getAttribute('aria-label')")

    def draw(self, tab, path, name, value):
        self.set(tab, path, name, json.dumps(value))
        return picture(path, name)

    def test_channels_stand_side_by_side_and_examples_below_each_other(self):
        tab = self.open("#conv")
        one = [[0, 1, 2], [3, 4, 5]]
        node = self.draw(tab, FORWARD, "x", [[one, one, one], [one, one, one]])
        self.assertEqual(self.columns(tab, node), [3, 3])
        self.assertEqual(self.label(tab, node),
                         "x: 2 × 3 images of 2 × 3, 0 is black, 5 white")
        self.assertEqual(self.shades(tab, node), [[[51 * i] * 3 for i in range(6)]] * 6)

    def test_an_answer_is_drawn_and_flows_on(self):
        tab = self.open("#conv")
        self.set(tab, FORWARD, "x", "[[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]]")
        self.set(tab, FORWARD, "w", "[[[[1, 0], [0, 0]]], [[[0, 0], [0, 1]]]]")
        self.set(tab, FORWARD, "b", "[0, 0]")
        self.run_operation(tab, FORWARD)
        out = answer(FORWARD, "out")
        self.assertEqual(self.label(tab, out), "out: 1 × 2 images of 2 × 2, 1 is black, 9 white")
        self.assertEqual(self.columns(tab, out), [2])
        self.assertEqual([[pixel[0] for pixel in shades] for shades in self.shades(tab, out)],
                         [[0, 32, 96, 128], [128, 159, 223, 255]])
        self.assertIn("; P = ⌊(H + 2·pad − R) / stride⌋ + 1; Q = ",
                      tab.run(f"{out}.querySelector('figcaption').textContent"))

        tab.click(f"[...{panel(FORWARD)}.querySelectorAll('button')].at(-1)")
        self.run_operation(tab, BACKWARD)
        self.assertEqual(self.label(tab, picture(BACKWARD, "dout")),
                         "dout: 1 × 2 images of 2 × 2, all 1")
        self.assertEqual(self.shades(tab, answer(BACKWARD, "dx"))[0][4], [255, 255, 255])

    def test_a_pixel_tells_its_place_and_value(self):
        tab = self.open("#conv")
        node = self.draw(tab, FORWARD, "x", [rising(2, 2, 3)])
        tab.run(f"""{{
            const canvas = {node}.querySelectorAll('canvas')[1];
            canvas.scrollIntoView({{block: 'center'}});
            const box = canvas.getBoundingClientRect();
            const pixel = box.width / 3;
            canvas.dispatchEvent(new PointerEvent('pointermove',
                {{clientX: box.x + 2.5 * pixel, clientY: box.y + 1.5 * pixel}}));
        }}""")
        self.assertEqual(tab.run(f"{node}.querySelectorAll('canvas')[1].title"),
                         "[0, 1, 1, 2] = 11")

    def test_three_dimensions_are_channels_unless_the_first_are_examples(self):
        tab = self.open("#relu")
        node = self.draw(tab, "/relu/forward", "x", rising(3, 2, 2))
        self.assertEqual(self.columns(tab, node), [3])
        tab = self.open("#affine")
        node = self.draw(tab, "/affine/forward", "x", rising(3, 2, 2))
        self.assertEqual(self.columns(tab, node), [1, 1, 1])

    def test_numbers_that_are_none_are_red_and_infinities_at_the_ends(self):
        tab = self.open("#relu")
        node = self.draw(tab, "/relu/forward", "x",
                         [[["NaN", "Infinity", "-Infinity"], [-1, 0, 1]]])
        self.assertEqual(self.shades(tab, node),
                         [[[200, 40, 40], [255] * 3, [0] * 3, [0] * 3, [128] * 3, [255] * 3]])

    def test_many_images_are_drawn_in_part(self):
        tab = self.open("#relu")
        node = self.draw(tab, "/relu/forward", "x", [rising(20, 2, 2)] * 9)
        self.assertEqual(self.columns(tab, node), [16] * 8)
        self.assertIn("the first 8 × 16 of 9 × 20", tab.run(f"{node}.textContent"))
        self.assertEqual(tab.complaints(), [])

    def test_large_images_are_text(self):
        tab = self.open("#relu")
        for size, drawn in ((64, 1), (65, 0)):
            node = self.draw(tab, "/relu/forward", "x", rising(1, size, size))
            self.assertEqual(tab.run(f"{node}.querySelectorAll('canvas').length"), drawn)
            self.assertEqual(tab.run(f"{node}.querySelectorAll('table').length"), 0)

    def test_no_image_is_drawn_of_rows_alone(self):
        tab = self.open("#relu")
        for value in ([[[1, 2]], [[3, 4]]], [[1, 2], [3, 4]]):
            node = self.draw(tab, "/relu/forward", "x", value)
            self.assertEqual(tab.run(f"{node}.querySelectorAll('canvas').length"), 0)
            self.assertEqual(tab.run(f"{node}.querySelectorAll('td').length"), 4)
