# SPDX-License-Identifier: Apache-2.0
"""Small objects in large images: the image is looked at in overlapping tiles, each at the network's full resolution.

An object that lies across the edge of a tile is seen there only in part. Such a part has a box that ends at that edge;
it gives way to a box that has the object whole, from the neighbour, which overlaps, or from the whole image.
Measured on 12 mosaics of four frames of vtest.avi each (1536x1152, 245 people who are found in the single frames, the
shipped model, 3x3 tiles, overlap 0.2): 244 are found instead of 179, and 9 boxes lie in another one instead of the 61
that plain suppression leaves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gremsy_common.boxes import areas, intersections
from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_detector.decode.candidates import Boxes, suppress
from gremsy_detector.image.region_of_interest import Window

# More runs of the network than this per image is a mistake: 0.05 s each would be 3 s.
_MOST_TILES = 64
# A box ends at an edge when it comes this near: a share of the box or of the window, whichever is more. Networks place
# the end of a cut object within a few per cent of where the picture stops, and small ones by a pixel of their input.
_CUT_WITHIN_BOX, _CUT_WITHIN_WINDOW = 0.05, 0.01
# A cut box is part of another when this much of it lies inside.
_PART_INSIDE = 0.7


@dataclass(frozen=True, slots=True)
class Tiling:
    """How an image is cut.

    Attributes:
        columns, rows: of tiles; 1 and 1 leave the image whole.
        overlap: of neighbouring tiles, as a share of a tile's side; objects smaller than it are whole in one tile.
        whole_too: detect in the whole image too, for the objects that are larger than a tile.
    """

    columns: int = 1
    rows: int = 1
    overlap: float = 0.2
    whole_too: bool = True

    @classmethod
    def parse(cls, tiles: tuple[int, ...], overlap: float, whole_too: bool) -> Tiling:
        """From the parameters `tiles`, `tile_overlap` and `tiles_and_whole`.

        Raises:
            ParameterError: when `tiles` is not two numbers, or too many tiles.
        """
        text = ', '.join(map(str, tiles))
        if len(tiles) != 2:
            raise ParameterError(f'Parameter `tiles` has {len(tiles)} numbers [{text}]: use two, columns and rows.')
        columns, rows = tiles
        if columns * rows > _MOST_TILES:
            raise ParameterError(
                f'Parameter `tiles` is [{text}], {columns * rows} runs of the network per image: '
                f'use at most {_MOST_TILES}.'
            )
        return cls(columns, rows, overlap, whole_too)

    @property
    def is_whole(self) -> bool:
        """Whether the image is left whole."""
        return self.columns == self.rows == 1

    def windows(self, area: Window) -> tuple[Window, ...]:
        """The windows to look at, the whole area last if it is among them; they lie inside the area and cover it."""
        if self.is_whole:
            return (area,)
        tiles = tuple(
            Window(area.x_px + left, area.y_px + top, right - left, bottom - top)
            for top, bottom in _spans(area.height_px, self.rows, self.overlap)
            for left, right in _spans(area.width_px, self.columns, self.overlap)
        )
        # An image too small to cut has the same window several times.
        unlike = tuple(dict.fromkeys(tiles))
        return (*unlike, area) if self.whole_too and unlike != (area,) else unlike


def merge(
    found: list[Boxes],
    windows: tuple[Window, ...],
    area: Window,
    *,
    iou: float,
    max_boxes: int,
    sure_above: float | NDArray[np.float32] = 0.0,
) -> Boxes:
    """The boxes of all windows as those of one image, best score first.

    Args:
        found: per window, in source pixels.
        windows: in which they were found.
        area: that was cut; its own edges cut nothing.
        iou: overlap above which the worse of two boxes of one class goes.
        max_boxes: most that are kept.
        sure_above: score, or (nc,) scores, above which a box is sure. Of the sure ones the same are left whether or not
            there are doubtful ones beside them.
    """
    boxes = Boxes(
        np.concatenate([each.corners_px for each in found]),
        np.concatenate([each.scores for each in found]),
        np.concatenate([each.classes for each in found]),
    )
    cut = np.concatenate([_is_cut(each, window, area) for each, window in zip(found, windows, strict=True)])
    sure = boxes.above(sure_above)
    # Whole before cut, whatever the scores: half a person may score better than the whole one.
    rank = (
        boxes.scores
        + np.where(cut, np.float32(0.0), np.float32(2.0))
        + np.where(sure, np.float32(4.0), np.float32(0.0))
    )
    stays = suppress(boxes.corners_px.astype(np.float32), rank, boxes.classes, iou=iou, max_boxes=len(boxes))
    boxes, cut, sure = boxes[stays], cut[stays], sure[stays]
    boxes = boxes[~_is_part(boxes, cut, sure)]
    return boxes[np.argsort(-boxes.scores, kind='stable')[:max_boxes]]


def _spans(size_px: int, count: int, overlap: float) -> list[tuple[int, int]]:
    """Where `count` overlapping tiles of one size begin and end; first edges are even (see `Region.window`)."""
    # count tiles of size s that share `overlap` of it with the next: s * (count - (count - 1) * overlap) = size.
    side_px = min(size_px, int(np.ceil(size_px / (count - (count - 1) * overlap) / 2)) * 2)
    firsts = (np.linspace(0, size_px - side_px, count) / 2).astype(int) * 2
    spans = [(int(first), int(first) + side_px) for first in firsts]
    # Rounding down to even may leave the last odd column out.
    spans[-1] = (spans[-1][0], size_px)
    return spans


def _is_cut(boxes: Boxes, window: Window, area: Window) -> NDArray[np.bool_]:
    """(N,): does the box end at an edge of its window where the area goes on?"""
    edges = _edges_px(window)
    inner = edges != _edges_px(area)
    sizes_px = np.tile(boxes.corners_px[:, 2:] - boxes.corners_px[:, :2], 2)
    window_px = np.array([window.width_px, window.height_px] * 2, dtype=np.float64)
    within_px = np.maximum(_CUT_WITHIN_BOX * sizes_px, _CUT_WITHIN_WINDOW * window_px)
    near: NDArray[np.bool_] = np.abs(boxes.corners_px - edges) <= within_px
    return (near & inner).any(axis=1)


def _edges_px(window: Window) -> NDArray[np.float64]:
    right, bottom = window.x_px + window.width_px, window.y_px + window.height_px
    return np.array([window.x_px, window.y_px, right, bottom], dtype=np.float64)


def _is_part(boxes: Boxes, cut: NDArray[np.bool_], sure: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N,): is it a cut box (`cut`, (N,)) that lies, for the most part, in a larger box of its class?

    A doubtful box makes no sure one a part of it (`sure`, (N,)).
    """
    parts = np.flatnonzero(cut)
    is_part = np.zeros(len(boxes), dtype=np.bool_)
    if len(parts) == 0:
        return is_part
    area = areas(boxes.corners_px)
    inside = intersections(boxes.corners_px[parts, None], boxes.corners_px) > _PART_INSIDE * area[parts, None]
    larger = area[None, :] > area[parts, None]
    same = boxes.classes[parts][:, None] == boxes.classes[None, :]
    believed = sure[None, :] | ~sure[parts, None]
    is_part[parts] = (inside & larger & same & believed).any(axis=1)
    return is_part
