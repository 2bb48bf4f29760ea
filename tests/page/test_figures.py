"""Live figures: drawn from /metrics, and moving."""
from case import Case

FIGURES = "[...document.querySelectorAll('.chart')].map((chart) => " \
    "[chart.querySelector('h2').textContent, chart.querySelector('.figure').textContent])"


class Figures(Case):
    def test_charts_appear_and_move(self):
        tab = self.open()
        tab.until("[...document.querySelectorAll('.chart svg')].every((svg) => "
                  "svg.ariaLabel && svg.querySelector('path[d]'))")
        kept = int(dict(tab.run(FIGURES))["Caches kept"].split(" ")[0])
        self.run_operation(tab, "/affine/forward")
        tab.until(f"{FIGURES}[2][1].startsWith('{kept + 1} · ')")
        figures = dict(tab.run(FIGURES))
        self.assertRegex(figures["Compute, p50 · p99"], r"^[\d.]+ .?s · [\d.]+ .?s$")
        self.assertEqual(figures["Requests in flight"], "0")
        tab.until("document.querySelector('.chart path').getAttribute('d').split('h0').length > 2")

    def test_quantiles_are_estimated_within_their_bucket(self):
        tab = self.open()
        source = tab.run(r"document.querySelector('script').textContent.match(/function quantile[^]*?\n}/)[0]")
        quantile = (f"(({source}))(%s, new Map([[1, 5], [10, 5], [100, 5], [Infinity, 5]]), "
                    "new Map([[1, 5], [10, 5], [100, 105], [Infinity, %d]]))")
        self.assertAlmostEqual(tab.run(quantile % (0.5, 105)), 10 * 10 ** 0.5)
        self.assertAlmostEqual(tab.run(quantile % (0.99, 105)), 10 * 10 ** 0.99)
        self.assertEqual(tab.run(quantile % (0.99, 305)), 100)
