"""The main comparisons as one SVG picture: bars of ratios on a logarithmic scale, the mark at 1."""
import math
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, ROW, TOP = 860, 400, 70, 24, 64
INK, SOFT, FAST, SLOW = "#24292f", "#8c959f", "#2f81b7", "#c9843a"


def scale(bars):
    """(lowest, highest) power of ten that the bars need"""
    ratios = [bar["ratio"] for bar in bars]
    return (min(0, math.floor(math.log10(min(ratios)))), max(1, math.ceil(math.log10(max(ratios)))))


def text(x, y, words, size=13, anchor="start", color=INK, weight="normal"):
    return (f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}" '
            f'fill="{color}" font-weight="{weight}">{escape(words)}</text>')


def grid(low, high, place, bottom):
    for power in range(low, high + 1):
        x = place(10.0 ** power)
        color, words = (INK if power == 0 else "#d0d7de"), f"{10.0 ** power:g}×"
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{bottom}" stroke="{color}"/>'
        yield text(x, TOP - 14, words, 12, "middle", SOFT)


def bar_drawn(bar, y, place):
    one, end = place(1), place(bar["ratio"])
    color = FAST if bar["ratio"] >= 1 else SLOW
    digits = 0 if bar["ratio"] >= 10 else 1 if bar["ratio"] >= 2 else 2
    return [text(LEFT - 12, y + 16, bar["label"], 13, "end"),
            f'<rect x="{min(one, end):.1f}" y="{y + 4}" width="{max(abs(end - one), 1):.1f}" '
            f'height="{ROW - 8}" rx="2" fill="{color}"/>',
            text(max(one, end) + 6, y + 16, f"{bar['ratio']:.{digits}f}×", 13, weight="bold")]


def draw(results):
    bars = [bar for part in results["parts"].values() for bar in part["bars"]]
    if not bars:
        bars = [{"label": "nothing measured", "ratio": 1.0}]
    low, high = scale(bars)
    width = WIDTH - LEFT - RIGHT

    def place(ratio):
        return LEFT + width * (math.log10(ratio) - low) / (high - low)

    bottom = TOP + ROW * len(bars)
    machine = results["machine"]
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 34}" '
             f'font-family="system-ui, sans-serif">',
             '<rect width="100%" height="100%" fill="#ffffff"/>',
             text(16, 28, "How many times faster layerd is", 17, weight="bold")]
    parts += grid(low, high, place, bottom)
    for i, bar in enumerate(bars):
        parts += bar_drawn(bar, TOP + i * ROW, place)
    parts.append(text(16, bottom + 22, f"{machine['processors']} processors, "
                      f"{machine['processor']}; medians, both sides in one run", 12, color=SOFT))
    return "\n".join(parts) + "\n</svg>\n"
