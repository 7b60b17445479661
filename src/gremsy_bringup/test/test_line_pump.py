# SPDX-License-Identifier: Apache-2.0
"""Lines for readers that are slow, gone or full; the pipes are the kernel's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gremsy_bringup.logs.line_pump import LinePump


def told(lines: int) -> str:
    return f'{lines} left out'


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue  # the test has closed it


def read_until(descriptor: int, last: bytes) -> list[bytes]:
    data = b''
    while not data.endswith(last):
        data += os.read(descriptor, 1 << 20)
    return data.splitlines()


def test_lines_come_whole_and_in_order(pipe: tuple[int, int]) -> None:
    with LinePump(pipe[1], told) as pump:
        for number in range(1000):
            pump.put(f'line {number} \ud800')
    assert read_until(pipe[0], b'999 ?\n') == [b'line %d ?' % number for number in range(1000)]


@pytest.mark.parametrize('blocking', [True, False])
def test_who_says_something_never_waits_for_a_reader_that_rests(pipe: tuple[int, int], blocking: bool) -> None:
    os.set_blocking(pipe[1], blocking)
    line, most = 'x' * 999, 200_000  # and a pipe's 64 KiB (pipe(7))
    with LinePump(pipe[1], told, most) as pump:
        for _ in range(1000):
            pump.put(line)
        # It reads again.
        got = read_until(pipe[0], b'out\n')
        pump.put('last')
        assert read_until(pipe[0], b'last\n') == [b'last']
    kept = [each for each in got if each == line.encode()]
    assert most // 1000 <= len(kept) < 500
    assert got[len(kept) :] == [told(1000 - len(kept)).encode()]


def test_it_ends_though_nobody_reads(pipe: tuple[int, int]) -> None:
    with LinePump(pipe[1], told, 500_000) as pump:
        for _ in range(1000):
            pump.put('x' * 999)
    os.set_blocking(pipe[0], False)
    assert os.read(pipe[0], 1000) == b'x' * 999 + b'\n'


def goes_on(pump: LinePump, descriptor: int) -> bool:
    """Whether what is said once there is a reader again comes to it."""
    read, write = os.pipe()
    os.dup2(write, descriptor)
    os.close(write)
    pump.put('again')
    found = read_until(read, b'again\n')[-1] == b'again'
    os.close(read)
    return found


def test_a_reader_that_has_gone_ends_nobody(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    with LinePump(pipe[1], told) as pump:
        for _ in range(100):
            pump.put('x' * 999)
        assert goes_on(pump, pipe[1])


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='no /dev/full (full(4)) here')
def test_a_full_disk_ends_nobody() -> None:
    descriptor = os.open('/dev/full', os.O_WRONLY)
    with LinePump(descriptor, told) as pump:
        pump.put('x')
        assert goes_on(pump, descriptor)
    os.close(descriptor)
