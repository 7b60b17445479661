# SPDX-License-Identifier: Apache-2.0
"""image_raw -> detections, detections/candidates: the wiring around `RestartingDetector`."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from std_srvs.srv import SetBool

from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_common.ros import topics
from gremsy_common.ros.diagnostics import Health, Level
from gremsy_common.ros.hosting import run_node
from gremsy_common.ros.node_host import NodeHost
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_common.ros.transport.endpoints import TopicPublisher, TopicSubscription
from gremsy_common.timing.worker import LatestSlot
from gremsy_common.types.detections import Detections
from gremsy_common.types.frame import Frame
from gremsy_detector.backends.backend import Backend, BackendOptions, ModelRunner
from gremsy_detector.backends.backend_chain import BackendChain
from gremsy_detector.backends.backend_registry import BackendOrder, backends_for, builders_of
from gremsy_detector.backends.sharing.model_pool import ModelPool
from gremsy_detector.backends.sharing.shared_model import NOBODY, SharedBackend
from gremsy_detector.detector import DetectionResult, Detector
from gremsy_detector.detector_parameters import DetectorParameters
from gremsy_detector.errors import FrameError
from gremsy_detector.gpu_status import GpuStatus, find_gpu
from gremsy_detector.model.default_model import model_path
from gremsy_detector.published_labels import PublishedLabels
from gremsy_detector.restarting_detector import RestartingDetector
from gremsy_detector.run_watch import RunWatch, too_slow
from gremsy_detector.selection import Selection

# How long a worker waits for an image before it checks whether to end.
_WAIT_S = 0.3
# About what the tracker takes from these detections to a setpoint.
_GIVE_WAY_S = 0.004
# How often it is asked who listens (2 us): with what DDS takes to tell, images are back 0.5 s after a subscriber came.
_WATCH_PERIOD_S = 0.2
_GPU_PERIOD_S = 0.4
_HANG_PERIOD_S = 0.2
# A run that has not ended this long after its library was asked to end it does not end.
_LAST_WAY_OUT_S = 1.0
_SPEED_OVER_S = 5.0
_IMAGES = topics.IMAGE_RAW.name
_UNWATCHED = 'nobody subscribes to detections or detections/candidates'

Arrival = tuple[Frame, int]
"""A frame and when it came, ns of the ROS clock."""


class DetectorNode(SuiteNode[DetectorParameters]):
    """Detects in the newest image; images that come while it is busy are dropped and counted."""

    node_name: ClassVar[str] = 'detector'
    parameters_type: ClassVar[type[DetectorParameters]] = DetectorParameters

    def __init__(self, host: NodeHost) -> None:
        super().__init__(host)
        self._detector: RestartingDetector | None = None
        self._order: BackendOrder | None = None
        self._models = host.shared(ModelPool)
        self._shared: SharedBackend | None = None
        self._at_work = False
        self._enabled = True
        self._arrivals: LatestSlot[Arrival] = LatestSlot()
        self._images: TopicSubscription[Frame] | None = None
        self._detections: TopicPublisher[Detections] | None = None
        self._candidates: TopicPublisher[Detections] | None = None
        self._labels = PublishedLabels()
        self._gpu = GpuStatus(None)
        self._watch = RunWatch(0.0)
        self._hang = ''
        self._images_answered = self._dropped_before = 0
        self._too_slow = ''

    def configure(self) -> None:
        """Open the first back end that runs the model."""
        path = model_path(self.parameters.model)
        order = backends_for(path, self.parameters.backend)
        if self.parameters.build_only:
            order = builders_of(order, path)
        for reason in order.passed_over:
            self._say(f'Back end not available here: {reason}.')
        detector = self._new_detector(path, order)
        detector.open()
        if self.parameters.build_only:
            self.get_logger().info(f'Built: model {path} runs on {detector.description}.')
            detector.close()
            self.finished = True
            return
        self.get_logger().info(f'Model {path} runs on {detector.description}.')
        if self._shared is not None and self._shared.shared_with != NOBODY:
            self._say(f'The model is shared with {self._shared.shared_with}.')
        self._detector, self._order = detector, order
        self._gpu = GpuStatus(find_gpu(self.parameters.device))

    def activate(self) -> None:
        """Topics, the service, the workers."""
        if self._detector is None:
            raise ParameterError('Parameter `build_only` is true, so there is nothing to activate: set it to false.')
        self._arrivals = LatestSlot()
        self._enabled = True
        self._watch, self._hang = RunWatch(self.parameters.hangs_after_s), ''
        self._images_answered, self._dropped_before, self._too_slow = 0, 0, ''
        self._detections = self.publisher(topics.DETECTIONS)
        self._candidates = self.publisher(topics.CANDIDATES)
        self._labels.attach(self.publisher(topics.LABEL_INFO), self.publisher(topics.VISION_INFO))
        self._publish_labels()
        self.service(SetBool, '~/enable', self._enable)
        self._follow_watchers()
        self.every(_WATCH_PERIOD_S, self._follow_watchers)
        self.every(_HANG_PERIOD_S, self._check_for_a_hang)
        self.every(_SPEED_OVER_S, self._check_speed)
        self.worker('detect', self._detect_one, niceness=5)
        if self._gpu.there:
            self.worker('gpu status', self._watch_gpu, niceness=5)

    def deactivate(self) -> None:
        """Wake the worker so that it can end."""
        self._arrivals.close()
        self._images = self._detections = self._candidates = None
        self._labels.detach()

    def cleanup(self) -> None:
        """Let go of the model."""
        if self._detector is not None:
            self._detector.close()
            self._detector = self._shared = None

    def parameters_changed(self) -> None:
        """All of them hold from the next image on; what does not fit the model refuses the change."""
        if self._detector is None:
            return
        self._detector.select(self.parameters.selection)
        self._publish_labels()
        self.host.call_soon(self._follow_watchers)

    def diagnostic_values(self) -> dict[str, str]:
        """The model, what runs it, and what is dropped."""
        detector, order, parameters = self._detector, self._order, self.parameters
        if detector is None or order is None:
            return {'model': '', 'back end': ''}
        return {
            'model': str(detector.model.path) if detector.model is not None else '',
            'back end': detector.description,
            'back end state': 'restarting' if detector.restarting else 'running',
            'back end restarts': str(detector.restarts),
            'back ends in order': detector.backends,
            'back ends not available': '; '.join(order.passed_over),
            'provider asked for': parameters.provider,
            'precision asked for': parameters.precision,
            'enabled': str(self._enabled),
            **self._sharing(),
            'taking images': self._takes_images(),
            'images dropped while busy': str(self._arrivals.dropped),
            'images waiting': str(self._arrivals.waiting),
            **self._gpu.reading.rows(),
        }

    def _new_detector(self, path: Path, order: BackendOrder) -> RestartingDetector:
        parameters = self.parameters
        options = replace(parameters.options, say=self._say)

        def make(kind: type[Backend], selection: Selection) -> Detector:
            backend = self._backend_of(kind, path, options)
            return Detector(backend, selection, resize=parameters.resize, warm_up_runs=parameters.warm_up_runs)

        return RestartingDetector(
            BackendChain(path, order.candidates, make, self.report_error),
            parameters.selection,
            failures_before_restart=parameters.failures_before_restart,
            say=self.report_error,
        )

    def _backend_of(self, kind: type[Backend], path: Path, options: BackendOptions) -> ModelRunner:
        parameters = self.parameters
        # What is only built is let go at once: nobody else need wait for it.
        if not parameters.share_model or parameters.build_only:
            self._shared = None
            return kind(path, options)
        name = self.get_fully_qualified_name()
        self._shared = self._models.backend(kind, path, options, name=name, due=self._due, batch=parameters.batch)
        return self._shared

    def _due(self) -> bool:
        """Whether the worker has an image or finds one at once; asked on the threads of those who share the model."""
        return self._at_work or self._arrivals.waiting > 0

    def _sharing(self) -> dict[str, str]:
        shared = self._shared
        if shared is None:
            return {'model shared with': 'nobody: `share_model` is false'}
        return {
            'model shared with': shared.shared_with,
            'images per run': shared.images_per_run,
            'runs with images of several cameras': str(shared.runs_of_several),
        }

    def _say(self, sentence: str) -> None:
        self.get_logger().info(sentence)

    def _follow_watchers(self) -> None:
        """Take images exactly while somebody wants to know; on the executor's thread only."""
        detections, candidates = self._detections, self._candidates
        if detections is None or candidates is None:
            return
        watched = detections.watched or candidates.watched
        wanted = self._enabled and (watched or not self.parameters.only_when_watched)
        if wanted and self._images is None:
            self._images = self.subscription(topics.IMAGE_RAW_AS_SENT, self._store)
            self.intake.begin(_IMAGES, self._images.name)
        elif not wanted and self._images is not None:
            images, self._images = self._images, None
            self.close_subscription(images)
            self.intake.end()

    def _takes_images(self) -> str:
        if self._images is not None:
            return 'yes'
        return f'no: {_UNWATCHED}' if self._enabled else 'no: disabled'

    def _store(self, frame: Frame) -> None:
        self.intake.came()
        self._arrivals.put((frame, self.now_ns()))

    def _detect_one(self) -> None:
        detector, detections, candidates = self._detector, self._detections, self._candidates
        if detector is None or detections is None or candidates is None:
            return
        if detector.restarting:
            self._restart(detector)
            return
        newest = self.parameters.take == 'newest'
        arrival = self._arrivals.take(_WAIT_S) if newest else self._arrivals.take_next(_WAIT_S)
        if arrival is None or self._images is None:
            return
        frame, arrived_ns = arrival
        taken_ns = self.now_ns()
        self._check_header(frame)
        self._at_work = True
        answered = False
        self._watch.begin(time.monotonic())
        try:
            result = detector.detect(frame)
            answered = True
        except FrameError as error:
            self.diagnostics.count('detect errors')
            self.report_drop(_IMAGES, error.reason, str(error), stamp_ns=frame.stamp_ns)
            return
        finally:
            self._watch.end(time.monotonic(), answered=answered)
            self._at_work = False
        self.intake.used()
        self._images_answered += 1
        self._trace(result, arrived_ns, taken_ns)
        # Disabled in the meantime: nothing more is published.
        if self._images is not None:
            # First those that a gimbal waits for.
            for publisher, found in ((candidates, result.candidates), (detections, result.detections)):
                publisher.publish(found)
                if newest and publisher.local_subscribers:
                    # Going on at once, this thread would fight the tracker of this process for the interpreter.
                    time.sleep(_GIVE_WAY_S)
        self._count(result, taken_ns - arrived_ns)

    def _check_speed(self) -> None:
        """Warn when a tracker gets too few detections."""
        answered, self._images_answered = self._images_answered, 0
        before, self._dropped_before = self._dropped_before, self._arrivals.dropped
        awaited = self._images is not None and self._candidates is not None and self._candidates.watched
        known_too_slow, self._too_slow = self._too_slow, ''
        if awaited:
            self._too_slow = too_slow(answered, self._dropped_before - before, _SPEED_OVER_S)
        if self._too_slow and not known_too_slow:
            self.get_logger().warning(self._too_slow)

    def _check_for_a_hang(self) -> None:
        """End the run that does not end, and when it goes on all the same, the process."""
        hangs_for_s = self._watch.hangs_for_s(time.monotonic())
        if hangs_for_s is None or self._detector is None:
            self._hang = ''
            return
        if not self._hang:
            self._hang = f'The network has not answered an image for {hangs_for_s:.1f} s (`hangs_after_s`)'
            self.diagnostics.count('runs given up')
            self.report_error(f'{self._hang}: its run is ended.')
            self._detector.interrupt()
        elif hangs_for_s > self._watch.limit_s + _LAST_WAY_OUT_S:
            self.host.abandon(
                self, f'{self._hang} and cannot be ended: the process of {self.get_fully_qualified_name()} ends.'
            )

    def health(self) -> Health:
        """OK only while images are answered."""
        if self._hang:
            return Health(Level.ERROR, f'{self._hang}: its run is ended.')
        if self._detector is not None and self._detector.restarting:
            return Health(Level.ERROR, self.diagnostics.last_error or 'The back end is being opened again.')
        health = self.intake.health()
        return Health(Level.WARN, self._too_slow) if health.level is Level.OK and self._too_slow else health

    def _check_header(self, frame: Frame) -> None:
        """Such images are used, for whoever only wants to see; a gimbal cannot be pointed by them."""
        if frame.stamp_ns == 0:
            self.report_drop(
                _IMAGES,
                'no stamp',
                f'Images on {self.resolve_topic_name(_IMAGES)} have no stamp, so no gimbal can be pointed by them: let '
                "their publisher set header.stamp to when each was captured, by this machine's clock.",
            )
        if not frame.frame_id:
            self.report_drop(
                _IMAGES,
                'no frame_id',
                f'Images on {self.resolve_topic_name(_IMAGES)} have an empty header.frame_id, so RViz cannot place '
                "what is seen in them: let their publisher set it to the camera's optical frame.",
            )

    def _restart(self, detector: RestartingDetector) -> None:
        if detector.recover():
            self._watch.forget()
            self.get_logger().info(f'The model runs again, on {detector.description}.')
            self.host.call_soon(self._publish_labels)
        # Images that come during the restart are dropped: the first one after it is to be fresh.
        elif self._arrivals.take(_WAIT_S) is not None:
            self.diagnostics.count('images lost to a restart')

    def _watch_gpu(self) -> None:
        self._gpu.refresh()
        time.sleep(_GPU_PERIOD_S)

    def _trace(self, result: DetectionResult, arrived_ns: int, taken_ns: int) -> None:
        times = result.times
        self.trace.event(
            'detection',
            result.detections.stamp_ns,
            arrived_ns=arrived_ns,
            taken_ns=taken_ns,
            preprocess_ns=times.preprocess_ns,
            inference_ns=times.inference_ns,
            decode_ns=times.decode_ns,
            count=len(result.detections),
            candidates=len(result.candidates),
        )

    def _count(self, result: DetectionResult, slot_wait_ns: int) -> None:
        times = result.times
        stage = self.diagnostics.stage
        stage('slot wait').record(slot_wait_ns)
        stage('preprocess').record(times.preprocess_ns)
        stage('inference').record(times.inference_ns)
        stage('decode').record(times.decode_ns)
        stage('detections').record(self.now_ns() - result.detections.stamp_ns)

    def _enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """Subscribe or unsubscribe: a disabled detector costs the camera nothing."""
        self._enabled = request.data
        self._follow_watchers()
        response.success = True
        response.message = 'detecting' if request.data else 'not detecting: no images taken, no detections sent'
        if request.data and self._images is None:
            response.message = 'detecting as soon as somebody subscribes to detections or detections/candidates'
        return response

    def _publish_labels(self) -> None:
        model = self._detector.model if self._detector is not None else None
        if model is not None:
            threshold = self.parameters.selection.least_confidence(model.class_names, model.path.name)
            self._labels.publish(self.now_ns(), model, threshold)


def main() -> None:
    """`ros2 run gremsy_detector detector_node`."""
    run_node(DetectorNode)


if __name__ == '__main__':
    main()
