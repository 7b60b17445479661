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
        doc='Prefix of every frame, with its slash; empty takes the namespace, such as `robot/` in `/robot`.',
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
        doc='What the azimuth is held against: the vehicle (`follow`) or the earth (`lock`); `mapping` looks straight '
        'down. Applied when the gimbal is armed.',
    )
    mode_while_following: str = param(
        '',
        choices=('', 'lock'),
        doc='Mode to change to while a tracker follows in mode follow and nothing reports how the vehicle turns; '
        'empty keeps follow.',
    )
    setpoint_source: str = param(
        '',
        live=True,
        doc='The camera (`eo`, `ir`) whose tracker may move the gimbal and zoom, on `eo/gimbal/setpoint`; empty takes '
        '`gimbal/setpoint` from any publisher. The launch files name the first camera that has a tracker.',
        form=TextForm.TOPIC,
    )
    time_to_live_s: float = param(
        0.2, unit='s', low=0.05, high=2.0, doc='How long a rate command moves the gimbal after its arrival.'
    )
    age_limit_s: float = param(
        0.8, unit='s', low=0.05, high=5.0, doc='A command whose stamp is older than this does not move the gimbal.'
    )
    operator_lease_s: float = param(
        0.5, unit='s', low=0.0, high=60.0, doc="How long lower sources stay shut out after an operator's command."
    )
    operator_zoom_lease_s: float = param(
        5.0,
        unit='s',
        low=0.0,
        high=3600.0,
        doc="How long a tracker's zoom is ignored after an operator's.",
    )
    attitude_timeout_s: float = param(
        1.0, unit='s', low=0.1, high=10.0, doc='Nothing moves once no attitude has arrived for this long.'
    )
    home_timeout_s: float = param(15.0, unit='s', low=1.0, high=120.0, doc='`~/home` gives up after this.')
    goal_timeout_s: float = param(10.0, unit='s', low=0.5, high=120.0, doc='Any other goal gives up after this.')
    goal_hold_s: float = param(
        0.0, unit='s', low=0.0, high=3600.0, doc='How long a goal keeps control once it is reached.'
    )
    goal_tolerance_rad: float = param(
        0.017453, unit='rad', low=0.001, high=0.2, doc='A goal is reached within this angle.'
    )
    angle_path: str = param(
        'auto',
        choices=('auto', 'angle', 'rate'),
        doc='How goals are driven: by angle commands (`angle`), by rates (`rate`), or by angles until the gimbal '
        'ignores them (`auto`).',
    )

    # Limits, on true rates and on the measured angles.
    max_rate_rad_s: float = param(1.0472, unit='rad/s', low=0.01, high=6.0, doc='Largest rate of each axis.')
    max_acceleration_rad_s2: float = param(
        6.9813, unit='rad/s^2', low=0.05, high=100.0, doc='Largest acceleration of each axis; a stop is not slowed.'
    )
    max_jump_rad: float = param(
        3.1416, unit='rad', low=0.05, high=12.0, doc='A goal further than this from where the camera looks is refused.'
    )
    azimuth_min_rad: float = param(-3.0, unit='rad', low=-6.0, high=0.0, doc='Soft limit to the right.')
    azimuth_max_rad: float = param(3.0, unit='rad', low=0.0, high=6.0, doc='Soft limit to the left.')
    tilt_min_rad: float = param(-0.7854, unit='rad', low=-2.2, high=0.0, doc='Soft limit upwards (tilt is + down).')
    tilt_max_rad: float = param(1.5708, unit='rad', low=0.0, high=2.2, doc='Soft limit downwards.')

    pulse_in_dead_zone: bool = param(
        True, doc='Make rates below the dead zone out of pulses; off, the nearer of 0 and its edge is commanded.'
    )

    @property
    def limits_rad(self) -> tuple[Pair, Pair]:
        """The soft limits of azimuth and tilt, (low, high) each."""
        return (self.azimuth_min_rad, self.azimuth_max_rad), (self.tilt_min_rad, self.tilt_max_rad)
