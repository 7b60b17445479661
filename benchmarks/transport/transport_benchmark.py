# SPDX-License-Identifier: Apache-2.0
"""Images from node to node, measured: by reference in one process, and between processes beside plain rclpy nodes."""

from __future__ import annotations

import argparse
import os
import time
import tracemalloc
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench_progress import report, wait_until
from benchmarks.transport.transport_nodes import RATE_HZ, Times, running_loop
from benchmarks.transport.transport_processes import busy_cores, environment, pair, process, result_of
from gremsy_common.ros.hosting import prepare_process
from gremsy_common.types.frame import Frame

_FRAMES = 300
_WARM_UP_S = 1.0
_PATIENCE_S = 20.0
_ROUNDS = 3


def run(options: argparse.Namespace) -> dict[str, Any]:
    """All figures of the issue, flat."""
    del options
    os.environ.update(environment(profile=False))
    prepare_process()
    report('by reference, nothing else running ...')
    alone = _loop()
    figures: dict[str, Any] = {
        'handoff_ms_p50': _percentile(alone.handoff_ms(), 50),
        'handoff_ms_p99': _percentile(alone.handoff_ms(), 99),
    }
    figures['handoff_on_core_ms_p99'] = _percentile(alone.handoff_on_core_ms(), 99)
    report('by reference, all cores busy ...')
    with busy_cores(os.cpu_count() or 1):
        loaded = _loop()
    figures['handoff_loaded_ms_p50'] = _percentile(loaded.handoff_ms(), 50)
    figures['handoff_loaded_ms_p99'] = _percentile(loaded.handoff_ms(), 99)
    report('what is copied ...')
    figures |= _copied()
    figures['publish_unsubscribed_us'] = _publish_unsubscribed_us()
    figures |= _outside_subscriber()
    figures |= _between_processes()
    return figures


def _loop(size: str = '1080p', frames: int = _FRAMES) -> Times:
    with running_loop(size) as (_, times):
        _warm(times)
        time.sleep(frames / RATE_HZ)
    return times


def _warm(times: Times) -> None:
    """What happens only once (imports, first allocations, discovery) is not what is asked for."""
    time.sleep(_WARM_UP_S)
    for each in (times.taken_s, times.result_s):
        each.clear()


def _copied() -> dict[str, Any]:
    """Whether the detector's pixels lie where the camera's do, and what Python and NumPy allocate during that."""
    figures: dict[str, Any] = {}
    for size in ('1080p', '4k'):
        tracemalloc.start()
        with running_loop(size) as (camera, times):
            time.sleep(_WARM_UP_S)
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            time.sleep(_WARM_UP_S)
            _, peak = tracemalloc.get_traced_memory()
            picture = camera.pictures[0].nbytes
        tracemalloc.stop()
        moved = sum(there != here for here, there in (times.data[at] for at in times.taken_s))
        figures[f'bytes_copied_{size}'] = moved * picture
        figures[f'allocated_bytes_peak_{size}'] = peak - before
        figures[f'picture_bytes_{size}'] = picture
    figures['bytes_copied'] = figures['bytes_copied_1080p'] + figures['bytes_copied_4k']
    return figures


def _publish_unsubscribed_us() -> float:
    """Median of handing a 1080p frame to a publisher to which nobody listens."""
    with running_loop('1080p', watched=False) as (camera, _):
        time.sleep(_WARM_UP_S)
        took_s = []
        for _ in range(1000):
            frame = Frame(camera.pictures[0], camera.now_ns(), 'eo')
            begin_s = time.perf_counter()
            camera.images.publish(frame)
            took_s.append(time.perf_counter() - begin_s)
    return _rounded(np.median(took_s) * 1e6)


def _outside_subscriber() -> dict[str, Any]:
    """How much later the loop's results are with an outside subscriber of raw images; rounds in turn, medians."""
    late: dict[str, list[NDArray[np.float64]]] = {'alone': [], 'watched': [], 'held': []}
    seen: list[int] = []
    for number in range(_ROUNDS):
        report(f'an outside subscriber of raw images, round {number + 1} of {_ROUNDS} ...')
        for name in late:
            with running_loop('1080p', held=name == 'held') as (camera, times):
                if name == 'alone':
                    _warm(times)
                    time.sleep(_FRAMES / 2 / RATE_HZ)
                else:
                    with process(['plain-viewer'], environment(profile=False)) as viewer:
                        outside = camera.images
                        watched = partial(getattr, outside, 'outside_subscribers')
                        wait_until(watched, 'no viewer came', 'transport benchmark', _PATIENCE_S)
                        _warm(times)
                        time.sleep(_FRAMES / 2 / RATE_HZ)
                        if name == 'watched':
                            # What was sent while it ends it does not see.
                            sent = outside.outside.items
                            seen.append(sent - len(result_of(viewer)['latencies_ms']))
            late[name].append(times.result_late_ms())
    figures: dict[str, Any] = {}
    for percent in (50, 99):
        by_name = {name: [float(np.percentile(each, percent)) for each in runs] for name, runs in late.items()}
        for name, key in (('watched', 'outside_subscriber_cost'), ('held', 'outside_subscriber_cost_of_rclpy')):
            costs = [with_it - alone for with_it, alone in zip(by_name[name], by_name['alone'], strict=True)]
            figures[f'{key}_ms_p{percent}'] = _rounded(np.median(costs))
    figures['outside_subscriber_lost'] = max(0, int(np.median(seen)))
    return figures


def _between_processes() -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for key, kind, profile in (
        ('dds', 'own', True),
        ('dds_default', 'plain', False),
        ('dds_default_sensor', 'sensor', False),
    ):
        report(f'two processes, {kind}, {"shipped profile" if profile else "default settings"} ...')
        seen = pair(kind, _FRAMES, profile=profile)
        figures[f'{key}_lost'] = seen['lost']
        figures[f'{key}_latency_ms_p50'] = _rounded(seen['p50_ms'])
        figures[f'{key}_latency_ms_p99'] = _rounded(seen['p99_ms'])
    return figures


def _percentile(values: NDArray[np.float64], percent: float) -> float:
    return _rounded(np.percentile(values, percent))


def _rounded(value: Any) -> float:
    return round(float(value), 3)
