#!/usr/bin/python3
"""A long load, and what the daemon takes over time: flat is good. `make soak MINUTES=60`, or

    tests/chaos/soak.py build/layerd MINUTES"""
import asyncio
import sys
import time

from callers import Crowd
from chaos import LIFETIME_SECONDS, OPTIONS
from daemon import Daemon

CALLERS = {"right_caller": 8, "wrong_caller": 2, "product_caller": 1, "trainer": 2, "aborter": 2,
           "flooder": 1, "babbler": 1, "sluggard": 5}
LINES = 20


async def watching(daemon, crowd, seconds):
    print(f"{'minute':>7} {'resident MiB':>13} {'descriptors':>12} {'right calls':>12} "
          f"{'p99 ms':>8} {'faults':>7}", flush=True)
    start = time.monotonic()
    for line in range(1, LINES + 1):
        await asyncio.sleep(max(0.0, start + line * seconds / LINES - time.monotonic()))
        times, crowd.times = sorted(crowd.times), []
        p99 = times[int(len(times) * 0.99)] * 1e3 if times else 0
        print(f"{(time.monotonic() - start) / 60:7.1f} {daemon.resident():13.1f} "
              f"{daemon.descriptors():12} {crowd.counts.get('right', 0):12} {p99:8.1f} "
              f"{len(crowd.faults):7}", flush=True)


async def both(daemon, crowd, seconds):
    await asyncio.gather(crowd.run(seconds, **CALLERS), watching(daemon, crowd, seconds))


def main():
    daemon = Daemon(sys.argv[1], *OPTIONS)
    crowd = Crowd(daemon.port)
    crowd.lifetime = LIFETIME_SECONDS
    asyncio.run(crowd.learn())
    asyncio.run(both(daemon, crowd, float(sys.argv[2]) * 60))
    status = daemon.stop()
    print("\n".join(crowd.faults))
    print(f"exit status {status};", ", ".join(f"{k}: {n}" for k, n in sorted(crowd.counts.items())))
    sys.exit(status != 0 or bool(crowd.faults))


if __name__ == "__main__":
    main()
