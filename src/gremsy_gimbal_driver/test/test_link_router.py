# SPDX-License-Identifier: Apache-2.0
"""Two links to one gimbal: who is written where, and that a stop goes everywhere. In invented time but for the last."""

from __future__ import annotations

import os
import random
import select
import socket
import threading
import time
import tty
from collections import deque

import pytest

from gremsy_gimbal_driver.links.link import LinkError
from gremsy_gimbal_driver.links.link_router import LinkListener, LinkRouter
from gremsy_gimbal_driver.links.link_routes import LinkRoutes, Switch, SwitchReason, freshness_ns
from gremsy_gimbal_driver.links.link_uri import links_from_uris
from gremsy_gimbal_driver.mavlink_events import Sender

GIMBAL, BOARD, CAMERA = Sender(1, 154), Sender(1, 26), Sender(1, 100)
MS = 1_000_000
SECOND = 1000 * MS


def open_routes(links: int = 2) -> LinkRoutes:
    routes = LinkRoutes(links)
    for link in range(links):
        routes.opened(link)
    return routes


def test_each_component_is_written_where_it_is_heard():
    # The wiring of gimbal.md 1.1: the main board on UDP (0), the gimbal on a UART (1).
    routes = open_routes()
    routes.heard(0, BOARD, 0)
    routes.heard(1, GIMBAL, 0)
    assert routes.choose(BOARD, SECOND) == (0, None)
    assert routes.choose(GIMBAL, SECOND) == (1, None)


def test_heard_on_both_it_is_written_on_the_preferred_one():
    routes = open_routes()
    routes.heard(1, GIMBAL, 2)
    routes.heard(0, GIMBAL, 1)
    assert routes.choose(GIMBAL, 3) == (0, None)


def test_never_heard_it_is_written_on_the_preferred_open_one():
    routes = open_routes()
    assert routes.choose(GIMBAL, 0) == (0, None)
    routes.lost(0)
    assert routes.choose(GIMBAL, 0) == (1, None)
    routes.lost(1)
    assert routes.choose(GIMBAL, 0) == (None, None)


@pytest.mark.parametrize('sender', [GIMBAL, Sender(4, 171), BOARD, CAMERA])
def test_a_component_that_falls_silent_on_one_link_is_written_on_the_other(sender):
    bound = freshness_ns(sender)
    assert bound == (1500 if sender.component in (154, 171) else 3500) * MS
    routes = open_routes()
    routes.heard(0, sender, 0)
    routes.heard(1, sender, bound)
    assert routes.choose(sender, bound) == (0, None)
    assert routes.choose(sender, bound + 1) == (1, Switch(0, 1, SwitchReason.SILENT))
    assert routes.choose(sender, bound + 2) == (1, None)


def test_a_link_that_closes_is_left_at_once_and_counts_again_only_when_the_component_is_heard():
    routes = open_routes()
    for link in (0, 1):
        routes.heard(link, GIMBAL, 0)
    routes.choose(GIMBAL, 0)
    routes.lost(0)
    assert routes.choose(GIMBAL, 1) == (1, Switch(0, 1, SwitchReason.CLOSED))
    routes.opened(0)
    routes.lost(1)
    assert routes.choose(GIMBAL, 2) == (0, None)  # the only one open, heard or not
    routes.opened(1)
    routes.heard(1, GIMBAL, 3)
    assert routes.choose(GIMBAL, 3) == (1, None)


def test_a_link_that_takes_nothing_is_left_after_a_third_of_a_second():
    routes = open_routes()
    for link in (0, 1):
        routes.heard(link, GIMBAL, 0)
    routes.choose(GIMBAL, 0)
    routes.written(0, False, 0)
    assert routes.choose(GIMBAL, 400 * MS) == (0, None)  # one refusal is no clog, however long ago
    routes.written(0, True, 400 * MS)
    routes.written(0, False, 500 * MS)
    routes.written(0, False, 799 * MS)
    assert routes.choose(GIMBAL, 799 * MS) == (0, None)
    routes.written(0, False, 800 * MS)
    assert routes.choose(GIMBAL, 800 * MS) == (1, Switch(0, 1, SwitchReason.CLOGGED))
    routes.written(0, True, 900 * MS)
    assert not routes.is_clogged(0)


def test_the_preferred_link_is_used_again_when_it_has_been_well_for_three_seconds():
    routes = open_routes()
    for link in (0, 1):
        routes.heard(link, GIMBAL, 0)
    routes.choose(GIMBAL, 0)
    chosen = {}
    for at in range(100, 12_000, 100):
        now_ns = at * MS
        routes.heard(1, GIMBAL, now_ns)
        if at >= 2000 and not 4000 < at < 6000:  # a loose plug: silent, well for 2 s, silent for 2 s, well
            routes.heard(0, GIMBAL, now_ns)
        chosen[at] = routes.choose(GIMBAL, now_ns)
    switches = {at: switch for at, (_, switch) in chosen.items() if switch is not None}
    assert switches == {1600: Switch(0, 1, SwitchReason.SILENT), 9000: Switch(1, 0, SwitchReason.BACK)}


def test_nobody_hears_the_gimbal_so_the_link_in_use_is_kept():
    routes = open_routes()
    routes.heard(1, GIMBAL, 0)
    routes.choose(GIMBAL, 0)
    assert routes.choose(GIMBAL, 100 * SECOND) == (1, None)


def test_stops_know_every_link_that_ever_carried_the_gimbal():
    routes = open_routes()
    assert routes.carriers(GIMBAL) == ()
    routes.heard(1, GIMBAL, 0)
    routes.moved(0, GIMBAL)
    routes.heard(0, BOARD, 0)
    routes.lost(0)
    routes.lost(1)
    assert routes.carriers(GIMBAL) == (0, 1)
    assert routes.carriers(BOARD) == (0,)


@pytest.mark.parametrize('seed', range(20))
def test_whatever_happens_the_choice_is_open_and_never_stale_while_another_is_fresh(seed):
    chance = random.Random(seed)
    routes = LinkRoutes(2)
    is_open, refused, heard = [False, False], [None, None], [None, None]
    now_ns = 0
    for _ in range(3000):
        now_ns += chance.randrange(400) * MS
        link = chance.randrange(2)
        event = chance.choice(['open', 'lose', 'hear', 'hear', 'hear', 'take', 'refuse'])
        if event == 'open':
            routes.opened(link)
            is_open[link], refused[link] = True, None
        elif event == 'lose':
            routes.lost(link)
            is_open[link], refused[link], heard[link] = False, None, None
        elif event == 'hear':
            routes.heard(link, GIMBAL, now_ns)
            if is_open[link]:
                heard[link] = now_ns
        elif is_open[link]:
            routes.written(link, event == 'take', now_ns)
            refused[link] = None if event == 'take' else [*(refused[link] or [now_ns])[:1], now_ns]
        good = [
            is_open[each]
            and heard[each] is not None
            and now_ns - heard[each] <= 1500 * MS
            and (refused[each] is None or refused[each][-1] - refused[each][0] < 300 * MS)
            for each in range(2)
        ]
        chosen, switch = routes.choose(GIMBAL, now_ns)
        assert (chosen is None) == (not any(is_open))
        assert chosen is None or is_open[chosen]
        assert not any(good) or good[chosen]
        assert switch is None or switch.new == chosen != switch.old


class ScriptedLink:
    """Opens while `plugged`; gives what is in `incoming`, an exception is raised; keeps what was `written`."""

    is_datagram = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.trouble = ''
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
                say=self.told.append,
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
                self.router.heard(link, sender, now_ns)

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
    assert bench.told == ['The gimbal link udp://board is well again and used instead of serial:///gimbal.']
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
    assert bench.told == ['The gimbal link udp://board takes nothing more: serial:///gimbal is used instead.']
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
    bench.links[0].trouble = 'Nobody listens.'
    for _ in range(3):
        bench.read()
    assert bench.told == ['Nobody listens.']
    assert [health.trouble for health in bench.router.health(0)] == ['Nobody listens.', '']


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


def test_a_pty_that_is_removed_and_made_again_under_its_name_is_back_within_a_second_of_reading(tmp_path):
    uart = Uart(tmp_path / 'gimbal')
    told: list[str] = []
    router = LinkRouter(links_from_uris([f'serial://{uart.path}']), LinkListener(say=told.append))
    for round_ in range(3):
        uart.plug()
        waited_s = 0.0
        while not router.is_open:
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
        while router.is_open:
            router.read(0, 0.1)
    assert router.openings == 3
    assert (
        told
        == [f'The serial port {uart.path} went away: check its plug; it is opened again as soon as it is back.'] * 3
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
            links_from_uris([f'serial://{uart.path}', f'udp://{host}:{port}']), LinkListener(say=told.append)
        )
        for link in (0, 1):
            router.read(link, 0.0)
        router.step(lambda: b'beat', 0)
        data, ours = board.recvfrom(100)
        assert data == b'beat' == uart.take(4)
        for link in (0, 1):
            router.heard(link, GIMBAL, 0)
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
        while not router.is_open or not router.health(2 * MS)[0].is_open:
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
    assert router.health(10 * SECOND)[0].trouble.startswith('Nobody listens on the gimbal link')
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
    assert router.health(11 * SECOND)[0].trouble == ''
    router.close()


def _read(router: LinkRouter, link: int) -> bytes:
    """The next bytes; nothing may come of a first look, but not of fifty."""
    for _ in range(50):
        data = router.read(link, 0.1)
        if data:
            return data
    return b''
