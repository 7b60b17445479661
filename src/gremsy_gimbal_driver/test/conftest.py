# SPDX-License-Identifier: Apache-2.0
"""A simulated payload in real time on a thread, for the tests that need a wire."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.payload import SimulatedPayload
from gremsy_gimbal_sim.wire.ports import PtyPort, UdpPort


class LivePayload:
    """Served by its own thread until closed; `rate_commands` are (s of time.monotonic, azimuth, tilt rad/s)."""

    def __init__(self, port: UdpPort | PtyPort, options: PayloadOptions | None = None) -> None:
        self.port = port
        self.port.open()
        self.payload = SimulatedPayload(options, start_s=time.monotonic())
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def uri(self) -> str:
        if isinstance(self.port, UdpPort):
            return f'udp://127.0.0.1:{self.port.port}'
        return f'serial://{self.port.path}'

    @property
    def rate_commands(self) -> list[tuple[float, float, float]]:
        return list(self.payload.rate_commands)

    @property
    def angles_rad(self) -> tuple[float, float]:
        state = self.payload.true_state(0)
        return state.azimuth_rad, state.tilt_rad

    def close(self) -> None:
        self._end.set()
        self._thread.join()
        self.port.close()

    def _serve(self) -> None:
        while not self._end.is_set():
            readable, _, _ = select.select([self.port.fileno()], [], [], 0.002)
            if readable:
                self.payload.receive(self.port.read(), time.monotonic(), self.port.is_datagram)
            messages = self.payload.advance(time.monotonic())
            if messages:
                self.port.write(messages)


StartPayload = Callable[..., LivePayload]


@pytest.fixture
def start_payload() -> Iterator[StartPayload]:
    """Start a payload on `udp` (a port, 0 for any) or on `pty` (a name for it, '' for none)."""
    started: list[LivePayload] = []

    def start(udp: int | None = None, pty: str = '', options: PayloadOptions | None = None) -> LivePayload:
        live = LivePayload(PtyPort(pty) if udp is None else UdpPort('127.0.0.1', udp), options)
        started.append(live)
        return live

    yield start
    for live in started:
        live.close()


@pytest.fixture(params=['udp', 'pty'])
def payload(request: pytest.FixtureRequest, start_payload: StartPayload) -> LivePayload:
    return start_payload(udp=0) if request.param == 'udp' else start_payload()


@pytest.fixture
def udp_payload(start_payload: StartPayload) -> LivePayload:
    return start_payload(udp=0)


def _wait_until(true: Callable[[], object], timeout_s: float = 8.0) -> None:
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, 'it did not come true in time'
        time.sleep(0.005)


@pytest.fixture
def wait_until() -> Callable[..., None]:
    return _wait_until
