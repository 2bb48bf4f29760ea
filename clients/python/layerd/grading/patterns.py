"""Faults that show in which cases go wrong: all but square images, all but a pad of 1."""
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

import numpy as np

from .results import CaseResult, Finding

Facts = Mapping[str, Any]


def facts_of(given: Mapping[str, Any], case: str = "") -> dict[str, Any]:
    """What may matter of a case's inputs; `blurred`: in a variance of 0, or beside one large
    number, many faults look alike."""
    x, w = given.get("x"), given.get("w")
    facts: dict[str, Any] = {"is_backward": "dout" in given}
    for name in "bn_param", "dropout_param":
        if name in given:
            facts["mode"] = given[name]["mode"]
    if isinstance(x, np.ndarray):
        facts.update(rank=x.ndim, rows=len(x) if x.ndim else 0,
                     blurred=case == "far" or has_no_variance(given))
    conv, pool = given.get("conv_param"), given.get("pool_param")
    if conv and isinstance(w, np.ndarray):
        facts.update(pad=conv["pad"], pad_is_stride=conv["pad"] == conv["stride"])
        facts.update(_facts_of_windows(x.shape[2:], w.shape[2:], conv["stride"], conv["pad"]))
    if pool:
        window = pool["pool_height"], pool["pool_width"]
        facts.update(_facts_of_windows(x.shape[2:], window, pool["stride"], 0))
        facts.update(apart=pool["stride"] >= max(window))
    return facts


def has_no_variance(given: Mapping[str, Any]) -> bool:
    """Whether a batch is to be normalised that is a single row."""
    return "bn_param" in given and given["x"].shape[1:] == (given["x"].size,)


def _facts_of_windows(image: Sequence[int], window: Sequence[int], stride: int, pad: int
                      ) -> dict[str, Any]:
    (height, width), (rows, columns) = image, window
    rooms = [height + 2 * pad - rows, width + 2 * pad - columns]
    counts = [room // stride for room in rooms]
    return {"stride": stride, "square_out": counts[0] == counts[1],
            # whether the number of windows is the same of the other size
            "width_of_height": (height + 2 * pad - columns) // stride == counts[1],
            "height_of_width": (width + 2 * pad - rows) // stride == counts[0],
            "square_image": height == width, "square_window": rows == columns,
            "square": height == width and rows == columns,
            "touch": stride == rows == columns,
            "side_by_side": [height // rows, width // columns] == [count + 1 for count in counts],
            "remainder": any(room % stride for room in rooms),
            # whether as many windows start in the image as there are
            "fills": all(-(-size // stride) == room // stride + 1
                         for size, room in zip(image, rooms))}


# What must hold in every right case and in no other, a fault, a sentence. Where several hold, the
# first of them is the cause.
_PATTERNS: tuple[tuple[Callable[[Facts], bool], str, str], ...] = (
    (lambda facts: bool(facts.get("square")), "height_and_width",
     "it is right for square images and windows alone: height and width are mixed up somewhere"),
    (lambda facts: bool(facts.get("square_image")), "height_and_width",
     "it is right for square images alone: height and width are mixed up somewhere"),
    (lambda facts: bool(facts.get("square_window")), "height_and_width",
     "it is right for square windows alone: height and width are mixed up somewhere"),
    (lambda facts: facts.get("pad", 0) != 0, "pad_zero", "it is right except where pad is 0"),
    (lambda facts: facts.get("pad") == 0, "padding",
     "it is right where pad is 0 alone: x is to be padded by conv_param['pad'], once"),
    (lambda facts: facts.get("pad") == 1, "pad_of_one",
     "it is right where pad is 1 alone: pad by conv_param['pad']"),
    (lambda facts: bool(facts.get("pad_is_stride")), "padding",
     "it is right where pad and stride are the same alone: padding is to be cut off by pad"),
    (lambda facts: facts.get("stride") == 1, "stride_of_one",
     "it is right where stride is 1 alone: windows begin at multiples of conv_param['stride']"),
    (lambda facts: bool(facts.get("apart")) and facts["is_backward"], "overlap",
     "it is right except where windows overlap: an element can win in several, and its gradients "
     "add up"),
    (lambda facts: bool(facts.get("touch")), "window_count",
     "it is right where windows touch alone: they begin at 0, stride, … whatever their size"),
    (lambda facts: bool(facts.get("side_by_side")), "window_count",
     "it is right where as many windows fit side by side as there are: windows start at 0, stride, "
     "… as long as they fit"),
    (lambda facts: bool(facts.get("fills")), "window_count",
     "it is right where as many windows fit as start in x: they begin at 0, stride, … as long as "
     "they fit"),
    (lambda facts: bool(facts.get("square_out")), "height_and_width",
     "it is right where out is square alone: its height and width are mixed up somewhere"),
    (lambda facts: bool(facts.get("width_of_height")), "height_and_width",
     "it is right where out is as wide by H as by W alone: height and width are mixed up"),
    (lambda facts: bool(facts.get("height_of_width")), "height_and_width",
     "it is right where out is as high by W as by H alone: height and width are mixed up"),
    (lambda facts: facts.get("rank") == 2, "matrices_only",
     "it is right for matrices alone: x may have more axes than two"),
    (lambda facts: facts.get("mode", "test") != "test", "test_mode",
     "it is right except in test mode"),
    (lambda facts: facts.get("rows", 0) > 1, "one_example",
     "it is right except for a batch of one"),
)

# Faults that do not say what the cause is.
_UNTOLD = {"", "shape", "raised", "old_numpy", "zeros", "not_written", "order"}


def found_in(cases: Sequence[CaseResult]) -> Optional[Finding]:
    """What the right and the wrong cases together say, or None."""
    cases = [case for case in cases if not case.waits]
    right = [case.facts for case in cases if case.share(False) == 1]
    wrong = [case.facts for case in cases if case.share(False) < 1]
    found = [finding for case in cases for finding in case.findings if finding.verdict != "right"]
    told = [finding.fault not in _UNTOLD or finding.caused for finding in found]
    if not right or not wrong or any("test mode" in finding.says for finding in found):
        return None
    crashed = any(finding.verdict == "crash" for finding in found)
    for holds, fault, says in _PATTERNS:
        if fault == "overlap" and crashed:
            continue  # it is about numbers
        if any(told) and fault != "test_mode" and (fault != "matrices_only" or all(told)):
            continue
        if all(map(holds, right)) and not any(map(holds, wrong)):
            return Finding("", "wrong", fault, says)
    return None
