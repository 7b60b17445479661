# SPDX-License-Identifier: Apache-2.0
"""What a base station gets of two robots over a network that loses one packet of a hundred, and what that takes."""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from benchmarks.bench_progress import report
from benchmarks.network.namespaces import HostProgram, Lan, NetworkHost
from benchmarks.network.network_robots import BOXES, DETECTIONS, base_station, listener_at, robot_of, server_at
from gremsy_bringup.describe.ros_network import LAN, SERVER

_RATE_HZ = 30.0
_SETTLE_S = 3.0
_LONGEST_S = 30.0
_SOON_S = 20.0
_STARTS = 8
_LOSSES = {'': 0.0, '_lossy': 0.01}
_ROBOTS = ('alpha', 'bravo')


def run(options: argparse.Namespace) -> dict[str, Any]:
    """For `lan` and `server`, without and with loss: arrival, age, bytes."""
    figures: dict[str, Any] = {'rate_hz': _RATE_HZ, 'boxes': BOXES}
    for kind in (LAN, SERVER):
        for ending, share in _LOSSES.items():
            report(f'two robots, {kind}, {100 * share:g} % lost ...')
            with Lan(*_ROBOTS, 'base') as hosts:
                measured = _measured(hosts, kind, share, min(options.duration, _LONGEST_S))
            figures |= {f'{kind}{ending}_{name}': value for name, value in measured.items()}
        report(f'{_STARTS} starts, {kind}, 1 % lost ...')
        figures[f'{kind}_lossy_starts_complete'] = sum(_is_complete(kind) for _ in range(_STARTS))
    return figures | {'starts': _STARTS}


def _is_complete(kind: str) -> bool:
    """Whether a base station that starts under loss hears both robots soon: discovery loses packets too."""
    with Lan(*_ROBOTS, 'base') as hosts:
        _, listener = _started(hosts, kind, _LOSSES['_lossy'])
        return all(listener.printed('heard', _SOON_S) for _ in _ROBOTS)


def _started(hosts: dict[str, NetworkHost], kind: str, share: float) -> tuple[dict[str, HostProgram], HostProgram]:
    """Two robots, and the base station's listener."""
    base = hosts['base']
    if share:
        for host in hosts.values():
            host.lose(share)
    settings = {'ROS_NETWORK': LAN}
    if kind == SERVER:
        settings = base_station(base)
        server_at(base)
    robots = {name: robot_of(hosts[name], settings, name, _RATE_HZ) for name in _ROBOTS}
    return robots, listener_at(base, settings, *(DETECTIONS.format(name) for name in _ROBOTS))


def _measured(hosts: dict[str, NetworkHost], kind: str, share: float, duration_s: float) -> dict[str, Any]:
    base = hosts['base']
    robots, listener = _started(hosts, kind, share)
    topics = {name: DETECTIONS.format(name) for name in _ROBOTS}
    heard_robots = sum([listener.printed('heard', _SOON_S) for _ in topics])
    time.sleep(_SETTLE_S)
    began_ns, before = time.time_ns(), base.traffic()
    time.sleep(duration_s)
    ended_ns, after = time.time_ns(), base.traffic()
    sent = {name: robot.result()['stamps'] for name, robot in robots.items()}
    heard = listener.result()['heard']
    ages_ms: list[float] = []
    asked = 0
    for name, topic in topics.items():
        meant = {str(stamp) for stamp in sent[name] if began_ns <= stamp < ended_ns}
        asked += len(meant)
        ages_ms += [age_ms for stamp, age_ms in heard[topic].items() if stamp in meant]
    took_s = (ended_ns - began_ns) * 1e-9
    return {
        'robots_heard': heard_robots,
        'sent': asked,
        'packets_lost': sum(host.lost_packets() for host in hosts.values()),
        'arrived': round(len(ages_ms) / max(asked, 1), 4),
        'age_ms_p50': round(float(np.percentile(ages_ms, 50)), 2),
        'age_ms_p99': round(float(np.percentile(ages_ms, 99)), 2),
        'to_base_kb_per_s': round((after.received_bytes - before.received_bytes) / took_s / 1e3, 1),
        'from_base_kb_per_s': round((after.sent_bytes - before.sent_bytes) / took_s / 1e3, 1),
    }
