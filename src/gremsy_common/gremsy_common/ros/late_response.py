# SPDX-License-Identifier: Apache-2.0
"""A service's response that is known only when its work is done, while the executor goes on with other things.

rclpy's own way, a callback that is a coroutine, does not work on EventsExecutor (Jazzy): it takes the coroutine for the
response, and ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from rclpy.impl.implementation_singleton import rclpy_implementation

Send = Callable[[Any], None]


class LateResponse:
    """What a callback of `SuiteNode.service` returns in place of the response."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._response: Any = None
        self._send: Send | None = None
        self._given = False

    def give(self, response: Any) -> None:
        """Respond, once, from any thread; where the service has ended in the meantime, the response is lost."""
        with self._lock:
            if self._given:
                raise ValueError('this request was answered already')
            self._response, self._given = response, True
            send = self._send
        if send is not None:
            send(response)

    def send_by(self, send: Send) -> None:
        """How it reaches the client: now, if it was given already."""
        with self._lock:
            self._send = send
            given = self._given
        if given:
            send(self._response)


def allow_late_responses(service: Any, lost: Callable[[], object]) -> None:
    """Let a service's callbacks return a `LateResponse`; `lost` is called for one after the service's end."""
    send_response = service.send_response

    def send_now_or_later(response: Any, header: Any) -> None:
        def send(late: Any) -> None:
            try:
                send_response(late, header)
            except rclpy_implementation.InvalidHandle:
                lost()

        if isinstance(response, LateResponse):
            response.send_by(send)
        else:
            send_response(response, header)

    service.send_response = send_now_or_later
