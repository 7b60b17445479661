# SPDX-License-Identifier: Apache-2.0
"""`WS /api/live`, and that nobody who is slow holds anybody up."""

from __future__ import annotations

import asyncio
import math
import socket
import threading
import time

import pytest

pytest.importorskip('fastapi', reason='run ./gremsy setup --extra web')

import httpx
from websockets.exceptions import InvalidStatus

from gremsy_web.live import live_socket
from gremsy_web.live.live_hub import LiveClient, LiveHub
from gremsy_web.live.live_messages import gimbal_text, text_of
from gremsy_web.robot.robot_picture import ModelAt, NodeState, parsed
from gremsy_web.robot.stamp_memory import StampMemory
from src.gremsy_web.test.web_stand_ins import (
    CONTROL_KEY,
    FRAME_NS,
    KEYS,
    PATIENCE_S,
    STAMP_NS,
    VIEW_KEY,
    Stand,
    Talk,
    newest_tracks_text,
)


def eventually(true, meanwhile=lambda: time.sleep(0.01), *arguments):
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, 'it did not come true in time'
        meanwhile(*arguments)


@pytest.fixture
def stand():
    made = Stand(rate_time_to_live_s=0.1)
    made.see()
    made.arm()
    with made.serving() as made.port:
        yield made


def test_hello_says_what_there_is(stand):
    with Talk(stand.port) as talk:
        hello = talk.hello
    assert [(each['name'], each['width'], each['height']) for each in hello['cameras']] == [
        ('eo', 1280, 720),
        ('ir', None, None),
    ]
    assert (hello['robot'], hello['role'], hello['stale_after_s']) == ('robot', 'control', 0.5)


def test_the_controls_live_with_the_socket(stand):
    with Talk(stand.port) as talk:
        talk.say('take', name='Ann')
        control = talk.until('control')
        assert (control['holder'], control['you']) == ('Ann', True)
        home = httpx.post(f'http://127.0.0.1:{stand.port}/api/gimbal/home', json={'lease': control['lease']})
        assert home.status_code == 200
        assert talk.until('state')['control'] == {'holder': 'Ann', 'you': True}
        with Talk(stand.port) as other:
            other.say('take')
            assert other.until('error') == {
                'type': 'error',
                'text': 'Ann holds the controls: ask for them, or send `take_over`: true.',
                'for': 'take',
            }
            assert other.until('state')['control'] == {'holder': 'Ann', 'you': False}
            other.say('take', take_over=True, name='Ben')
            assert other.until('control')['holder'] == 'Ben'
            talk.say('rate', azimuth_rad_s=0.1, tilt_rad_s=0.0)
            assert talk.until('error')['text'] == 'Ben holds the controls: take them first.'
        talk.say('take')
        assert talk.until('control')['you'] is True
    eventually(lambda: stand.web.desk.hold is None)


def test_who_vanishes_while_dragging_stops_the_gimbal(stand):
    with Talk(stand.port) as talk:
        talk.say('take')
        talk.until('control')
        talk.say('rate', azimuth_rad_s=0.3, tilt_rad_s=-0.1)
        talk.say('clock', t0=1.5)
        talk.until('clock')
        assert ('rate', 0.3, -0.1) in stand.robot.asked
        talk.vanish()
        eventually(lambda: stand.robot.asked[-1] == ('rate', 0.0, 0.0) and stand.web.desk.hold is None)


def test_a_drag_that_is_not_sent_again_ends_by_itself(stand):
    with Talk(stand.port) as talk:
        talk.say('take')
        talk.say('rate', azimuth_rad_s=0.3, tilt_rad_s=0.0)
        for _ in range(3):
            talk.until('state')  # half a second each
        assert stand.robot.asked[-3:] == [('rate', 0.0, 0.0)] * 3
        assert stand.web.desk.motion.expired == 1


def test_anybody_stops_and_a_viewer_moves_nothing():
    stand = Stand(KEYS)
    with stand.serving() as port, Talk(port, hello=False) as talk:
        talk.say('auth', key=VIEW_KEY)
        talk.hello = talk.until('hello')
        assert talk.hello['role'] == 'view'
        for kind in ('take', 'rate', 'zoom', 'give'):
            talk.say(kind)
            assert talk.until('error')['text'] == 'This key may only view: use one with the role `control`.'
        talk.say('stop')
        assert talk.until('done') == {'type': 'done', 'text': 'Done.', 'for': 'stop'}
        assert stand.robot.asked == [('STOP', '', True)]


@pytest.mark.parametrize(
    'first', ['{"type": "auth", "key": "wrong"}', '{"type": "auth"}', '[]', '{', '{"type": "stop"}']
)
def test_a_wrong_key_ends_the_socket_whatever_is_wrong_with_it(first):
    stand = Stand(KEYS)
    with stand.serving() as port, Talk(port, hello=False) as talk:
        talk.socket.send(first)
        assert talk.ended() == (4401, 'The key is missing or wrong.')
        assert stand.robot.asked == []
    # The same without words.
    with stand.serving() as port, Talk(port, hello=False) as talk:
        talk.socket.send(first.encode())
        assert talk.ended() == (4401, 'The key is missing or wrong.')


def test_a_key_in_the_header_comes_in_and_the_page_of_another_site_does_not():
    stand = Stand(KEYS)
    with stand.serving() as port:
        with Talk(port, Authorization=f'Bearer {CONTROL_KEY}', Origin=f'http://127.0.0.1:{port}') as talk:
            assert talk.hello['role'] == 'control'
        with pytest.raises(InvalidStatus) as caught:
            Talk(port, Authorization=f'Bearer {CONTROL_KEY}', Origin='http://evil.example')
        assert caught.value.response.status_code == 403


@pytest.mark.parametrize(
    ('text', 'sentence', 'of'),
    [
        ('{', 'A message must be JSON.', ''),
        ('[]', 'A message must be a JSON object.', ''),
        ('{}', 'A message must have a `type`: take, give, rate, zoom, stop, clock or painted.', ''),
        ('{"type": 7}', 'A message must have a `type`: take, give, rate, zoom, stop, clock or painted.', '7'),
        (
            '{"type": "rate", "azimuth_rad_s": NaN, "tilt_rad_s": 0}',
            '`azimuth_rad_s` must be a number from -10 to 10.',
            'rate',
        ),
        (
            '{"type": "rate", "azimuth_rad_s": true, "tilt_rad_s": 0}',
            '`azimuth_rad_s` must be a number from -10 to 10.',
            'rate',
        ),
        (
            '{"type": "rate", "azimuth_rad_s": 0, "tilt_rad_s": 1e99}',
            '`tilt_rad_s` must be a number from -10 to 10.',
            'rate',
        ),
        (
            '{"type": "rate", "azimuth_rad_s": 0, "tilt_rad_s": 0}',
            'Nobody holds the controls: take them first.',
            'rate',
        ),
        ('{"type": "take", "take_over": "yes"}', '`take_over` must be true or false.', 'take'),
        ('{"type": "clock", "t0": Infinity}', '`t0` must be a number from -1e+18 to 1e+18.', 'clock'),
        (
            '{"type": "\\ud800"}',
            'A message must have a `type`: take, give, rate, zoom, stop, clock or painted.',
            '?',
        ),
        ('{"type": "painted", "stats": 1}', '`stats` must be an object of at most 32 numbers.', 'painted'),
        ('{"type": "painted", "stats": {}, "camera": ["eo"]}', '`camera` must be one of eo, ir.', 'painted'),
    ],
)
def test_a_message_that_cannot_be_used_is_answered_and_the_socket_goes_on(stand, text, sentence, of):
    with Talk(stand.port) as talk:
        talk.socket.send(text)
        assert talk.until('error') == {'type': 'error', 'text': sentence, 'for': of}
        talk.say('clock', t0=1.5)
        clock = talk.until('clock')
        assert clock['t0'] == 1.5
        assert int(clock['t1_ns']) <= int(clock['t2_ns'])


def test_what_viewers_measure_is_in_the_metrics_while_they_are_there(stand):
    def lines():
        text = httpx.get(f'http://127.0.0.1:{stand.port}/metrics').text
        return [line for line in text.splitlines() if line.startswith('gremsy_viewer')]

    def told(talk, **stats):
        talk.say('painted', camera='eo', stats=stats)
        talk.say('clock', t0=0)
        talk.until('clock')

    assert lines() == []
    with Talk(stand.port) as one, Talk(stand.port) as other, Talk(stand.port):
        told(one, total_ms=40, framesPerSecond=30, shown=100, matched=99, freezeCount=0, lost=math.inf)
        told(other, total_ms=120.0, framesPerSecond=12.5, shown=100, matched=91, freezeCount=2, jitter='much')
        assert lines() == [
            'gremsy_viewers{camera="eo"} 2',
            'gremsy_viewer_delay_seconds{camera="eo",of="median"} 0.08',
            'gremsy_viewer_delay_seconds{camera="eo",of="worst"} 0.12',
            'gremsy_viewer_rate_hertz{camera="eo",of="worst"} 12.5',
            'gremsy_viewer_frames_with_boxes_ratio{camera="eo"} 0.95',
            'gremsy_viewer_freezes{camera="eo"} 2',
        ]
    eventually(lambda: lines() == [])


def test_what_comes_is_told_and_only_the_newest_of_it(stand):
    with Talk(stand.port) as talk:
        stand.web.hub.publish('tracks eo', lambda: newest_tracks_text(stand))
        stand.web.hub.publish('gimbal', lambda: gimbal_text(stand.picture))
        assert talk.until('tracks')['rtp'] == (STAMP_NS + 2 * 33_333_333) * 9 // 100_000 % 2**32
        assert talk.until('gimbal')['azimuth_rad'] == pytest.approx(0.2)


def test_too_many_sockets_are_told_so():
    stand = Stand(live_clients=1)
    with stand.serving() as port, Talk(port), Talk(port, hello=False) as second:
        assert second.ended() == (4429, 'There are 1 live sockets, which is the limit.')


def test_who_reads_nothing_is_closed_and_the_others_hear_all(stand, monkeypatch):
    monkeypatch.setattr(live_socket, '_SEND_WITHIN_S', 0.3)
    with Talk(stand.port) as good, socket.create_connection(('127.0.0.1', stand.port)) as silent:
        silent.sendall(
            b'GET /api/live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
            b'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'
        )
        stop = threading.Event()
        # A connection that is not read fills the buffers of both ends, some MB on loopback.
        thick = text_of('tracks', filler='x' * 200_000)

        def publish():
            while not stop.wait(0.005):
                stand.web.hub.publish('tracks eo', lambda: thick)

        publisher = threading.Thread(target=publish)
        publisher.start()
        try:
            eventually(lambda: stand.web.hub.too_slow == 1, good.until, 'tracks')
        finally:
            stop.set()
            publisher.join()
        good.say('clock', t0=1.0)
        assert good.until('clock')['t0'] == 1.0


def test_a_silent_client_keeps_one_of_each_kind_and_few_events():
    async def play():
        hub = LiveHub(10)
        hub.open(asyncio.get_running_loop())
        slow, made = LiveClient('slow', 'view'), []
        assert hub.join(slow)

        def text(number):
            made.append(number)
            return str(number)

        for number in range(100):
            hub.publish('tracks', lambda number=number: text(number))
            hub.event(f'event {number}')
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting = await slow.take()
        assert waiting[-1] == '99'
        assert waiting[:-1] == [f'event {number}' for number in range(68, 100)]
        assert slow.dropped == 99 + 68
        # Each frame has tracks of its own: a pause of some frames must not lose those of all but the last.
        for number in range(10):
            hub.publish('tracks eo', lambda number=number: str(number), keep=4)
        await asyncio.sleep(0)
        for number in range(10, 12):
            hub.publish('tracks eo', lambda number=number: str(number), keep=4)
            await asyncio.sleep(0)
        assert await slow.take() == ['8', '9', '10', '11']
        hub.leave(slow)
        count = len(made)
        hub.publish('tracks', lambda: text(-1))
        await asyncio.sleep(0.01)
        # Nobody listens, so nothing is made.
        assert len(made) == count
        assert hub.dropped == slow.dropped

    asyncio.run(play())


def test_what_a_frame_needs_to_be_laid_over_another_is_told(stand):
    with Talk(stand.port) as talk:
        stand.web.hub.publish('tracks eo', lambda: newest_tracks_text(stand))
        # A lens that spans 1 rad by 1280 px: half of them over the tangent of half of it.
        assert talk.until('tracks')['lens'] == {'focal': [1171.512, 1171.512], 'centre': [640.0, 360.0]}
        stand.web.hub.publish('gimbal', lambda: gimbal_text(stand.picture))
        told = talk.until('gimbal')
    assert told['stamp_ns'] == str(STAMP_NS + 2 * FRAME_NS)
    # Turned to the left about up by an angle: cos and sin of its half.
    assert [pose[0] for pose in told['poses']] == pytest.approx([-0.0667, -0.0333, 0.0], abs=1e-4)
    assert told['poses'][0][1:] == pytest.approx([1.0, 0.0, 0.0, 0.0])
    assert told['poses'][2][1:] == pytest.approx([math.cos(0.1), 0.0, 0.0, math.sin(0.1)], abs=1e-6)


def test_of_many_poses_every_other_is_told_and_the_newest():
    memory = StampMemory()
    for number in range(100):
        memory.put(ModelAt(number * 10_000_000, None))
    told = [each.stamp_ns // 10_000_000 for each in memory.last(0.15, 8)]
    assert told == [85, 87, 89, 91, 93, 95, 97, 99]
    assert StampMemory().last(0.15, 8) == []


def test_a_number_that_is_none_in_what_a_node_says_ends_nobodys_news(stand):
    rows = {'capture latency p50 (ms)': 'nan', 'pointing error (deg)': 'inf', 'recording': 'going on'}
    rows |= {'recording length (s)': '-inf'}
    stand.picture.on_node_state(NodeState('eo/camera', 0, '', rows, time.monotonic()))
    with Talk(stand.port) as talk:
        for _ in range(2):
            state = talk.until('state')
            assert (state['latency_ms']['capture'], state['pointing_error_rad']) == (None, None)
            assert state['cameras']['eo']['recording']['seconds'] is None
    assert httpx.get(f'http://127.0.0.1:{stand.port}/api/status').status_code == 200
    assert httpx.get(f'http://127.0.0.1:{stand.port}/metrics').status_code == 200


def test_news_that_cannot_be_said_take_no_other_news_with_them(stand):
    with Talk(stand.port) as talk:
        stand.picture.goal = {'azimuth_rad': math.nan}
        stand.web.hub.event(text_of('event', text='disarmed'))
        stand.web.hub.publish('gimbal', lambda: gimbal_text(stand.picture))
        stand.web.hub.publish('tracks eo', lambda: newest_tracks_text(stand))
        assert talk.until('event')['text'] == 'disarmed'
        assert talk.until('tracks')['camera'] == 'eo'
    assert stand.web.hub.unsayable == 1


def test_a_topic_with_nan_in_it_is_no_json():
    with pytest.raises(ValueError, match='NaN'):
        parsed('{"azimuth_rad": NaN}')


def test_what_waited_while_the_server_was_held_up_moves_nothing_any_more(stand):
    with Talk(stand.port) as talk:
        talk.say('take')
        lease = talk.until('control')['lease']
        held_up = threading.Event()

        def hold_up():
            held_up.set()
            time.sleep(1.5)

        stand.web.hub._loop.call_soon_threadsafe(hold_up)
        assert held_up.wait(PATIENCE_S)
        talk.say('rate', azimuth_rad_s=0.3, tilt_rad_s=0.0)
        talk.say('zoom', factor=3.0)
        with pytest.raises(httpx.TimeoutException):
            httpx.post(f'http://127.0.0.1:{stand.port}/api/gimbal/home', json={'lease': lease}, timeout=0.2)
        talk.say('stop')
        late = 'The server was held up for more than 1 s, so this request may be old: send it again.'
        assert [talk.until('error') for _ in range(2)] == [
            {'type': 'error', 'text': late, 'for': kind} for kind in ('rate', 'zoom')
        ]
        assert talk.until('done')['for'] == 'stop'
        assert stand.robot.asked == [('STOP', '', True)]

        def moves():
            talk.say('rate', azimuth_rad_s=0.2, tilt_rad_s=0.0)
            return ('rate', 0.2, 0.0) in stand.robot.asked

        eventually(moves, lambda: time.sleep(0.05))
        assert ('HOME', '', True) not in stand.robot.asked
