# SPDX-License-Identifier: Apache-2.0
"""The facades whose messages are installed here, made and closed together."""

from __future__ import annotations

from typing import Any

from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus
from gremsy_gimbal_driver.motion.notices import Report
from gremsy_gimbal_driver.ros.driver_port import DriverPort
from gremsy_gimbal_driver.ros.installed_facades import Facades
from gremsy_gimbal_facades.mavros_facade import MavrosFacade, mavros_messages
from gremsy_gimbal_facades.ptz_facade import PtzFacade, ptz_messages


class FacadeSet(Facades):
    """Make and close it on the executor's thread.

    Args:
        node: any rclpy node.
        port: the driver.
        report: called with what is wrong, once a kind.
        mavros, ptz: which are wanted; one whose messages are not installed is left out.
    """

    def __init__(self, node: Any, port: DriverPort, report: Report, *, mavros: bool, ptz: bool) -> None:
        for_mavros = mavros_messages() if mavros else None
        for_ptz = ptz_messages() if ptz else None
        self._mavros = None if for_mavros is None else MavrosFacade(node, port, for_mavros, report)
        self._ptz = None if for_ptz is None else PtzFacade(node, port, for_ptz)
        served = {'MAVROS': self._mavros, 'PTZ': self._ptz}
        self.names = ', '.join(name for name, facade in served.items() if facade is not None)
        self.counts = {} if self._mavros is None else self._mavros.counts

    def attitude(self, status: AttitudeStatus, stamp_ns: int) -> None:
        """Message 285 came."""
        if self._mavros is not None:
            self._mavros.attitude(status, stamp_ns)

    def close(self) -> None:
        """Idempotent."""
        for facade in (self._mavros, self._ptz):
            if facade is not None:
                facade.close()
