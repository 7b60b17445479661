# SPDX-License-Identifier: Apache-2.0
"""The tracker's own pointing core in the benchmark's world: the class that the node runs, fed stamped samples only."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from benchmarks.pointing.pointing_driver import BatchDriver
from benchmarks.pointing.pointing_world import BEARING_NOISE_DEG, Errors, Happening, World
from gremsy_common.geometry import quaternion_from_bearing, wrap_angle
from gremsy_common.types.gimbal_state import GimbalAttitude, LevelHeading
from gremsy_common.types.plant_model import PlantModel
from gremsy_tracker.pointing import bearings
from gremsy_tracker.pointing.pointing_core import Aim, PointingCore
from gremsy_tracker.tracker_parameters import TrackerParameters

Array = NDArray[np.float64]

# Any time that is not 0: a stamp of 0 would mean "none" in ROS.
_START_NS = 1_000_000_000_000
_HALF_FIELD_RAD = math.radians(20.0)


def run_core(world: World, parameters: TrackerParameters | None = None) -> Errors:
    """One run; delay, lag and dead zone are what the driver would report, all else is as given (the defaults)."""
    plant = world.plant.parameters
    reported = PlantModel(plant.delay_s, plant.lag_s, plant.dead_zone_rad_s, 'calibrated')
    parameters = (parameters or TrackerParameters()).with_plant(reported)
    core, driver = PointingCore(parameters), BatchDriver(world.plant, world.scenario.zoom)
    core.field_rad = 2 * math.atan(math.tan(_HALF_FIELD_RAD) / world.scenario.zoom)
    noise_rad = np.hypot(parameters.bearing_noise_rad, math.radians(BEARING_NOISE_DEG / world.scenario.zoom))
    for at_ms, kind, number in world.happenings():
        now_ns = _ns(at_ms)
        if kind is Happening.TELEMETRY:
            measured_ms, angles, rates = world.telemetry(number)
            core.offer_attitude(attitude_of(_ns(measured_ms), angles, rates))
        elif kind is Happening.HEADING:
            measured_ms, heading_rad, rate_rad_s = world.heading(number)
            core.offer_heading(LevelHeading(_ns(measured_ms), parameters.level_frame, heading_rad, rate_rad_s))
        elif kind is Happening.IMAGE:
            shutter_ms, offset = world.image(number)
            core.offer_image(_ns(shutter_ms), now_ns)
            attitude = core.attitude_at(_ns(shutter_ms))
            if offset is not None and attitude is not None:
                axis = bearings.optical_axis(attitude)
                core.offer_bearing(_ns(shutter_ms), wrap_angle(axis + offset), np.full(2, noise_rad))
        elif kind is Happening.COMMAND:
            setpoint = core.setpoint(now_ns, Aim.TARGET)
            if setpoint is None or core.still_because:
                driver.stop(at_ms * 1e-3)
            else:
                rates = np.array([setpoint.azimuth_rate_rad_s, setpoint.tilt_rate_rad_s])
                driver.ask(at_ms * 1e-3, rates)
    return world.errors()


def attitude_of(stamp_ns: int, angles_rad: Array, rates_rad_s: Array) -> GimbalAttitude:
    """What a level camera's telemetry says of these angles and their rates."""
    azimuth, tilt = angles_rad
    azimuth_rate, tilt_rate = rates_rad_s
    body = np.array([-azimuth_rate * math.sin(tilt), tilt_rate, azimuth_rate * math.cos(tilt)])
    return GimbalAttitude(stamp_ns, 'camera', quaternion_from_bearing(azimuth, tilt), body)


def _ns(at_ms: int) -> int:
    return _START_NS + at_ms * 1_000_000
