# SPDX-License-Identifier: Apache-2.0
"""Cables pulled out and payloads restarted under a router, over real ptys and sockets."""

from __future__ import annotations

import os
import select
import socket
import time
import tty

from gremsy_gimbal_driver.links.link_router import LinkListener, LinkRouter
from gremsy_gimbal_driver.links.link_uri import links_from_uris
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender

GIMBAL = Sender(1, 154)
MS = 1_000_000
SECOND = 1000 * MS


class Uart:
    """The gimbal's end of a cable whose port always has the same name."""

    def __init__(self, path) -> None:
        self.path = path
        self.master = -1

    def plug(self) -> None:
        self.master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self.master, False)
        self.path.symlink_to(os.ttyname(slave))
        # Only now, so that a number that is free again is not given to somebody else meanwhile.
        os.close(slave)

    def take(self, size: int) -> bytes:
        """The next bytes; the kernel hands them over a moment after they were written."""
        data = b''
        while len(data) < size and select.select([self.master], [], [], 5.0)[0]:
            data += os.read(self.master, size - len(data))
        return data

    def unplug(self) -> None:
        self.path.unlink()
        os.close(self.master)
        self.master = -1


def is_open(router: LinkRouter) -> bool:
    return any(link.is_open for link in router.health(0))


def test_a_pty_that_is_removed_and_made_again_under_its_name_is_back_within_a_second_of_reading(tmp_path):
    uart = Uart(tmp_path / 'gimbal')
    told: list[str] = []
    router = LinkRouter(links_from_uris([f'serial://{uart.path}']), LinkListener(report=told.append))
    for round_ in range(3):
        uart.plug()
        waited_s = 0.0
        while not is_open(router):
            assert waited_s < 1.0
            before = time.monotonic()
            router.read(0, 0.0)
            # What a busy machine adds to a wait of at most 0.25 s is not the router's.
            waited_s += min(time.monotonic() - before, 0.25)
        router.step(lambda: b'beat', round_ * 10 * MS)
        assert uart.take(4) == b'beat'
        os.write(uart.master, b'attitude')
        assert _read(router, 0) == b'attitude'
        uart.unplug()
        while is_open(router):
            router.read(0, 0.1)
    assert router.openings == 3
    assert (
        told
        == [f'The serial port {uart.path} was disconnected: check its plug; it is reopened as soon as it is back.'] * 3
    )
    router.close()


def test_both_links_at_once_and_one_dies(tmp_path):
    uart = Uart(tmp_path / 'gimbal')
    uart.plug()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as board:
        board.bind(('127.0.0.1', 0))
        board.settimeout(5.0)
        host, port = board.getsockname()
        told: list[str] = []
        router = LinkRouter(
            links_from_uris([f'serial://{uart.path}', f'udp://{host}:{port}']), LinkListener(report=told.append)
        )
        for link in (0, 1):
            router.read(link, 0.0)
        router.step(lambda: b'beat', 0)
        data, ours = board.recvfrom(100)
        assert data == b'beat' == uart.take(4)
        for link in (0, 1):
            router.on_message(link, GIMBAL, 0)
        assert router.write_motion(GIMBAL, [b'go'], 0)
        assert uart.take(2) == b'go'
        uart.unplug()
        while router.names[0] in [health.name for health in router.health(0) if health.is_open]:
            router.read(0, 0.1)
        assert router.write_motion(GIMBAL, [b'go on'], MS)
        assert board.recvfrom(100)[0] == b'go on'
        assert router.write_stop(GIMBAL, [b'stop'], 2 * MS)
        assert board.recvfrom(100)[0] == b'stop'
        board.sendto(b'answer', ours)
        assert _read(router, 1) == b'answer'
        assert told[-1] == f'The gimbal link serial://{uart.path} is lost: udp://{host}:{port} is used instead.'
        # Back again, the cable gets the stop before anything else but its heartbeat.
        uart.plug()
        while not is_open(router) or not router.health(2 * MS)[0].is_open:
            router.read(0, 0.0)
        router.step(lambda: b'beat', 3 * MS)
        assert uart.take(8) == b'stopbeat'
        router.close()
        uart.unplug()


def test_a_payload_that_restarts_on_udp_hears_a_beat_within_a_quarter_second_of_its_time():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first:
        first.bind(('127.0.0.1', 0))
        address = first.getsockname()
        router = LinkRouter(links_from_uris([f'udp://127.0.0.1:{address[1]}']))
        router.read(0, 0.0)
        router.received(0, 21, 1, 0)
        router.step(lambda: b'beat', 0)
        assert first.recv(100) == b'beat'
    for at in range(0, 10_000, 50):  # 10 s of silence, refused by the machine
        router.step(lambda: b'beat', at * MS)
        router.read(0, 0.0)
    assert router.health(10 * SECOND)[0].fault.startswith('Nothing is listening on the gimbal link')
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second:
        second.bind(address)
        second.settimeout(5.0)
        for at in range(10_000, 10_251, 50):
            router.step(lambda: b'beat', at * MS)
            router.read(0, 0.0)
        data, ours = second.recvfrom(100)
        assert data == b'beat'
        second.sendto(b'attitude', ours)
        assert _read(router, 0) == b'attitude'
    assert router.openings == 1
    assert router.health(11 * SECOND)[0].fault == ''
    router.close()


def _read(router: LinkRouter, link: int) -> bytes:
    """The next bytes; nothing may come of a first look, but not of fifty."""
    for _ in range(50):
        data = router.read(link, 0.1)
        if data:
            return data
    return b''
