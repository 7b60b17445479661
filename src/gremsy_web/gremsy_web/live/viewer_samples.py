# SPDX-License-Identifier: Apache-2.0
"""What the viewers measure of their video, for Prometheus: of all who watch a camera, so that no viewer has a label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from gremsy_web.live.live_hub import LiveClient, Painted
from gremsy_web.robot.prometheus_text import Sample

# By the names that the page sends.
_DELAY, _RATE, _SHOWN, _MATCHED, _FREEZES = 'total_ms', 'framesPerSecond', 'shown', 'matched', 'freezeCount'


def viewer_samples(clients: Iterable[LiveClient]) -> list[Sample]:
    """Of each camera that somebody told of."""
    by_camera: dict[str, list[Painted]] = {}
    for client in list(clients):
        if client.painted is not None:
            by_camera.setdefault(client.painted.camera, []).append(client.painted)
    samples = []
    for camera, painted in sorted(by_camera.items()):
        samples.append(Sample('gremsy_viewers', len(painted), {'camera': camera}))
        delays_s = [each / 1000.0 for each in _values(painted, _DELAY)]
        if delays_s:
            samples += [
                Sample('gremsy_viewer_delay_seconds', median(delays_s), {'camera': camera, 'of': 'median'}),
                Sample('gremsy_viewer_delay_seconds', max(delays_s), {'camera': camera, 'of': 'worst'}),
            ]
        rates_hz = _values(painted, _RATE)
        if rates_hz:
            samples.append(Sample('gremsy_viewer_rate_hertz', min(rates_hz), {'camera': camera, 'of': 'worst'}))
        shown = sum(_values(painted, _SHOWN))
        if shown > 0.0:
            share = sum(_values(painted, _MATCHED)) / shown
            samples.append(Sample('gremsy_viewer_frames_with_boxes_ratio', share, {'camera': camera}))
        samples.append(Sample('gremsy_viewer_freezes', sum(_values(painted, _FREEZES)), {'camera': camera}))
    return samples


def _values(painted: Sequence[Painted], name: str) -> list[float]:
    return [each.stats[name] for each in painted if name in each.stats]
