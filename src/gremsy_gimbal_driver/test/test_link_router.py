# SPDX-License-Identifier: Apache-2.0
"""Two links to one gimbal: who is written where, and that a stop goes everywhere, in invented time."""

from __future__ import annotations

import random
import threading
from collections import deque

import pytest

from gremsy_gimbal_driver.links.link import LinkError
from gremsy_gimbal_driver.links.link_router import LinkListener, LinkRouter
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender

GIMBAL, BOARD, CAMERA = Sender(1, 154), Sender(1, 26), Sender(1, 100)
MS = 1_000_000
SECOND = 1000 * MS


class ScriptedLink:
    """Opens while `plugged`; gives what is in `incoming`, an exception is raised; keeps what was `written`."""

    is_datagram = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.fault = ''
        self.plugged = True
        self.takes = True
        self.incoming: deque[bytes | LinkError] = deque()
        self.written: list[bytes] = []

    def open(self) -> None:
        if not self.plugged:
            raise LinkError(f'{self.name} is not plugged in.')

    def close(self) -> None:
        pass

    def fileno(self) -> int:
        return 7

    def read(self, timeout_s: float) -> bytes:
        assert timeout_s >= 0.0
        item = self.incoming.popleft() if self.incoming else b''
        if isinstance(item, LinkError):
            raise item
        return item

    def write(self, data: bytes) -> bool:
        if self.takes:
            self.written.append(data)
        return self.takes


class Bench:
    """A router over two scripted links and what it told."""

    def __init__(self) -> None:
        self.links = ScriptedLink('udp://board'), ScriptedLink('serial:///gimbal')
        self.told: list[str] = []
        self.changes: list[tuple[str, int]] = []
        self.router = LinkRouter(
            self.links,
            LinkListener(
                opened=lambda link, _: self.changes.append(('opened', link)),
                lost=lambda link: self.changes.append(('lost', link)),
                report=self.told.append,
                inform=self.told.append,
            ),
        )
        self.read()

    def read(self) -> None:
        for link in (0, 1):
            self.router.read(link, 0.0)

    def hear(self, *senders: Sender, now_ns: int, links: tuple[int, ...] = (0, 1)) -> None:
        for link in links:
            for sender in senders:
                self.router.on_message(link, sender, now_ns)

    def lose(self, link: int, sentence: str = 'The plug is out.') -> None:
        self.links[link].plugged = False
        self.links[link].incoming.append(LinkError(sentence))
        self.router.read(link, 0.0)

    def replug(self, link: int) -> None:
        self.links[link].plugged = True
        self.router.read(link, 0.0)

    def take_written(self) -> tuple[list[bytes], list[bytes]]:
        taken = list(self.links[0].written), list(self.links[1].written)
        for link in self.links:
            link.written.clear()
        return taken


@pytest.fixture
def bench():
    made = Bench()
    yield made
    made.router.close()


def test_heartbeats_go_out_on_every_link_at_once_then_four_times_a_second_until_it_speaks(bench):
    frames = 0
    beats: list[list[int]] = [[], []]
    for at in range(0, 6000, 10):
        now_ns = at * MS
        if at >= 3000 and at % 100 == 0:
            frames += 1
            bench.router.received(1, 21, frames, now_ns)
        bench.router.step(lambda: b'beat', now_ns)
        for link, written in enumerate(bench.take_written()):
            beats[link] += [at] * len(written)
    assert beats[0] == list(range(0, 6000, 250))
    assert beats[1] == [*range(0, 3001, 250), 4000, 5000]


def test_a_link_that_is_opened_anew_gets_its_heartbeat_at_once(bench):
    for link in (0, 1):
        bench.router.received(link, 21, 1, 0)
    assert bench.router.step(lambda: b'beat', 0) == SECOND
    bench.lose(1)
    bench.replug(1)
    bench.take_written()
    bench.router.step(lambda: b'beat', 10 * MS)
    assert bench.take_written() == ([], [b'beat'])


@pytest.mark.parametrize('seed', range(5))
def test_every_motion_goes_to_one_link_and_every_stop_to_all_that_carried_the_gimbal(bench, seed):
    chance = random.Random(seed)
    used: set[int] = set()
    for number in range(2000):
        now_ns = number * 40 * MS
        # Each link drops out for seconds at a time.
        bench.hear(GIMBAL, now_ns=now_ns, links=tuple(link for link in (0, 1) if (number // 100 + link + seed) % 3))
        if chance.random() < 0.9:
            assert bench.router.write_motion(GIMBAL, [b'%d' % number], now_ns)
            written = bench.take_written()
            assert sorted(map(len, written)) == [0, 1]
            used.add(written.index([b'%d' % number]))
        elif used == {0, 1}:
            assert bench.router.write_stop(GIMBAL, [b'stop'], now_ns)
            assert bench.take_written() == ([b'stop'], [b'stop'])
    assert used == {0, 1}


def test_a_failover_is_said_once_for_all_components_and_its_end_too(bench):
    everybody = GIMBAL, BOARD, CAMERA

    def write(now_ns: int) -> list[int | None]:
        return [bench.router.route(sender, now_ns) for sender in everybody]

    bench.hear(*everybody, now_ns=0)
    assert write(0) == [0, 0, 0]
    bench.lose(0)
    assert write(MS) == [1, 1, 1]
    assert bench.told == ['The plug is out.', 'The gimbal link udp://board is lost: serial:///gimbal is used instead.']
    bench.told.clear()
    bench.replug(0)
    for at in range(1000, 5000, 100):
        bench.hear(*everybody, now_ns=at * MS)
        write(at * MS)
    assert write(5 * SECOND) == [0, 0, 0]
    assert bench.told == ['The gimbal link udp://board has recovered and is used instead of serial:///gimbal.']
    bench.told.clear()
    routes = {}
    for at in range(5000, 10_000, 100):
        bench.hear(*everybody, now_ns=at * MS, links=(1,))
        routes[at] = write(at * MS)
    # The gimbal goes first; what only beats may be silent for longer.
    assert [routes[at] for at in (6400, 6500, 8400, 8500)] == [[0, 0, 0], [1, 0, 0], [1, 0, 0], [1, 1, 1]]
    assert bench.told == ['The gimbal link udp://board has fallen silent: serial:///gimbal is used instead.']


def test_a_silent_link_is_said_by_that_reason(bench):
    bench.hear(GIMBAL, now_ns=0)
    bench.router.write_motion(GIMBAL, [b'go'], 0)
    bench.hear(GIMBAL, now_ns=1400 * MS, links=(1,))
    bench.router.write_motion(GIMBAL, [b'go'], 1600 * MS)
    assert bench.told == ['The gimbal link udp://board has fallen silent: serial:///gimbal is used instead.']


def test_a_full_link_is_said_by_that_reason(bench):
    bench.hear(GIMBAL, now_ns=0)
    bench.links[0].takes = False
    results = [bench.router.write_motion(GIMBAL, [b'go'], at * MS) for at in range(0, 440, 40)]
    assert results == [False] * 9 + [True] * 2
    assert bench.told == ['The gimbal link udp://board accepts no more data: serial:///gimbal is used instead.']
    assert [health.clogged for health in bench.router.health(400 * MS)] == [True, False]


def test_a_stop_that_a_link_could_not_take_is_made_good_as_a_burst_when_it_is_back(bench):
    bench.hear(GIMBAL, now_ns=0, links=(1,))
    assert bench.router.write_motion(GIMBAL, [b'go'], 0)
    bench.lose(1)
    bench.take_written()
    # The gimbal was never carried by link 0, but that is the only way left.
    assert bench.router.write_stop(GIMBAL, [b'stop'], MS)
    assert bench.take_written() == ([b'stop'], [])
    bench.router.step(lambda: b'', 2 * MS)
    bench.replug(1)
    bench.take_written()
    wake_ns = 3 * MS
    for _ in range(8):
        wake_ns = bench.router.step(lambda: b'', wake_ns)
    written = [each for each in bench.take_written()[1] if each]
    assert written == [b'stop'] * 5
    assert wake_ns >= 3 * MS + 5 * 20 * MS


def test_motion_overtakes_a_stop_that_is_owed(bench):
    bench.hear(GIMBAL, now_ns=0)
    bench.router.write_motion(GIMBAL, [b'go'], 0)
    bench.lose(0)
    bench.router.write_stop(GIMBAL, [b'stop'], 0)
    bench.router.write_motion(GIMBAL, [b'go on'], MS)
    bench.replug(0)
    bench.take_written()
    for at in range(2, 200):
        bench.router.step(lambda: b'', at * MS)
    assert b'stop' not in bench.take_written()[0]


def test_a_link_that_never_moved_the_gimbal_owes_it_no_stop(bench):
    bench.hear(GIMBAL, now_ns=0)
    bench.lose(0)
    bench.router.write_motion(GIMBAL, [b'go'], 0)
    bench.router.write_stop(GIMBAL, [b'stop'], 0)
    bench.replug(0)
    bench.take_written()
    bench.router.step(lambda: b'', MS)
    assert bench.take_written()[0] == [b'']


def test_a_loss_is_not_said_again_before_bytes_came_but_always_told_to_the_listener(bench):
    bench.changes.clear()
    for _ in range(3):
        bench.lose(0)
        bench.replug(0)
    assert bench.told == ['The plug is out.']
    assert bench.changes == [('lost', 0), ('opened', 0)] * 3
    bench.links[0].incoming.append(b'data')
    bench.read()
    bench.lose(0)
    assert bench.told == ['The plug is out.'] * 2


def test_what_is_wrong_with_an_open_link_is_said_once_and_is_its_trouble(bench):
    bench.links[0].fault = 'Nothing is listening.'
    for _ in range(3):
        bench.read()
    assert bench.told == ['Nothing is listening.']
    assert [health.fault for health in bench.router.health(0)] == ['Nothing is listening.', '']


def test_a_link_that_waits_for_its_name_server_keeps_nobody_from_the_other():
    entered, go_on = threading.Event(), threading.Event()

    class SlowLink(ScriptedLink):
        def open(self) -> None:
            entered.set()
            go_on.wait(10.0)

    fast = ScriptedLink('fast')
    router = LinkRouter([SlowLink('slow'), fast])
    router.read(1, 0.0)
    reader = threading.Thread(target=router.read, args=(0, 0.0))
    reader.start()
    assert entered.wait(10.0)
    assert router.write_motion(GIMBAL, [b'go'], 0)
    router.step(lambda: b'beat', 0)
    assert fast.written == [b'go', b'beat']
    assert [health.is_open for health in router.health(0)] == [False, True]
    go_on.set()
    reader.join(10.0)
    router.close()
