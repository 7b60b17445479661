# SPDX-License-Identifier: Apache-2.0
"""The measuring of the page's API, measured itself: waits that are known, a wire that is known."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import time

import httpx
import numpy as np
import pytest

pytest.importorskip('websockets', reason='run ./gremsy setup --extra web')

from pymavlink.dialects.v20 import common

from benchmarks.video.api.api_figures import zero_after_ms
from benchmarks.video.api.api_requests import OpenLoad
from benchmarks.video.api.wire_tap import WireTap
from gremsy_bringup.supervise.free_ports import free_udp_port
from gremsy_common.errors import SuiteError

PATIENCE_S = 20.0


class Stalling(asyncio.Protocol):
    """Answers at once, but for half a second of every two."""

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        asyncio.get_running_loop().create_task(self._answer())

    async def _answer(self):
        phase_s = time.perf_counter() % 2.0
        if phase_s < 0.5:
            await asyncio.sleep(0.5 - phase_s)
        self._transport.write(b'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')


def test_every_request_that_was_due_in_a_stall_has_waited_for_its_end():
    async def run():
        server = await asyncio.get_running_loop().create_server(Stalling, '127.0.0.1', 0)
        load = OpenLoad(server.sockets[0].getsockname()[1], 100.0, 'none')
        await load.run(2.0)
        server.close()
        return load.found

    found = asyncio.run(run())
    took = np.array(found.took)
    assert len(took) == 200 and found.statuses == {200: 200}
    # A quarter of all were due in the stall, and waited between nothing and half a second, evenly; one connection that
    # asks again when it has its answer would have seen a single slow one.
    assert 0.15 < (took > 50.0).mean() < 0.4
    assert 350.0 < np.percentile(took, 98) < 700.0


def test_a_server_that_does_nothing_answers_requests_with_and_without_a_body():
    process = subprocess.Popen([sys.executable, '-m', 'benchmarks.video.api.bare_server'], stdout=subprocess.PIPE)
    try:
        url = f'http://127.0.0.1:{int(process.stdout.readline())}'
        assert httpx.get(f'{url}/a').status_code == httpx.post(url, json={'lease': 'x'}).status_code == 200
    finally:
        process.kill()
        process.communicate()


def test_a_stop_is_the_zero_after_which_nothing_moves():
    at_ns = np.arange(8, dtype=np.int64) * 10_000_000
    rates = np.array([[0, 0.3], [0, 0.3], [0, 0], [0, 0.3], [0, 0], [0, 0], [0, 0], [0, 0]], dtype=np.float32)
    # Sent at 15 ms: the zero at 20 ms was somebody else's, since at 30 ms it moved.
    assert zero_after_ms(at_ns, rates, 15_000_000) == pytest.approx(25.0)
    assert zero_after_ms(at_ns, rates, 45_000_000) == pytest.approx(5.0)
    with pytest.raises(SuiteError, match='no zero rate came'):
        zero_after_ms(at_ns[:4], rates[:4], 15_000_000)


def test_the_tap_hands_on_both_ways_and_says_when_which_rate_came(tmp_path):
    tap_port, payload_port = free_udp_port(), free_udp_port()
    with contextlib.ExitStack() as stack:
        payload, driver = (stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2))
        for each in (payload, driver):
            each.settimeout(PATIENCE_S)
        payload.bind(('127.0.0.1', payload_port))
        driver.connect(('127.0.0.1', tap_port))
        tap = stack.enter_context(WireTap(tap_port, payload_port, tmp_path / 'rates.bin'))
        encoder = common.MAVLink(None)
        sent = []
        for pitch, yaw in ((0.0, 0.25), (-0.5, 0.0), (0.0, 0.0)):
            rate = common.MAVLink_gimbal_device_set_attitude_message(1, 154, 0, [float('nan')] * 4, 0.0, pitch, yaw)
            for message in (common.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3), rate):
                content = message.pack(encoder)
                sent.append(time.monotonic_ns())
                driver.send(content)
                heard, address = payload.recvfrom(4096)
                assert heard == content
        payload.sendto(b'an answer', address)
        assert driver.recv(4096) == b'an answer'
        at_ns, rates = tap.rates()
        assert rates.tolist() == [[0.0, 0.25], [-0.5, 0.0], [0.0, 0.0]]
        # When it arrived: after it was sent, and before the next one was.
        assert (at_ns > np.array(sent[1::2]) - 1_000_000).all() and (at_ns[:2] < np.array(sent[2::2])).all()
