# SPDX-License-Identifier: Apache-2.0
"""Looks at the suite from outside while a fault is there: its readiness by HTTP, its diagnostics by ROS."""

from __future__ import annotations

import http.client
import json
import threading
import time
from types import TracebackType

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.qos import QoSProfile

from benchmarks.faults.fault_figures import DiagnosticRecord, ReadySample
from gremsy_common.ros.node_host import NodeHost

_PERIOD_S = 0.1
_ANSWER_S = 0.5


class FaultWatch:
    """A context manager, inside of a `TrialSuite`, whose operator has joined the ROS domain.

    Attributes:
        samples: of /health/ready, ten a second.
        diagnostics: what was not OK on /diagnostics.
        rows: the newest key and value rows of each node.
    """

    def __init__(self, port: int) -> None:
        self.samples: list[ReadySample] = []
        self.diagnostics: list[DiagnosticRecord] = []
        self.rows: dict[str, dict[str, str]] = {}
        self._port = port
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._ask, name='fault watch', daemon=True)
        self._node: Node | None = None
        self._host = NodeHost()

    def __enter__(self) -> FaultWatch:
        self._node = Node('fault_watch')
        self._node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, QoSProfile(depth=50))
        self._host.start([self._node], on_crash=lambda: None)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()
        self._host.stop()
        if self._node is not None:
            self._node.destroy_node()
        self._host.shutdown()

    def _on_diagnostics(self, array: DiagnosticArray) -> None:
        now_s = time.monotonic()
        for status in array.status:
            level = status.level[0] if isinstance(status.level, bytes) else int(status.level)
            rows = self.rows[status.name] = {row.key: row.value for row in status.values}
            last = rows.get('last error', '')
            if level != DiagnosticStatus.OK[0] or last:
                self.diagnostics.append(
                    DiagnosticRecord(now_s, status.name, level, ' | '.join(filter(None, (status.message, last))))
                )

    def _ask(self) -> None:
        while not self._end.wait(_PERIOD_S):
            self.samples.append(self._sample())

    def _sample(self) -> ReadySample:
        connection = http.client.HTTPConnection('127.0.0.1', self._port, timeout=_ANSWER_S)
        try:
            connection.request('GET', '/health/ready')
            content = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            return ReadySample(time.monotonic(), answered=False, ready=False)
        finally:
            connection.close()
        reasons = {part['name']: part['reason'] for part in content['parts'] if not part['ready']}
        warnings = {part['name']: part['warning'] for part in content['parts'] if part['warning']}
        return ReadySample(time.monotonic(), True, content['ready'], reasons, warnings)
