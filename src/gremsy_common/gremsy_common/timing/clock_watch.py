# SPDX-License-Identifier: Apache-2.0
"""Whether a simulated clock runs: without it no stamp can be compared, and nothing else reports that."""

from __future__ import annotations

# A bag or a simulator that publishes /clock does so ten times a second at least.
_PATIENCE_NS = 2_000_000_000


class ClockWatch:
    """Shown a simulated ROS clock some times a second; monotonic times come with it."""

    def __init__(self) -> None:
        self._since_ns: int | None = None
        self._ros_ns = 0

    def fault(self, ros_ns: int, monotonic_ns: int) -> str:
        """What is wrong, as a sentence; empty while the clock runs, or it is too early to tell."""
        if self._since_ns is None or ros_ns != self._ros_ns:
            self._since_ns, self._ros_ns = monotonic_ns, ros_ns
        if monotonic_ns - self._since_ns < _PATIENCE_NS:
            return ''
        if ros_ns == 0:
            return (
                '`use_sim_time` is set and nothing comes on /clock, so no stamp can be compared with now: start what '
                'publishes it (`ros2 bag play --clock 100`, a simulator), or set `use_sim_time` to false.'
            )
        return (
            '`use_sim_time` is set and /clock stands still, so everything that comes is as old as it was: let what '
            'publishes it continue.'
        )
