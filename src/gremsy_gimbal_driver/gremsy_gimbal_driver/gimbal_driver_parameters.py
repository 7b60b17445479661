# SPDX-License-Identifier: Apache-2.0
"""The gimbal driver's parameters, and what they mean for its core."""

from __future__ import annotations

from dataclasses import dataclass

from gremsy_common.node_parameters import NodeParameters
from gremsy_common.parameters import ParameterError, param
from gremsy_gimbal_driver.driver import DriverSettings
from gremsy_gimbal_driver.mavlink_decoder import GIMBAL_COMPONENTS
from gremsy_gimbal_driver.mavlink_encoder import FLAGS_FOLLOW, FLAGS_LOCK
from gremsy_gimbal_driver.mavlink_events import Sender
from gremsy_gimbal_driver.motion_settings import MotionSettings
from gremsy_gimbal_driver.plant_inverse import PlantInverse

LEVEL_FRAME = 'gimbal_level'
CAMERA_FRAME = 'gimbal_camera'


@dataclass(frozen=True)
class GimbalDriverParameters(NodeParameters):
    """Everything about one gimbal; a link that is lost or not there yet is opened again in the background."""

    # The link.
    link: str = param(
        'udp://192.168.55.1:14566',
        doc='Way to the gimbal: `udp://HOST:PORT` or `serial:///dev/ttyUSB0?baud=115200`.',
    )
    system_id: int = param(1, low=1, high=255, doc='Our MAVLink system.')
    component_id: int = param(191, low=1, high=255, doc='Our MAVLink component; gimbals are known to obey 191.')
    gimbal_system_id: int = param(0, low=0, high=255, doc="The gimbal's MAVLink system; 0 learns it.")
    gimbal_component_id: int = param(
        0, low=0, high=255, doc="The gimbal's MAVLink component (154, 171 to 175); 0 learns it."
    )
    attitude_rate_hz: float = param(50.0, unit='Hz', low=1.0, high=100.0, doc='Attitudes asked of the gimbal.')
    least_attitude_delay_s: float = param(
        0.0, unit='s', low=0.0, high=0.5, doc='Smallest time from a measurement to its arrival, where it is known.'
    )
    yaw_mode: str = param(
        'follow', choices=('follow', 'lock'), doc='Whether azimuth is held against the vehicle or against the earth.'
    )

    # Frames.
    frame_prefix: str = param(
        '', doc='Put before every frame, with its slash; empty takes the namespace, as `robot/` in `/robot`.'
    )
    optical_frames: tuple[str, ...] = param(
        ('eo_optical_frame',), doc='Optical frames of the cameras on this gimbal, without the prefix.'
    )

    # Commands.
    time_to_live_s: float = param(
        0.2, unit='s', low=0.05, high=2.0, doc='A command moves the gimbal for so long after it arrived.'
    )
    age_limit_s: float = param(
        0.8, unit='s', low=0.05, high=5.0, doc='A command whose stamp is older than this does not move the gimbal.'
    )
    operator_lease_s: float = param(
        0.5, unit='s', low=0.0, high=60.0, doc="The tracker is shut out for so long after an operator's command."
    )
    attitude_timeout_s: float = param(
        1.0, unit='s', low=0.1, high=10.0, doc='Without telemetry for so long, nothing moves.'
    )
    home_timeout_s: float = param(15.0, unit='s', low=1.0, high=120.0, doc='`~/home` gives up after this.')

    # Limits, on true rates and on the measured angles.
    max_rate_rad_s: float = param(1.0472, unit='rad/s', low=0.01, high=6.0, doc='Fastest slew, each axis.')
    max_acceleration_rad_s2: float = param(
        6.9813, unit='rad/s^2', low=0.05, high=100.0, doc='Fastest change of a rate, each axis; a stop is not slowed.'
    )
    azimuth_min_rad: float = param(-3.0, unit='rad', low=-6.0, high=0.0, doc='Soft limit to the right.')
    azimuth_max_rad: float = param(3.0, unit='rad', low=0.0, high=6.0, doc='Soft limit to the left.')
    tilt_min_rad: float = param(-0.7854, unit='rad', low=-2.2, high=0.0, doc='Soft limit upwards (tilt is + down).')
    tilt_max_rad: float = param(1.5708, unit='rad', low=0.0, high=2.2, doc='Soft limit downwards.')

    # The plant: what this gimbal makes of a command.
    azimuth_sign: int = param(1, low=-1, high=1, doc='-1 for an azimuth axis that runs the wrong way.')
    tilt_sign: int = param(1, low=-1, high=1, doc='-1 for a tilt axis that runs the wrong way.')
    dead_zone_rad_s: float = param(
        0.0, unit='rad/s', low=0.0, high=0.5, doc='The gimbal ignores smaller rate commands.'
    )
    rate_gain_zooms: tuple[float, ...] = param(
        (), doc='Zoom factors, ascending, of `rate_gains`; empty for no dependence.', low=1.0, high=1000.0
    )
    rate_gains: tuple[float, ...] = param(
        (), doc='Achieved over commanded rate at each of `rate_gain_zooms`.', low=0.001, high=10.0
    )
    plant_delay_s: float = param(
        0.02, unit='s', low=0.0, high=2.0, doc="From a command to its first motion; the tracker's to compensate."
    )
    plant_lag_s: float = param(
        0.06, unit='s', low=0.0, high=2.0, doc="Time constant of the rate loop; the tracker's to compensate."
    )

    def check(self) -> None:
        """Combinations.

        Raises:
            ParameterError: naming the parameter.
        """
        for name in ('azimuth_sign', 'tilt_sign'):
            if getattr(self, name) == 0:
                raise ParameterError(f'Parameter `{name}` is 0: use 1 or -1.')
        if (self.gimbal_system_id == 0) != (self.gimbal_component_id == 0):
            raise ParameterError(
                f'Parameters `gimbal_system_id` ({self.gimbal_system_id}) and `gimbal_component_id` '
                f'({self.gimbal_component_id}) belong together: give both, or 0 for both to learn them.'
            )
        if self.gimbal_component_id not in {0, *GIMBAL_COMPONENTS}:
            raise ParameterError(
                f'Parameter `gimbal_component_id` is {self.gimbal_component_id}, which is no gimbal: '
                'use 154, 171 to 175, or 0 to learn it.'
            )
        if len(self.rate_gain_zooms) != len(self.rate_gains):
            raise ParameterError(
                f'Parameter `rate_gains` has {len(self.rate_gains)} values and `rate_gain_zooms` '
                f'{len(self.rate_gain_zooms)}: give one gain for each zoom.'
            )
        if any(after <= before for before, after in zip(self.rate_gain_zooms, self.rate_gain_zooms[1:], strict=False)):
            raise ParameterError('Parameter `rate_gain_zooms` does not ascend: sort it, with its `rate_gains`.')

    def driver_settings(self, prefix: str) -> DriverSettings:
        """For the core; `prefix` is put before the frames' names."""
        inverse = PlantInverse(
            self.azimuth_sign,
            self.tilt_sign,
            self.dead_zone_rad_s,
            tuple(zip(self.rate_gain_zooms, self.rate_gains, strict=True)),
        )
        motion = MotionSettings(
            level_frame=f'{prefix}{LEVEL_FRAME}',
            time_to_live_s=self.time_to_live_s,
            age_limit_s=self.age_limit_s,
            operator_lease_s=self.operator_lease_s,
            attitude_timeout_s=self.attitude_timeout_s,
            max_rate_rad_s=self.max_rate_rad_s,
            max_acceleration_rad_s2=self.max_acceleration_rad_s2,
            azimuth_limits_rad=(self.azimuth_min_rad, self.azimuth_max_rad),
            tilt_limits_rad=(self.tilt_min_rad, self.tilt_max_rad),
            home_timeout_s=self.home_timeout_s,
            plant_inverse=inverse,
        )
        pinned = Sender(self.gimbal_system_id, self.gimbal_component_id) if self.gimbal_component_id else None
        return DriverSettings(
            motion=motion,
            own=Sender(self.system_id, self.component_id),
            gimbal=pinned,
            flags=FLAGS_LOCK if self.yaw_mode == 'lock' else FLAGS_FOLLOW,
            camera_frame=f'{prefix}{CAMERA_FRAME}',
            attitude_rate_hz=self.attitude_rate_hz,
            least_attitude_delay_s=self.least_attitude_delay_s,
        )
