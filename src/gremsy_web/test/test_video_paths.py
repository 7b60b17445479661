# SPDX-License-Identifier: Apache-2.0
"""Names, publishers that come and go, and how often a key frame is asked for."""

from __future__ import annotations

import asyncio

import pytest

from gremsy_camera.streams.rtp_pictures import ReceivedPicture
from gremsy_web.video_server import video_paths
from gremsy_web.video_server.video_paths import PathBoard, VideoPath, VideoRefusal, checked_name
from gremsy_web.video_server.whep_sessions import with_hosts


class Publishes:
    def __init__(self, session_id: str = 'p') -> None:
        self.session_id = session_id
        self.asked = 0
        self.kicked = False

    def ask_key_frame(self) -> None:
        self.asked += 1

    def kick(self) -> None:
        self.kicked = True


class Reads:
    kind = 'webRTCSession'

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.pictures = []
        self.sent_bytes = 10
        self.gone = 0

    def take_picture(self, picture, key) -> None:
        self.pictures.append((picture(), key))

    def take_packet(self, packet, *, is_report) -> None: ...

    def publisher_gone(self) -> None:
        self.gone += 1


def a_path(publisher: Publishes, name: str = 'eo') -> VideoPath:
    return VideoPath(name, publisher, '')


def picture(time: int = 1, whole: bool = True) -> ReceivedPicture:
    return ReceivedPicture(b'x', time, 0, None, True, whole)


@pytest.mark.parametrize(
    ('name', 'sentence'),
    [
        ('', 'cannot be empty'),
        ('/eo', "can't begin with a slash"),
        ('eo/', "can't end with a slash"),
        ('e o', 'can contain only alphanumeric characters, underscore, dot, minus, slash (e o)'),
        ('é', 'can contain only alphanumeric characters, underscore, dot, minus, slash (é)'),
    ],
)
def test_names_are_judged_as_mediamtx_does(name, sentence):
    with pytest.raises(VideoRefusal) as error:
        checked_name(name)
    assert (error.value.status, str(error.value)) == (400, f'invalid path name: {sentence}')


def test_a_picture_is_cut_once_for_all_readers(monkeypatch):
    cuts = []
    monkeypatch.setattr(video_paths, 'rtp_payloads', lambda data, longest: cuts.append(longest) or [data])
    path = a_path(Publishes())
    readers = [Reads(name) for name in 'abc']
    for reader in readers:
        path.join(reader)
    path.picture(picture(7))
    assert cuts == [1188]
    assert all(reader.pictures == readers[0].pictures for reader in readers)
    assert (readers[0].pictures[0][0].timestamp, readers[0].pictures[0][1]) == (7, True)


def test_a_picture_without_all_its_packets_goes_to_nobody():
    async def see() -> None:
        publisher = Publishes()
        path, reader = a_path(publisher), Reads('a')
        path.join(reader)
        path.picture(picture(whole=False))
        assert (reader.pictures, publisher.asked) == ([], 1)
        assert path.counts == {'pictures with packets missing': 1}

    asyncio.run(see())


def test_key_frames_are_asked_for_at_once_and_then_rarely():
    async def see() -> None:
        publisher = Publishes()
        path = a_path(publisher)
        for _ in range(50):
            path.ask_key_frame()
        assert publisher.asked == 1
        await asyncio.sleep(0.4)
        # What was asked for meanwhile is asked once.
        assert publisher.asked == 2
        path.ask_key_frame()
        path.close()
        await asyncio.sleep(0.4)
        assert publisher.asked == 2

    asyncio.run(see())


def test_a_new_publisher_takes_the_path_and_the_old_ones_readers_go():
    board = PathBoard()
    old, new = Publishes('old'), Publishes('new')
    first, second, reader = a_path(old), a_path(new), Reads('a')
    board.published(first)
    first.join(reader)
    board.published(second)
    assert (old.kicked, reader.gone, board.find('eo')) == (True, 1, second)
    # The old one's end comes after the new one's beginning.
    board.gone(first)
    assert board.find('eo') is second
    board.gone(second)
    with pytest.raises(VideoRefusal) as error:
        board.find('eo')
    assert (error.value.status, str(error.value)) == (404, "no stream is available on path 'eo'")


def test_bytes_to_readers_that_have_gone_are_kept():
    path, reader = a_path(Publishes()), Reads('a')
    path.join(reader)
    path.leave(reader)
    path.leave(reader)
    assert path.outbound_bytes == 10


def test_named_addresses_stand_beside_each_port_of_the_interfaces():
    answer = (
        'a=candidate:1 1 udp 2130706431 192.168.1.4 5000 typ host\r\n'
        'a=candidate:2 1 udp 2130706431 fd00::2 5001 typ host\r\n'
    )
    lines = with_hosts(answer, ['203.0.113.7']).splitlines()
    assert len(lines) == 3
    assert lines[1] == 'a=candidate:extra1 1 udp 2130706430 203.0.113.7 5000 typ host'
    assert with_hosts(answer, []) == answer
