# SPDX-License-Identifier: Apache-2.0
"""The figures of a run as one flat JSON object."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gremsy_bringup.report.trace_join import Run, settled, true_error_rad
from gremsy_bringup.supervise.child_process import ProcessUsage

Array = NDArray[np.float64]

_PACKAGES = ('gremsy_bringup', 'numpy', 'opencv-python-headless', 'onnxruntime', 'pymavlink')


def summarise(run: Run, usage: Mapping[str, ProcessUsage], restarts: Mapping[str, int]) -> dict[str, Any]:
    """Keys carry their unit; None where there was nothing to measure.

    `pointing_error_*` is the angle from the tracker's estimate of the target to the true optical axis of the same
    image, `seen_error_*` the angle as the tracker itself saw it; both from 1.5 s after each lock. They say how well the
    loop points at what it believes; against reference tracks of the footage the benchmark `loop` measures.
    """
    chosen = settled(run.target, run.locks)
    error_deg = _finite(np.degrees(true_error_rad(run)[chosen]))
    seen_deg = _finite(np.degrees(run.target.error_rad[chosen]))
    first_ns = int(run.frame_stamps_ns[0]) if len(run.frame_stamps_ns) else 0
    stages = run.stages
    summary: dict[str, Any] = {
        'duration_s': _rounded(_span_s(run.frame_stamps_ns)),
        'frames': len(run.frame_stamps_ns),
        'fps': _rounded(_rate_hz(run.frame_stamps_ns)),
        'detections_per_s': _rounded(_rate_hz(run.detection_stamps_ns)),
        'commands': run.commands,
        'locks': [
            {
                'target_id': lock.target_id,
                'label': lock.label,
                'asked': lock.asked,
                'begin_s': _rounded((lock.begin_ns - first_ns) * 1e-9),
                'end_s': _rounded((lock.end_ns - first_ns) * 1e-9),
            }
            for lock in run.locks
        ],
        'lock_count': len(run.locks),
        'following_fraction': _rounded(float(np.mean(run.target.following))) if len(run.target.state) else None,
        'pointing_error_rms_deg': _root_mean_square(error_deg),
        'pointing_error_p99_deg': _percentile(error_deg, 99),
        'seen_error_rms_deg': _root_mean_square(seen_deg),
        'seen_error_p99_deg': _percentile(seen_deg, 99),
    }
    for name, values in {'latency': stages.latency, 'overhead': stages.overhead, **stages.parts}.items():
        key = name.replace(' ', '_')
        summary[f'{key}_ms_p50'] = _percentile(values, 50)
        summary[f'{key}_ms_p99'] = _percentile(values, 99)
    summary['restarts'] = dict(restarts)
    summary['rss_mb'] = {name: round(used.peak_rss_mb, 1) for name, used in usage.items()}
    summary['cpu_s'] = {name: round(used.cpu_s, 2) for name, used in usage.items()}
    return summary


def describe_machine() -> dict[str, Any]:
    """What the figures were measured on and how busy it was."""
    return {
        'cpu': _first_value(Path('/proc/cpuinfo'), 'model name') or platform.machine(),
        'cores': len(os.sched_getaffinity(0)),
        'memory_gb': round(os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 1e9, 1),
        'kernel': platform.release(),
        'load_1min': round(os.getloadavg()[0], 2),
    }


def describe_versions() -> dict[str, str]:
    """Of what decides over the figures."""
    versions = {'python': platform.python_version(), 'ros': os.environ.get('ROS_DISTRO', 'unnamed distribution')}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = 'not installed as a package'
    return versions


def _first_value(path: Path, key: str) -> str | None:
    for line in path.read_text(encoding='utf-8').splitlines():
        name, _, value = line.partition(':')
        if name.strip() == key:
            return value.strip()
    return None


def _finite(values: Array) -> Array:
    return np.asarray(values[np.isfinite(values)])


def _span_s(stamps_ns: NDArray[np.int64]) -> float:
    return float(stamps_ns[-1] - stamps_ns[0]) * 1e-9 if len(stamps_ns) else 0.0


def _rate_hz(stamps_ns: NDArray[np.int64]) -> float | None:
    span_s = _span_s(stamps_ns)
    return (len(stamps_ns) - 1) / span_s if span_s > 0 else None


def _root_mean_square(values: Array) -> float | None:
    return _rounded(math.sqrt(float(np.mean(values**2)))) if len(values) else None


def _percentile(values: Array, share: float) -> float | None:
    return _rounded(float(np.percentile(values, share))) if len(values) else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
