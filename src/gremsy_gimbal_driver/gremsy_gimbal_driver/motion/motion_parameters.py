# SPDX-License-Identifier: Apache-2.0
"""The parameters of motion, as node and core take them: what may move the gimbal, how far and how fast."""

from __future__ import annotations

from dataclasses import dataclass

from gremsy_common.parameters.parameter_fields import Span, live_param, param
from gremsy_common.parameters.parameter_forms import TextForm
from gremsy_gimbal_driver.motion.motion_output import Pair
from gremsy_gimbal_driver.motion.plant_inverse import MeasuredPlant


@dataclass(frozen=True)
class FrameParameters:
    """What the names of the gimbal's own frames begin with."""

    frame_prefix: str = param(
        '',
        'Prefix of every frame, with its slash; empty takes the namespace, such as `robot/` in `/robot`.',
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
    mode: str = live_param(
        'follow',
        'What the azimuth is held against: the vehicle (`follow`) or the earth (`lock`); `mapping` looks straight '
        'down. Applied when the gimbal is armed.',
        choices=('follow', 'lock', 'mapping'),
    )
    mode_while_following: str = param(
        '',
        'Mode to change to while a tracker follows in mode follow and nothing reports how the vehicle turns; '
        'empty keeps follow.',
        choices=('', 'lock'),
    )
    setpoint_source: str = live_param(
        '',
        'The camera (`eo`, `ir`) whose tracker may move the gimbal and zoom, on `eo/gimbal/setpoint`; empty takes '
        '`gimbal/setpoint` from any publisher. The launch files name the first camera that has a tracker.',
        form=TextForm.TOPIC,
    )
    time_to_live_s: float = param(
        0.2, 'How long a rate command moves the gimbal after its arrival.', Span(0.05, 2.0, 's')
    )
    age_limit_s: float = param(
        0.8, 'A command whose stamp is older than this does not move the gimbal.', Span(0.05, 5.0, 's')
    )
    operator_lease_s: float = param(
        0.5, "How long lower sources stay shut out after an operator's command.", Span(0.0, 60.0, 's')
    )
    operator_zoom_lease_s: float = param(
        5.0, "How long a tracker's zoom is ignored after an operator's.", Span(0.0, 3600.0, 's')
    )
    attitude_timeout_s: float = param(
        1.0, 'Nothing moves once no attitude has arrived for this long.', Span(0.1, 10.0, 's')
    )
    home_timeout_s: float = param(15.0, '`~/home` gives up after this.', Span(1.0, 120.0, 's'))
    goal_timeout_s: float = param(10.0, 'Any other goal gives up after this.', Span(0.5, 120.0, 's'))
    goal_hold_s: float = param(0.0, 'How long a goal keeps control once it is reached.', Span(0.0, 3600.0, 's'))
    goal_tolerance_rad: float = param(0.017453, 'A goal is reached within this angle.', Span(0.001, 0.2, 'rad'))
    angle_path: str = param(
        'auto',
        'How goals are driven: by angle commands (`angle`), by rates (`rate`), or by angles until the gimbal '
        'ignores them (`auto`).',
        choices=('auto', 'angle', 'rate'),
    )

    # Limits, on true rates and on the measured angles.
    max_rate_rad_s: float = param(1.0472, 'Largest rate of each axis.', Span(0.01, 6.0, 'rad/s'))
    max_acceleration_rad_s2: float = param(
        6.9813, 'Largest acceleration of each axis; a stop is not slowed.', Span(0.05, 100.0, 'rad/s^2')
    )
    max_jump_rad: float = param(
        3.1416, 'A goal further than this from where the camera looks is refused.', Span(0.05, 12.0, 'rad')
    )
    azimuth_min_rad: float = param(-3.0, 'Soft limit to the right.', Span(-6.0, 0.0, 'rad'))
    azimuth_max_rad: float = param(3.0, 'Soft limit to the left.', Span(0.0, 6.0, 'rad'))
    tilt_min_rad: float = param(-0.7854, 'Soft limit upwards (tilt is + down).', Span(-2.2, 0.0, 'rad'))
    tilt_max_rad: float = param(1.5708, 'Soft limit downwards.', Span(0.0, 2.2, 'rad'))

    pulse_in_dead_zone: bool = param(
        True, 'Make rates below the dead zone out of pulses; off, the nearer of 0 and its edge is commanded.'
    )

    @property
    def limits_rad(self) -> tuple[Pair, Pair]:
        """The soft limits of azimuth and tilt, (low, high) each."""
        return (self.azimuth_min_rad, self.azimuth_max_rad), (self.tilt_min_rad, self.tilt_max_rad)
