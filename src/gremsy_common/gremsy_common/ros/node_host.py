# SPDX-License-Identifier: Apache-2.0
"""What the nodes of one process share: the local bus, the thread on which ROS entities come and go, and more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from rclpy.task import Future

from gremsy_common.ros.transport.local_bus import LocalBus

S = TypeVar('S')


def make_executor() -> Any:
    """EventsExecutor where the distribution has it (one hop 0.4 ms p50), SingleThreadedExecutor on Humble (0.9 ms).

    Never MultiThreadedExecutor: 2.0 ms p50, 28 ms p99 (design.md section 5).
    """
    try:
        from rclpy.experimental.events_executor import EventsExecutor
    except ImportError:
        from rclpy.executors import SingleThreadedExecutor

        return SingleThreadedExecutor()
    return EventsExecutor()


class NodeHost:
    """Owns the executor and its thread; nodes are added before `start`."""

    def __init__(self, arguments: Sequence[str] = (), *, alone: bool = False) -> None:
        """Start nothing yet.

        Args:
            arguments: of the process, as rcl gets them.
            alone: whether one node is all that runs here.
        """
        self.arguments = tuple(arguments)
        self.alone = alone
        self.bus = LocalBus()
        self._shared: dict[type[Any], Any] = {}
        self._executor: Any = None
        self._thread: threading.Thread | None = None
        self._end: Future | None = None
        self._on_end: Callable[[], None] = lambda: None
        self.crash: Exception | None = None
        self.refusal: Exception | None = None
        self.stuck: tuple[Any, str] | None = None
        self.node_arguments: tuple[str, ...] = ()

    @contextmanager
    def placing(self, node_arguments: Sequence[str]) -> Iterator[None]:
        """Nodes made inside take these rcl arguments (`--ros-args -r __ns:=/robot`), which win over the process's."""
        before, self.node_arguments = self.node_arguments, tuple(node_arguments)
        try:
            yield
        finally:
            self.node_arguments = before

    def shared(self, kind: type[S]) -> S:
        """The one object of that type that the nodes of this process have together, made when first asked for.

        For what is neither a topic nor ROS's, as the models that several detectors run; nodes ask while they are made.
        """
        if kind not in self._shared:
            self._shared[kind] = kind()
        made: S = self._shared[kind]
        return made

    def start(self, nodes: list[Any], on_crash: Callable[[], None]) -> None:
        """Spin the nodes on a thread of their own; `on_crash` is called if the executor ever ends by itself.

        Also when a node gives up.
        """
        self._on_end = on_crash
        self._executor = make_executor()
        for node in nodes:
            self._executor.add_node(node)
        self._end = Future()

        def spin() -> None:
            try:
                # The one form that works in the Jazzy 7.1.6 and Kilted 9.1.2 wheels: any spin without a timeout runs
                # no callback, blocks every thread that creates an entity, and ignores SIGTERM.
                self._executor.spin_until_future_complete(self._end, timeout_sec=1e9)
            except Exception as error:  # noqa: BLE001 whatever ended it is what the process must say
                self.crash = error
                on_crash()

        self._thread = threading.Thread(target=spin, name='executor', daemon=True)
        self._thread.start()

    def give_up(self, error: Exception) -> None:
        """End the process as one that could not start: what was found only now could as well have been at the start."""
        self.refusal = self.refusal or error
        self._on_end()

    def abandon(self, node: Any, sentence: str) -> None:
        """End the process, since that node is stuck in what cannot be ended otherwise; who watches starts it again."""
        if self.stuck is None:
            self.stuck = (node, sentence)
            self._on_end()

    def call_soon(self, work: Callable[[], None]) -> None:
        """Run on the executor's thread: at once when this is it or nothing spins, else as a task."""
        if self._thread is None or not self._thread.is_alive() or threading.current_thread() is self._thread:
            work()
        else:
            self._executor.create_task(work)

    def stop(self) -> None:
        """End spinning and join; afterwards entities may be destroyed from this thread."""
        if self._thread is None:
            return
        assert self._end is not None
        self._end.set_result(None)
        # SingleThreadedExecutor looks at the future only after its next wake-up.
        self._executor.create_task(lambda: None)
        self._thread.join(timeout=5.0)
        self._thread = None

    def shutdown(self) -> None:
        """Let the executor go; after every node was destroyed."""
        if self._executor is not None:
            self._executor.shutdown()
            self._executor = None
