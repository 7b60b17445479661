# SPDX-License-Identifier: Apache-2.0
"""Network cameras, measured against a real RTSP server (GStreamer's), for every reader that this machine has.

The camera is `gremsy_camera.trial.trial_camera`, a process of its own, which draws this machine's time into its
pictures. Where a media server (MediaMTX) is on PATH, stamps are measured through it too.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.bench_progress import report
from benchmarks.camera import camera_delays, stamp_errors, stream_costs
from benchmarks.camera.camera_readers import MeasuredReader, usable_readers
from gremsy_camera.trial.trial_camera import why_no_trial_camera
from gremsy_common.errors import SuiteError

# What the issue names without a reader is the worst of all readers.
_WORST = ('first_frame_s', 'reconnect_s', 'stall_noticed_s', 'decode_overhead_ms', 'cpu_over_opencv')


def run(options: argparse.Namespace) -> dict[str, Any]:
    """All figures, flat; those of one reader end in its name."""
    del options
    wanting = why_no_trial_camera()
    if wanting:
        raise SuiteError(wanting)
    with tempfile.TemporaryDirectory() as folder:
        readers, unusable = usable_readers(Path(folder))
        figures: dict[str, Any] = {'readers': [reader.name for reader in readers], 'readers_unusable': unusable}
        for reader in readers:
            report(f'{reader.name}: first frame, return, stall ...')
            figures |= _named(reader, camera_delays.measure(reader))
        for reader in readers:
            report(f'{reader.name}: decoding and its cost beside cv2.VideoCapture ...')
            figures |= _named(reader, stream_costs.measure(reader))
        for reader in readers:
            report(f'{reader.name}: stamps ...')
            figures |= _named(reader, stamp_errors.measure(reader))
        for reader in readers:
            report(f'{reader.name}: restarts ...')
            figures |= _named(reader, stream_costs.restarts(reader))
    return {**worst(figures), **figures}


def worst(figures: dict[str, Any]) -> dict[str, Any]:
    """The largest of all readers, under the name without one."""
    found: dict[str, Any] = {}
    names = [*_WORST, *{key.rpartition('_')[0] for key in figures if key.startswith('capture_error_ms_p95')}]
    for name in names:
        values = [figures[f'{name}_{reader}'] for reader in figures['readers'] if f'{name}_{reader}' in figures]
        numbers = [value for value in values if value is not None]
        found[name] = max(numbers) if numbers else None
    return dict(sorted(found.items()))


def _named(reader: MeasuredReader, figures: dict[str, Any]) -> dict[str, Any]:
    return {f'{name}_{reader.name}': value for name, value in figures.items()}
