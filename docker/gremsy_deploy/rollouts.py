# SPDX-License-Identifier: Apache-2.0
"""Many robots: canaries first, one after the other, then the others side by side, no further than the first failure."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from gremsy_deploy.inventory import RobotEntry
from gremsy_deploy.robots import End, Report


def canaries_of(places: Sequence[RobotEntry], names: Sequence[str]) -> tuple[RobotEntry, ...]:
    """Those that are named, else those that the inventory marks, else the first of several."""
    found = tuple(place for place in places if (place.name in names if names else place.canary))
    return found or tuple(places[:1])


def roll_out(
    places: Sequence[RobotEntry],
    act: Callable[[RobotEntry], Report],
    *,
    limit: int,
    canaries: Sequence[RobotEntry] = (),
) -> tuple[Report, ...]:
    """`act` on every robot, on at most `limit` of them at once; after a failure those not begun are not tried."""
    reports: dict[str, Report] = {}
    failed = threading.Event()

    def one(place: RobotEntry) -> None:
        if failed.is_set():
            reports[place.name] = Report(place.name, End.SKIPPED)
            return
        reports[place.name] = act(place)
        if reports[place.name].end is not End.DONE:
            failed.set()

    for place in canaries:
        one(place)
    with ThreadPoolExecutor(max_workers=max(1, limit)) as pool:
        # Asked for its results, so that what is raised in a thread is raised here.
        list(pool.map(one, [place for place in places if place not in canaries]))
    return tuple(reports[place.name] for place in places)


def on_all(places: Sequence[RobotEntry], act: Callable[[RobotEntry], Report], *, limit: int) -> tuple[Report, ...]:
    """`act` on every robot, whatever becomes of the others: what brings a robot back waits for none."""
    with ThreadPoolExecutor(max_workers=max(1, limit)) as pool:
        return tuple(pool.map(act, places))
