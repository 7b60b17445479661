# SPDX-License-Identifier: Apache-2.0
"""The gimbal driver's parameters, which are what its core takes: each room declares its own."""

from __future__ import annotations

from dataclasses import dataclass

from gremsy_common.parameters.parameter_fields import NodeParameters, ParameterError, param
from gremsy_gimbal_driver.calibration.calibration_parameters import CalibrationParameters
from gremsy_gimbal_driver.device.device_parameters import DeviceParameters
from gremsy_gimbal_driver.mavlink.component_register import GIMBAL_COMPONENTS
from gremsy_gimbal_driver.mavlink.mavlink_frames import camera_from_imu
from gremsy_gimbal_driver.payload.payload_parameters import PayloadParameters


@dataclass(frozen=True)
class GimbalDriverParameters(PayloadParameters, CalibrationParameters, DeviceParameters, NodeParameters):
    """Everything about one gimbal; a link that is lost or not there yet is opened again in the background."""

    # What others may know the gimbal by.
    mavros_facade: bool = param(True, "Serve MAVROS's gimbal_control topics where mavros_msgs is installed.")
    ptz_facade: bool = param(True, "Serve Clearpath's PTZ actions where ptz_action_server_msgs is installed.")

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
        super().check()
