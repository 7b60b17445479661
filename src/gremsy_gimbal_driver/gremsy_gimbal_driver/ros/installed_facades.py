# SPDX-License-Identifier: Apache-2.0
"""The facades that are installed; their requests go through the driver's arbiter, arm and limits like any other."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any

from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus
from gremsy_gimbal_driver.motion.notices import Report
from gremsy_gimbal_driver.ros.driver_port import DriverPort

FACADES = 'gremsy_gimbal_driver.facades'
"""Entry points of packages that serve facades."""


class Facades:
    """Those that are served, together; none where package `gremsy_gimbal_facades` is not installed."""

    names = ''
    """Of those that are served."""
    counts: Mapping[str, int] = MappingProxyType({})
    """What was refused."""

    def attitude(self, status: AttitudeStatus, stamp_ns: int) -> None:
        """Message 285 came."""

    def close(self) -> None:
        """Idempotent."""


def installed_facades(node: Any, port: DriverPort, report: Report, *, mavros: bool, ptz: bool) -> Facades:
    """Those of package `gremsy_gimbal_facades` that are enabled; make and close them on the executor's thread."""
    for entry in entry_points(group=FACADES):
        facades: Facades = entry.load()(node, port, report, mavros=mavros, ptz=ptz)
        return facades
    return Facades()
