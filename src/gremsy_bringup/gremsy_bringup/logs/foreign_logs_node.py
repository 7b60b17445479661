# SPDX-License-Identifier: Apache-2.0
"""Node `foreign_logs`: /rosout -> its output, for who gathers that of all processes and has no other way to theirs.

Each record waits a second, in which the process that said it is read too, where that is one of the suite's: what is in
its output is left out by `log_writer`.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque

from rcl_interfaces.msg import Log
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from gremsy_bringup.logs.foreign_logs_parameters import ForeignLogsParameters
from gremsy_bringup.logs.log_record import LEVELS
from gremsy_bringup.logs.log_writer import HEARD_FIELD
from gremsy_common.log_lines import DEFAULT_FORM, FORM_VARIABLE, console_line, split_fields, with_fields
from gremsy_common.ros.hosting import run_node
from gremsy_common.ros.suite_node import SuiteNode

_TOPIC = '/rosout'
_WAIT_S = 1.0
_PERIOD_S = 0.1
# As rcl publishes it; what was said in the ten seconds before this node came is kept for it.
_QUALITY = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class ForeignLogsNode(SuiteNode[ForeignLogsParameters]):
    """Repeats what is logged on /rosout."""

    node_name = 'foreign_logs'
    parameters_type = ForeignLogsParameters

    def configure(self) -> None:
        """In which form."""
        self._form = os.environ.get(FORM_VARIABLE) or DEFAULT_FORM
        self._waiting: deque[tuple[float, Log]] = deque()

    def activate(self) -> None:
        """/rosout -> waiting -> output."""
        self._subscription = self.create_subscription(Log, _TOPIC, self._on_record, _QUALITY)
        self.every(_PERIOD_S, self._show)

    def deactivate(self) -> None:
        """Show the rest."""
        self.destroy_subscription(self._subscription)
        self._show(at_the_end=True)

    def _on_record(self, record: Log) -> None:
        if not self.parameters.leaves_out(record.name):
            self._waiting.append((time.monotonic(), record))

    def _show(self, *, at_the_end: bool = False) -> None:
        lines = []
        while self._waiting and (at_the_end or time.monotonic() - self._waiting[0][0] > _WAIT_S):
            lines.append(self._line(self._waiting.popleft()[1]))
            self.diagnostics.count('records of /rosout')
        if lines:
            sys.stdout.write('\n'.join([*lines, '']))
            sys.stdout.flush()

    def _line(self, record: Log) -> str:
        message, fields = split_fields(record.msg)
        said = with_fields(message, **{**fields, HEARD_FIELD: _TOPIC})
        # 10 is debug, 20 info ... 50 fatal; what is between is the one below.
        level = LEVELS[min(max(record.level // 10 - 1, 0), len(LEVELS) - 1)]
        time_ns = record.stamp.sec * 10**9 + record.stamp.nanosec
        return console_line(self._form, level, record.name, time_ns, said)


def main() -> None:
    """`ros2 run gremsy_bringup foreign_logs_node`."""
    run_node(ForeignLogsNode)


if __name__ == '__main__':
    main()
