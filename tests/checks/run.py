"""Checks, from outside: POST /check of right answers and of wrong ones, as an oracle in NumPy has
them.

    /usr/bin/python3 -B tests/checks/run.py http://127.0.0.1:8080 [operation...]"""
import itertools
import os
import sys
import warnings

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "vectors"))

import challenged  # noqa: E402
import conventions  # noqa: E402
import honest  # noqa: E402
import wrong  # noqa: E402
import wrong_norms  # noqa: E402,F401
import wrong_plain  # noqa: E402,F401
import wrong_updates  # noqa: E402,F401
import wrong_windows  # noqa: E402,F401
from asking import Daemon  # noqa: E402


def run_honest(daemon, operations):
    tally, count = honest.Tally(), itertools.count()
    for operation in operations:
        random = np.random.RandomState(231)
        for kind, takes in honest.OPERATIONS[operation][0](random):
            for computed in honest.COMPUTED:
                honest.run_ways(tally, daemon, operation, kind, takes, computed, count)
        worst, about = tally.worst[operation]
        print(f"  {operation:27} {worst:6.3f} of the bound  {about}", flush=True)
    return tally


def run_wrong(daemon, operations):
    tally, count = honest.Tally(), itertools.count()
    cases = [case for case in wrong.WRONG if case[0] in operations]
    for case in cases:
        wrong.run_case(tally, daemon, case, count)
    print(f"  {len(cases)} wrong implementations")
    return tally


def report(name, tally):
    for fault in tally.faults[:20]:
        print("FAILED", fault)
    told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(tally.verdicts.items()))
    print(f"{name}: {told}; {len(tally.faults)} faults")
    return bool(tally.faults)


def main(url, words):
    np.seterr(all="ignore")
    warnings.simplefilter("ignore")
    daemon = Daemon(url)
    operations = [name for name in honest.OPERATIONS
                  if not words or any(word in name for word in words)]
    failed = report("right answers", run_honest(daemon, operations))
    failed |= report("wrong answers", run_wrong(daemon, operations))
    for name, module in ("conventions", conventions), ("challenges", challenged):
        tally = honest.Tally()
        module.run(tally, daemon, operations)
        failed |= report(name, tally)
    print(f"checks: {daemon.asked} asked")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
