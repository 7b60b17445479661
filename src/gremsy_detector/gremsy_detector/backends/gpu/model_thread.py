# SPDX-License-Identifier: Apache-2.0
"""The one thread that runs a model, for libraries that keep memory for every thread that ever ran one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from gremsy_common.timing.worker import yield_to_others
from gremsy_detector.errors import InferenceError

T = TypeVar('T')
# As the node's own worker: an operator that CUDA lacks is computed here, on the CPU.
_NICENESS = 5
# A run that hangs must not keep the model from closing; the daemon thread then ends with the process.
_PATIENCE_S = 10.0


class ModelThread:
    """Runs one job at a time, on a thread of its own.

    Handing over takes 12 us on two busy x86-64 cores, and about 0.1 ms where a core has to wake up for it (H200).

    Not a `ThreadPoolExecutor`: the interpreter waits at its end for those threads, also for one that hangs.
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def do(self, job: Callable[[], T]) -> T:
        """What `job` returns or raises on the thread; from any other thread.

        Raises:
            InferenceError: when the model was closed.
        """
        done: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise InferenceError('The model was closed in the meantime: open it again.')
            self._jobs.put((job, done))
        return done.result()

    def close(self) -> bool:
        """Wait for the jobs that were handed over, for a while; harmless twice.

        Returns:
            Whether they are done. Where one hangs, its memory is still in use.
        """
        with self._lock:
            self._closed = True
            self._jobs.put(None)
        self._thread.join(_PATIENCE_S)
        return not self._thread.is_alive()

    def _work(self) -> None:
        yield_to_others(_NICENESS)
        while (given := self._jobs.get()) is not None:
            _answer(*given)
            # Nothing of the last job is held until the next.
            del given


def _answer(job: Callable[[], Any], done: Future[Any]) -> None:
    try:
        done.set_result(job())
    except BaseException as error:  # noqa: BLE001 whatever it is, it is the caller's
        done.set_exception(error)
