# SPDX-License-Identifier: Apache-2.0
"""Lines, boxes and text that can be read on snow and at night: every stroke has a dark edge.

Lengths are in units of 1/480 of the picture's height (1/640 of its width where that is less), so that 640x480, 1080p
and 4K look alike. Places are in the suite's pixels: (0, 0) is the corner of the first pixel.

Where a box's name goes: beside its box, inside the picture, on no other name and not on the state bar.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import Array

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]
Place = tuple[float, float]

SHADE: Colour = (24, 20, 16)  # BGR, like every colour here
_FONT = cv2.FONT_HERSHEY_SIMPLEX
# Sub-pixel drawing: coordinates are given in sixteenths of a pixel.
_SHIFT = 4
_SUB = 1 << _SHIFT
_DASH, _GAP = 9.0, 6.0
_LEAST_UNIT = 0.5
_EDGE = 0.9  # of the dark edge on either side of a stroke
_ELIDED = '..'


class Pen:
    """Draws on one canvas.

    Attributes:
        canvas: (height, width, 3) uint8, drawn upon.
        width: columns, px.
        height: rows, px.
        unit: px of one unit.
    """

    def __init__(self, canvas: Image) -> None:
        self.canvas = canvas
        self.height, self.width = canvas.shape[:2]
        self.unit = max(_LEAST_UNIT, min(self.height / 480, self.width / 640))

    def shows(self, box_px: Array) -> bool:
        """Whether any of a box (4,) lies in the picture; not so for one that is no number."""
        if not bool(np.isfinite(box_px).all()):
            return False
        x0, y0, x1, y1 = box_px.tolist()
        return x0 < self.width and y0 < self.height and x1 > 0.0 and y1 > 0.0

    # Strokes, each over its dark edge.

    def lines(self, ends: list[tuple[Place, Place]], colour: Colour, thickness: float) -> None:
        """Straight lines; all edges first, so that none lies on a neighbour's ink."""
        inked = self._strokes(thickness)
        edged = inked + 2 * self._strokes(_EDGE)
        for ink, width in ((SHADE, edged), (colour, inked)):
            for a, b in ends:
                cv2.line(self.canvas, _fixed(*a), _fixed(*b), ink, width, cv2.LINE_AA, _SHIFT)

    def box(self, box_px: Array, colour: Colour, thickness: float, *, dashed: bool = False, edge: bool = True) -> None:
        """A rectangle (4,), dashed for what is not seen; without its dark edge it draws no eye."""
        # Far outside, the edges are out of sight: cut there, a huge box costs no more dashes than the picture has.
        far = 20 * self.unit
        limits = np.array([self.width + far, self.height + far] * 2)
        x0, y0, x1, y1 = np.clip(box_px, -far, limits).tolist()
        if dashed:
            corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
            sides = zip(corners, corners[1:] + corners[:1], strict=True)
            self.lines([piece for side in sides for piece in self._dashes(*side)], colour, thickness)
            return
        inked = self._strokes(thickness)
        strokes = ((SHADE, inked + 2 * self._strokes(_EDGE)), (colour, inked))
        for ink, width in strokes if edge else strokes[1:]:
            cv2.rectangle(self.canvas, _fixed(x0, y0), _fixed(x1, y1), ink, width, cv2.LINE_AA, _SHIFT)

    def brackets(self, box_px: Array, colour: Colour, thickness: float) -> None:
        """The four corners of a box (4,)."""
        x0, y0, x1, y1 = box_px.tolist()
        side = min(x1 - x0, y1 - y0)
        arm = min(max(0.3 * side, 5 * self.unit), side / 2, 22 * self.unit)  # of a small box, most of it
        ends = []
        for x, y, dx, dy in ((x0, y0, arm, arm), (x1, y0, -arm, arm), (x0, y1, arm, -arm), (x1, y1, -arm, -arm)):
            ends += [((x, y), (x + dx, y)), ((x, y), (x, y + dy))]
        self.lines(ends, colour, thickness)

    def circle(self, place: Place, radius: float, colour: Colour, thickness: float) -> None:
        """A ring, `radius` in units; filled where the thickness is 0."""
        centre, fixed = _fixed(*place), round(radius * self.unit * _SUB)
        edge = self._strokes(_EDGE)
        inked = self._strokes(thickness) if thickness else 0
        cv2.circle(self.canvas, centre, fixed, SHADE, inked + 2 * edge, cv2.LINE_AA, _SHIFT)
        cv2.circle(self.canvas, centre, fixed, colour, inked or -1, cv2.LINE_AA, _SHIFT)

    def arrowhead(self, tip: Place, direction: Place, colour: Colour) -> None:
        """A filled triangle that points to where something is, out of the picture."""
        dx, dy = direction
        length, half = 16 * self.unit, 7 * self.unit
        back = (tip[0] - length * dx, tip[1] - length * dy)
        corners = [tip, (back[0] - half * dy, back[1] + half * dx), (back[0] + half * dy, back[1] - half * dx)]
        points = np.array([_fixed(*corner) for corner in corners], dtype=np.int32)
        cv2.polylines(self.canvas, [points], True, SHADE, 1 + 2 * self._strokes(_EDGE), cv2.LINE_AA, _SHIFT)
        cv2.fillConvexPoly(self.canvas, points, colour, cv2.LINE_AA, _SHIFT)

    # Areas and words.

    def plate(self, box: tuple[float, float, float, float], colour: Colour, share: float) -> None:
        """An area tinted by that share."""
        x0, y0 = max(0, math.floor(box[0])), max(0, math.floor(box[1]))
        x1, y1 = min(self.width, math.ceil(box[2])), min(self.height, math.ceil(box[3]))
        if x1 <= x0 or y1 <= y0:
            return
        under = self.canvas[y0:y1, x0:x1]
        cv2.addWeighted(np.full_like(under, colour), share, under, 1.0 - share, 0.0, dst=under)

    def frame(self, colour: Colour, thickness: float) -> None:
        """A border around the whole picture."""
        width = min(self._strokes(thickness), max(1, min(self.height, self.width) // 8))
        self.canvas[:width], self.canvas[-width:] = colour, colour
        self.canvas[:, :width], self.canvas[:, -width:] = colour, colour

    def text(self, text: str, place: Place, scale: float, colour: Colour, *, edge: bool = True) -> None:
        """Words that begin at the left end of their base line."""
        at = (round(place[0]), round(place[1]))
        inked = self._strokes(1.0)
        if edge:
            width = inked + 2 * self._strokes(_EDGE)
            # Nobody sees whether the edge is smooth, and smooth it takes three times as long.
            cv2.putText(self.canvas, _plain(text), at, _FONT, scale * self.unit, SHADE, width, cv2.LINE_8)
        cv2.putText(self.canvas, _plain(text), at, _FONT, scale * self.unit, colour, inked, cv2.LINE_AA)

    def text_size(self, text: str, scale: float) -> tuple[int, int]:
        """Width and height above the base line, px."""
        (width, height), _ = cv2.getTextSize(_plain(text), _FONT, scale * self.unit, self._strokes(1.0))
        return int(width), int(height)

    def fitted(self, text: str, scale: float, width_px: float) -> str:
        """The text, or as much of its beginning as fits, with two dots; empty where not even those fit."""
        if self.text_size(text, scale)[0] <= width_px:
            return text
        short, long = 0, len(text)
        while short < long:
            middle = (short + long + 1) // 2
            if self.text_size(text[:middle] + _ELIDED, scale)[0] <= width_px:
                short = middle
            else:
                long = middle - 1
        return text[:short].rstrip() + _ELIDED if short else ''

    def _strokes(self, thickness: float) -> int:
        return max(1, round(thickness * self.unit))

    def _dashes(self, a: Place, b: Place) -> list[tuple[Place, Place]]:
        length = math.hypot(b[0] - a[0], b[1] - a[1])
        if length == 0.0:
            return []
        # A whole number of dashes and gaps, and a dash at both ends: the corners are what makes it a box.
        count = max(1, round((length / self.unit + _GAP) / (_DASH + _GAP)))
        share = _DASH / (count * _DASH + (count - 1) * _GAP)
        step = (1.0 - share) / (count - 1) if count > 1 else 0.0

        def at(part: float) -> Place:
            return a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part

        return [(at(number * step), at(number * step + share)) for number in range(count)]


def _plain(text: str) -> str:
    """OpenCV's font has ASCII only, and draws a question mark for each byte of anything else."""
    return ''.join(each if ' ' <= each <= '~' else '?' for each in text)


def _fixed(x: float, y: float) -> tuple[int, int]:
    # OpenCV counts pixel centres as whole numbers, the suite counts corners: half a pixel between them.
    limit = 1 << 24  # a box far outside the picture must not overflow the fixed point
    return (
        round(min(max((x - 0.5) * _SUB, -limit), limit)),
        round(min(max((y - 0.5) * _SUB, -limit), limit)),
    )


class TagPlacer:
    """Hands out places, first come, first served: ask for the most important box first.

    Args:
        width: of the picture, px.
        height: of the picture, px.
        taken: (4,) x_min, y_min, x_max, y_max of what is covered already, px.
    """

    def __init__(self, width: int, height: int, taken: Array) -> None:
        self._limits = np.array([0.0, taken[3], width, height])
        self._taken = [taken]

    def place(self, box_px: Array, size_px: tuple[float, float], *, always: bool = False) -> Array | None:
        """(4,) of a tag of that size for a box (4,), None where every place is taken (unless `always`)."""
        width, height = size_px
        x0, y0, x1, y1 = box_px.tolist()
        # Above and below, flush with either side, then within: where people look for it first.
        corners = np.array(
            [
                [x0, y0 - height],
                [x0, y1],
                [x1 - width, y0 - height],
                [x1 - width, y1],
                [x0, y0],
                [x0, y1 - height],
            ]
        )
        # A box half outside keeps its tag in sight.
        least, most = self._limits[:2], np.maximum(self._limits[:2], self._limits[2:] - np.array([width, height]))
        inside = np.clip(corners, least, most)
        moved = np.abs(inside - corners)
        places = np.concatenate([inside, inside + np.array([width, height])], axis=1)
        taken = np.array(self._taken)
        over = (places[:, None, :2] < taken[None, :, 2:]) & (places[:, None, 2:] > taken[None, :, :2])
        free = ~np.any(np.all(over, axis=2), axis=1) & (places[:, 3] <= self._limits[3])
        # Above the picture's top is not above the box: pushed down, the tag would hide it. Sideways is no harm.
        best = free & (moved[:, 1] < 0.5)
        if not free.any() and not always:
            return None
        found: Array = places[int(np.argmax(best if best.any() else free))]
        self._taken.append(found)
        return found
