# SPDX-License-Identifier: Apache-2.0
"""People in one large image, found on the whole of it and on overlapping tiles, merged to one box a person.

For reference data made off line: ten times the cost of one look, for boxes that are complete and steady. A person of
30 x 80 px in a 768 px frame is 16 px wide at the network's input when the whole frame is looked at, 33 px on a tile of
half its width and height.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gremsy_common.boxes import areas, intersection_over_union, intersections

Array = NDArray[np.float64]

# Looks at one (height, width, 3) BGR image: boxes (N, 4) x_min, y_min, x_max, y_max in its own pixels and scores (N,).
Detect = Callable[[NDArray[np.uint8]], tuple[Array, Array]]


@dataclass(frozen=True, slots=True)
class TileLayout:
    """How an image is cut.

    Attributes:
        share: side of a tile as a share of the image's, both ways, so that a stretched resize squeezes both alike.
        per_side: tiles along each side, evenly spread; 3 of half the side overlap by half.
        edge_px: a box this close to a tile's inner edge may be a cut person and is left to the neighbouring tile.
        same_iou: boxes that overlap this much are one person.
        same_cover: so are two of which the smaller lies this far inside the larger (a torso found beside the whole).
    """

    share: float = 0.5
    per_side: int = 3
    edge_px: float = 4.0
    same_iou: float = 0.45
    same_cover: float = 0.75


def tile_windows(width: int, height: int, tiling: TileLayout) -> NDArray[np.int64]:
    """(N, 4) windows x_min, y_min, x_max, y_max in pixels: the whole image first, then the tiles row by row."""
    tile_width, tile_height = round(width * tiling.share), round(height * tiling.share)
    lefts = np.linspace(0, width - tile_width, tiling.per_side).round().astype(np.int64)
    tops = np.linspace(0, height - tile_height, tiling.per_side).round().astype(np.int64)
    left, top = (each.ravel() for each in np.meshgrid(lefts, tops))
    tiles = np.stack([left, top, left + tile_width, top + tile_height], axis=1)
    return np.concatenate([np.array([[0, 0, width, height]], dtype=np.int64), tiles])


def cut_by_window(
    boxes_px: Array, window_px: NDArray[np.int64], width: int, height: int, edge_px: float
) -> NDArray[np.bool_]:
    """(N,) True where a box, in image pixels, touches an edge of its window that is not the image's own edge."""
    inner = np.array([window_px[0] > 0, window_px[1] > 0, window_px[2] < width, window_px[3] < height])
    near = np.abs(boxes_px - window_px) < edge_px
    return np.asarray((near & inner).any(axis=1))


def look_tiled(image: NDArray[np.uint8], detect: Detect, tiling: TileLayout) -> tuple[Array, Array]:
    """Boxes (N, 4) in image pixels and scores (N,) of the whole image and each tile, one person up to five times."""
    height, width = image.shape[:2]
    all_boxes, all_scores = [np.zeros((0, 4))], [np.zeros(0)]
    for window in tile_windows(width, height, tiling):
        x_min, y_min, x_max, y_max = window
        boxes, scores = detect(np.ascontiguousarray(image[y_min:y_max, x_min:x_max]))
        boxes = boxes + np.array([x_min, y_min, x_min, y_min])
        whole = ~cut_by_window(boxes, window, width, height, tiling.edge_px)
        all_boxes.append(boxes[whole])
        all_scores.append(scores[whole])
    return np.concatenate(all_boxes), np.concatenate(all_scores)


def overlaps(a_px: Array, b_px: Array) -> tuple[Array, Array]:
    """Intersection over union, and over the smaller of the two areas, of boxes (N, 4) with (M, 4): two (N, M)."""
    smaller = np.minimum(areas(a_px)[:, None], areas(b_px))
    cover = intersections(a_px[:, None], b_px) / np.maximum(smaller, 1e-9)
    return intersection_over_union(a_px, b_px), cover


def merge_boxes(boxes_px: Array, scores: Array, same_iou: float, same_cover: float) -> tuple[Array, Array]:
    """Greedy suppression in which the kept box becomes the score-weighted mean of those that agree with it.

    The result is boxes (M, 4) and the best score of each (M,), best first. The mean of several looks at one person is
    steadier than the best single one (box voting, Gidaris & Komodakis 2015).
    """
    order = np.argsort(-scores, kind='stable')
    boxes_px, scores = boxes_px[order], scores[order]
    iou, cover = overlaps(boxes_px, boxes_px)
    same = (iou > same_iou) | (cover > same_cover)
    free = np.ones(len(boxes_px), dtype=bool)
    merged, kept = [], []
    for index in range(len(boxes_px)):
        if not free[index]:
            continue
        voters = free & (iou[index] > 0.6)
        merged.append(np.average(boxes_px[voters], axis=0, weights=scores[voters]))
        kept.append(scores[index])
        free &= ~same[index]
    return np.array(merged).reshape(-1, 4), np.array(kept)
