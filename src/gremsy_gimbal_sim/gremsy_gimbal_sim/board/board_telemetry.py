# SPDX-License-Identifier: Apache-2.0
"""The main board's own values, as DEBUG by number or as PARAM_VALUE by name; all float32 (gimbal.md 2.4)."""

from __future__ import annotations

from collections.abc import Callable

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import TELEMETRY_NAMES
from gremsy_gimbal_sim.board.laser import Laser, Position
from gremsy_gimbal_sim.camera.simulated_camera import Camera
from gremsy_gimbal_sim.gimbal.simulated_gimbal import Gimbal
from gremsy_gimbal_sim.gimbal.simulated_modes import GB_MODES, mode_of
from gremsy_gimbal_sim.options.options import PayloadOptions

_SCENE_DEG_C = (31.0, 12.0, 18.5)


class BoardTelemetry:
    """Builds one value's message.

    Args:
        options: the board's.
        gimbal, camera, laser, position: where values come from.
    """

    software = (3, 1, 0)

    def __init__(
        self, options: PayloadOptions, gimbal: Gimbal, camera: Camera, laser: Laser, position: Position
    ) -> None:
        self._as_parameters = options.telemetry_as_parameters
        self._gimbal = gimbal
        self._camera = camera
        self._position = position
        self.infrared_correction = 1
        """FFC_MODE: 0 by hand, 1 by itself."""
        groups: tuple[tuple[int, int, Callable[[float], tuple[float, ...]]], ...] = (
            (0, 2, lambda _: (camera.lens.factor, camera.infrared_zoom)),
            (2, 1, lambda _: (laser.range_m,)),
            (3, 4, lambda _: camera.tracker.box_px),
            (7, 1, lambda _: (float(camera.tracker.status),)),
            (8, 2, lambda _: (0.0, 0.0)),
            (10, 3, lambda now_s: position.target(camera.sight(), laser.range_m, now_s)),
            (13, 3, position.lon_lat_alt),
            (16, 3, lambda _: self.software),
            (19, 2, lambda _: (camera.parameters['C_SOURCE'], camera.parameters['C_V_REC'])),
            (21, 2, lambda _: (0.0, camera.parameters['C_T_PALETTE'])),
            (23, 2, lambda now_s: (self.infrared_correction, GB_MODES.index(mode_of(gimbal.modes.flags(now_s))))),
            (25, 3, lambda _: _SCENE_DEG_C),
        )
        self._sources = {first + offset: (values, offset) for first, size, values in groups for offset in range(size)}

    def message(self, index: int, boot_ms: int, now_s: float) -> dialect.MAVLink_message:
        """DEBUG 254, or PARAM_VALUE 22."""
        values, offset = self._sources[index]
        value = float(values(now_s)[offset])
        if self._as_parameters:
            name, kind = TELEMETRY_NAMES[index].encode(), dialect.MAV_PARAM_TYPE_REAL32
            return dialect.MAVLink_param_value_message(name, value, kind, len(TELEMETRY_NAMES), index)
        return dialect.MAVLink_debug_message(boot_ms, index, value)
