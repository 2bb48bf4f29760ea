"""People: at night, on a phone, with a keyboard alone."""
from case import Case, field, panel, run_button, status

FORWARD = "/affine/forward"
# Of text on what lies behind it, by WCAG 2: the lowest of all that the page shows.
CONTRAST = """(() => {
    const context = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
    const rgba = (color) => {
        context.clearRect(0, 0, 1, 1);
        context.fillStyle = color;
        context.fillRect(0, 0, 1, 1);
        return context.getImageData(0, 0, 1, 1).data;
    };
    const luminance = (rgb) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
        const c = rgb[i] / 255;
        return sum + weight * (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    }, 0);
    const behind = (node) => {
        for (; node; node = node.parentElement) {
            const color = rgba(getComputedStyle(node).backgroundColor);
            if (color[3] === 255) return color;
        }
    };
    let lowest = [Infinity, ''];
    for (const node of document.querySelectorAll('body *')) {
        const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
        if (!own && !node.matches('input, textarea') || !node.checkVisibility()) continue;
        const pair = [rgba(getComputedStyle(node).color), behind(node)].map(luminance).sort((a, b) => b - a);
        const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
        if (contrast < lowest[0]) lowest = [contrast, `${node.tagName} ${node.className} ${node.textContent.slice(0, 40)}`];
    }
    return lowest;
})()"""


class People(Case):
    def use(self, tab):
        """Shows an answer, and an error."""
        self.run_operation(tab, FORWARD)
        tab.click("document.querySelector('summary')")
        tab.click(run_button("/affine/backward"))
        tab.until(f"{panel('/affine/backward')}.querySelector('.problem') !== null")

    def show_layer(self, tab, layer):
        tab.click(f"document.querySelector('#layers a[href=\"#{layer}\"]')")

    def test_text_can_be_read_by_day_and_at_night(self):
        grounds = []
        for dark in (False, True):
            tab = self.open(dark=dark)
            self.use(tab)
            contrast, where = tab.run(CONTRAST)
            self.assertGreaterEqual(contrast, 4.5, where)
            for layer in ("conv", "graph"):
                self.show_layer(tab, layer)
                contrast, where = tab.run(CONTRAST)
                self.assertGreaterEqual(contrast, 4.5, where)
            grounds.append(tab.run("getComputedStyle(document.body).backgroundColor"))
        self.assertEqual(grounds, ["rgb(246, 246, 244)", "rgb(20, 22, 26)"])

    def test_a_phone_is_wide_enough(self):
        for fragment in ("", "#batchnorm", "#dropout", "#softmax", "#conv", "#max_pool",
                         "#spatial_groupnorm", "#adam", "#graph"):
            tab = self.open(fragment, width=375, height=700)
            if not fragment:
                self.use(tab)
            self.assertLessEqual(tab.run("document.documentElement.scrollWidth"), 375)

    def test_a_keyboard_is_enough(self):
        tab = self.open("#relu")
        path = "/relu/forward"
        self.tab_to(tab, field(path, "x"))
        tab.press("a", 2)
        tab.type("[-1, 2]")
        tab.press("Enter", 2)
        tab.until(f"{status(path)}.startsWith('200')")
        self.assertEqual(self.table(tab, path, "out"), [[0, 2]])
        self.tab_to(tab, f"[...{panel(path)}.querySelectorAll('button')].at(-1)")
        tab.press("Enter")
        self.assertTrue(tab.run(f"document.activeElement === {run_button('/relu/backward')}"))
        tab.press("Enter")
        tab.until(f"{status('/relu/backward')}.startsWith('200')")
        self.assertEqual(self.table(tab, "/relu/backward", "dx"), [[0, 1]])

    def tab_to(self, tab, wanted):
        """Presses Tab until the focus is there, and seen wherever it comes."""
        for _ in range(60):
            tab.press("Tab")
            outline = tab.run("getComputedStyle(document.activeElement).outlineStyle")
            self.assertNotEqual(outline, "none", tab.run("document.activeElement.outerHTML.slice(0, 80)"))
            if tab.run(f"document.activeElement === {wanted}"):
                return
        self.fail("Tab does not come to " + wanted)

    def test_every_control_has_a_name(self):
        tab = self.open()
        nameless = tab.run("""[...document.querySelectorAll('input, textarea, select, button')]
            .filter((node) => !(node.labels?.[0] ?? node).textContent.trim()).length""")
        self.assertEqual(nameless, 0)
        self.assertEqual(tab.run("document.documentElement.lang"), "en")

    def test_answers_are_announced(self):
        tab = self.open()
        self.run_operation(tab, FORWARD)
        self.assertIn("out 2 × 2", tab.run(status(FORWARD)))
