# SPDX-License-Identifier: Apache-2.0
"""Detections, Tracks and Target <-> vision_msgs; class_id is the class name, id the track's number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from geometry_msgs.msg import PointStamped
from numpy.typing import NDArray
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D, Detection2DArray, LabelInfo, ObjectHypothesisWithPose, VisionClass, VisionInfo

from gremsy_common.ros.messages.header_messages import header, origin_of, stamp_of
from gremsy_common.types.detections import Detections, Target, Tracks


@dataclass(frozen=True, slots=True)
class Labels:
    """What the model's class numbers are called (`label_info`)."""

    stamp_ns: int
    frame_id: str
    names: tuple[tuple[int, str], ...]
    threshold: float


@dataclass(frozen=True, slots=True)
class PixelChoice:
    """An operator's click: a pixel of the image of that stamp (0: the newest)."""

    stamp_ns: int
    x_px: float
    y_px: float


def detections_message(detections: Detections) -> Detection2DArray:
    """Every box carries the image's own header; no box has an id."""
    own = header(detections.stamp_ns, detections.frame_id)
    boxes = zip(detections.boxes_px.tolist(), detections.scores.tolist(), detections.labels.tolist(), strict=True)
    return Detection2DArray(header=own, detections=[_detection(own, *each) for each in boxes])


def detections_from(message: Detection2DArray) -> Detections:
    """The best hypothesis of every detection; one without any counts with an empty name and score 0."""
    boxes, scores, labels = _arrays(message.detections)
    return Detections(*origin_of(message), boxes, scores, labels)


def tracks_message(tracks: Tracks) -> Detection2DArray:
    """Like detections, with the track's number as id."""
    own = header(tracks.stamp_ns, tracks.frame_id)
    rows = zip(
        tracks.boxes_px.tolist(), tracks.scores.tolist(), tracks.labels.tolist(), tracks.ids.tolist(), strict=True
    )
    return Detection2DArray(
        header=own, detections=[_detection(own, box, score, label, str(number)) for box, score, label, number in rows]
    )


def tracks_from(message: Detection2DArray) -> Tracks:
    """Raises ValueError where an id is not a number."""
    boxes, scores, labels = _arrays(message.detections)
    ids = np.array([int(each.id) for each in message.detections], dtype=np.int64)
    return Tracks(*origin_of(message), boxes, scores, labels, ids)


def target_message(target: Target) -> Detection2D:
    """The one that is followed."""
    own = header(target.stamp_ns, target.frame_id)
    return _detection(own, target.box_px.tolist(), target.score, target.label, str(target.id))


def target_from(message: Detection2D) -> Target:
    """Raises ValueError where the id is not a number."""
    boxes, scores, labels = _arrays([message])
    return Target(*origin_of(message), int(message.id), str(labels[0]), float(scores[0]), boxes[0])


def labels_message(labels: Labels) -> LabelInfo:
    """The class map."""
    classes = [VisionClass(class_id=number, class_name=name) for number, name in labels.names]
    return LabelInfo(header=header(labels.stamp_ns, labels.frame_id), class_map=classes, threshold=labels.threshold)


def labels_from(message: LabelInfo) -> Labels:
    """The class map."""
    names = tuple((int(each.class_id), str(each.class_name)) for each in message.class_map)
    return Labels(*origin_of(message), names, float(message.threshold))


def pipeline_message(stamp_ns: int, method: str, names_at: str, version: int) -> VisionInfo:
    """Which model, where its class names are to be found, and how often they changed."""
    own = header(stamp_ns, '')
    return VisionInfo(header=own, method=method, database_location=names_at, database_version=version)


def choice_message(choice: PixelChoice) -> PointStamped:
    """A click."""
    message = PointStamped(header=header(choice.stamp_ns, ''))
    message.point.x, message.point.y = choice.x_px, choice.y_px
    return message


def choice_from(message: PointStamped) -> PixelChoice:
    """A click."""
    return PixelChoice(stamp_of(message.header.stamp), float(message.point.x), float(message.point.y))


def _detection(own: Header, box: list[float], score: float, label: str, track: str = '') -> Detection2D:
    x0, y0, x1, y1 = box
    message = Detection2D(header=own, id=track)
    message.bbox.center.position.x = (x0 + x1) / 2
    message.bbox.center.position.y = (y0 + y1) / 2
    message.bbox.size_x, message.bbox.size_y = x1 - x0, y1 - y0
    hypothesis = ObjectHypothesisWithPose()
    hypothesis.hypothesis.class_id, hypothesis.hypothesis.score = label, score
    message.results.append(hypothesis)
    return message


def _arrays(
    messages: list[Detection2D],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.str_]]:
    boxes = np.zeros((len(messages), 4))
    scores = np.zeros(len(messages))
    labels = []
    for row, message in enumerate(messages):
        box = message.bbox
        x, y, half_w, half_h = box.center.position.x, box.center.position.y, box.size_x / 2, box.size_y / 2
        boxes[row] = (x - half_w, y - half_h, x + half_w, y + half_h)
        best = max(message.results, key=lambda each: each.hypothesis.score, default=None)
        scores[row] = best.hypothesis.score if best else 0.0
        labels.append(best.hypothesis.class_id if best else '')
    return boxes, scores, np.array(labels, dtype=np.str_)
