# SPDX-License-Identifier: Apache-2.0
"""Pictures through the whole server: from publishers of three makes to viewers and readers, with their RTP times."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import av
import httpx
import pytest

from .video_rig import KnownPublisher, Server, Viewer, built_in, eventually, mediamtx, offer_of

pytestmark = pytest.mark.integration

OFFER = {'Content-Type': 'application/sdp'}
WRAP = 2**32


@pytest.fixture(scope='module')
def own() -> Iterator[Server]:
    with built_in() as server:
        yield server


@pytest.fixture(scope='module', params=['built-in', 'mediamtx'])
def either(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if request.param == 'built-in':
        yield request.getfixturevalue('own')
        return
    with mediamtx(tmp_path_factory.mktemp('mediamtx')) as server:
        yield server


def state_of(server: Server, path: str) -> dict[str, object] | None:
    answer = httpx.get(f'{server.control}/v3/paths/get/{path}')
    return answer.json() if answer.status_code == 200 and answer.json()['available'] else None


@contextmanager
def published(server: Server, path: str, **options: object) -> Iterator[KnownPublisher]:
    with KnownPublisher(server, path, **options) as publisher:
        eventually(lambda: state_of(server, path))
        yield publisher


def assert_in_a_row(times: list[int], sent: list[int]) -> None:
    first = sent.index(times[0])
    assert times == sent[first : first + len(times)]


def test_a_viewer_gets_the_publishers_rtp_times_through_their_wrap(either):
    async def see(publisher: KnownPublisher) -> Viewer:
        viewer = await Viewer(either, 'wrap').open()
        await viewer.until(lambda: any(time < WRAP // 2 for time in viewer.times) and len(viewer.decoded) > 60)
        assert await viewer.close() == 200
        return viewer

    # Two seconds before it comes round.
    with published(either, 'wrap', first_time=WRAP - 2 * 90_000) as publisher:
        viewer = asyncio.run(see(publisher))
    assert any(time > WRAP // 2 for time in viewer.times), 'it came too late to see the wrap'
    assert_in_a_row(viewer.times, publisher.sent)
    if either.name == 'built-in':
        assert viewer.times[0] in publisher.keys


def test_a_viewer_begins_at_once_although_key_frames_are_rare(own):
    async def see() -> None:
        viewer = await Viewer(own, 'rare').open()
        await viewer.until(lambda: len(viewer.decoded) > 5, within_s=10.0)
        await viewer.close()

    # One key frame in 100 s, unless it is asked for one.
    with published(own, 'rare', gop=3000) as publisher:
        asyncio.run(see())
    assert publisher.asked >= 1
    assert 1 < len(publisher.keys) < 10


def test_a_viewer_that_lost_a_picture_is_sent_a_key_frame(own):
    async def see(publisher: KnownPublisher) -> None:
        viewer = await Viewer(own, 'lost').open()
        await viewer.until(lambda: len(viewer.decoded) > 5)
        keys = len(publisher.keys)
        receiver = viewer.connection.getReceivers()[0]
        await receiver._send_rtcp_pli(next(iter(receiver._RTCRtpReceiver__active_ssrc)))
        await viewer.until(lambda: len(publisher.keys) > keys)
        await viewer.close()

    with published(own, 'lost', gop=3000) as publisher:
        asyncio.run(see(publisher))


def _watch_for_ever(server: Server, path: str) -> None:
    async def watch() -> None:
        await Viewer(server, path).open()
        await asyncio.Event().wait()

    asyncio.run(watch())


@pytest.mark.slow
def test_a_viewer_that_is_killed_is_let_go_within_30_s_and_one_that_watches_is_not(own):
    async def see() -> None:
        viewer = await Viewer(own, 'killed').open()
        await viewer.until(lambda: len(viewer.decoded) > 5)
        other = get_context('spawn').Process(target=_watch_for_ever, args=(own, 'killed'))
        other.start()

        def readers() -> int:
            return len(state_of(own, 'killed')['readers'])

        # Long enough for its reports to have begun, without which nobody would be missed.
        await viewer.until(lambda: readers() == 2, within_s=30.0)
        await asyncio.sleep(3.0)
        other.kill()
        other.join()
        assert readers() == 2
        # RFC 7675, 5.1: consent expires after 30 s without an answer.
        await viewer.until(lambda: readers() == 1, within_s=30.0)
        seen = len(viewer.decoded)
        await viewer.until(lambda: len(viewer.decoded) > seen + 30)
        assert readers() == 1
        await viewer.close()

    with published(own, 'killed'):
        asyncio.run(see())


def test_many_viewers_see_the_same_pictures(own):
    async def see() -> list[Viewer]:
        viewers = await asyncio.gather(*(Viewer(own, 'many').open() for _ in range(5)))
        await asyncio.gather(*(viewer.until(lambda viewer=viewer: len(viewer.times) > 60) for viewer in viewers))
        assert len(state_of(own, 'many')['readers']) == 5
        await asyncio.gather(*(viewer.close() for viewer in viewers))
        return list(viewers)

    with published(own, 'many') as publisher:
        viewers = asyncio.run(see())
        path = state_of(own, 'many')
    for viewer in viewers:
        assert_in_a_row(viewer.times, publisher.sent)
    assert path['readers'] == []
    assert path['outboundBytes'] > path['inboundBytes'] > 0
    assert path['drops'] == {}


def test_viewers_are_let_go_with_the_publisher_and_may_come_back_with_it(either):
    async def see(publisher: KnownPublisher) -> Viewer:
        viewer = await Viewer(either, 'gone').open()
        await viewer.until(lambda: len(viewer.decoded) > 5)
        await asyncio.to_thread(publisher.close)
        await viewer.until(lambda: viewer.connection.connectionState == 'closed')
        await viewer.close(delete=False)
        refused = await Viewer(either, 'gone').open()
        assert (refused.status, refused.error) == (404, "no stream is available on path 'gone'")
        return viewer

    publisher = KnownPublisher(either, 'gone')
    eventually(lambda: state_of(either, 'gone'))
    viewer = asyncio.run(see(publisher))
    assert httpx.delete(viewer.session).status_code == 404
    with published(either, 'gone', first_time=7):
        asyncio.run(sees_pictures(either, 'gone'))


async def sees_pictures(server: Server, path: str, count: int = 10) -> None:
    viewer = await Viewer(server, path).open()
    assert viewer.status == 201, viewer.error
    await viewer.until(lambda: len(viewer.decoded) > count)
    await viewer.close()


def test_a_second_publisher_takes_the_path_over(either):
    first = KnownPublisher(either, 'twice', first_time=0)
    eventually(lambda: state_of(either, 'twice'))
    source = state_of(either, 'twice')['source']
    with published(either, 'twice', first_time=WRAP // 2):
        eventually(lambda: state_of(either, 'twice')['source'] != source)
        eventually(lambda: first.failed is not None)

        async def see() -> Viewer:
            viewer = await Viewer(either, 'twice').open()
            await viewer.until(lambda: len(viewer.times) > 10)
            await viewer.close()
            return viewer

        assert min(asyncio.run(see()).times) >= WRAP // 2
    first.close()
    eventually(lambda: state_of(either, 'twice') is None)


def test_a_viewer_that_goes_without_a_word_is_let_go(own):
    async def see() -> None:
        viewer = await Viewer(own, 'rude').open()
        await viewer.until(lambda: len(viewer.decoded) > 5)
        await viewer.close(delete=False)

    with published(own, 'rude'):
        asyncio.run(see())
        # Its DTLS said goodbye; without that the consent of ICE (RFC 7675) runs out after 30 s.
        eventually(lambda: state_of(own, 'rude')['readers'] == [])


def test_a_viewer_that_never_connects_is_let_go(own):
    with published(own, 'shy'):

        async def offer() -> None:
            viewer = await Viewer(own, 'shy').open()
            assert viewer.status == 201
            await viewer.connection.close()

        asyncio.run(offer())
        assert state_of(own, 'shy')['readers'] != []
        eventually(lambda: state_of(own, 'shy')['readers'] == [], within_s=20.0)


FFMPEG = (
    'ffmpeg -v error -re -f lavfi -i testsrc2=size=320x240:rate=30 -pix_fmt yuv420p -c:v libx264 -preset ultrafast '
    '-tune zerolatency -g 30 -f rtsp {transport} {address}'
)
GSTREAMER = (
    'gst-launch-1.0 -q videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1 ! '
    'x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! video/x-h264,profile=baseline ! '
    'rtspclientsink protocols={transport} location={address}'
)


@pytest.mark.parametrize(
    ('line', 'transport'),
    [(FFMPEG, '-rtsp_transport tcp'), (FFMPEG, ''), (GSTREAMER, 'tcp')],
    ids=['ffmpeg', 'ffmpeg, udp first', 'gstreamer'],
)
def test_publishers_of_other_makes(own, line, transport):
    words = line.format(transport=transport, address=own.rtsp_address('foreign')).split()
    if shutil.which(words[0]) is None:
        pytest.skip(f'no {words[0]} is on PATH')
    if line is GSTREAMER and subprocess.run(['gst-inspect-1.0', '--exists', 'rtspclientsink'], check=False).returncode:
        pytest.skip('GStreamer has no rtspclientsink (gstreamer1.0-rtsp)')
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: state_of(own, 'foreign') or process.poll() is not None)
            assert process.poll() is None, f'{words[0]} ended'
            asyncio.run(sees_pictures(own, 'foreign', 20))
        finally:
            process.terminate()
    eventually(lambda: state_of(own, 'foreign') is None)


def test_rtsp_readers_of_another_make(own):
    with published(own, 'read') as publisher:
        with av.open(own.rtsp_address('read'), options={'rtsp_transport': 'tcp'}) as stream:
            frames = []
            for frame in stream.decode(video=0):
                frames.append(frame)
                if len(frames) == 30:
                    break
            assert (frames[0].width, frames[0].height) == (320, 240)
            # FFmpeg counts from its first picture on, but the steps are the publisher's.
            ticks = [round(frame.pts * frame.time_base * 90_000) for frame in frames if frame.pts is not None]
            assert len(ticks) > 20
            assert {after - before for before, after in itertools.pairwise(ticks)} == {3000}
            assert [each['type'] for each in state_of(own, 'read')['readers']] == ['rtspSession']
        eventually(lambda: state_of(own, 'read')['readers'] == [])
        assert publisher.failed is None


@pytest.mark.parametrize(
    'sent',
    [
        b'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
        b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + bytes(40),
        b'OPTIONS rtsp://x/ RTSP/1.0\r\nContent-Length: 99999999\r\n\r\n',
        b'A' * 20_000,
    ],
    ids=['http', 'tls', 'endless body', 'endless head'],
)
def test_a_client_that_speaks_something_else_is_let_go(own, sent):
    with socket.create_connection(('127.0.0.1', own.rtsp), 5) as client:
        client.sendall(sent)
        answer = b''
        while more := client.recv(4096):
            answer += more
    assert answer.startswith(b'RTSP/1.0 400 Bad Request')


def rtsp(server: Server, method: str, path: str, headers: str = '', body: str = '') -> str:
    with socket.create_connection(('127.0.0.1', server.rtsp), 5) as client:
        length = f'Content-Length: {len(body)}\r\n' if body else ''
        request = f'{method} {server.rtsp_address(path)} RTSP/1.0\r\nCSeq: 7\r\n{headers}{length}\r\n{body}'
        client.sendall(request.encode())
        return client.recv(4096).decode()


SDP = 'v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n'


@pytest.mark.parametrize(
    ('method', 'path', 'headers', 'body', 'status'),
    [
        ('OPTIONS', 'eo', '', '', 200),
        ('DESCRIBE', 'none', '', '', 404),
        ('ANNOUNCE', 'eo', 'Content-Type: application/sdp\r\n', '', 400),
        ('ANNOUNCE', 'eo', 'Content-Type: application/sdp\r\n', f'{SDP}a=rtpmap:96 H264/90000\r\n', 400),
        (
            'ANNOUNCE',
            'eo',
            'Content-Type: application/sdp\r\n',
            f'{SDP}a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=0\r\n',
            400,
        ),
    ],
)
def test_rtsp_answers_are_those_of_mediamtx(either, method, path, headers, body, status):
    answer = rtsp(either, method, path, headers, body)
    assert answer.startswith(f'RTSP/1.0 {status} '), answer
    assert 'CSeq: 7' in answer


@pytest.mark.parametrize(
    ('method', 'headers', 'status'),
    [
        ('RECORD', '', 455),
        ('PLAY', '', 455),
        ('SETUP', 'Transport: RTP/AVP;unicast;client_port=5000-5001\r\n', 461),
        ('SETUP', 'Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n', 404),
        ('SETUP', '', 461),
        ('BREW', '', 405),
    ],
)
def test_requests_out_of_place_are_refused(own, method, headers, status):
    assert rtsp(own, method, 'none', headers).startswith(f'RTSP/1.0 {status} ')


def test_an_address_that_is_taken_is_named_with_the_way_out(own):
    command = ['-m', 'gremsy_web.video_server.video_server_command']
    words = ['--rtsp', f'127.0.0.1:{own.rtsp}', '--whep', '127.0.0.1:0', '--api', '127.0.0.1:0']
    ended = subprocess.run(
        [os.environ.get('PYTHON', shutil.which('python')), *command, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr == (
        f'video_server: 127.0.0.1:{own.rtsp} is taken, perhaps by a MediaMTX or another suite on this machine: stop '
        'that, or name another address with --rtsp.\n'
    )


def held_by(server: Server) -> tuple[int, int]:
    """Open files, and KiB of memory."""
    process = Path('/proc') / str(server.pid)
    kib = re.search(r'VmRSS:\s+(\d+) kB', (process / 'status').read_text())
    return len(list((process / 'fd').iterdir())), int(kib[1])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_five_hundred_sessions_leave_nothing():
    def come_and_go(server: Server, count: int) -> None:
        with httpx.Client() as client:
            for _ in range(count):
                place = client.post(f'{server.whep}/eo/whep', content=offer, headers=OFFER).headers['Location']
                assert client.delete(f'{server.whep}{place}').status_code == 200

    async def see(server: Server, count: int) -> None:
        for _ in range(count):
            viewer = await Viewer(server, 'eo').open()
            await viewer.until(lambda viewer=viewer: viewer.times)
            await viewer.close()

    offer = offer_of()
    with built_in() as server, published(server, 'eo'):
        come_and_go(server, 100)
        asyncio.run(see(server, 10))
        files, kib = held_by(server)
        come_and_go(server, 460)
        asyncio.run(see(server, 40))
        eventually(lambda: state_of(server, 'eo')['readers'] == [])
        eventually(lambda: held_by(server)[0] <= files)
        # Keys, queues and 128 packets for sending again are more than 100 KiB a session.
        assert held_by(server)[1] < kib + 10 * 1024
