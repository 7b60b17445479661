# SPDX-License-Identifier: Apache-2.0
"""The picture with what the tracker thinks of it: boxes, names, the lock, where it aims, and how well it does.

Colours are those of Okabe & Ito (2008, "Color Universal Design"), which stay apart for the colour-blind, and none is
the only sign of anything: the target has brackets, a prediction is dashed, the state is written out.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import Array
from gremsy_tracker.display.overlay_pen import SHADE, Colour, Image, Pen, Place, TagPlacer
from gremsy_tracker.display.tracker_view import TrackerView
from gremsy_tracker.lock.target_lock import LockState

# BGR. One warm colour for the target alone; everything else stays cool, so that the eye finds it at once.
_TARGET: Colour = (0, 159, 230)
_COASTING: Colour = (66, 228, 240)
_TRACK: Colour = (233, 180, 86)
_TRACK_INK: Colour = (250, 218, 164)  # lighter: thin strokes look darker than they are
_DIM: Colour = (150, 145, 140)  # of a class that is not followed
_ALARM: Colour = (60, 110, 240)
_INK: Colour = (245, 245, 245)
_STATE_COLOURS: dict[LockState, Colour] = {
    LockState.IDLE: (170, 170, 170),
    LockState.SEARCHING: _TRACK,
    LockState.TRACKING: _TARGET,
    LockState.COASTING: _COASTING,
    LockState.LOST: _ALARM,
}
# The state bar: height and text in units, see `overlay_pen`.
_BAR, _PAD = 40.0, 8.0
_STATE_SCALE, _FIGURE_SCALE, _REASON_SCALE, _TARGET_SCALE, _TRACK_SCALE = 0.48, 0.42, 0.4, 0.44, 0.38
# Nothing can be read in a smaller picture, so nothing is written there.
_LEAST_WRITTEN_PX = 64


def draw_overlay(image: NDArray[np.generic], view: TrackerView) -> Image:
    """A new (height, width, 3) BGR uint8 image with the overlay.

    Args:
        image: (height, width) or (height, width, 1) grey, (height, width, 3) BGR or (height, width, 4) BGRA; uint8, or
            uint16 whose upper byte is shown. Only read.
        view: the tracker's state at the image's stamp.

    Raises:
        ValueError: for any other array.
    """
    pen = Pen(_canvas(image))
    axis = _optical_axis(pen, view)
    target_row = _row_of_target(view)
    written = min(pen.width, pen.height) >= _LEAST_WRITTEN_PX
    bar = (0.0, 0.0, float(pen.width), _BAR * pen.unit if written else 0.0)
    shown = [row for row in range(len(view.tracks.ids)) if row != target_row and pen.shows(view.tracks.boxes_px[row])]
    target_box = _target_box(view, target_row)
    if target_box is not None and (not pen.shows(target_box) or target_box[3] <= bar[3]):
        target_box = None  # an arrow points to it
    # What is not followed lies below what is.
    for row in sorted(shown, key=lambda each: _is_followed(view, each)):
        if _is_followed(view, row):
            pen.box(view.tracks.boxes_px[row], _TRACK, 1.2)
        else:
            pen.box(view.tracks.boxes_px[row], _DIM, 1.0, edge=False)
    if view.predicted_px is not None:
        _draw_aim(pen, axis, view, bar[3])
    _draw_crosshair(pen, axis)
    if target_box is not None and target_row is not None:
        pen.brackets(target_box, _TARGET, 2.2)
    elif target_box is not None:
        pen.box(target_box, _COASTING, 1.8, dashed=True)
    if written:
        _write_tags(pen, view, shown, target_row, target_box, np.array(bar))
        _write_bar(pen, view, bar)
    if view.status.state is LockState.LOST:
        pen.frame(_ALARM, 3.0)
    return pen.canvas


def _canvas(image: NDArray[np.generic]) -> Image:
    pixels = image
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)  # type: ignore[operator]
    channels = 1 if pixels.ndim == 2 else pixels.shape[-1]
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or channels not in (1, 3, 4) or 0 in pixels.shape:
        raise ValueError(f'an image of shape {image.shape} and type {image.dtype} is neither grey nor BGR nor BGRA.')
    if channels == 3:
        return np.array(pixels, dtype=np.uint8, order='C')
    conversion = cv2.COLOR_GRAY2BGR if channels == 1 else cv2.COLOR_BGRA2BGR
    return np.asarray(cv2.cvtColor(np.asarray(pixels, np.uint8), conversion), np.uint8)


def _optical_axis(pen: Pen, view: TrackerView) -> Place:
    camera = view.camera
    if camera is None or (camera.width, camera.height) != (pen.width, pen.height):
        return pen.width / 2, pen.height / 2
    return camera.centre_x_px, camera.centre_y_px


def _row_of_target(view: TrackerView) -> int | None:
    if view.status.state is not LockState.TRACKING:
        return None
    rows = np.flatnonzero(view.tracks.ids == view.status.target_id)
    return int(rows[0]) if len(rows) else None


def _is_followed(view: TrackerView, row: int) -> bool:
    return not view.followed_classes or str(view.tracks.labels[row]) in view.followed_classes


def _target_box(view: TrackerView, target_row: int | None) -> Array | None:
    """(4,) where it was seen, else where it should be by now."""
    if target_row is not None:
        box: Array = view.tracks.boxes_px[target_row]
        return box
    if not view.status.state.follows or view.predicted_px is None or view.target_size_px is None:
        return None
    return np.concatenate([view.predicted_px - view.target_size_px / 2, view.predicted_px + view.target_size_px / 2])


def _draw_crosshair(pen: Pen, axis: Place) -> None:
    """The optical axis, its middle left open."""
    x, y = axis
    near, far = 7 * pen.unit, 20 * pen.unit
    ends = [((x + near * dx, y + near * dy), (x + far * dx, y + far * dy)) for dx, dy in _FOUR_WAYS]
    pen.lines(ends, _INK, 1.3)


_FOUR_WAYS = ((1, 0), (-1, 0), (0, 1), (0, -1))


def _draw_aim(pen: Pen, axis: Place, view: TrackerView, top: float) -> None:
    """Where the target is predicted, joined to the crosshair: the pointing error. Out of sight, an arrow towards it."""
    assert view.predicted_px is not None
    x, y = (float(each) for each in view.predicted_px)
    colour = _TARGET if view.status.state is LockState.TRACKING else _COASTING
    dx, dy = x - axis[0], y - axis[1]
    gap, radius = math.hypot(dx, dy), 6.0
    if 0.0 <= x < pen.width and 0.0 <= y < pen.height:
        if gap > 2 * radius * pen.unit:
            share = 1.0 - radius * pen.unit / gap
            start = 22 * pen.unit / gap  # the crosshair stays free
            if start < share:
                ends = (axis[0] + dx * start, axis[1] + dy * start), (axis[0] + dx * share, axis[1] + dy * share)
                pen.lines([ends], colour, 1.0)
        pen.circle((x, y), radius, colour, 1.8)
        return
    if gap == 0.0:
        return  # the axis itself lies outside: there is no direction to show
    margin = 6 * pen.unit
    room = [
        (limit - start) / step
        for start, step, low, high in ((axis[0], dx, 0.0, pen.width), (axis[1], dy, top, pen.height))
        for limit in ((high - margin) if step > 0 else (low + margin),)
        if step
    ]
    reach = max(0.0, min(room))
    pen.arrowhead((axis[0] + dx * reach, axis[1] + dy * reach), (dx / gap, dy / gap), colour)


def _write_tags(
    pen: Pen, view: TrackerView, shown: list[int], target_row: int | None, target_box: Array | None, bar: Array
) -> None:
    placer = TagPlacer(pen.width, pen.height, bar)
    if target_box is not None:
        colour = _COASTING if target_row is None else _TARGET
        name = _name(view.status.label, view.status.target_id) + ('  not seen' if target_row is None else '')
        if target_row is not None:
            name += f'  {_percent(view.tracks.scores[target_row])}'
        name = pen.fitted(name, _TARGET_SCALE, pen.width / 2)
        size, pad = _tag_size(pen, name, _TARGET_SCALE, 4.0)
        place = placer.place(_outside(pen, target_box), size, always=True)
        assert place is not None
        pen.plate(tuple(place.tolist()), colour, 0.94)
        pen.text(name, (place[0] + pad, place[3] - pad), _TARGET_SCALE, SHADE, edge=False)
    # Always in the same order, so that names do not jump; where they would lie upon each other, the newest go without,
    # and who is not followed before who is.
    for row in sorted(shown, key=lambda each: (not _is_followed(view, each), int(view.tracks.ids[each]))):
        name = pen.fitted(_name(str(view.tracks.labels[row]), int(view.tracks.ids[row])), _TRACK_SCALE, pen.width / 3)
        size, pad = _tag_size(pen, name, _TRACK_SCALE, 2.5)
        place = placer.place(_outside(pen, view.tracks.boxes_px[row]), size)
        if place is not None:
            followed = _is_followed(view, row)
            ink = _TRACK_INK if followed else _DIM
            pen.text(name, (place[0] + pad, place[3] - pad), _TRACK_SCALE, ink, edge=followed)


def _outside(pen: Pen, box_px: Array) -> Array:
    """The box and its stroke."""
    edge = 2.5 * pen.unit
    grown: Array = box_px + np.array([0.0, -edge, 0.0, edge])
    return grown


def _tag_size(pen: Pen, name: str, scale: float, pad: float) -> tuple[tuple[float, float], float]:
    width, height = pen.text_size(name, scale)
    return (width + 2 * pad * pen.unit, height + 2 * pad * pen.unit), pad * pen.unit


def _write_bar(pen: Pen, view: TrackerView, bar: tuple[float, float, float, float]) -> None:
    """Along the upper edge: state and target, figures at the right; below, whether it moves, and why so."""
    unit, pad = pen.unit, _PAD * pen.unit
    pen.plate(bar, SHADE, 0.74)
    figures = _figures(view)
    figures_left = pen.width - pad
    while figures:
        text = '   '.join(figures)
        figures_left = pen.width - pad - pen.text_size(text, _FIGURE_SCALE)[0]
        if figures_left > 0.35 * pen.width:
            pen.text(text, (figures_left, 16 * unit), _FIGURE_SCALE, _INK, edge=False)
            break
        figures.pop(0)
    colour = _STATE_COLOURS[view.status.state]
    pen.circle((pad + 3 * unit, 11.5 * unit), 4.0, colour, 0.0)
    left = pad + 13 * unit
    words = f'{view.status.state.value.upper()}  {_name(view.status.label, view.status.target_id)}'.rstrip()
    words = pen.fitted(words, _STATE_SCALE, figures_left - left - 2 * pad)
    pen.text(words, (left, 16 * unit), _STATE_SCALE, colour, edge=False)
    motion = pen.fitted(_motion(view), _REASON_SCALE, pen.width - left - pad)
    pen.text(motion, (left, 33 * unit), _REASON_SCALE, _INK if view.enabled else _COASTING, edge=False)


def _figures(view: TrackerView) -> list[str]:
    """The least important first: they go where there is no room."""
    figures = [f'zoom {view.zoom:.1f}x']
    if view.latency_s is not None:
        figures.append(f'latency {1e3 * view.latency_s:.0f} ms')
    if view.error_rad is not None:
        figures.append(f'error {math.degrees(view.error_rad):.2f} deg')
    return figures


def _motion(view: TrackerView) -> str:
    """Whether the gimbal is asked to move, why not, and why the lock is as it is."""
    reason, why = view.status.reason, view.still_because
    if not view.enabled:
        return f'pointing is OFF  ({reason})'
    if not why:
        return f'not moved: {view.unused_because}  ({reason})' if view.unused_because else f'moving  ({reason})'
    return f'still: {reason}' if reason and reason in why else f'still: {why}  ({reason})'


def _name(label: str, track_id: int | None) -> str:
    return label if track_id is None else f'{label} {track_id}'.strip()


def _percent(score: float) -> str:
    return f'{100 * float(score):.0f}%' if math.isfinite(score) else '?'
