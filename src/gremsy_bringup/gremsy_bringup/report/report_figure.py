# SPDX-License-Identifier: Apache-2.0
"""The picture of a run: pointing error, gimbal against target in both axes, and where the latency goes, over time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gremsy_bringup.report.trace_join import STAGES, Run, settled, true_error_rad
from gremsy_common.errors import SuiteError

Array = NDArray[np.float64]

# Okabe and Ito's palette, which colour-blind readers can tell apart.
_BLUE, _ORANGE, _GREY = '#0072B2', '#D55E00', '#666666'
_STAGE_COLOURS = ('#56B4E9', '#DDDDDD', '#009E73', '#0072B2', '#F0E442', '#CC79A7', '#D55E00')
_BIN_S = 1.0


class FigureUnavailable(SuiteError):
    """The picture cannot be drawn on this machine."""


def draw(run: Run, path: Path, title: str) -> None:
    """Write the PNG.

    Raises:
        FigureUnavailable: without matplotlib, an optional extra.
    """
    try:
        # Not pyplot: it would look for a display and keep global state.
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise FigureUnavailable(
            'The picture of the run needs matplotlib, which is not installed: run `./gremsy setup --extra report`.'
        ) from error
    figure = Figure(figsize=(11, 11), dpi=110, layout='constrained')
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=12)
    axes = figure.subplots(4, 1, sharex=True, height_ratios=(1.1, 1.2, 1.0, 1.2))
    start_ns = int(run.frame_stamps_ns[0]) if len(run.frame_stamps_ns) else 0
    for axis in axes[:3]:
        _shade_locks(axis, run, start_ns)
    _draw_error(axes[0], run, start_ns)
    _draw_angle(axes[1], run, start_ns, 'azimuth_rad', 1.0, 'azimuth [deg], left +')
    _draw_angle(axes[2], run, start_ns, 'tilt_rad', -1.0, 'elevation [deg], up +')
    _draw_latency(axes[3], run, start_ns)
    for axis in axes:
        axis.grid(visible=True, color='#E5E5E5', linewidth=0.6)
        axis.set_axisbelow(True)
        axis.spines[['top', 'right']].set_visible(False)
    axes[3].set_xlabel('time [s]')
    if len(run.frame_stamps_ns):
        axes[3].set_xlim(0.0, max(1.0, (int(run.frame_stamps_ns[-1]) - start_ns) * 1e-9))
    figure.savefig(path)


def _seconds(stamps_ns: NDArray[np.int64], start_ns: int) -> Array:
    return np.asarray((stamps_ns - start_ns) * 1e-9)


def _shade_locks(axis: Any, run: Run, start_ns: int) -> None:
    for index, lock in enumerate(run.locks):
        begin_s, end_s = (lock.begin_ns - start_ns) * 1e-9, (lock.end_ns - start_ns) * 1e-9
        axis.axvspan(begin_s, end_s, color='#CFE3F2' if index % 2 == 0 else '#E3EEDB', linewidth=0, zorder=0)


def _draw_error(axis: Any, run: Run, start_ns: int) -> None:
    target = run.target
    chosen = settled(target, run.locks)
    seconds, error_deg = _seconds(target.stamps_ns, start_ns), np.degrees(true_error_rad(run))
    axis.plot(seconds, _gaps(error_deg, target.following), color=_BLUE, linewidth=1.0, label='target to optical axis')
    good = error_deg[chosen & np.isfinite(error_deg)]
    if len(good):
        rms = float(np.sqrt(np.mean(good**2)))
        label = f'RMS from 1.5 s after each lock: {rms:.2f} deg'
        axis.axhline(rms, color=_ORANGE, linewidth=1.2, linestyle='--', label=label)
        # The way to a new target is far out; what matters is what happens after it.
        axis.set_ylim(0.0, max(2.0, 1.4 * float(np.percentile(good, 99.5))))
        _mark_cut(axis, seconds, _gaps(error_deg, target.following))
    for lock in run.locks:
        if lock.end_ns - lock.begin_ns > 1_000_000_000:
            place = (lock.begin_ns - start_ns) * 1e-9
            axis.annotate(
                f'#{lock.target_id}',
                (place, 1.0),
                xycoords=('data', 'axes fraction'),
                xytext=(2, -9),
                textcoords='offset points',
                fontsize=8,
                color=_GREY,
                annotation_clip=True,
            )
    axis.set_ylabel('pointing error [deg]')
    axis.legend(loc='upper right', fontsize=8, framealpha=0.9)


def _mark_cut(axis: Any, seconds: Array, error_deg: Array) -> None:
    """An arrow at the upper edge where the line goes on above it, and in words how far."""
    top = axis.get_ylim()[1]
    beyond = np.nan_to_num(error_deg) > top
    begins = np.flatnonzero(beyond & ~np.concatenate([[False], beyond[:-1]]))
    if len(begins) == 0:
        return
    axis.plot(
        seconds[begins],
        np.full(len(begins), 0.97 * top),
        linestyle='none',
        marker='^',
        markersize=6,
        color=_BLUE,
        label=f'goes on above, up to {float(np.nanmax(error_deg)):.0f} deg (on the way to a target)',
    )


def _draw_angle(axis: Any, run: Run, start_ns: int, name: str, sign: float, label: str) -> None:
    target, camera = run.target, run.axis
    estimate_deg = sign * np.degrees(getattr(target, name))
    seconds = _seconds(target.stamps_ns, start_ns)
    axis.plot(
        seconds,
        _gaps(estimate_deg, target.following),
        color=_ORANGE,
        linewidth=2.2,
        alpha=0.75,
        label="target's bearing (estimate)",
    )
    axis.plot(
        _seconds(camera.stamps_ns, start_ns),
        sign * np.degrees(getattr(camera, name)),
        color=_BLUE,
        linewidth=1.0,
        label='gimbal, true',
    )
    axis.set_ylabel(label)
    axis.legend(loc='best', fontsize=8, framealpha=0.9)


def _draw_latency(axis: Any, run: Run, start_ns: int) -> None:
    stages = run.stages
    axis.set_ylabel('capture to wire [ms]')
    if len(stages.stamps_ns) == 0:
        return
    seconds = _seconds(stages.stamps_ns, start_ns)
    edges = np.arange(0.0, seconds[-1] + _BIN_S, _BIN_S)
    place = np.digitize(seconds, edges) - 1
    count = np.bincount(place, minlength=len(edges))
    # NaN where no frame led to a command: the area breaks there instead of bridging it.
    divisor = np.where(count > 0, count, np.nan)

    def mean(values: Array) -> Array:
        return np.asarray(np.bincount(place, weights=values, minlength=len(edges)) / divisor)

    named = np.stack([mean(stages.parts[name]) for name in STAGES])
    rest = np.maximum(0.0, mean(stages.latency) - named.sum(axis=0))
    axis.stackplot(
        edges + _BIN_S / 2,
        np.vstack([named, rest]),
        labels=[*STAGES, 'hand-over'],
        colors=[*_STAGE_COLOURS, '#999999'],
        linewidth=0,
    )
    worst = float(np.percentile(stages.latency, 99))
    axis.plot(seconds, stages.latency, '.', color='black', markersize=1.5, alpha=0.35, label='each frame')
    axis.set_ylim(0.0, 1.15 * worst)
    axis.legend(loc='upper center', bbox_to_anchor=(0.5, -0.22), fontsize=8, ncols=9, frameon=False)


def _gaps(values: Array, where: NDArray[np.bool_]) -> Array:
    """NaN outside `where`, so that a line breaks there."""
    return np.asarray(np.where(where, values, np.nan))
