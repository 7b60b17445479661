# SPDX-License-Identifier: Apache-2.0
"""The numbers of robot and server in Prometheus's text format (version 0.0.4)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gremsy_web.robot.readiness import ReadinessPart
from gremsy_web.robot.robot_picture import RobotPicture

CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
_LATENCY = re.compile(r'(?P<stage>.+) latency (?P<quantile>p50|p99) \(ms\)')
_RATE = re.compile(r'(?P<stage>.+) rate \(Hz\)')


@dataclass(frozen=True, slots=True)
class Sample:
    """One line."""

    name: str
    value: float
    labels: Mapping[str, str]


_HELP = {
    'gremsy_ready': ('gauge', '1 while that part works.'),
    'gremsy_camera_age_seconds': ('gauge', 'Time since the newest image.'),
    'gremsy_camera_rate_hertz': ('gauge', 'Images a second.'),
    'gremsy_detector_rate_hertz': ('gauge', 'Results a second.'),
    'gremsy_gimbal_attitude_age_seconds': ('gauge', 'Time since the newest attitude of the gimbal.'),
    'gremsy_gimbal_armed': ('gauge', '1 while the gimbal may move.'),
    'gremsy_node_level': ('gauge', '0 OK, 1 warning, 2 error, 3 stale.'),
    'gremsy_stage_latency_seconds': ('gauge', 'Latency of one stage of a node, over its last 512 items.'),
    'gremsy_stage_rate_hertz': ('gauge', 'Rate of one stage of a node, items per second.'),
    'gremsy_viewers': ('gauge', 'Pages that report on their video.'),
    'gremsy_viewer_delay_seconds': ('gauge', 'From the capture to the screen, as the pages measure it.'),
    'gremsy_viewer_rate_hertz': ('gauge', 'Frames a second on the screen.'),
    'gremsy_viewer_frames_with_boxes_ratio': ('gauge', 'Share of the frames shown that had their own boxes.'),
    'gremsy_viewer_freezes': ('gauge', 'How often the video froze, over the present viewers.'),
    'gremsy_web_live_clients': ('gauge', 'Sockets on /api/live.'),
    'gremsy_web_live_dropped_total': ('counter', 'Live messages replaced by newer ones before they were sent.'),
    'gremsy_web_live_too_slow_total': ('counter', 'Sockets closed because they read nothing for too long.'),
    'gremsy_web_requests_refused_total': ('counter', 'Requests over the rate limit.'),
    'gremsy_web_motions_expired_total': ('counter', 'Motions ended by their time to live.'),
    'gremsy_web_takeovers_total': ('counter', 'Controls taken over from somebody else.'),
}


def robot_samples(picture: RobotPicture, parts: Iterable[ReadinessPart], now_s: float) -> list[Sample]:
    """Of the robot; the server adds its own."""
    samples = [Sample('gremsy_ready', float(part.ready), {'part': part.name}) for part in parts]
    for camera in picture.cameras.values():
        labels = {'camera': camera.name}
        age_s = camera.frames.age_s(now_s)
        if age_s is not None:
            samples.append(Sample('gremsy_camera_age_seconds', age_s, labels))
        samples.append(Sample('gremsy_camera_rate_hertz', camera.frames.rate_hz(now_s), labels))
        samples.append(Sample('gremsy_detector_rate_hertz', camera.results.rate_hz(now_s), labels))
    age_s = picture.attitude_arrivals.age_s(now_s)
    if age_s is not None:
        samples.append(Sample('gremsy_gimbal_attitude_age_seconds', age_s, {}))
    samples.append(Sample('gremsy_gimbal_armed', float(picture.control.armed), {}))
    for node in picture.nodes():
        samples.append(Sample('gremsy_node_level', float(node.level), {'node': node.name}))
        for key, value in node.values.items():
            samples += _stage(node.name, key, value)
    return samples


def prometheus_text(samples: Iterable[Sample]) -> str:
    """Families together, each with its help and type."""
    families: dict[str, list[Sample]] = {}
    for sample in samples:
        families.setdefault(sample.name, []).append(sample)
    lines = []
    for name, family in families.items():
        kind, words = _HELP[name]
        lines += [f'# HELP {name} {words}', f'# TYPE {name} {kind}']
        for sample in family:
            labels = ','.join(f'{key}="{_escaped(value)}"' for key, value in sample.labels.items())
            lines.append(f'{name}{{{labels}}} {sample.value:.9g}' if labels else f'{name} {sample.value:.9g}')
    return '\n'.join(lines) + '\n'


def _stage(node: str, key: str, value: str) -> list[Sample]:
    latency, rate = _LATENCY.fullmatch(key), _RATE.fullmatch(key)
    try:
        if latency:
            labels = {'node': node, 'stage': latency['stage'], 'quantile': f'0.{latency["quantile"][1:]}'}
            return [Sample('gremsy_stage_latency_seconds', float(value) / 1000.0, labels)]
        if rate:
            return [Sample('gremsy_stage_rate_hertz', float(value), {'node': node, 'stage': rate['stage']})]
    except ValueError:
        # Another node's row that only looks like one of ours.
        return []
    return []


def _escaped(text: str) -> str:
    return text.replace('\\', '\\\\').replace('"', '\\"').replace('\n', '\\n')
