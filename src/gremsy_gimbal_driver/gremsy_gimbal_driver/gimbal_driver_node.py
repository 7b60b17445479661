# SPDX-License-Identifier: Apache-2.0
"""Requests in, attitude out: the wiring around `GimbalDriver`."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from geometry_msgs.msg import PointStamped
from std_srvs.srv import SetBool, Trigger
from tf2_msgs.msg import TFMessage

from gremsy_common.atomic_file import refuse_unwritable
from gremsy_common.errors import SuiteError
from gremsy_common.ros import topics
from gremsy_common.ros.diagnostics import Health, Level
from gremsy_common.ros.hosting import STARTED_AGAIN_VARIABLE, run_node
from gremsy_common.ros.node_host import NodeHost
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_common.ros.transport.topic import Topic
from gremsy_common.types.attitude_age import AttitudeAge
from gremsy_common.types.control_state import NOBODY, ControlState
from gremsy_common.types.gimbal_state import RateSetpoint, VehicleAttitude
from gremsy_gimbal_driver.attitude.attitude_age_watch import AttitudeAgeWatch
from gremsy_gimbal_driver.calibration.calibration_file import (
    CalibratedParameters,
    plant_model,
    refuse_file_of_others,
    write_calibration,
)
from gremsy_gimbal_driver.calibration.calibration_result import CalibrationResult
from gremsy_gimbal_driver.driver import GimbalDriver
from gremsy_gimbal_driver.driver_reports import DriverListener, GimbalView
from gremsy_gimbal_driver.gimbal_driver_parameters import GimbalDriverParameters
from gremsy_gimbal_driver.goals.frame_tree import FrameTree
from gremsy_gimbal_driver.links.link_uri import links_from_uris
from gremsy_gimbal_driver.motion.command_arbiter import CommandResult, Source, ZoomArbiter
from gremsy_gimbal_driver.motion.instant import Instant
from gremsy_gimbal_driver.motion.motion_output import GimbalMode, Pair
from gremsy_gimbal_driver.motion.notices import Notices, Refusal
from gremsy_gimbal_driver.payload import payload_requests as requests
from gremsy_gimbal_driver.payload.payload_parameters import CAMERA_SETTINGS
from gremsy_gimbal_driver.payload.payload_settings import find_setting
from gremsy_gimbal_driver.payload.pending_request import RequestLog, RequestState
from gremsy_gimbal_driver.ros.diagnostic_rows import count_rows, diagnostic_rows, driver_health, no_setpoints
from gremsy_gimbal_driver.ros.driver_port import DriverPort
from gremsy_gimbal_driver.ros.installed_facades import installed_facades
from gremsy_gimbal_driver.ros.telemetry_topics import TelemetryTopics, frame_transforms

_LOG_REQUESTS_S = 0.1


class GimbalDriverNode(SuiteNode[GimbalDriverParameters]):
    """Drives while active; deactivation, SIGTERM and every other way out stop the gimbal first."""

    node_name: ClassVar[str] = 'gimbal_driver'
    parameters_type: ClassVar[type[GimbalDriverParameters]] = GimbalDriverParameters

    def __init__(self, host: NodeHost) -> None:
        super().__init__(host)
        self._driver: GimbalDriver | None = None
        self._source = ''
        self._sources: dict[str, str] = {}
        self._control_lock = threading.Lock()
        self._handing_over = threading.Lock()
        self._calibrated: CalibratedParameters | None = None
        self._notices = Notices(self.report_error)
        self._used = self.parameters

    def configure(self) -> None:
        """A link's URI that is wrong ends the start; a port that is not there yet does not."""
        links_from_uris(self.parameters.links)
        namespace = self.get_namespace().strip('/')
        self._prefix = self.parameters.frame_prefix or (f'{namespace}/' if namespace else '')

    def activate(self) -> None:
        """Topics out, the driver, then what may move it."""
        self._used = self.parameters
        parameters = replace(self.parameters, frame_prefix=self._prefix)
        self._telemetry = TelemetryTopics(self, parameters)
        self._source = parameters.setpoint_source
        self._subscribe_source(self._source)
        self._control = self.publisher(topics.GIMBAL_CONTROL)
        self._goal = self.publisher(topics.GIMBAL_GOAL)
        self._plant = self.publisher(topics.GIMBAL_PLANT)
        self._ages = AttitudeAgeWatch(parameters.least_attitude_delay_s, parameters.attitude_delay_correction_s)
        self._driver = driver = GimbalDriver(
            links_from_uris(parameters.links),
            parameters,
            self._listener(),
            lambda: Instant(time.monotonic_ns(), self.now_ns()),
        )
        self._zooms = ZoomArbiter(parameters.operator_zoom_lease_s)
        self._request_log = RequestLog(self.get_logger().info, self.report_error)
        self._publish_control(ControlState(False, NOBODY))
        self._publish_plant()
        self._tree = FrameTree(own=(parameters.level_frame, parameters.camera_frame, *parameters.cameras_frames))
        self._operator, others = (
            DriverPort(driver, source, self._tree, parameters, self.now_ns, self._notices)
            for source in (Source.OPERATOR, Source.OTHER)
        )
        self._facades = installed_facades(
            self, others, self.report_error, mavros=parameters.mavros_facade, ptz=parameters.ptz_facade
        )
        driver.open()
        if os.environ.get(STARTED_AGAIN_VARIABLE):
            # The driver before is dead, and its last zeros may not have arrived: a gimbal may hold its rate forever.
            driver.watch_rest()
        self._subscribe()
        self._serve(driver)
        self.every(_LOG_REQUESTS_S, self._request_log.log_ended)

    def deactivate(self) -> None:
        """The gimbal rests before anything else goes."""
        if self._driver is not None:
            self._driver.close()
            self._facades.close()
            self._driver = None
            self._sources.clear()

    def parameters_changed(self) -> None:
        """Apply the payload camera's settings and the mode; a word that the product does not know is refused."""
        parameters, before = self.parameters, self._used
        words = {name: getattr(parameters, name) for name in CAMERA_SETTINGS}
        changed = {name: word for name, word in words.items() if word and word != getattr(before, name)}
        for name, word in changed.items():
            find_setting(parameters.family, name).value(word)
        driver = self._driver
        if driver is None:
            return
        # First everything that may be refused, so that a refused change leaves all as it was; of that the mode comes
        # last, since it changes at once.
        self.resolve_topic_name(_of_source(parameters.setpoint_source, topics.GIMBAL_SETPOINT).name)
        if changed and driver.status().device.camera is None:
            names = ', '.join(f'`{name}`' for name in changed)
            raise SuiteError(
                f'There is no payload camera to set {names} on: see that it is switched on, and set it again.'
            )
        if parameters.mode != before.mode:
            result = driver.prefer_mode(GimbalMode(parameters.mode))
            if not result.done:
                raise SuiteError(result.text)
        if parameters.setpoint_source != before.setpoint_source:
            self._subscribe_source(parameters.setpoint_source)
            self._hand_over(driver, parameters.setpoint_source)
        for name, word in changed.items():
            self._request(requests.SetSetting(name, word))
        self._used = parameters

    def health(self) -> Health:
        """OK only while the gimbal is there without a fault, and so is the tracker that was named."""
        if self._driver is None:
            return Health()
        health = driver_health(self._driver.status())
        topic = self._sources[self._source]
        if health.level is not Level.OK or not self._source or self.count_publishers(topic):
            return health
        return Health(Level.WARN, no_setpoints(topic, self._source))

    def diagnostic_values(self) -> dict[str, str]:
        """The links, the gimbal, who is in control, and what was refused or dropped."""
        if self._driver is None:
            return {}
        rows = diagnostic_rows(self._driver.status())
        return rows | {
            'joint states from': self._telemetry.joint_source,
            'setpoints from': self._setpoints_from(),
            'attitude age': self._ages.row(),
            'facades': self._facades.names,
            "tracker zooms refused after an operator's": str(self._zooms.refused),
            **count_rows({**self._notices.counts, **self._facades.counts}),
        }

    def _setpoints_from(self) -> str:
        topic = self._sources[self._source]
        return topic if self.count_publishers(topic) else f'{topic}, where nobody publishes'

    # Inputs.

    def _subscribe(self) -> None:
        parameters = self.parameters
        self.subscription(topics.COMMAND_RATE, lambda setpoint: self._offer(Source.OPERATOR, setpoint))
        self.subscription(topics.COMMAND_ATTITUDE, self._operator.offer_goal)
        self.subscription(topics.COMMAND_JOINT, self._operator.offer_goal)
        self.subscription(topics.COMMAND_LOOK_AT, self._operator.offer_goal)
        self.subscription(topics.COMMAND_ZOOM, self._on_operator_zoom)
        self.subscription(topics.COMMAND_TRACK, self._on_track)
        if parameters.goal_frames:
            self.subscription(topics.TF_RECEIVED, lambda message: self._on_transforms(message, is_static=False))
            self.subscription(topics.TF_STATIC_RECEIVED, lambda message: self._on_transforms(message, is_static=True))
        if parameters.vehicle_attitude != 'none':
            topic = topics.VEHICLE_IMU if parameters.vehicle_attitude == 'imu' else topics.VEHICLE_ODOMETRY
            self.subscription(topic, self._on_vehicle)

    def _subscribe_source(self, source: str) -> None:
        """To that camera's tracker; those before it stay subscribed, so that what is refused is counted."""
        if source in self._sources:
            return
        rates, _, _ = (
            self.subscription(_of_source(source, topic), partial(act, source))
            for topic, act in (
                (topics.GIMBAL_SETPOINT, self._on_tracker_setpoint),
                (topics.GIMBAL_ZOOM_SETPOINT, self._on_tracker_zoom),
                (topics.GIMBAL_ATTITUDE_AGE, self._on_attitude_age),
            )
        )
        self._sources[source] = rates.name

    def _hand_over(self, driver: GimbalDriver, source: str) -> None:
        """Set the source first, so that what the one before still sends is refused; then write the zeros."""
        with self._handing_over:
            self._source = source
            driver.hand_over(Source.TRACKER)
        self._publish_control(driver.control())
        topic = self._sources[source]
        self.get_logger().info(f'Setpoints are taken on {topic} from now on.')
        if source and not self.count_publishers(topic):
            self.get_logger().warning(no_setpoints(topic, source))

    def _refuses(self, source: str, what: str) -> bool:
        """Counted without a warning: a tracker may go on following while another has the gimbal."""
        if source == self._source:
            return False
        topic = self._sources.get(source, source)
        if self.diagnostics.count(f'{what} refused, not of `setpoint_source`: {topic}') == 1:
            self.get_logger().info(
                f"The {what} on {topic} are refused while `setpoint_source` is '{self._source}', and counted in "
                '/diagnostics.'
            )
        return True

    def _on_tracker_setpoint(self, source: str, setpoint: RateSetpoint) -> None:
        # In one process with the driver, a tracker's thread could otherwise put its setpoint after the zeros.
        with self._handing_over:
            if not self._refuses(source, 'setpoints'):
                self._offer(Source.TRACKER, setpoint)

    def _on_attitude_age(self, source: str, text: str) -> None:
        """How old attitudes are, according to that camera; other text raises, and the subscription reports it."""
        age = AttitudeAge.from_json(text)
        if self._driver is None or source != self._source:
            return
        delay_s = self._ages.take(age, self.now_ns(), calibrating=self._driver.calibrating)
        if delay_s is not None:
            self._driver.use_attitude_delay(delay_s)
            self.get_logger().info(self._ages.sentence)
        elif self._ages.sentence:
            self.get_logger().warning(self._ages.sentence)

    def _offer(self, source: Source, setpoint: RateSetpoint) -> None:
        if self._driver is not None and self._driver.offer(source, setpoint):
            self.diagnostics.stage(f'{source.word} commands').record(self.now_ns() - setpoint.stamp_ns)

    def _on_operator_zoom(self, factor: float) -> None:
        self._zooms.operator_zooms(time.monotonic_ns())
        self._request(requests.ZoomTo(factor))

    def _on_tracker_zoom(self, source: str, factor: float) -> None:
        if self._refuses(source, 'zoom setpoints'):
            return
        if self._zooms.tracker_may(time.monotonic_ns()):
            self._request(requests.ZoomTo(factor))
        else:
            # Ordinary: the operator's request beats the tracker's for `operator_zoom_lease_s`.
            self.diagnostics.count('zoom setpoints refused while the operator zooms')

    def _on_track(self, place: PointStamped) -> None:
        self._request(requests.TrackPoint(place.point.x, place.point.y))

    def _on_transforms(self, message: TFMessage, *, is_static: bool) -> None:
        for transform in frame_transforms(message, is_static):
            try:
                self._tree.take(transform)
            except Refusal as error:
                self._notices.fault(error.kind, str(error))

    def _on_vehicle(self, vehicle: VehicleAttitude) -> None:
        if self._driver is not None:
            frame = vehicle.earth_frame or self.parameters.earth_frame
            self._driver.offer_vehicle(replace(vehicle, earth_frame=frame))

    def _serve(self, driver: GimbalDriver) -> None:
        def triggered(name: str, act: Any) -> None:
            self.service(Trigger, name, lambda _, response: _fill(act(), response))

        def switched(name: str, act: Any) -> None:
            self.service(SetBool, name, lambda request, response: _fill(act(request.data), response))

        set_mode = self._operator.set_mode
        switched('~/arm', driver.arm)
        triggered('~/stop', driver.stop)
        triggered('~/home', driver.home)
        triggered('~/cancel', self._cancel)
        switched('~/lock', lambda on: set_mode(GimbalMode.LOCK if on else GimbalMode.FOLLOW))
        switched('~/motors', lambda on: set_mode(GimbalMode(self.parameters.mode) if on else GimbalMode.OFF))
        triggered('~/device_home', lambda: set_mode(GimbalMode.HOME))
        triggered('~/calibrate', lambda: self._calibrate(driver))
        switched('~/record', lambda on: self._request(requests.RecordVideo(on)))
        triggered('~/still', lambda: self._request(requests.Still()))
        triggered('~/autofocus', lambda: self._request(requests.Focus(requests.FocusAction.AUTO)))
        triggered('~/stop_tracking', lambda: self._request(requests.StopTracking()))

    def _calibrate(self, driver: GimbalDriver) -> CommandResult:
        try:
            refuse_file_of_others(self._calibration_path)
            refuse_unwritable(self._calibration_path)
        except SuiteError as error:
            return CommandResult(False, f'Not calibrating: {error}')
        result = driver.calibrate()
        if result.done:
            self._ages.calibration_begins(self.now_ns())
        return result

    @property
    def _calibration_path(self) -> Path:
        return Path(self.parameters.calibration_file).expanduser()

    def _cancel(self) -> CommandResult:
        goal = None if self._driver is None else self._driver.goal_progress()
        if goal is None or goal.ended:
            return CommandResult(False, 'No goal runs.')
        return self._operator.cancel_goal(goal.number, 'the operator')

    def _request(self, request: requests.Request) -> CommandResult:
        if self._driver is None:
            return CommandResult(False, 'The driver is not active.')
        pending = self._driver.request(request)
        self._request_log.add(pending)
        return CommandResult(pending.state is not RequestState.FAILED, pending.result.sentence)

    # Outputs, on the driver's threads.

    def _listener(self) -> DriverListener:
        return DriverListener(
            view=self._publish_view,
            heading=self._telemetry.heading.publish,
            zoom=self._telemetry.zoom.publish,
            imu=self._telemetry.imu.publish,
            range_finder=self._telemetry.range_finder.publish,
            control=self._publish_control,
            goal=lambda goal: self._goal.publish(goal.to_json()),
            calibrated=self._on_calibrated,
            report=self.report_error,
            inform=self.get_logger().info,
            command_written=self._trace_command,
        )

    def _publish_view(self, view: GimbalView) -> None:
        stamp_ns = view.measured.attitude.stamp_ns
        self._telemetry.publish(view)
        if view.status is not None:
            self._facades.attitude(view.status, stamp_ns)
        self.diagnostics.stage('attitude').record(self.now_ns() - stamp_ns)

    def _publish_control(self, control: ControlState) -> None:
        # Called on two threads; the message that is latched last must name the present source.
        with self._control_lock:
            self._control.publish(replace(control, setpoint_topic=self._sources[self._source]).to_json())

    def _publish_plant(self) -> None:
        in_force = self._calibrated or self.parameters
        model = plant_model(in_force, GimbalDriverParameters(), self._calibrated)
        self._plant.publish(model.to_json())

    def _on_calibrated(self, result: CalibrationResult) -> None:
        assert self._driver is not None
        age = self._ages.calibrated()
        if age is not None:
            result = result.less_attitude_age(self._ages.delay_s, age)
        path, information = self._calibration_path, self._driver.status().device.information
        try:
            self._calibrated, kept = write_calibration(path, result, information)
        except SuiteError as error:
            self.report_error(str(error))
            return
        self._driver.use_calibration(self._calibrated)
        if result.attitude_delay_s is not None:
            self._ages.use(result.attitude_delay_s, self.now_ns())
        self._publish_plant()
        self.get_logger().info(_attitude_age_words(result))
        self.get_logger().info(
            f'The calibration is in use and in {path.absolute()}: give it as a parameters file at the next start.'
            + ('' if kept is None else f" The earlier one, which has other values, is kept as '{kept.name}'.")
        )

    def _trace_command(self, stamp_ns: int, rates_rad_s: Pair, wire_ns: int) -> None:
        azimuth, tilt = rates_rad_s
        self.trace.event('command', stamp_ns, azimuth_rate_rad_s=azimuth, tilt_rate_rad_s=tilt, wire_ns=wire_ns)
        self.diagnostics.stage('command').record(wire_ns - stamp_ns)


def _of_source(source: str, topic: Topic[Any]) -> Topic[Any]:
    """As that camera's tracker names it."""
    return replace(topic, name=f'{source}/{topic.name}') if source else topic


def _attitude_age_words(result: CalibrationResult) -> str:
    if result.attitude_delay_s is None:
        return (
            'No pictures showed how old the telemetry is, so what `least_attitude_delay_s` does not cover of its age '
            'counts as delay: calibrate while camera, detector and tracker run, in front of a scene with texture.'
        )
    return (
        f'According to the pictures, telemetry is {result.attitude_delay_s * 1e3:.0f} ms old on arrival '
        f'(`least_attitude_delay_s`), and the delay of the gimbal itself {result.delay_s:.3f} s.'
    )


def _fill(result: CommandResult, response: Any) -> Any:
    response.success, response.message = result.done, result.text
    return response


def main() -> None:
    """`ros2 run gremsy_gimbal_driver gimbal_driver_node`."""
    run_node(GimbalDriverNode)


if __name__ == '__main__':
    main()
