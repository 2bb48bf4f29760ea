#!/usr/bin/python3
"""kill -9 and a new start, again and again under load: callers see ends of connections and handles
that are not known any more, never a wrong answer.

    tests/chaos/restarts.py build/layerd [SECONDS]"""
import asyncio
import sys
import time

from callers import Crowd
from daemon import Daemon

EVERY_SECONDS = 0.7


async def killing(daemons, crowd, program):
    while crowd.running():
        await asyncio.sleep(EVERY_SECONDS)
        daemons[-1].kill()
        daemons.append(Daemon(program, port=crowd.port))


async def both(daemons, crowd, seconds):
    crowd.until = time.monotonic() + seconds
    await asyncio.gather(crowd.run(seconds, right_caller=30, trainer=6, product_caller=2),
                         killing(daemons, crowd, sys.argv[1]))


def main():
    daemons = [Daemon(sys.argv[1])]
    crowd = Crowd(daemons[0].port)
    asyncio.run(crowd.learn())
    crowd.may_forget = True
    asyncio.run(both(daemons, crowd, float(sys.argv[2]) if len(sys.argv) > 2 else 5))
    asyncio.run(crowd.learn())
    if daemons[-1].stop() != 0:
        crowd.fault("the last daemon did not stop well")
    if len(daemons) < 3 or not all(crowd.counts.get(what)
                                   for what in ("right", "gone", "steps of trainings")):
        crowd.fault("nothing was tried")
    print(f"{len(daemons)} daemons;", ", ".join(f"{k}: {n}" for k, n in crowd.counts.items()))
    print("\n".join(crowd.faults))
    print(f"restarts: {int(not crowd.faults)} passed, {int(bool(crowd.faults))} failed")
    sys.exit(bool(crowd.faults))


if __name__ == "__main__":
    main()
