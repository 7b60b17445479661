# SPDX-License-Identifier: Apache-2.0
"""The gimbal driver's parameters, and what they mean for its core."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, cast

from gremsy_common.parameters.parameter_fields import NodeParameters, ParameterError, param
from gremsy_common.parameters.parameter_forms import TextForm
from gremsy_gimbal_driver.attitude.attitude_age_watch import LONGEST_DELAY_S
from gremsy_gimbal_driver.attitude.joint_chain import EncoderSettings, EncoderUnit
from gremsy_gimbal_driver.calibration.calibration_settings import CalibrationSettings
from gremsy_gimbal_driver.device.payload_readings import RANGE_NAME, ZOOM_NAME
from gremsy_gimbal_driver.device.stream_rates import ENCODERS, IMU, SERIAL_BYTES_PER_S
from gremsy_gimbal_driver.driver_settings import DriverSettings
from gremsy_gimbal_driver.mavlink.component_register import GIMBAL_COMPONENTS
from gremsy_gimbal_driver.mavlink.gimbal_protocol import PROTOCOL_NAMES
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender
from gremsy_gimbal_driver.mavlink.mavlink_frames import IMU_AXES, camera_from_imu
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_driver.motion.motion_settings import MotionSettings
from gremsy_gimbal_driver.motion.plant_inverse import PlantInverse
from gremsy_gimbal_driver.payload.payload_control import PayloadSettings
from gremsy_gimbal_driver.payload.payload_requests import TrackingPath, ZoomPath
from gremsy_gimbal_driver.payload.payload_settings import ProductFamily

LEVEL_FRAME = 'gimbal_level'
CAMERA_FRAME = 'gimbal_camera'
BASE_FRAME = 'gimbal_base'

PAYLOAD_SETTINGS = ('view_source', 'record_source', 'osd', 'ir_palette', 'lrf_mode', 'zoom_mode', 'focus_mode')
"""Of payload_control.settings, those that are parameters of the node; the command-line tool has all."""


@dataclass(frozen=True)
class GimbalDriverParameters(NodeParameters):
    """Everything about one gimbal; a link that is lost or not there yet is opened again in the background."""

    # The links and who is at their other end.
    link: str = param(
        'udp://192.168.55.1:14566',
        doc='Way to the gimbal: `udp://HOST:PORT` or `serial:///dev/ttyUSB0?baud=115200`.',
    )
    second_link: str = param(
        '',
        doc='Another way to the same device, used for what is heard only there and when `link` fails; empty for none.',
    )
    system_id: int = param(1, low=1, high=255, doc='Our MAVLink system.')
    component_id: int = param(191, low=1, high=255, doc='Our MAVLink component; gimbals are known to obey 191.')
    gimbal_system_id: int = param(0, low=0, high=255, doc="The gimbal's MAVLink system; 0 learns it.")
    gimbal_component_id: int = param(
        0, low=0, high=255, doc="The gimbal's MAVLink component (154, 171 to 175); 0 learns it."
    )
    protocol: str = param(
        'auto', choices=PROTOCOL_NAMES, doc='How the gimbal is commanded: as it shows, or by gimbal protocol v2 or v1.'
    )
    v1_yaw_sign: int = param(1, low=-1, high=1, doc='-1 for protocol v1 of firmware from 2021 or older.')
    attitude_rate_hz: float = param(50.0, unit='Hz', low=1.0, high=100.0, doc='Attitudes asked of the gimbal.')
    imu_rate_hz: float = param(0.0, unit='Hz', low=0.0, high=50.0, doc='Of `gimbal/imu`; 0 leaves it as it is.')
    least_attitude_delay_s: float = param(
        0.0,
        unit='s',
        low=0.0,
        high=LONGEST_DELAY_S,
        doc='Smallest time from a measurement to its arrival, where known; a calibration beside a camera finds it.',
    )
    attitude_delay_correction_s: float = param(
        0.0,
        unit='s',
        low=0.0,
        high=LONGEST_DELAY_S,
        doc="How far from `least_attitude_delay_s` the driver may go by itself, as the tracker's pictures say "
        '(`gimbal/attitude_age`); 0 leaves it, and says when it is 10 ms wrong.',
    )
    imu_axes: tuple[str, ...] = param(
        IMU_AXES,
        doc="Where x, y and z of the gimbal's IMU point, seen by the camera: `forward`, `back`, `left`, `right`, `up`, "
        '`down`; a calibration finds it by gravity.',
    )
    use_gimbal_limits: bool = param(True, doc="Read the gimbal's own RC_LIM limits and keep them too.")

    # Frames.
    frame_prefix: str = param(
        '',
        doc='Put before every frame, with its slash; empty takes the namespace, as `robot/` in `/robot`.',
        form=TextForm.FRAME_PREFIX,
    )
    optical_frames: tuple[str, ...] = param(
        ('eo_optical_frame',),
        doc='Optical frames of the cameras on this gimbal, without the prefix.',
        form=TextForm.FRAME,
    )
    joint_prefix: str = param(
        '',
        doc="Put before the joints' names, as `rear_` of a second gimbal in one robot's description.",
        form=TextForm.TOPIC,
    )
    goal_frames: bool = param(
        True, doc="Listen to /tf, so that goals may be given in any frame; off, in the gimbal's own frames only."
    )
    publish_level_frame: bool = param(
        False, doc='Publish gimbal_base to gimbal_level, too; goes with `driver_levels:=true` of the URDF.'
    )
    encoders: str = param(
        'none',
        choices=('none', *(each.value for each in EncoderUnit)),
        doc='Take `joint_states` from the encoders (message 158): raw counts or cdeg, as `MAV_TS_ENCNT` says.',
    )
    encoder_signs: tuple[float, ...] = param(
        (1.0, 1.0, 1.0), low=-1, high=1, doc='Of yaw, roll, pitch; -1 turns one round.'
    )
    encoder_zeros: tuple[float, ...] = param(
        (0.0, 0.0, 0.0), doc='Readings of yaw, roll, pitch where the joints are at 0.'
    )

    # The vehicle.
    vehicle_attitude: str = param(
        'none',
        choices=('none', 'imu', 'odometry'),
        doc='Where it comes from: `vehicle/imu` or `vehicle/odometry`. It is passed on to the gimbal (message 286).',
    )
    vehicle_age_limit_s: float = param(0.5, unit='s', low=0.05, high=5.0, doc='An older vehicle attitude is none.')
    earth_frame: str = param(
        '',
        doc='Name of the frame that `vehicle/imu` is against, as `map`; odometry names its own.',
        form=TextForm.FRAME,
    )
    lock_reference: str = param(
        'boot',
        choices=('boot', 'north'),
        doc="Where lock's azimuth 0 is: the heading at power-up, or north for a gimbal that uses message 286.",
    )

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
        doc='The mode to go over to while a tracker follows in mode follow and nothing tells how the vehicle turns; '
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

    # The plant: what this gimbal makes of a command; `~/calibrate` measures it.
    azimuth_sign: int = param(1, low=-1, high=1, doc='-1 for an azimuth axis that runs the wrong way.')
    tilt_sign: int = param(1, low=-1, high=1, doc='-1 for a tilt axis that runs the wrong way.')
    dead_zone_rad_s: float = param(
        0.0, unit='rad/s', low=0.0, high=0.5, doc='The gimbal ignores smaller rate commands.'
    )
    pulse_in_dead_zone: bool = param(True, doc='Make slower rates out of pulses; else of the nearer of 0 and the edge.')
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
    calibration_file: str = param(
        'gimbal_calibration.yaml',
        doc='Where `~/calibrate` writes what it measured, as a parameter file of this node.',
        form=TextForm.PATH,
    )
    calibration_travel_rad: float = param(
        0.2094, unit='rad', low=0.053, high=0.523, doc='The calibration turns no further than this to either side.'
    )
    calibration_zooms: tuple[float, ...] = param(
        (),
        doc='Zoom factors, ascending, to measure the rate gain at; empty leaves the zoom alone.',
        low=1.0,
        high=1000.0,
    )

    # The payload.
    product: str = param(
        'vio',
        choices=tuple(each.value for each in ProductFamily),
        doc='Which product, since their cameras have different settings; a bare gimbal has none.',
    )
    claim_control: bool = param(
        True,
        doc="Set a Gremsy payload's RC_MODE to standard when it is found: in any other mode it ignores MAVLink motion.",
    )
    zoom_path: str = param(
        'range', choices=tuple(each.value for each in ZoomPath), doc='Which of its two commands zooms this product.'
    )
    zoom_range_inverted: bool = param(False, doc='0 % of the range command is the narrowest view (seen on a VIO).')
    zoom_largest: float = param(20.0, low=1.0, high=1000.0, doc='Magnification at the narrow end of the range.')
    zoom_rate_hz: float = param(5.0, unit='Hz', low=0.0, high=20.0, doc='Of `gimbal/zoom`; 0 asks for none.')
    range_rate_hz: float = param(0.0, unit='Hz', low=0.0, high=20.0, doc='Of `gimbal/range`; 0 asks for none.')
    focus_inverted: bool = param(False, doc='-1 of the focus command focuses farther.')
    tracking_path: str = param(
        'vendor',
        choices=tuple(each.value for each in TrackingPath),
        doc="Which command starts the payload's own tracking.",
    )
    vendor_still: bool = param(
        False,
        doc="Ask for a picture as the vendor's SDK does, for firmware that takes none otherwise; to other cameras that "
        "means 'until stopped'.",
    )
    view_source: str = param('', live=True, doc='Which picture is streamed, as `eo` or `ir`; empty leaves it.')
    record_source: str = param('', live=True, doc='Which picture is recorded, as `both` or `eo`; empty leaves it.')
    osd: str = param('', live=True, doc='What is written into the picture: `off`, `status`, `debug`; empty leaves it.')
    ir_palette: str = param('', live=True, doc='Colours of the thermal picture, `0` to `9`; empty leaves them.')
    lrf_mode: str = param('', live=True, doc='The laser: `off`, `1hz`, `4hz`, `10hz`; empty leaves it.')
    zoom_mode: str = param('', live=True, doc='`combine` or `super_resolution`; empty leaves it.')
    focus_mode: str = param('', live=True, doc='When the lens focuses, as `zoom_trigger`; empty leaves it.')

    # What others may know the gimbal by.
    mavros_facade: bool = param(True, doc="Serve MAVROS's gimbal_control topics where mavros_msgs is installed.")
    ptz_facade: bool = param(True, doc="Serve Clearpath's PTZ actions where ptz_action_server_msgs is installed.")

    def check(self) -> None:
        """Combinations.

        Raises:
            ParameterError: naming the parameter.
        """
        for name in ('azimuth_sign', 'tilt_sign', 'v1_yaw_sign'):
            if getattr(self, name) == 0:
                raise ParameterError(f'Parameter `{name}` is 0: use 1 or -1.')
        for name in ('encoder_signs', 'encoder_zeros'):
            if len(getattr(self, name)) != 3:
                raise ParameterError(
                    f'Parameter `{name}` has {len(getattr(self, name))} values: give yaw, roll, pitch.'
                )
        if not set(self.encoder_signs) <= {1, -1}:
            raise ParameterError(
                f'Parameter `encoder_signs` is {list(self.encoder_signs)}: use 1 or -1 for each of yaw, roll, pitch.'
            )
        try:
            camera_from_imu(self.imu_axes)
        except ValueError as error:
            raise ParameterError(f'Parameter `imu_axes` is {list(self.imu_axes)}: {error}.') from error
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
        for name, others in (('rate_gain_zooms', ', with its `rate_gains`'), ('calibration_zooms', '')):
            zooms = getattr(self, name)
            if any(after <= before for before, after in pairwise(zooms)):
                raise ParameterError(f'Parameter `{name}` does not ascend: sort it{others}.')

    @property
    def links(self) -> tuple[str, ...]:
        """One or two URIs, the better first."""
        return (self.link, self.second_link) if self.second_link else (self.link,)

    def driver_settings(self, prefix: str) -> DriverSettings:
        """For the core; `prefix` is put before the frames' names."""
        pinned = Sender(self.gimbal_system_id, self.gimbal_component_id) if self.gimbal_component_id else None
        encoders = None
        other_rates_hz = {IMU: self.imu_rate_hz} if self.imu_rate_hz else {}
        if self.encoders != 'none':
            encoders = EncoderSettings(
                EncoderUnit(self.encoders), _three(self.encoder_signs), _three(self.encoder_zeros)
            )
            other_rates_hz[ENCODERS] = self.attitude_rate_hz
        has_serial = any(uri.startswith('serial:') for uri in self.links)
        return DriverSettings(
            motion=self._motion_settings(prefix),
            own=Sender(self.system_id, self.component_id),
            gimbal=pinned,
            protocol=self.protocol,
            v1_yaw_sign=self.v1_yaw_sign,
            camera_frame=f'{prefix}{CAMERA_FRAME}',
            attitude_rate_hz=self.attitude_rate_hz,
            other_rates_hz=other_rates_hz,
            bytes_per_s=SERIAL_BYTES_PER_S if has_serial else None,
            least_attitude_delay_s=self.least_attitude_delay_s,
            imu_axes=self.imu_axes,
            encoders=encoders,
            vehicle_age_limit_s=self.vehicle_age_limit_s,
            mode_while_following=GimbalMode(self.mode_while_following) if self.mode_while_following else None,
            lock_is_north=self.lock_reference == 'north',
            payload=PayloadSettings(
                ProductFamily(self.product),
                ZoomPath(self.zoom_path),
                self.zoom_range_inverted,
                self.zoom_largest,
                self.focus_inverted,
                TrackingPath(self.tracking_path),
                self.vendor_still,
            ),
            payload_rates_hz={
                name: rate_hz
                for name, rate_hz in ((ZOOM_NAME, self.zoom_rate_hz), (RANGE_NAME, self.range_rate_hz))
                if rate_hz
            },
            payload_setup={name: getattr(self, name) for name in PAYLOAD_SETTINGS if getattr(self, name)},
            claim_control=self.claim_control and self.product != ProductFamily.NONE.value,
            read_limits=self.use_gimbal_limits,
        )

    def calibration_settings(self) -> CalibrationSettings:
        """Bounds of `~/calibrate`."""
        return CalibrationSettings(
            travel_rad=self.calibration_travel_rad,
            zooms=self.calibration_zooms,
            azimuth_limits_rad=(self.azimuth_min_rad, self.azimuth_max_rad),
            tilt_limits_rad=(self.tilt_min_rad, self.tilt_max_rad),
            attitude_timeout_s=self.attitude_timeout_s,
        )

    def _motion_settings(self, prefix: str) -> MotionSettings:
        inverse = PlantInverse(
            self.azimuth_sign,
            self.tilt_sign,
            self.dead_zone_rad_s,
            tuple(zip(self.rate_gain_zooms, self.rate_gains, strict=True)),
        )
        return MotionSettings(
            level_frame=f'{prefix}{LEVEL_FRAME}',
            mode=GimbalMode(self.mode),
            time_to_live_s=self.time_to_live_s,
            age_limit_s=self.age_limit_s,
            operator_lease_s=self.operator_lease_s,
            attitude_timeout_s=self.attitude_timeout_s,
            max_rate_rad_s=self.max_rate_rad_s,
            max_acceleration_rad_s2=self.max_acceleration_rad_s2,
            max_jump_rad=self.max_jump_rad,
            azimuth_limits_rad=(self.azimuth_min_rad, self.azimuth_max_rad),
            tilt_limits_rad=(self.tilt_min_rad, self.tilt_max_rad),
            home_timeout_s=self.home_timeout_s,
            angle_path=cast(Literal['auto', 'angle', 'rate'], self.angle_path),
            goal_tolerance_rad=self.goal_tolerance_rad,
            pulse_in_dead_zone=self.pulse_in_dead_zone,
            plant_inverse=inverse,
        )


def _three(values: tuple[float, ...]) -> tuple[int, int, int]:
    yaw, roll, pitch = map(round, values)
    return yaw, roll, pitch
