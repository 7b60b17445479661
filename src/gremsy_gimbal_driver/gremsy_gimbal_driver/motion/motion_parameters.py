# SPDX-License-Identifier: Apache-2.0
"""The parameters of motion, as node and core take them: what may move the gimbal, how far and how fast."""

from __future__ import annotations

from dataclasses import dataclass

from gremsy_common.parameters.parameter_fields import param
from gremsy_common.parameters.parameter_forms import TextForm
from gremsy_gimbal_driver.motion.motion_output import Pair
from gremsy_gimbal_driver.motion.plant_inverse import MeasuredPlant


@dataclass(frozen=True)
class FrameParameters:
    """What the names of the gimbal's own frames begin with."""

    frame_prefix: str = param(
        '',
        doc='Put before every frame, with its slash; empty takes the namespace, as `robot/` in `/robot`.',
        form=TextForm.FRAME_PREFIX,
    )

    @property
    def level_frame(self) -> str:
        """Levelled by the horizon; the only frame that rate commands may be given in."""
        return f'{self.frame_prefix}gimbal_level'

    @property
    def camera_frame(self) -> str:
        """Of the attitudes, the IMU and the range."""
        return f'{self.frame_prefix}gimbal_camera'

    @property
    def base_frame(self) -> str:
        """Where the gimbal is mounted."""
        return f'{self.frame_prefix}gimbal_base'


@dataclass(frozen=True)
class MotionParameters(MeasuredPlant, FrameParameters):
    """Limits and times of motion, and the plant it goes through."""

    # Commands.
    mode: str = param(
        'follow',
        choices=('follow', 'lock', 'mapping'),
        live=True,
        doc='Against what the azimuth is held: the vehicle, the earth, or the camera straight down. Taken when armed.',
    )
    mode_while_following: str = param(
        '',
        choices=('', 'lock'),
        doc='The mode to go over to while a tracker follows in mode follow and nothing reports how the vehicle turns; '
        'empty leaves it.',
    )
    setpoint_source: str = param(
        '',
        live=True,
        doc='The camera (`eo`, `ir`) whose tracker may move and zoom, by `eo/gimbal/setpoint`; empty takes '
        '`gimbal/setpoint` from whomever. The launch files name the first camera that has a tracker.',
        form=TextForm.TOPIC,
    )
    time_to_live_s: float = param(
        0.2, unit='s', low=0.05, high=2.0, doc='A rate command moves the gimbal for so long after it arrived.'
    )
    age_limit_s: float = param(
        0.8, unit='s', low=0.05, high=5.0, doc='A command whose stamp is older than this does not move the gimbal.'
    )
    operator_lease_s: float = param(
        0.5, unit='s', low=0.0, high=60.0, doc="Others are shut out for so long after an operator's command."
    )
    operator_zoom_lease_s: float = param(
        5.0,
        unit='s',
        low=0.0,
        high=3600.0,
        doc="A tracker's zoom is left aside for so long after an operator's.",
    )
    attitude_timeout_s: float = param(
        1.0, unit='s', low=0.1, high=10.0, doc='Without telemetry for so long, nothing moves.'
    )
    home_timeout_s: float = param(15.0, unit='s', low=1.0, high=120.0, doc='`~/home` gives up after this.')
    goal_timeout_s: float = param(10.0, unit='s', low=0.5, high=120.0, doc='Any other goal gives up after this.')
    goal_hold_s: float = param(
        0.0, unit='s', low=0.0, high=3600.0, doc='A goal that is reached keeps control for so long.'
    )
    goal_tolerance_rad: float = param(0.017453, unit='rad', low=0.001, high=0.2, doc='So near, a goal is reached.')
    angle_path: str = param(
        'auto',
        choices=('auto', 'angle', 'rate'),
        doc='How goals are driven: by angle commands, by rates, or by angles until the gimbal ignores them.',
    )

    # Limits, on true rates and on the measured angles.
    max_rate_rad_s: float = param(1.0472, unit='rad/s', low=0.01, high=6.0, doc='Fastest slew, each axis.')
    max_acceleration_rad_s2: float = param(
        6.9813, unit='rad/s^2', low=0.05, high=100.0, doc='Fastest change of a rate, each axis; a stop is not slowed.'
    )
    max_jump_rad: float = param(
        3.1416, unit='rad', low=0.05, high=12.0, doc='A goal further from where the camera looks is refused.'
    )
    azimuth_min_rad: float = param(-3.0, unit='rad', low=-6.0, high=0.0, doc='Soft limit to the right.')
    azimuth_max_rad: float = param(3.0, unit='rad', low=0.0, high=6.0, doc='Soft limit to the left.')
    tilt_min_rad: float = param(-0.7854, unit='rad', low=-2.2, high=0.0, doc='Soft limit upwards (tilt is + down).')
    tilt_max_rad: float = param(1.5708, unit='rad', low=0.0, high=2.2, doc='Soft limit downwards.')

    pulse_in_dead_zone: bool = param(True, doc='Make slower rates out of pulses; else of the nearer of 0 and the edge.')

    @property
    def limits_rad(self) -> tuple[Pair, Pair]:
        """The soft limits of azimuth and tilt, (low, high) each."""
        return (self.azimuth_min_rad, self.azimuth_max_rad), (self.tilt_min_rad, self.tilt_max_rad)
