# SPDX-License-Identifier: Apache-2.0
"""Timing of several ways to do one thing, in turns."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

WARM_UP = 3


def take_turns(
    ways: Mapping[str, Callable[[int], object]],
    rounds: int,
    clock_ns: Callable[[], int] = time.perf_counter_ns,
) -> dict[str, list[int]]:
    """How long each way took, ns a round, the first `WARM_UP` rounds left out.

    Args:
        ways: called with the number of the round.
        rounds: that count.
        clock_ns: monotonic.
    """
    names = list(ways)
    took_ns: dict[str, list[int]] = {name: [] for name in names}
    gc.collect()
    gc.disable()  # a collection would fall on one of them by chance
    try:
        for number in range(-WARM_UP, rounds):
            # Each goes first in turn: who comes after a big model finds the caches full of it.
            first = number % len(names)
            for name in names[first:] + names[:first]:
                began_ns = clock_ns()
                ways[name](number)
                ended_ns = clock_ns()
                if number >= 0:
                    took_ns[name].append(ended_ns - began_ns)
    finally:
        gc.enable()
    return took_ns


def medians_ms(took_ns: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Name -> median, ms."""
    return {name: round(1e-6 * median(each), 3) for name, each in took_ns.items()}


def over(took_ns: Mapping[str, Sequence[int]], one: str, other: str) -> float:
    """How many times as long one takes as the other: the median of the rounds' own ratios.

    The machine's speed drifts by a third within minutes. Within a round both have the same machine.
    """
    return round(median(a / b for a, b in zip(took_ns[one], took_ns[other], strict=True)), 4)
