"""Faults that show in which cases go wrong: all but square images, all but a pad of 1."""
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

import numpy as np

from .results import CaseResult, Finding

Facts = Mapping[str, Any]


def facts_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """What may matter of a case's inputs."""
    x, w = given.get("x"), given.get("w")
    facts: dict[str, Any] = {"is_backward": "dout" in given}
    if isinstance(x, np.ndarray):
        facts.update(rank=x.ndim, rows=len(x) if x.ndim else 0)
        if x.ndim == 4:
            facts["square"] = x.shape[2] == x.shape[3]
    conv, pool = given.get("conv_param"), given.get("pool_param")
    if conv and isinstance(w, np.ndarray):
        facts.update(pad=conv["pad"], stride=conv["stride"],
                     remainder=any((size + 2 * conv["pad"] - window) % conv["stride"]
                                   for size, window in zip(x.shape[2:], w.shape[2:])),
                     square=facts.get("square") and w.shape[2] == w.shape[3])
    if pool:
        window = pool["pool_height"], pool["pool_width"]
        facts.update(apart=pool["stride"] >= max(window), fills=pool["stride"] == max(window),
                     remainder=any((size - length) % pool["stride"]
                                   for size, length in zip(x.shape[2:], window)),
                     square=facts.get("square") and window[0] == window[1])
    return facts


# What must hold in every right case and in no other, a fault, a sentence.
_PATTERNS: tuple[tuple[Callable[[Facts], bool], str, str], ...] = (
    (lambda facts: facts.get("pad", 0) != 0, "pad_zero", "it is right except where pad is 0"),
    (lambda facts: facts.get("pad") == 1, "pad_of_one",
     "it is right where pad is 1 alone: pad by conv_param['pad']"),
    (lambda facts: facts.get("stride") == 1, "stride_of_one",
     "it is right where stride is 1 alone: windows begin at multiples of conv_param['stride']"),
    (lambda facts: bool(facts.get("apart")) and facts["is_backward"], "overlap",
     "it is right except where windows overlap: an element can win in several, and its gradients "
     "add up"),
    (lambda facts: bool(facts.get("fills")), "window_count",
     "it is right where windows touch alone: they begin at 0, stride, … as long as they fit"),
    (lambda facts: bool(facts.get("square")), "height_and_width",
     "it is right for square images and windows alone: height and width are mixed up somewhere"),
    (lambda facts: facts.get("rank") == 2, "matrices_only",
     "it is right for matrices alone: x may have more axes than two"),
    (lambda facts: facts.get("rows", 0) > 1, "one_example",
     "it is right except for a batch of one"),
)


_NOT_TELLING = {"", "shape", "raised", "old_numpy"}


def found_in(cases: Sequence[CaseResult]) -> Optional[Finding]:
    """What the right and the wrong cases together say, or None."""
    right = [case.facts for case in cases if case.share(False) == 1]
    wrong = [case.facts for case in cases if case.share(False) < 1]
    untold = any(finding.fault in _NOT_TELLING for case in cases for finding in case.findings
                 if finding.verdict != "right")
    if right and wrong and untold:
        crashed = any(finding.verdict == "crash" for case in cases for finding in case.findings)
        for holds, fault, says in _PATTERNS:
            if fault == "overlap" and crashed:
                continue  # it is about numbers
            if all(map(holds, right)) and not any(map(holds, wrong)):
                return Finding("", "wrong", fault, says)
    return None
