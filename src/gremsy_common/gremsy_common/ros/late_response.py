# SPDX-License-Identifier: Apache-2.0
"""A service's response that is known only when its work is done, while the executor goes on with other things.

rclpy's own way, a callback that is a coroutine, does not work on EventsExecutor (Jazzy): it takes the coroutine for the
response, and ends.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from rclpy.impl.implementation_singleton import rclpy_implementation


def allow_late_responses(service: Any, lost: Callable[[], object]) -> None:
    """Let a service's callbacks return a future of the response; `lost` is called for one after the service's end."""
    send_response = service.send_response

    def send_now_or_later(response: Any, header: Any) -> None:
        def send(late: Any) -> None:
            try:
                send_response(late, header)
            except rclpy_implementation.InvalidHandle:
                lost()

        if isinstance(response, Future):
            response.add_done_callback(lambda done: send(done.result()))
        else:
            send_response(response, header)

    service.send_response = send_now_or_later
