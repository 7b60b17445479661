# SPDX-License-Identifier: Apache-2.0
"""The picture with what the tracker thinks of it: boxes, names, the lock, where it aims, and how well it does.

Everything is drawn in units of the picture's height, so that 640x480 and 1080p look alike.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from gremsy_tracker.pointing_view import PointingView
from gremsy_tracker.target_lock import LockState

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

# BGR. One warm colour for the target alone; everything else stays cool, so that the eye finds it at once.
_LOCKED: Colour = (40, 170, 255)
_COASTING: Colour = (120, 190, 235)
_TRACK: Colour = (215, 190, 110)
_INK: Colour = (245, 245, 245)
_SHADE: Colour = (28, 24, 20)
_STATE_COLOURS: dict[LockState, Colour] = {
    LockState.IDLE: (190, 190, 190),
    LockState.SEARCHING: _TRACK,
    LockState.TRACKING: (130, 215, 120),
    LockState.COASTING: _COASTING,
    LockState.LOST: (90, 90, 235),
}
_FONT = cv2.FONT_HERSHEY_SIMPLEX
# Sub-pixel drawing: coordinates are given in sixteenths of a pixel.
_SHIFT = 4
_SUB = 1 << _SHIFT


def draw_overlay(image: Image, view: PointingView) -> Image:
    """A new BGR image of the same size with the overlay; (height, width, 3) or (height, width) uint8 is only read."""
    canvas: Image = np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image.copy(), np.uint8)
    pen = _Pen(canvas)
    target_row = _row_of_target(view)
    for row in range(len(view.ids)):
        if row != target_row:
            pen.box(view.boxes_px[row], _TRACK, 1.0)
            pen.tag(view.boxes_px[row], _name(view, row), _TRACK, bold=False)
    pen.crosshair()
    if target_row is not None:
        pen.brackets(view.boxes_px[target_row], _LOCKED)
        pen.tag(view.boxes_px[target_row], _name(view, target_row), _LOCKED, bold=True)
    if view.predicted_px is not None:
        pen.aim(view.predicted_px, _LOCKED if target_row is not None else _COASTING)
    pen.status(view)
    return pen.canvas


def _row_of_target(view: PointingView) -> int | None:
    if view.status.state is not LockState.TRACKING:
        return None
    rows = np.flatnonzero(view.ids == view.status.target_id)
    return int(rows[0]) if len(rows) else None


def _name(view: PointingView, row: int) -> str:
    return f'{view.labels[row]} {view.ids[row]}  {100 * view.scores[row]:.0f}%'


class _Pen:
    """Draws on one canvas, with lengths as multiples of 1/480 of its height."""

    def __init__(self, canvas: Image) -> None:
        self.canvas = canvas
        self.height, self.width = canvas.shape[:2]
        self.unit = max(0.5, self.height / 480)

    def box(self, box_px: NDArray[np.float64], colour: Colour, thickness: float) -> None:
        if not np.isfinite(box_px).all():
            return
        (x0, y0), (x1, y1) = self._point(*box_px[:2]), self._point(*box_px[2:])
        cv2.rectangle(self.canvas, (x0, y0), (x1, y1), colour, self._width(thickness), cv2.LINE_AA, _SHIFT)

    def brackets(self, box_px: NDArray[np.float64], colour: Colour) -> None:
        """The four corners of a box, over a dark edge that keeps them readable on any background."""
        if not np.isfinite(box_px).all():
            return
        x0, y0, x1, y1 = box_px
        arm = min(0.3 * (x1 - x0), 0.3 * (y1 - y0), 22 * self.unit)
        for ink, thickness in ((_SHADE, 4.5), (colour, 2.5)):
            for x, y, dx, dy in ((x0, y0, arm, arm), (x1, y0, -arm, arm), (x0, y1, arm, -arm), (x1, y1, -arm, -arm)):
                self._line((x, y), (x + dx, y), ink, thickness)
                self._line((x, y), (x, y + dy), ink, thickness)

    def tag(self, box_px: NDArray[np.float64], text: str, colour: Colour, *, bold: bool) -> None:
        """A name on a plate above the box, below its upper edge where there is no room above."""
        if not np.isfinite(box_px).all():
            return
        scale = (0.42 if bold else 0.36) * self.unit
        (text_width, text_height), _ = cv2.getTextSize(text, _FONT, scale, self._width(1.0))
        pad = 3 * self.unit
        x0 = float(np.clip(box_px[0], 0, max(0.0, self.width - text_width - 2 * pad)))
        y1 = box_px[1] - 2 * self.unit
        if y1 - text_height - 2 * pad < 0:
            y1 = max(box_px[1], 0.0) + text_height + 2 * pad + 2 * self.unit
        plate = (x0, y1 - text_height - 2 * pad, x0 + text_width + 2 * pad, y1)
        if bold:
            self._plate(plate, colour, 0.92)
            self._text(text, x0 + pad, y1 - pad, scale, _SHADE)
        else:
            self._plate(plate, _SHADE, 0.55)
            self._text(text, x0 + pad, y1 - pad, scale, colour)

    def crosshair(self) -> None:
        """The optical axis, its middle left open."""
        x, y, near, far = self.width / 2, self.height / 2, 7 * self.unit, 20 * self.unit
        for ink, thickness in ((_SHADE, 2.6), (_INK, 1.1)):
            for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                self._line((x + near * dx, y + near * dy), (x + far * dx, y + far * dy), ink, thickness)

    def aim(self, place_px: NDArray[np.float64], colour: Colour) -> None:
        """Where the target is predicted, joined to the crosshair by a thin line: the pointing error."""
        x, y = (float(each) for each in place_px)
        radius = 6 * self.unit
        gap = math.hypot(x - self.width / 2, y - self.height / 2)
        if gap > 2 * radius:
            share = 1 - radius / gap
            middle = (self.width / 2, self.height / 2)
            end = (middle[0] + (x - middle[0]) * share, middle[1] + (y - middle[1]) * share)
            self._line(middle, end, colour, 1.0)
        for ink, thickness in ((_SHADE, 3.2), (colour, 1.6)):
            centre = self._point(x, y)
            cv2.circle(self.canvas, centre, round(radius * _SUB), ink, self._width(thickness), cv2.LINE_AA, _SHIFT)

    def status(self, view: PointingView) -> None:
        """One strip along the lower edge: state and target at the left, figures at the right."""
        height, pad, scale = 24 * self.unit, 9 * self.unit, 0.46 * self.unit
        top = self.height - height
        self._plate((0, top, self.width, self.height), _SHADE, 0.62)
        base = self.height - 8 * self.unit
        colour = _STATE_COLOURS[view.status.state]
        cv2.circle(
            self.canvas,
            self._point(pad + 3 * self.unit, top + height / 2),
            round(4 * self.unit * _SUB),
            colour,
            -1,
            cv2.LINE_AA,
            _SHIFT,
        )
        words = view.status.state.value.upper()
        if view.status.target_id is not None:
            words += f'  {view.status.label} {view.status.target_id}'.rstrip()
        if not view.enabled:
            words += '  (not enabled)'
        self._text(words, pad + 12 * self.unit, base, scale, _INK)
        figures = []
        if view.error_rad is not None:
            figures.append(f'error {math.degrees(view.error_rad):.2f} deg')
        if view.latency_s is not None:
            figures.append(f'latency {1e3 * view.latency_s:.0f} ms')
        figures.append(f'zoom {view.zoom:.1f}x')
        text = '   '.join(figures)
        text_width = cv2.getTextSize(text, _FONT, scale, self._width(1.0))[0][0]
        self._text(text, self.width - text_width - pad, base, scale, _INK)

    def _plate(self, box: tuple[float, float, float, float], colour: Colour, share: float) -> None:
        x0, y0 = max(0, math.floor(box[0])), max(0, math.floor(box[1]))
        x1, y1 = min(self.width, math.ceil(box[2])), min(self.height, math.ceil(box[3]))
        if x1 <= x0 or y1 <= y0:
            return
        under = self.canvas[y0:y1, x0:x1]
        cv2.addWeighted(np.full_like(under, colour), share, under, 1 - share, 0.0, dst=under)

    def _text(self, text: str, x: float, y: float, scale: float, colour: Colour) -> None:
        cv2.putText(self.canvas, text, (round(x), round(y)), _FONT, scale, colour, self._width(1.0), cv2.LINE_AA)

    def _line(self, a: tuple[float, float], b: tuple[float, float], colour: Colour, thickness: float) -> None:
        cv2.line(self.canvas, self._point(*a), self._point(*b), colour, self._width(thickness), cv2.LINE_AA, _SHIFT)

    def _width(self, thickness: float) -> int:
        return max(1, round(thickness * self.unit))

    @staticmethod
    def _point(x: float, y: float) -> tuple[int, int]:
        # OpenCV counts pixel centres as whole numbers, the suite counts corners: half a pixel between them.
        limit = 1 << 24  # a box far outside the picture must not overflow the fixed point
        fixed = np.clip([(x - 0.5) * _SUB, (y - 0.5) * _SUB], -limit, limit)
        return round(float(fixed[0])), round(float(fixed[1]))
