"""Whether a command printed what its page says."""
import re

# All that may differ from run to run, and from machine to machine.
VARYING = {
    "handle": r"\b[0-9a-f]{32}\b",
    "seed": r'(?<="dropout_param\.seed":")\d{1,10}(?=")',
    "time": r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
    "commit": r"(?<= )\((?:[0-9a-f]{12}|unknown)\)",
    "threads": r"(?<=with )\d+(?= threads)",
    "blas": r"\bOpenBLAS 0\.[^\n]*",
    "seconds": r"(?<=after )\d+\.\d(?= s\b)",
}
_any = re.compile("|".join(f"(?P<{name}>{rule})" for name, rule in VARYING.items()))


def matches(expected, printed):
    """Line feeds at the end do not count."""
    expected, rule, at = expected.rstrip("\n"), "", 0
    for varying in _any.finditer(expected):
        rule += re.escape(expected[at:varying.start()]) + VARYING[varying.lastgroup]
        at = varying.end()
    return re.fullmatch(rule + re.escape(expected[at:]), printed.rstrip("\n")) is not None
