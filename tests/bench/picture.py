"""The main comparisons as one SVG picture: bars of ratios on a logarithmic scale, in groups. Its
colours are to be read on light and on dark, so that it needs no ground of its own."""
import math
from itertools import groupby
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, ROW, HEADING, TOP = 900, 370, 60, 22, 36, 56
INK, LINE, FAST, SLOW = "#6e7781", "#6e778155", "#2f81b7", "#c9843a"


def scale(bars):
    """(lowest, highest, ticks): what the picture reaches to, and 1, 2, 5, 10 ... between them"""
    ratios = [1, *(bar["ratio"] for bar in bars)]
    low, high = min(ratios) / 1.1, max(max(ratios), 2)
    ticks = [step * 10.0 ** power for power in range(-4, 6) for step in (1, 2, 5)]
    return low, high, [tick for tick in ticks if low <= tick <= high]


def text(x, y, words, size=13, anchor="start", weight="normal"):
    return (f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{escape(words)}</text>')


def grid(ticks, place, top, bottom):
    for tick in ticks:
        x, color = place(tick), INK if tick == 1 else LINE
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}" stroke="{color}"/>'


def bar_drawn(bar, y, place):
    one, end = place(1), place(bar["ratio"])
    color = FAST if bar["ratio"] >= 1 else SLOW
    digits = 0 if bar["ratio"] >= 10 else 1 if bar["ratio"] >= 2 else 2
    return [text(LEFT - 12, y + 15, bar["label"], 13, "end"),
            f'<rect x="{min(one, end):.1f}" y="{y + 4}" width="{max(abs(end - one), 1):.1f}" '
            f'height="{ROW - 8}" rx="2" fill="{color}"/>',
            text(max(one, end) + 6, y + 15, f"{bar['ratio']:.{digits}f}×", 13, weight="bold")]


def draw(results):
    bars = [bar for part in results["parts"].values() for bar in part["bars"]]
    if not bars:
        bars = [{"group": "", "label": "nothing measured", "ratio": 1.0}]
    low, high, ticks = scale(bars)

    def place(ratio):
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(ratio / low) / math.log(high / low)

    drawn, bottom = [text(place(tick), TOP, f"{tick:g}×", 12, "middle") for tick in ticks], TOP
    for group, members in groupby(bars, lambda bar: bar["group"]):
        members = list(members)
        drawn.append(text(16, bottom + HEADING - 9, group, 13, weight="bold"))
        bottom += HEADING
        drawn += grid(ticks, place, bottom, bottom + ROW * len(members))
        for bar in members:
            drawn += bar_drawn(bar, bottom, place)
            bottom += ROW
    machine = results["machine"]
    note = (f"{machine['processors']} processors, {machine['processor']}; medians, both sides in "
            "one run")
    return "\n".join(
        [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 36}" '
         f'font-family="system-ui, sans-serif" fill="{INK}">',
         text(16, 26, "How many times faster, or smaller, layerd is", 17, weight="bold"),
         *drawn, text(16, bottom + 24, note, 12), "</svg>\n"])
