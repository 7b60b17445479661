# SPDX-License-Identifier: Apache-2.0
"""`label_info` and `vision_info`: sent when what they say has changed, the class names counted in versions."""

from __future__ import annotations

from typing import Any

from gremsy_common.ros.messages.detection_messages import Labels, pipeline_message
from gremsy_common.ros.transport.endpoints import TopicPublisher
from gremsy_detector.model.model_description import ModelDescription


class PublishedLabels:
    """The two latched topics of one detector; the last content and the version outlive their publishers."""

    def __init__(self) -> None:
        self._labels: TopicPublisher[Labels] | None = None
        self._pipeline: TopicPublisher[Any] | None = None
        self._published: tuple[str, tuple[str, ...], float] | None = None
        self._names: tuple[str, ...] | None = None
        self._version = 0

    def attach(self, labels: TopicPublisher[Labels], pipeline: TopicPublisher[Any]) -> None:
        """Publish through these from now on; nothing was published on them yet."""
        self._labels, self._pipeline = labels, pipeline
        self._published = None

    def detach(self) -> None:
        """The publishers go."""
        self._labels = self._pipeline = None

    def publish(self, now_ns: int, model: ModelDescription, threshold: float) -> None:
        """Say what the model's classes are called, and below which score no box of any class is reported."""
        labels, pipeline = self._labels, self._pipeline
        says = (model.title, model.class_names, threshold)
        if labels is None or pipeline is None or says == self._published:
            return
        # vision_msgs: the version counts the changes of the class names.
        if self._names is not None and model.class_names != self._names:
            self._version += 1
        self._published, self._names = says, model.class_names
        labels.publish(Labels(now_ns, '', tuple(enumerate(model.class_names)), threshold))
        # vision_msgs: where the class names are to be found, here the topic that carries them.
        pipeline.publish(pipeline_message(now_ns, model.title, labels.name, self._version))
