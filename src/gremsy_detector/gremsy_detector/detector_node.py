# SPDX-License-Identifier: Apache-2.0
"""image_raw -> detections: the wiring around `Detector`."""

from __future__ import annotations

import time
from typing import ClassVar

from std_srvs.srv import SetBool

from gremsy_common import topics
from gremsy_common.frame import Frame
from gremsy_common.hosting import run_node
from gremsy_common.latest_slot import LatestSlot
from gremsy_common.messages.detection import Labels, Pipeline
from gremsy_common.node_host import NodeHost
from gremsy_common.suite_node import SuiteNode
from gremsy_common.transport.endpoints import TopicSubscription
from gremsy_detector.backend_registry import choose_backend
from gremsy_detector.default_model import model_path
from gremsy_detector.detector import DetectionResult, Detector
from gremsy_detector.detector_parameters import DetectorParameters

# How long a worker waits for an image before it looks whether it should end.
_WAIT_S = 0.3
# About what the tracker takes from these detections to a setpoint.
_GIVE_WAY_S = 0.004

Arrival = tuple[Frame, int]
"""A frame and when it came, ns of the ROS clock."""


class DetectorNode(SuiteNode[DetectorParameters]):
    """Detects in the newest image; images that come while it is busy are dropped and counted."""

    node_name: ClassVar[str] = 'detector'
    parameters_type: ClassVar[type[DetectorParameters]] = DetectorParameters

    def __init__(self, host: NodeHost) -> None:
        super().__init__(host)
        self._detector: Detector | None = None
        self._description = ''
        self._arrivals: LatestSlot[Arrival] = LatestSlot()
        self._images: TopicSubscription[Frame] | None = None

    def configure(self) -> None:
        """Load the model."""
        path = model_path(self.parameters.model)
        backend = choose_backend(path, self.parameters.backend)(path)
        detector = Detector(backend, self.parameters.selection)
        detector.open()
        self._detector, self._description = detector, backend.description
        self.get_logger().info(f'Model {path} runs on {backend.description}.')

    def activate(self) -> None:
        """Topics, the service, the worker."""
        self._arrivals = LatestSlot()
        self._detections = self.publisher(topics.DETECTIONS)
        self._label_info = self.publisher(topics.LABEL_INFO)
        self._vision_info = self.publisher(topics.VISION_INFO)
        self._publish_labels()
        self.service(SetBool, '~/enable', self._enable)
        self._images = self.subscription(topics.IMAGE_RAW_AS_SENT, self._store)
        self.worker('detect', self._detect_one, niceness=5)

    def deactivate(self) -> None:
        """Wake the worker so that it can end."""
        self._arrivals.close()
        self._images = None

    def cleanup(self) -> None:
        """Let go of the model."""
        if self._detector is not None:
            self._detector.close()
            self._detector = None

    def parameters_changed(self) -> None:
        """Thresholds, classes and count hold from the next image on; an unknown class refuses the change."""
        if self._detector is None:
            return
        self._detector.select(self.parameters.selection)
        if self._images is not None:
            self._publish_labels()

    def diagnostic_values(self) -> dict[str, str]:
        """The model and what is dropped."""
        model = self._detector.model if self._detector is not None else None
        return {
            'model': str(model.path) if model is not None else '',
            'back end': self._description,
            'enabled': str(self._images is not None),
            'images dropped while busy': str(self._arrivals.dropped),
            'images waiting': str(self._arrivals.waiting),
        }

    def _store(self, frame: Frame) -> None:
        self._arrivals.put((frame, self.now_ns()))

    def _detect_one(self) -> None:
        newest = self.parameters.take == 'newest'
        arrival = self._arrivals.take(_WAIT_S) if newest else self._arrivals.take_next(_WAIT_S)
        detector = self._detector
        if arrival is None or detector is None:
            return
        frame, arrived_ns = arrival
        taken_ns = self.now_ns()
        result = detector.detect(frame)
        self._trace(result, arrived_ns, taken_ns)
        # Disabled meanwhile: what was asked to be silent says nothing more.
        if self._images is not None:
            self._detections.publish(result.detections)
        self._count(result, taken_ns - arrived_ns)
        if newest:
            # With an image waiting, this thread would go on at once and fight the tracker for the interpreter.
            time.sleep(_GIVE_WAY_S)

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
        if request.data and self._images is None:
            self._images = self.subscription(topics.IMAGE_RAW_AS_SENT, self._store)
        elif not request.data and self._images is not None:
            images, self._images = self._images, None
            self.close_subscription(images)
        response.success = True
        response.message = 'detecting' if request.data else 'not detecting: no images taken, no detections sent'
        return response

    def _publish_labels(self) -> None:
        model = self._detector.model if self._detector is not None else None
        if model is None:
            return
        now_ns = self.now_ns()
        names = tuple(enumerate(model.class_names))
        self._label_info.publish(Labels(now_ns, '', names, self.parameters.confidence))
        # vision_msgs: where the class names are to be found, here the topic that carries them.
        self._vision_info.publish(Pipeline(now_ns, '', model.title, self._label_info.name, 0))


def main() -> None:
    """`ros2 run gremsy_detector detector_node`."""
    run_node(DetectorNode)


if __name__ == '__main__':
    main()
