# SPDX-License-Identifier: Apache-2.0
"""detections/candidates, gimbal/attitude -> tracks, target, gimbal/setpoint and zoom, overlay, markers: the wiring."""

from __future__ import annotations

import math
from typing import ClassVar

from std_srvs.srv import SetBool, Trigger

from gremsy_common.errors import Unusable
from gremsy_common.log_lines import with_fields
from gremsy_common.picture.viewable_pictures import ViewablePictures
from gremsy_common.ros import topics
from gremsy_common.ros.diagnostics import Health, Level
from gremsy_common.ros.hosting import run_node
from gremsy_common.ros.messages.detection_messages import PixelChoice
from gremsy_common.ros.node_host import NodeHost
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_common.ros.transport.endpoints import TopicSubscription
from gremsy_common.timing.worker import LatestSlot
from gremsy_common.types.control_state import ControlState
from gremsy_common.types.detections import Detections
from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_common.types.gimbal_state import RateSetpoint
from gremsy_common.types.plant_model import PlantModel
from gremsy_tracker.display.marker_messages import markers_of, still_transform
from gremsy_tracker.display.overlay import draw_overlay
from gremsy_tracker.display.tracker_view import TrackerUpdate, place_rows, state_text, trace_values
from gremsy_tracker.drop_sentences import NO_ATTITUDE, NO_CAMERA, NO_RANGE, SENTENCES
from gremsy_tracker.tracker import Tracker
from gremsy_tracker.tracker_parameters import TrackerParameters

# How long a worker waits for an input before it checks whether to end.
_WAIT_S = 0.3
_TICK_S = 0.02  # 50 Hz, design.md section 4
_MARKERS_S = 0.1
# How soon somebody who subscribes to the overlay gets it.
_CHECK_WATCHERS_S = 0.2
_DROPS_S = 1.0
# How often the node checks whether a detector publishes elsewhere.
_CHECK_DETECTOR_S = 1.0
# Beside a camera that comes up (its first image and its first camera_info are not one message), a range finder that
# measures once a second while the target is still cut off by the picture's edge, and discovery, which finds a
# detector's publishers one after the other.
_PATIENCE_S = 3.0

_FROZEN_PICTURE = (
    'The picture does not change while the gimbal turns, so nothing is followed: the camera, or what encodes its '
    'video, sends one picture again and again; look at it, and start it again.'
)
_NO_HEADING = 'not known: nothing comes on {topic}, and the vehicle is taken not to turn'
_DETECTIONS = (topics.CANDIDATES, topics.DETECTIONS)


class _LastingFault:
    """Something is missing: after `_PATIENCE_S` it is the node's last error while it lasts, and logged once."""

    def __init__(self, node: TrackerNode) -> None:
        self._node = node
        self.clear()

    def clear(self) -> None:
        """It came."""
        self._lasted_s, self.reported = 0.0, False

    def lasts(self, seconds: float, sentence: str) -> None:
        """It has lasted for so much longer."""
        self._lasted_s += seconds
        if self._lasted_s < _PATIENCE_S:
            return
        self._node.diagnostics.note_error(sentence)
        if not self.reported:
            self._node.get_logger().warning(sentence)
        self.reported = True


class TrackerNode(SuiteNode[TrackerParameters]):
    """Every input is only stored; one worker tracks and points, another draws."""

    node_name: ClassVar[str] = 'tracker'
    parameters_type: ClassVar[type[TrackerParameters]] = TrackerParameters

    def __init__(self, host: NodeHost) -> None:
        super().__init__(host)
        self._tracker: Tracker | None = None
        self._arrivals: LatestSlot[Detections] = LatestSlot()
        self._frames: LatestSlot[Frame] = LatestSlot()
        self._pictures = ViewablePictures()
        self._reported_state = self._reported_divergence = ''
        self._reported_frozen = False
        self._plant: PlantModel | None = None
        self._control: ControlState | None = None
        self._counts: dict[str, int] = {}
        self._arrived = self._used = 0
        self._newest: TrackerUpdate | None = None
        self._elsewhere = ''

    @property
    def tracker(self) -> Tracker:
        """The core; there is one from `configure` to `cleanup`."""
        assert self._tracker is not None
        return self._tracker

    @property
    def _filled_in(self) -> TrackerParameters:
        return self.parameters.in_namespace(self.get_namespace()).with_plant(self._plant)

    def configure(self) -> None:
        """Build the core."""
        self._tracker = Tracker(self._filled_in)

    def activate(self) -> None:
        """Topics, services, timers, workers."""
        self._arrivals, self._frames = LatestSlot(), LatestSlot()
        self._age_due: LatestSlot[int] = LatestSlot()
        self._turning_due: LatestSlot[int] = LatestSlot()
        self._images: TopicSubscription[Frame] | None = None
        self._newest, self._reported_state = None, ''
        self._no_attitude, self._no_camera = _LastingFault(self), _LastingFault(self)
        self._no_range, self._no_detections = _LastingFault(self), _LastingFault(self)
        self.tracker.enable(self.parameters.enabled)
        self._tracks = self.publisher(topics.TRACKS)
        self._target = self.publisher(topics.TARGET)
        self._bearing = self.publisher(topics.TARGET_BEARING)
        self._position = self.publisher(topics.TARGET_POSITION)
        self._tf = self.publisher(topics.TF)
        self._state = self.publisher(topics.TARGET_STATE)
        self._setpoint = self.publisher(topics.GIMBAL_SETPOINT)
        self._zoom_setpoint = self.publisher(topics.GIMBAL_ZOOM_SETPOINT)
        self._attitude_age = self.publisher(topics.GIMBAL_ATTITUDE_AGE)
        self._overlay = self.publisher(topics.OVERLAY)
        self._markers = self.publisher(topics.MARKERS)
        detections = next(each for each in _DETECTIONS if each.name == self.parameters.detections_topic)
        self._detections = self.subscription(detections, self._arrivals.put)
        self.intake.begin(detections.name, self._detections.name)
        self.subscription(topics.CAMERA_INFO, lambda sent: self.tracker.offer_camera_model(sent.stamp_ns, sent.model))
        self.subscription(topics.GIMBAL_ATTITUDE, self.tracker.offer_attitude)
        self.subscription(topics.GIMBAL_HEADING, self.tracker.offer_heading)
        self.subscription(topics.GIMBAL_RANGE, lambda reading: self.tracker.offer_range(reading, self.now_ns()))
        self.subscription(topics.GIMBAL_ZOOM, self.tracker.offer_zoom)
        self.subscription(topics.GIMBAL_PLANT, self._on_plant)
        self.subscription(topics.GIMBAL_CONTROL, self._on_control)
        self.subscription(topics.TARGET_SELECT, self._on_select)
        self.subscription(topics.TARGET_SELECT_ID, lambda text: self.get_logger().info(self.tracker.select(text)))
        self.service(SetBool, '~/enable', self._enable)
        self.service(Trigger, '~/release', self._release)
        self.worker('track', self._track_one)
        self.worker('overlay', self._draw_one, niceness=5)
        self.worker('attitude age', self._learn_age, niceness=5)
        # Of each picture 8 ms, which the setpoint must not wait for.
        self.worker("vehicle's turning", self._look_for_turning, niceness=5)
        self.every(_TICK_S, self._tick)
        self.every(_CHECK_WATCHERS_S, self._follow_watchers)
        self.every(_MARKERS_S, self._publish_markers)
        self.every(_DROPS_S, self._report_drops)
        self.every(_CHECK_DETECTOR_S, self._check_detector)

    def deactivate(self) -> None:
        """Stop the gimbal, wake the workers so that they can end."""
        self.tracker.enable(False)
        self._send(self.tracker.tick(self.now_ns()), fresh=False)
        self._arrivals.close()
        self._frames.close()
        self._age_due.close()
        self._turning_due.close()
        self._images = None

    def cleanup(self) -> None:
        """Forget everything that was seen."""
        self._tracker = None

    def parameters_changed(self) -> None:
        """All together, from the next input on."""
        if self._tracker is not None:
            self._tracker.reconfigure(self._filled_in)

    def health(self) -> Health:
        """ERROR while something must be mended before anything can be followed."""
        if self._tracker is None:
            return Health()
        if self._tracker.diverged:
            return Health(Level.ERROR, f'Pointing is off: {self._tracker.diverged}.')
        if self._tracker.pictures_frozen:
            return Health(Level.ERROR, _FROZEN_PICTURE)
        health = self.intake.health()
        return Health(Level.STALE, self._elsewhere) if health.level is Level.STALE and self._elsewhere else health

    def diagnostic_values(self) -> dict[str, str]:
        """The lock, the error, and what was dropped."""
        if self._tracker is None:
            return {}
        view = self._tracker.view(self.now_ns())
        rows = {
            'lock': view.status.state.value,
            'lock reason': view.status.reason,
            'target id': '' if view.status.target_id is None else str(view.status.target_id),
            'enabled': str(view.enabled),
            'plant': f'{self._filled_in.plant_delay_s:g} s delay, {self._filled_in.plant_lag_s:g} s lag',
            'still because': view.still_because,
            'setpoints are used': self._used_setpoints(),
            "vehicle's turning": self._vehicle_turning(),
            'attitude age': self._age_words(),
            'detections from': self.parameters.detections_topic,
            **place_rows(self._newest),
            'pointing error (deg)': '' if view.error_rad is None else f'{math.degrees(view.error_rad):.2f}',
            'detections dropped while busy': str(self._arrivals.dropped),
            'overlay frames dropped while busy': str(self._frames.dropped),
        }
        return rows | {name.replace('_', ' '): str(count) for name, count in self._tracker.counts().items()}

    def _vehicle_turning(self) -> str:
        known, carried = self.tracker.vehicle_turning(self.now_ns())
        if not known:
            return _NO_HEADING.format(topic=self.resolve_topic_name(topics.GIMBAL_HEADING.name))
        source = (
            'the pictures' if self.tracker.turning_by_pictures else self.resolve_topic_name(topics.GIMBAL_HEADING.name)
        )
        return f'known by {source}; the camera takes part in {100.0 * carried:.0f} % of it'

    def _age_words(self) -> str:
        age = self.tracker.attitude_age
        if age is None:
            return 'not known: the pictures have not shown it yet'
        return (
            f'stamped {age.late_s * 1e3:+.0f} +- {age.std_s * 1e3:.0f} ms late, by {age.pictures} pairs of pictures '
            f'{(self.now_ns() - age.since_ns) * 1e-9:.0f} s ago'
        )

    def _used_setpoints(self) -> str:
        if self._control is None:
            return 'not known: nothing has come from the gimbal driver'
        return f'no: {self._unused_because()}' if self._unused_because() else 'yes'

    def _unused_because(self) -> str:
        return '' if self._control is None else self._control.unused_because(self._setpoint.name)

    def _on_plant(self, text: str) -> None:
        """Raises for a text that is not valid, and the subscription reports it."""
        self._plant = PlantModel.from_json(text)
        self.tracker.reconfigure(self._filled_in)

    def _on_control(self, text: str) -> None:
        """Raises for a text that is not valid, and the subscription reports it."""
        self._control = ControlState.from_json(text)
        self.tracker.offer_control(self._control, self._setpoint.name)

    def _on_select(self, choice: PixelChoice) -> None:
        result = self.tracker.select_pixel(choice.x_px, choice.y_px, choice.stamp_ns)
        self.get_logger().info(with_fields(result, stamp_ns=choice.stamp_ns))

    def _track_one(self) -> None:
        detections = self._arrivals.take(_WAIT_S)
        if detections is None:
            return
        started_ns = self.now_ns()
        self._arrived += 1
        self.intake.came()

        def send(setpoint: RateSetpoint | None) -> None:
            self._send(setpoint, fresh=True)
            sent_ns = self.now_ns()
            self.diagnostics.stage('update').record(sent_ns - started_ns)
            self.diagnostics.stage('pointing').record(sent_ns - detections.stamp_ns)

        # The setpoint leaves in the middle of it: nothing else that is published here is in a hurry.
        update = self.tracker.offer_detections(detections, started_ns, send)
        if update is None:
            return
        self._used += 1
        self.intake.used()
        if update.zoom_setpoint is not None:
            self._zoom_setpoint.publish(update.zoom_setpoint)
        self._tracks.publish(update.tracks)
        if update.target is not None:
            self._target.publish(update.target)
        self._publish_place(update)
        self._report_state(always=True)
        self._note(update, started_ns)
        self._age_due.put(detections.stamp_ns)

    def _learn_age(self) -> None:
        """Once an image; seldom is there something to learn."""
        if self._age_due.take(_WAIT_S) is None:
            return
        age = self.tracker.learn_attitude_age()
        if age is not None:
            self._attitude_age.publish(age.to_json())

    def _publish_place(self, update: TrackerUpdate) -> None:
        self._newest = update
        if update.bearing is None:
            return
        if self._bearing.watched or self._position.watched:
            frames, stamp_ns = self._filled_in, update.bearing.stamp_ns
            heading_rad = self.tracker.heading_at(stamp_ns)
            self._tf.publish(still_transform(stamp_ns, frames.level_frame, frames.still_frame, heading_rad))
        self._bearing.publish(update.bearing)
        if update.position is not None:
            self._position.publish(update.position)

    def _look_for_turning(self) -> None:
        """Once a picture, where nothing else reports how the vehicle turns."""
        if self._turning_due.take(_WAIT_S) is not None:
            self.tracker.look_for_turning()

    def _tick(self) -> None:
        self._send(self.tracker.tick(self.now_ns()), fresh=False)
        self._report_state(always=False)

    def _send(self, setpoint: RateSetpoint | None, *, fresh: bool) -> None:
        if setpoint is None:
            return
        self._setpoint.publish(setpoint)
        self.trace.event(
            'setpoint',
            setpoint.stamp_ns,
            fresh=fresh,
            azimuth_rate_rad_s=setpoint.azimuth_rate_rad_s,
            tilt_rate_rad_s=setpoint.tilt_rate_rad_s,
        )

    def _report_state(self, *, always: bool) -> None:
        status, enabled, still_because = self.tracker.state()
        self._report_faults()
        text = state_text(status, enabled=enabled, still_because=still_because, unused_because=self._unused_because())
        if always or text != self._reported_state:
            self._reported_state = text
            self._state.publish(text)

    def _report_faults(self) -> None:
        """Once each, when they begin."""
        diverged, frozen = self.tracker.diverged, self.tracker.pictures_frozen
        if diverged and not self._reported_divergence:
            self.report_error(f'Pointing is off: {diverged}.')
        if frozen and not self._reported_frozen:
            self.diagnostics.count('pictures found frozen')
            self.report_error(_FROZEN_PICTURE)
        self._reported_divergence, self._reported_frozen = diverged, frozen

    def _report_drops(self) -> None:
        """The first of each kind that was dropped, and a warning while detections come and none is used."""
        self._warn_of_no_attitude()
        before, self._counts = self._counts, self.tracker.counts()
        arrived, used, self._arrived, self._used = self._arrived, self._used, 0, 0
        for reason, count in self._counts.items():
            fault = self.tracker.stamp_faults.get(reason)
            if (fault is None and reason not in SENTENCES) or count <= before.get(reason, 0):
                continue
            name, text = SENTENCES.get(reason, (topics.DETECTIONS.name, ''))
            of_detections = name == topics.DETECTIONS.name
            topic = self._detections.name if of_detections else self.resolve_topic_name(name)
            sentence = text.format(topic=topic) if fault is None else fault.sentence(topic)
            if reason not in before:
                self.report_first_of(reason.replace('_', ' '), sentence)
            if of_detections and arrived and (not used or reason == 'stamps_far_behind'):
                self.diagnostics.note_error(sentence)
                self.intake.refused(self._detections.topic.name, sentence)
        self._warn_of_no_camera(used)
        self._warn_of_no_range(used)

    def _warn_of_no_attitude(self) -> None:
        sentence = NO_ATTITUDE.format(topic=self.resolve_topic_name(topics.GIMBAL_ATTITUDE.name))
        if not self.parameters.enabled or self.tracker.knows_gimbal(self.now_ns()):
            self._no_attitude.clear()
            self.diagnostics.settle_error(sentence)
        else:
            self._no_attitude.lasts(_DROPS_S, sentence)

    def _warn_of_no_camera(self, used: int) -> None:
        if not self.parameters.enabled or self.tracker.knows_camera:
            self._no_camera.clear()
            return
        topic = topics.CAMERA_INFO.name
        uncalibrated = self._counts.get('camera_models_unusable', 0)
        if not uncalibrated and any(kind.startswith(f'{topic}: ') for kind in self.diagnostics.counters):
            # What comes there is not understood, and each such message says why.
            return
        text = SENTENCES['camera_models_unusable'][1] if uncalibrated else NO_CAMERA
        # The first uncalibrated one was reported when it came.
        self._no_camera.reported |= bool(uncalibrated)
        self._no_camera.lasts(_DROPS_S if used else 0.0, text.format(topic=self.resolve_topic_name(topic)))

    def _warn_of_no_range(self, used: int) -> None:
        """Once, to whoever waits for a position that does not come."""
        newest = self._newest
        if newest is None or newest.bearing is None or not used or not self._position.watched:
            return
        if newest.position is not None:
            self._no_range.clear()
        elif not self._no_range.reported:
            range_topic = self.resolve_topic_name(topics.GIMBAL_RANGE.name)
            self._no_range.lasts(_DROPS_S, NO_RANGE.format(topic=self._position.name, range=range_topic))

    def _note(self, update: TrackerUpdate, arrived_ns: int) -> None:
        if not self.trace.taken:
            return
        stamp_ns = update.tracks.stamp_ns
        values = trace_values(update, self.tracker.view(stamp_ns))
        self.trace.event('track', stamp_ns, arrived_ns=arrived_ns, **values)

    def _follow_watchers(self) -> None:
        """Take images while somebody watches the overlay or the lock compares looks; on the executor's thread."""
        wanted = self._overlay.watched or self.tracker.wants_frames
        if wanted and self._images is None:
            self._images = self.subscription(topics.IMAGE_RAW_AS_SENT, self._on_image)
        elif not wanted and self._images is not None:
            images, self._images = self._images, None
            self.close_subscription(images)

    def _check_detector(self) -> None:
        """Report a detector that publishes the other topic only: nothing would ever be followed."""
        other = next(each.name for each in _DETECTIONS if each.name != self.parameters.detections_topic)
        silent = not self._detections.statistics.items and not self.count_publishers(self._detections.name)
        if not (silent and self.count_publishers(self.resolve_topic_name(other))):
            self._no_detections.clear()
            self._elsewhere = ''
            return
        sentence = (
            f'Nobody publishes {self._detections.name}, but somebody publishes {self.resolve_topic_name(other)}: '
            f"set parameter `detections_topic` to '{other}'."
        )
        self._no_detections.lasts(_CHECK_DETECTOR_S, sentence)
        if self._no_detections.reported:
            self._elsewhere = sentence

    def _on_image(self, sent: Frame) -> None:
        try:
            frame = self._pictures.of(sent)
        except Unusable as error:
            name = topics.IMAGE_RAW.name
            sentence = f'A message on {self.resolve_topic_name(name)} cannot be used: {error}'
            self.report_drop(name, error.reason, sentence, stamp_ns=sent.stamp_ns)
            return
        self.tracker.offer_frame(frame)
        self._turning_due.put(frame.stamp_ns)
        if self._overlay.watched:
            self._frames.put(frame)

    def _draw_one(self) -> None:
        frame = self._frames.take(_WAIT_S)
        if frame is None:
            return
        started_ns = self.now_ns()
        drawn = lock_read_only(draw_overlay(frame.image, self.tracker.view(frame.stamp_ns)))
        self._overlay.publish(Frame(drawn, frame.stamp_ns, frame.frame_id))
        self.diagnostics.stage('overlay').record(self.now_ns() - started_ns)

    def _publish_markers(self) -> None:
        if self._markers.watched:
            self._markers.publish(markers_of(self.tracker.view(self.now_ns()), self._filled_in.level_frame))

    def _enable(self, request: SetBool.Request, _response: SetBool.Response) -> SetBool.Response:
        self.tracker.enable(request.data)
        message = 'Pointing is enabled.' if request.data else 'Pointing is off: the target no longer turns the gimbal.'
        return SetBool.Response(success=True, message=message)

    def _release(self, _request: Trigger.Request, _response: Trigger.Response) -> Trigger.Response:
        self.tracker.release()
        return Trigger.Response(success=True, message='The target is released.')


def main() -> None:
    """`ros2 run gremsy_tracker tracker_node`."""
    run_node(TrackerNode)


if __name__ == '__main__':
    main()
