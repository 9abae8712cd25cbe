"""Measures a settlement plan: the milliseconds by number of balances, and how long the event loop lags meanwhile.

Needs nothing else: `python bench/plan.py`.
"""

import asyncio
import sys
import time
from pathlib import Path
from random import Random
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import uvloop

from service.settlements.plan import plan, planned

random = Random(20)  # noqa: S311 -- the same choice every time.
rounds = 15

# The shapes of 16 balances that take longest: many different sums, or many groups that sum to zero. Equal balances are
# counted, not told apart, so the others are fast.
shapes = {
    "1 owes, 15 receive unequally": [-120, *range(1, 16)],
    "2 receive, 14 owe unequally": [*range(-14, 0), 50, 55],
    "8 owe 1 to 8, 8 receive 1 to 8": [*range(-8, 0), *range(1, 9)],
    "8 owe 1 to 4, 8 receive 1 to 4": [*range(-4, 0), *range(1, 5)] * 2,
    "12 owe 1, 4 receive 3": [-1] * 12 + [3] * 4,
    "14 owe 1, 2 receive 7": [-1] * 14 + [7] * 2,
    "8 owe 1, 8 receive 1": [-1] * 8 + [1] * 8,
    "15 owe 1, 1 receives 15": [-1] * 15 + [15],
}


def typical(number: int, largest: int) -> list[int]:
    """Return nets of any sizes up to the largest, with one that evens them out."""
    while True:
        nets = [random.choice((-1, 1)) * random.randint(1, largest) for _ in range(number - 1)]
        if total := sum(nets):
            return [*nets, -total]


def named(nets: list[int]) -> dict[str, int]:
    """Return the nets of members in any order."""
    members = random.sample([f"{index:03}" for index in range(len(nets))], len(nets))
    return dict(zip(members, nets, strict=True))


def milliseconds(cases: list[list[int]]) -> str:
    """Return the median and the longest of how long their plans take."""
    found = []
    for nets in cases:
        members = named(nets)
        start = time.perf_counter()
        plan(members)
        found.append((time.perf_counter() - start) * 1000)
    return f"{median(found):7.1f} {max(found):7.1f}"


async def lag(plans: int, nets: list[int]) -> str:
    """Return how long a task that wants to run every millisecond had to wait: the mean and the longest wait."""
    waits = []

    async def tick() -> None:
        while True:
            start = time.perf_counter()
            await asyncio.sleep(0.001)
            waits.append((time.perf_counter() - start) * 1000 - 1)

    async with asyncio.TaskGroup() as group:
        ticking = group.create_task(tick())
        for _ in range(rounds):
            await asyncio.gather(*(planned({"EUR": named(nets)}) for _ in range(plans)))
        ticking.cancel()
    return f"{sum(waits) / len(waits):7.1f} {max(waits):7.1f}"


if __name__ == "__main__":
    print(f"{'milliseconds':46} {'median':>7} {'longest':>7}")
    for largest in (100_000, 10):
        for number in (4, 8, 12, 14, 16, 17, 50, 200):
            cases = [typical(number, largest) for _ in range(rounds)]
            print(f"{f'{number} balances up to {largest}':46} {milliseconds(cases)}")
    for name, shape in shapes.items():
        print(f"{f'16 balances: {name}':46} {milliseconds([shape] * rounds)}")
    print(f"\n{'wait of the loop beside 16 balances':46} {'mean':>7} {'longest':>7}")
    for number in (1, 4):
        waits = uvloop.run(lag(number, shapes["1 owes, 15 receive unequally"]))
        print(f"{f'{number} planned at a time':46} {waits}")
