# SPDX-License-Identifier: Apache-2.0
"""`python -m gremsy_bringup.robot_doctor.doctor_telemetry_node SECONDS`: what a running graph says in that time.

One JSON object: the topics, each node's newest words of /diagnostics, and of every topic with a stamp how often it
comes and how old it is. No picture is asked for.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from statistics import quantiles
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy

# All of them are small: no camera's load grows because somebody looks.
_STAMPED = (
    'sensor_msgs/msg/Imu',
    'sensor_msgs/msg/JointState',
    'sensor_msgs/msg/CameraInfo',
    'geometry_msgs/msg/TwistStamped',
    'geometry_msgs/msg/Vector3Stamped',
    'vision_msgs/msg/Detection2DArray',
)
_STEP_S = 0.1
_STAY = QoSProfile(depth=20, reliability=ReliabilityPolicy.BEST_EFFORT)


class _Arrivals:
    """Of one topic."""

    def __init__(self) -> None:
        self.times_s: list[float] = []
        self.ages_ms: list[float] = []

    def take(self, message: Any, now_ns: int) -> None:
        stamp = message.header.stamp
        self.times_s.append(time.monotonic())
        self.ages_ms.append((now_ns - stamp.sec * 10**9 - stamp.nanosec) / 1e6)

    def summary(self, seconds: float) -> dict[str, object]:
        pauses = [later - earlier for earlier, later in zip(self.times_s, self.times_s[1:], strict=False)]
        cuts = quantiles(self.ages_ms, n=100) if len(self.ages_ms) > 1 else self.ages_ms * 99
        return {
            'messages': len(self.times_s),
            'rate_hz': round(len(self.times_s) / seconds, 2),
            'longest_pause_ms': round(max(pauses) * 1e3, 1) if pauses else None,
            'age_ms_p50': round(cuts[49], 1) if cuts else None,
            'age_ms_p99': round(cuts[98], 1) if cuts else None,
        }


def listen(node: Any, spin_once: Callable[[float], None], seconds: float) -> dict[str, object]:
    """For so long; topics that appear in the meantime count from then on."""
    arrived: dict[str, _Arrivals] = {}
    words: dict[str, dict[str, object]] = {}

    def diagnostics(message: Any) -> None:
        for status in message.status:
            level = status.level[0] if isinstance(status.level, bytes) else int(status.level)
            values = {pair.key: pair.value for pair in status.values}
            words[status.name] = {'level': level, 'message': status.message, 'values': values}

    node.create_subscription(DiagnosticArray, '/diagnostics', diagnostics, 50)

    def subscribe(name: str, kind: str) -> None:
        package, _, message = kind.partition('/msg/')
        arrivals = arrived.setdefault(name, _Arrivals())

        def take(each: Any) -> None:
            arrivals.take(each, node.get_clock().now().nanoseconds)

        node.create_subscription(getattr(importlib.import_module(f'{package}.msg'), message), name, take, _STAY)

    began = time.monotonic()
    while time.monotonic() - began < seconds:
        for name, kinds in node.get_topic_names_and_types():
            if name not in arrived and kinds[0] in _STAMPED and node.count_publishers(name):
                subscribe(name, kinds[0])
        spin_once(_STEP_S)
    topics = {
        name: {'type': kinds[0], 'publishers': node.count_publishers(name), 'subscribers': node.count_subscribers(name)}
        for name, kinds in sorted(node.get_topic_names_and_types())
    }
    return {
        'seconds': seconds,
        'rates': {name: arrivals.summary(seconds) for name, arrivals in sorted(arrived.items())},
        'diagnostics': words,
        'topics': topics,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print it."""
    (seconds,) = sys.argv[1:] if arguments is None else arguments
    rclpy.init(args=[])
    node = rclpy.create_node('gremsy_doctor')
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        print(json.dumps(listen(node, executor.spin_once, float(seconds))))
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown()


if __name__ == '__main__':
    main()
