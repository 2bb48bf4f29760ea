#!/usr/bin/python3
"""Hundreds of connections that call rightly, wrongly, and not at all as they should, for a bounded
time: every right call gets the bytes that an idle daemon gives, or is told that the daemon is busy;
afterwards memory and descriptors are back at their level.

    tests/chaos/chaos.py build/layerd [SECONDS]"""
import asyncio
import os
import sys
import time

from callers import Crowd
from daemon import Daemon

LIFETIME_SECONDS = 2
OPTIONS = ["--memory=64MiB", "--body-limit=8MiB", "--answer-limit=16MiB", "--cache-budget=2MiB",
           f"--cache-lifetime={LIFETIME_SECONDS}s", "--connections=400", "--address-connections=380",
           "--idle-time=2s", "--least-rate=1MiB", "--queue=16", "--queue-time=5s"]
CALLERS = {"right_caller": 60, "wrong_caller": 20, "product_caller": 6, "aborter": 30,
           "trainer": 10, "flooder": 10, "giant": 10, "babbler": 20, "muddler": 6,
           "sluggard": 100}
SLACK_MIB, SETTLE_SECONDS = int(os.environ.get("SLACK_MIB", 24)), 20


def settles(look, level):
    """Waits until a figure is back at its level; the last that was seen"""
    end = time.monotonic() + SETTLE_SECONDS
    while (seen := look()) > level and time.monotonic() < end:
        time.sleep(0.1)
    return seen


def main():
    daemon = Daemon(sys.argv[1], *OPTIONS)
    crowd = Crowd(daemon.port)
    crowd.lifetime = LIFETIME_SECONDS
    asyncio.run(crowd.learn())
    memory, descriptors = daemon.resident(), daemon.descriptors()
    asyncio.run(crowd.run(float(sys.argv[2]) if len(sys.argv) > 2 else 10, **CALLERS))

    faults = crowd.faults
    if daemon.is_alive():
        after = settles(daemon.descriptors, descriptors)
        if after > descriptors:
            faults.append(f"{descriptors} descriptors before, {after} after")
        after = settles(daemon.resident, memory + SLACK_MIB)
        print(f"resident: {memory:.1f} MiB before, {after:.1f} after")
        if after > memory + SLACK_MIB:
            faults.append(f"{memory:.1f} MiB resident before, {after:.1f} after")
        for figure in ("layerd_cache_entries", "layerd_cache_bytes", "layerd_memory_bytes"):
            if after := settles(lambda: daemon.figure(figure), 0):
                faults.append(f"{figure} is {after:g}, and nobody is there any more")
        asyncio.run(crowd.learn())  # and it serves on
        status = daemon.stop()
        if status != 0:
            faults.append(f"its exit status was {status}")
    else:
        faults.append(f"the daemon ended: {daemon.process.returncode}\n" + "".join(daemon.log[-20:]))
    faults += [line for line in daemon.log if "Sanitizer" in line or "runtime error" in line]
    for what in ("right", "products", "wrong, told so", "giants refused", "muddles refused",
                 "sluggards cut off", "steps of trainings"):
        if not crowd.counts.get(what):
            faults.append(f"nothing was counted as \"{what}\"")
    print("seen:", ", ".join(f"{what}: {n}" for what, n in sorted(crowd.counts.items())))
    print("\n".join(faults))
    print(f"chaos: {int(not faults)} passed, {int(bool(faults))} failed")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
