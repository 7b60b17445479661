# SPDX-License-Identifier: Apache-2.0
"""The parameters of the gimbal itself: the way to it, what it is asked for, and its frames."""

from __future__ import annotations

from dataclasses import dataclass

from gremsy_common.parameters.parameter_fields import Span, param
from gremsy_common.parameters.parameter_forms import TextForm
from gremsy_gimbal_driver.attitude.attitude_age_watch import LONGEST_DELAY_S
from gremsy_gimbal_driver.attitude.joint_chain import ENCODER_UNITS_RAD, joint_names
from gremsy_gimbal_driver.device.stream_rates import ATTITUDE, ENCODERS, IMU, SERIAL_BYTES_PER_S
from gremsy_gimbal_driver.mavlink.gimbal_protocol import PROTOCOL_NAMES
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender
from gremsy_gimbal_driver.mavlink.mavlink_frames import IMU_AXES
from gremsy_gimbal_driver.motion.motion_parameters import FrameParameters


@dataclass(frozen=True)
class DeviceParameters(FrameParameters):
    """Links, streams, frames and the vehicle."""

    # The links and who is at their other end.
    link: str = param(
        'udp://192.168.55.1:14566', 'Link to the gimbal: `udp://HOST:PORT` or `serial:///dev/ttyUSB0?baud=115200`.'
    )
    second_link: str = param(
        '', 'A second link to the same device, used when `link` fails and for what arrives only there; empty for none.'
    )
    system_id: int = param(1, "The driver's MAVLink system id.", Span(1, 255))
    component_id: int = param(191, "The driver's MAVLink component id; gimbals are known to obey 191.", Span(1, 255))
    gimbal_system_id: int = param(
        0, "The gimbal's MAVLink system id; 0 takes it from the gimbal's messages.", Span(0, 255)
    )
    gimbal_component_id: int = param(
        0, "The gimbal's MAVLink component id (154, 171 to 175); 0 takes it from its messages.", Span(0, 255)
    )
    protocol: str = param(
        'auto',
        'How the gimbal is commanded: by the protocol that its messages show (`auto`), or always by v2 or v1.',
        choices=PROTOCOL_NAMES,
    )
    v1_yaw_sign: int = param(
        1, '-1 for firmware of 2021 or older on protocol v1, whose yaw runs the other way.', Span(-1, 1)
    )
    attitude_rate_hz: float = param(
        50.0, 'Rate at which the gimbal is asked to send its attitude.', Span(1.0, 100.0, 'Hz')
    )
    imu_rate_hz: float = param(0.0, 'Rate of `gimbal/imu`; 0 leaves it as it is.', Span(0.0, 50.0, 'Hz'))
    least_attitude_delay_s: float = param(
        0.0,
        'Smallest delay from a measurement to its arrival, if known; a calibration measures it while a camera and '
        'its tracker run.',
        Span(0.0, LONGEST_DELAY_S, 's'),
    )
    attitude_delay_correction_s: float = param(
        0.0,
        "How far the driver may correct `least_attitude_delay_s` by itself, from the tracker's pictures "
        '(`gimbal/attitude_age`); 0 never corrects it, and warns when it is off by 10 ms.',
        Span(0.0, LONGEST_DELAY_S, 's'),
    )
    imu_axes: tuple[str, ...] = param(
        IMU_AXES,
        "Where x, y and z of the gimbal's IMU point, as seen from the camera: `forward`, `back`, `left`, `right`, "
        '`up`, `down`; a calibration finds it from gravity.',
    )
    use_gimbal_limits: bool = param(True, "Read the gimbal's own RC_LIM limits and keep within them as well.")

    # Frames.
    optical_frames: tuple[str, ...] = param(
        ('eo_optical_frame',), 'Optical frames of the cameras on this gimbal, without the prefix.', form=TextForm.FRAME
    )
    joint_prefix: str = param(
        '',
        "Prefix of the joints' names, such as `rear_` for a second gimbal in one robot's description.",
        form=TextForm.TOPIC,
    )
    goal_frames: bool = param(
        True, "Listen to /tf, so that goals may be given in any frame; otherwise in the gimbal's own frames only."
    )
    publish_level_frame: bool = param(
        False, 'Also publish the transform from gimbal_base to gimbal_level; needs `driver_levels:=true` in the URDF.'
    )
    encoders: str = param(
        'none',
        'Take `joint_states` from the encoders (message 158): raw counts or cdeg, as `MAV_TS_ENCNT` is set.',
        choices=('none', *ENCODER_UNITS_RAD),
    )
    encoder_signs: tuple[float, ...] = param(
        (1.0, 1.0, 1.0), 'Signs of yaw, roll and pitch; -1 inverts one.', Span(-1, 1)
    )
    encoder_zeros: tuple[float, ...] = param(
        (0.0, 0.0, 0.0), 'Readings of yaw, roll and pitch when the joints are at 0.'
    )

    # The vehicle.
    vehicle_attitude: str = param(
        'none',
        "Source of the vehicle's attitude: `vehicle/imu` or `vehicle/odometry`. It is passed on to the gimbal "
        '(message 286).',
        choices=('none', 'imu', 'odometry'),
    )
    vehicle_age_limit_s: float = param(0.5, 'A vehicle attitude older than this is ignored.', Span(0.05, 5.0, 's'))
    earth_frame: str = param(
        '',
        'Frame that the orientation in `vehicle/imu` refers to, such as `map`; odometry names its own.',
        form=TextForm.FRAME,
    )
    lock_reference: str = param(
        'boot',
        "Where lock's azimuth 0 is: the heading at power-up, or north for a gimbal that uses message 286.",
        choices=('boot', 'north'),
    )

    @property
    def cameras_frames(self) -> tuple[str, ...]:
        """`optical_frames` with the robot's prefix."""
        return tuple(f'{self.frame_prefix}{frame}' for frame in self.optical_frames)

    @property
    def joints(self) -> tuple[str, ...]:
        """Names of the yaw, the roll and the pitch joint."""
        return joint_names(self.joint_prefix)

    @property
    def links(self) -> tuple[str, ...]:
        """One or two URIs, the better first."""
        return (self.link, self.second_link) if self.second_link else (self.link,)

    @property
    def own(self) -> Sender:
        """Our MAVLink ids."""
        return Sender(self.system_id, self.component_id)

    @property
    def pinned_gimbal(self) -> Sender | None:
        """The gimbal's ids where they must not be learned."""
        return Sender(self.gimbal_system_id, self.gimbal_component_id) if self.gimbal_component_id else None

    @property
    def stream_rates_hz(self) -> dict[int, float]:
        """By message id, the most important first; what is not named is left as it is."""
        rates_hz = {ATTITUDE: self.attitude_rate_hz}
        if self.imu_rate_hz:
            rates_hz[IMU] = self.imu_rate_hz
        return rates_hz if self.encoders == 'none' else {**rates_hz, ENCODERS: self.attitude_rate_hz}

    @property
    def bytes_per_s(self) -> float | None:
        """What the slowest link carries, to which the rates are cut; None for a network."""
        return SERIAL_BYTES_PER_S if any(uri.startswith('serial:') for uri in self.links) else None
