# SPDX-License-Identifier: Apache-2.0
"""The publishers of a camera. Beside another driver's camera they change while they are used."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from gremsy_common.ros import topics
from gremsy_common.ros.messages.camera_info_messages import StampedCamera
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_common.types.frame import Frame


@dataclass(frozen=True, slots=True)
class OutletPlan:
    """What this node publishes itself.

    Attributes:
        image_local, info_local: only to the nodes of this process, since somebody else publishes it to all others.
        compressed: at all; not where somebody else does.
    """

    image_local: bool = False
    info_local: bool = False
    compressed: bool = True


class CameraOutlets:
    """Made, changed and closed on the executor's thread; published to from any.

    Attributes:
        plan: what is published, as it is now.
    """

    def __init__(self, node: SuiteNode[Any], plan: OutletPlan) -> None:
        self._node = node
        self._lock = threading.Lock()
        self.plan = plan
        self._image = node.publisher(topics.IMAGE_RAW, local_only=plan.image_local)
        self._info = node.publisher(topics.CAMERA_INFO, local_only=plan.info_local)
        self.mono8 = node.publisher(topics.IMAGE_MONO8)
        self.video_time = node.publisher(topics.VIDEO_TIME)
        self._compressed = node.publisher(topics.IMAGE_COMPRESSED) if plan.compressed else None

    def follow(self, plan: OutletPlan) -> None:
        """Change to that; those who take by reference never see a moment without a publisher."""
        before, self.plan = self.plan, plan
        old = (self._image, self._info, self._compressed)
        image, info, compressed = old
        if plan.image_local != before.image_local:
            image = self._node.publisher(topics.IMAGE_RAW, local_only=plan.image_local)
        if plan.info_local != before.info_local:
            info = self._node.publisher(topics.CAMERA_INFO, local_only=plan.info_local)
        if plan.compressed != before.compressed:
            compressed = self._node.publisher(topics.IMAGE_COMPRESSED) if plan.compressed else None
        with self._lock:
            self._image, self._info, self._compressed = image, info, compressed
        for each in old:
            if each is not None and each not in (image, info, compressed):
                self._node.close_publisher(each)

    def publish(self, camera: StampedCamera | None, frame: Frame) -> None:
        """First the intrinsics, so that whoever gets the image has those that belong to it; None for none yet."""
        with self._lock:
            if camera is not None:
                self._info.publish(camera)
            self._image.publish(frame)

    def publish_compressed(self, message: Any) -> None:
        """A CompressedImage, where this node publishes them."""
        with self._lock:
            if self._compressed is not None:
                self._compressed.publish(message)

    @property
    def compressed_watched(self) -> bool:
        """Whether anybody wants compressed images of this node."""
        compressed = self._compressed
        return compressed is not None and compressed.watched

    @property
    def pictures_watched(self) -> bool:
        """Whether anybody wants what is made of frames only to be shown."""
        return self.mono8.watched or self.compressed_watched

    @property
    def watched(self) -> bool:
        """Whether anybody wants anything that takes images."""
        info = not self.plan.info_local and self._info.outside_subscribers > 0
        return self._image.watched or self.pictures_watched or info
