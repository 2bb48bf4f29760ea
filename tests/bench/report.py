"""Medians, ratios, and tables."""
import os
import platform
import statistics
import time

median = statistics.median


def machine():
    lines = open("/proc/cpuinfo").read().splitlines()
    model = next((l.split(":", 1)[1].strip() for l in lines if l.startswith("model name")), "?")
    wide = next((w for w in ("avx512f", "avx2", "avx") if any(w in l for l in lines)), "")
    return {"processor": model, "vectors": wide, "processors": len(os.sched_getaffinity(0)),
            "system": platform.platform(), "load_before": os.getloadavg()[0],
            "date": time.strftime("%Y-%m-%d")}


def machine_text(m):
    return (f"{m['processors']} processors, {m['processor']} ({m['vectors']}), "
            f"load {m['load_before']:.2f}")


def in_turns(rounds, works):
    """{name: figure of each round}: the works take turns, so that what slows the machine for a
    while slows them all, and each round starts with the next of them."""
    names = list(works)
    figures = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            figures[name].append(works[name]())
    return figures


def ratio(over, under):
    """The median of the ratios of two works' rounds"""
    return median(a / b for a, b in zip(over, under))


def number(value):
    """Three digits that count"""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return "" if value is None else str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if value and abs(value) < 0.001:
        return f"{value:.1e}"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 4
    return f"{value:,.{digits}f}"


def table(title, columns, rows, note=""):
    """Prints a table, and gives it back for the JSON file."""
    texts = [[number(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *texts)]
    print(f"\n{title}")
    for row in [columns] + texts:
        first, *rest = row
        cells = [first.ljust(widths[0])] + [c.rjust(w) for c, w in zip(rest, widths[1:])]
        print("  " + "  ".join(cells).rstrip(), flush=True)
    if note:
        print("  " + note)
    return {"title": title, "columns": columns, "rows": rows, "note": note}


def at_least(name, wanted, measured):
    """A target that a part has measured"""
    return {"target": name, "wanted": f"≥ {wanted}", "measured": measured,
            "met": bool(measured >= wanted)}


def at_most(name, wanted, measured):
    return {"target": name, "wanted": f"≤ {wanted}", "measured": measured,
            "met": bool(measured <= wanted)}


def target_table(targets):
    rows = [[t["target"], t["wanted"], t["measured"], "met" if t["met"] else "not met"]
            for t in targets]
    return table("Targets", ["", "wanted", "measured", ""], rows)


def result(tables, bars=(), targets=()):
    """What a part gives. A bar is (group, label, ratio) for the picture: how many times faster, or
    smaller, layerd is than what these name. A target is at_least() or at_most()."""
    return {"tables": tables,
            "bars": [{"group": group, "label": label, "ratio": r} for group, label, r in bars],
            "targets": list(targets)}
