# SPDX-License-Identifier: Apache-2.0
"""Takes another driver's topics over DDS, once for the process, and says what the camera node publishes beside them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rclpy.qos import QoSDurabilityPolicy, QoSReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from gremsy_camera.external.foreign_frames import Arrival, ForeignFrames
from gremsy_camera.external.foreign_problems import ForeignProblem, image_topics, worst_problem
from gremsy_camera.external.foreign_watch import ExternalTopics, ForeignPublisher, ForeignWatch, Senders, Transport
from gremsy_camera.ros.camera_outlets import OutletPlan
from gremsy_common.errors import Unusable
from gremsy_common.ros import topics
from gremsy_common.ros.diagnostics import Health, Level
from gremsy_common.ros.messages.camera_info_messages import StampedCamera
from gremsy_common.ros.messages.header_messages import stamp_of
from gremsy_common.ros.messages.image_messages import frame_as_sent, frame_from_compressed
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_common.ros.transport.endpoints import TopicSubscription
from gremsy_common.timing.stamp_check import StampCheck
from gremsy_common.types.frame import Frame

# Who publishes and who listens: two questions of some 50 us each.
_LOOK_S = 0.25
_LOOK_ELSEWHERE_NS = 2_000_000_000


class ForeignCamera:
    """One per camera node; everything but `frames` is used on the executor's thread.

    Images are subscribed to only while somebody takes them from this node: where every node of the loop is a process of
    its own, each subscribes to the driver itself.
    """

    def __init__(self, node: SuiteNode[Any], named: ExternalTopics, frames: ForeignFrames, configured: bool) -> None:
        """Nothing is subscribed to yet.

        Args:
            node: the camera node.
            named: the driver's topics.
            frames: where images and intrinsics go.
            configured: whether the node's parameters describe the camera where its driver does not.
        """
        self._node, self._named, self.frames, self._configured = node, named, frames, configured
        resolve = node.resolve_topic_name
        self._names = replace(
            named, image=resolve(named.image), compressed=resolve(named.compressed), info=resolve(named.info)
        )
        own = (topics.IMAGE_RAW, topics.IMAGE_COMPRESSED, topics.CAMERA_INFO)
        self._own_image, self._own_compressed, self._own_info = (resolve(each.name) for each in own)
        self._watch = ForeignWatch(self._names, frames, configured, time.monotonic_ns())
        self._stamps = StampCheck()
        self._images: TopicSubscription[Any] | None = None
        self._infos: TopicSubscription[StampedCamera] | None = None
        self._reported = ''
        self._images_are = Transport.RAW
        self._looked_elsewhere_ns = 0
        self._is_watched: Callable[[], bool] = lambda: False
        self._follow: Callable[[OutletPlan], None] = lambda _plan: None

    def activate(self, is_watched: Callable[[], bool], follow: Callable[[OutletPlan], None]) -> None:
        """Subscribe, and look again and again.

        Args:
            is_watched: whether anybody wants images of this node.
            follow: called with what this node is to publish.
        """
        self._is_watched, self._follow = is_watched, follow
        self._watch = ForeignWatch(self._names, self.frames, self._configured, time.monotonic_ns())
        self._images = self._infos = None
        self._reported = ''
        self.frames.forget_models()
        self._look()
        self._node.every(_LOOK_S, self._look)

    @property
    def plan(self) -> OutletPlan:
        """What the camera node publishes itself: to this process alone where somebody publishes it to all."""
        watch, names = self._watch, self._names
        raw = watch.transport is Transport.RAW
        # Until it is known that nobody does, the driver is taken to publish its intrinsics.
        announced = bool(watch.senders.info) or not watch.info_missing(time.monotonic_ns())
        return OutletPlan(
            image_local=raw and self._own_image == names.image,
            info_local=announced and self._own_info == names.info,
            compressed=self._own_compressed != names.compressed or (raw and not watch.senders.compressed),
        )

    @property
    def lens_awaited(self) -> bool:
        """Whether the driver's intrinsics are still to come, so that a guess would only be taken back."""
        return self.frames.newest_model is None and not self._watch.info_missing(time.monotonic_ns())

    def health(self) -> Health:
        """OK only while images come, or nobody here takes any."""
        problem = worst_problem(self._watch, time.monotonic_ns())
        if problem is None:
            return Health()
        return Health(Level.STALE if problem.no_image else Level.WARN, problem.text)

    def rows(self, own_lens: str) -> dict[str, str]:
        """For the diagnostics, `source state` among them; `own_lens` is where parameters have the intrinsics from."""
        now_ns = time.monotonic_ns()
        watch = self._watch
        return {
            'source state': watch.state(now_ns).value,
            'intrinsics': watch.lens_origin(own_lens),
            **watch.rows(now_ns),
        }

    def _look(self) -> None:
        now_ns = time.monotonic_ns()
        names, watch = self._names, self._watch
        watch.look(Senders(*(self._senders_of(each) for each in (names.image, names.compressed, names.info))), now_ns)
        plan = self.plan
        self._follow(plan)
        self._take_info(plan.info_local or self._own_info != names.info)
        wanted = self._is_watched()
        if self._images is not None and (not wanted or self._images_are is not watch.transport):
            images, self._images = self._images, None
            self._node.close_subscription(images)
        if wanted and self._images is None:
            self._subscribe()
        watch.take(wanted, now_ns)
        watch.loss_is_reported = self._images is not None and self._images.lost > 0
        if now_ns - self._looked_elsewhere_ns > _LOOK_ELSEWHERE_NS:
            self._looked_elsewhere_ns = now_ns
            senders = watch.senders
            watch.elsewhere = () if senders.raw or senders.compressed else self._images_elsewhere()
        self._say(worst_problem(watch, now_ns))

    def _say(self, problem: ForeignProblem | None) -> None:
        """Each once when it begins, and when images come again; the diagnostics have it for as long as it lasts."""
        kind = problem.kind if problem is not None else ''
        if kind == self._reported:
            return
        if problem is not None:
            self._node.get_logger().warning(problem.text)
        else:
            self._node.get_logger().info(f'{self._watch.topic} is fine again.')
        self._reported = kind

    def _take_info(self, wanted: bool) -> None:
        """Not while this node publishes under the name itself: it would hear what it says."""
        if self._infos is not None and not wanted:
            infos, self._infos = self._infos, None
            self._node.close_subscription(infos)
        elif self._infos is None and wanted:
            info = replace(topics.CAMERA_INFO, name=self._named.info)
            self._infos = self._node.subscription(info, self._on_info, outside_only=True)

    def _subscribe(self) -> None:
        self._images_are = self._watch.transport
        node = self._node
        if self._images_are is Transport.COMPRESSED:
            compressed = replace(topics.IMAGE_COMPRESSED, name=self._named.compressed)
            self._images = node.subscription(compressed, self._on_compressed, outside_only=True)
        else:
            raw = replace(topics.IMAGE_RAW_AS_SENT, name=self._named.image, from_message=self._raw_frame)
            self._images = node.subscription(raw, self._on_raw, outside_only=True)

    def _raw_frame(self, message: Image) -> Frame:
        # One that cannot be used has come all the same.
        self._note(stamp_of(message.header.stamp))
        return frame_as_sent(message)

    def _on_raw(self, frame: Frame) -> None:
        self._put(lambda: self._sized(frame))

    def _on_compressed(self, message: CompressedImage) -> None:
        def decoded() -> Frame | None:
            name = self._names.compressed
            try:
                return self._sized(frame_from_compressed(message))
            except Unusable as error:
                sentence = f'A message on {name} cannot be used: {error}'
                self._node.report_drop(topics.IMAGE_COMPRESSED.name, error.reason, sentence)
                return None

        self._note(stamp_of(message.header.stamp))
        self._put(decoded)

    def _sized(self, frame: Frame) -> Frame:
        self._watch.size = (frame.width, frame.height)
        return frame

    def _put(self, frame: Callable[[], Frame | None]) -> None:
        self.frames.images.put(Arrival(frame, time.monotonic_ns()))

    def _note(self, stamp_ns: int) -> None:
        self._watch.on_image(stamp_ns, time.monotonic_ns())
        fault = self._stamps.look(stamp_ns, self._node.now_ns())
        if fault is not None:
            self._node.report_drop(topics.IMAGE_RAW.name, fault.kind.value, fault.sentence(self._watch.topic))

    def _on_info(self, camera: StampedCamera) -> None:
        self._watch.on_info(camera.stamp_ns, time.monotonic_ns())
        self.frames.offer_model(camera.stamp_ns, camera.model)

    def _senders_of(self, topic: str) -> tuple[ForeignPublisher, ...]:
        """Everybody who publishes there but this node."""
        found = self._node.get_publishers_info_by_topic(topic)
        senders = [ForeignPublisher(_full_name(each), each.topic_type, _quality(each.qos_profile)) for each in found]
        return tuple(each for each in senders if each.node != self._node.get_fully_qualified_name())

    def _images_elsewhere(self) -> tuple[str, ...]:
        """Topics that somebody publishes images on, and that could be meant."""
        found = image_topics(dict(self._node.get_topic_names_and_types()))
        return tuple(name for name in found if self._senders_of(name))


def _full_name(endpoint: Any) -> str:
    """Discovery may report a publisher before its node."""
    if 'UNKNOWN' in endpoint.node_name:
        return 'another node'
    return f'{endpoint.node_namespace.rstrip("/")}/{endpoint.node_name}'


def _quality(profile: Any) -> str:
    reliable = 'reliable' if profile.reliability == QoSReliabilityPolicy.RELIABLE else 'best effort'
    return f'{reliable}, latched' if profile.durability == QoSDurabilityPolicy.TRANSIENT_LOCAL else reliable
