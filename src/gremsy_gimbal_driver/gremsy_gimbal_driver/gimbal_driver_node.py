# SPDX-License-Identifier: Apache-2.0
"""Setpoints in, attitude out: the wiring around `GimbalDriver`."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from std_srvs.srv import SetBool, Trigger

from gremsy_common import topics
from gremsy_common.gimbal_state import RateSetpoint, ZoomState
from gremsy_common.hosting import run_node
from gremsy_common.node_host import NodeHost
from gremsy_common.suite_node import SuiteNode
from gremsy_gimbal_driver.attitude_messages import joint_state, transforms
from gremsy_gimbal_driver.attitude_stamping import MeasuredAttitude
from gremsy_gimbal_driver.command_arbiter import Source
from gremsy_gimbal_driver.driver import DriverListener, GimbalDriver, WrittenCommand
from gremsy_gimbal_driver.gimbal_driver_parameters import LEVEL_FRAME, GimbalDriverParameters
from gremsy_gimbal_driver.links.link_uri import link_from_uri
from gremsy_gimbal_driver.motion_control import Answer, ControlState


class GimbalDriverNode(SuiteNode[GimbalDriverParameters]):
    """Drives while active; deactivation, SIGTERM and every other way out stop the gimbal first."""

    node_name: ClassVar[str] = 'gimbal_driver'
    parameters_type: ClassVar[type[GimbalDriverParameters]] = GimbalDriverParameters

    def __init__(self, host: NodeHost) -> None:
        super().__init__(host)
        self._driver: GimbalDriver | None = None

    def configure(self) -> None:
        """What is wrong with the link's URI ends the start; a port that is not there yet does not."""
        link_from_uri(self.parameters.link)
        namespace = self.get_namespace().strip('/')
        self._prefix = self.parameters.frame_prefix or (f'{namespace}/' if namespace else '')
        self._optical_frames = [f'{self._prefix}{frame}' for frame in self.parameters.optical_frames]

    def activate(self) -> None:
        """Topics out, the driver, then what may move it."""
        self._attitude = self.publisher(topics.GIMBAL_ATTITUDE)
        self._zoom = self.publisher(topics.GIMBAL_ZOOM)
        self._control = self.publisher(topics.GIMBAL_CONTROL)
        self._joints = self.publisher(topics.JOINT_STATES)
        self._tf = self.publisher(topics.TF)
        listener = DriverListener(
            attitude=self._publish_attitude,
            zoom=self._publish_zoom,
            control=self._publish_control,
            say=self.report_error,
            inform=self.get_logger().info,
            command_written=self._trace_command,
        )
        settings = self.parameters.driver_settings(self._prefix)
        self._driver = driver = GimbalDriver(link_from_uri(self.parameters.link), settings, listener)
        self._publish_control(ControlState(False, 'nobody'))
        driver.open()
        self.subscription(topics.GIMBAL_SETPOINT, lambda wish: self._offer(Source.TRACKER, wish))
        self.subscription(topics.COMMAND_RATE, lambda wish: self._offer(Source.OPERATOR, wish))
        self.service(SetBool, '~/arm', lambda request, response: _answer(driver.arm(request.data), response))
        self.service(Trigger, '~/stop', lambda _, response: _answer(driver.stop(), response))
        self.service(Trigger, '~/home', lambda _, response: _answer(driver.home(), response))

    def deactivate(self) -> None:
        """The gimbal rests before anything else goes."""
        if self._driver is not None:
            self._driver.close()
            self._driver = None

    def diagnostic_values(self) -> dict[str, str]:
        """The link, the gimbal, who holds it, and what was refused or thrown away."""
        if self._driver is None:
            return {}
        status = self._driver.status()
        gimbal, information = status.gimbal, status.information
        values = {
            'link': status.link,
            'link open': str(status.link_open),
            'link trouble': status.trouble,
            'gimbal': '' if gimbal is None else f'{gimbal.system}/{gimbal.component}',
            'model': '' if information is None else f'{information.vendor} {information.model}',
            'firmware': '' if information is None else '.'.join(map(str, information.firmware)),
            'attitude age (s)': '' if status.attitude_age_s is None else f'{status.attitude_age_s:.3f}',
            'attitude rate granted': str(status.attitude_rate_granted),
            'status bits': f'{status.status_bits:#06x}',
            'fault bits': f'{status.fault_bits:#06x}',
            'armed': str(status.control.armed),
            'holder': status.control.holder,
            'failure': status.failure,
        }
        values.update({name: str(count) for name, count in sorted(status.counts.items())})
        return values

    def _offer(self, source: Source, wish: RateSetpoint) -> None:
        if self._driver is not None and self._driver.offer(source, wish):
            self.diagnostics.stage(f'{source.word} commands').record(self.now_ns() - wish.stamp_ns)

    # On the driver's threads.

    def _publish_attitude(self, measured: MeasuredAttitude) -> None:
        self._attitude.publish(measured.attitude)
        if self._joints.watched:
            self._joints.publish(joint_state(measured))
        if self._tf.watched:
            self._tf.publish(transforms(measured, f'{self._prefix}{LEVEL_FRAME}', self._optical_frames))
        self.diagnostics.stage('attitude').record(self.now_ns() - measured.attitude.stamp_ns)

    def _publish_zoom(self, zoom: ZoomState) -> None:
        self._zoom.publish(zoom)

    def _publish_control(self, control: ControlState) -> None:
        self._control.publish(json.dumps({'armed': control.armed, 'holder': control.holder}))

    def _trace_command(self, written: WrittenCommand) -> None:
        azimuth, tilt = written.rates_rad_s
        self.trace.event(
            'command',
            written.stamp_ns,
            azimuth_rate_rad_s=azimuth,
            tilt_rate_rad_s=tilt,
            wire_ns=written.wire_ns,
        )
        self.diagnostics.stage('command').record(written.wire_ns - written.stamp_ns)


def _answer(answer: Answer, response: Any) -> Any:
    response.success, response.message = answer.done, answer.text
    return response


def main() -> None:
    """`ros2 run gremsy_gimbal_driver gimbal_driver_node`."""
    run_node(GimbalDriverNode)


if __name__ == '__main__':
    main()
