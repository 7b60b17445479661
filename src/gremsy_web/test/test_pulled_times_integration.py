# SPDX-License-Identifier: Apache-2.0
"""What the page's matching of a pulled camera rests on, seen of a real MediaMTX: all who read a path, players and
browsers, get the same RTP times, whether the camera's own or others. Only where `mediamtx` is on PATH."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

pytest.importorskip('aiortc', reason='run ./gremsy setup --extra web')
pytest.importorskip('av', reason='PyAV encodes here: ./gremsy setup --extra encode')

from gremsy_camera.streams.rtp_packets import take_apart
from gremsy_camera.streams.rtsp_session import RTCP, RtspSession
from gremsy_camera.streams.stream_address import StreamAddress
from src.gremsy_camera.test.real_mediamtx import PROGRAM, MediaMtx

from .video_rig import Server, Viewer, eventually

pytest_plugins = ['gremsy_camera.trial.pytest_camera']
with_mediamtx = pytest.mark.skipif(PROGRAM is None, reason='mediamtx is not on PATH: see docker/mediamtx.yml')
pytestmark = [pytest.mark.integration, with_mediamtx]

SETTINGS = """
rtspTransports: [tcp]
api: true
hls: false
rtmp: false
srt: false
moq: false
paths:
  eo: {source: "%s", rtspTransport: tcp}
"""


class Between:
    """Hands connections on to a camera, whose description loses its `packetization-mode` where that is wished."""

    def __init__(self, port: int, hides_mode: bool) -> None:
        self._port, self._hides = port, hides_mode
        self._sent = bytearray()
        self._listener = socket.create_server(('127.0.0.1', 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def times(self) -> list[int]:
        """The RTP times that the camera itself sent, of the packets that end a picture."""
        data, at, found = bytes(self._sent), 0, []
        while at + 4 < len(data):
            if data[at : at + 1] != b'$':
                head = data[at : data.index(b'\r\n\r\n', at)]
                length = re.search(rb'Content-Length: (\d+)', head, re.IGNORECASE)
                at += len(head) + 4 + (int(length[1]) if length else 0)
                continue
            channel, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4], 'big')
            packet = take_apart(data[at + 4 : at + 4 + size], 0) if channel == 0 else None
            found += [packet[0].timestamp] if packet is not None and packet[0].marker else []
            at += 4 + size
        return found

    def _accept(self) -> None:
        try:
            while True:
                ours, _ = self._listener.accept()
                theirs = socket.create_connection(('127.0.0.1', self._port))
                threading.Thread(target=self._pump, args=(ours, theirs), daemon=True).start()
                threading.Thread(target=self._pump, args=(theirs, ours, self._sent), daemon=True).start()
        except OSError:
            return

    def _pump(self, source: socket.socket, sink: socket.socket, kept: bytearray | None = None) -> None:
        try:
            while data := source.recv(65_536):
                if kept is not None:
                    kept += data
                # As long as before, so that Content-Length stays true.
                sink.sendall(data.replace(b'packetization-mode=1', b'unheard-of-thing-x=1') if self._hides else data)
        except OSError:
            pass
        for each in (source, sink):
            each.close()


class Player:
    """Collects the RTP times of a stream on a thread of its own."""

    def __init__(self, address: str) -> None:
        self.times: list[int] = []
        self._session = RtspSession(StreamAddress.of(address, 'source'))
        self._session.start(self._session.describe().track, 'tcp')
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        self._thread.join()
        self._session.close()

    def _run(self) -> None:
        while not self._end.is_set():
            for each in self._session.receive(0.1):
                packet = take_apart(each.data, 0) if each.channel != RTCP else None
                if packet is not None and packet[0].marker:
                    self.times.append(packet[0].timestamp)


def common(some: list[int], others: list[int]) -> tuple[list[int], list[int]]:
    """Both between the first and the last time that both have."""
    both = [each for each in some if each in set(others)]
    assert len(both) > 20, (some[:5], others[:5])

    def cut(times: list[int]) -> list[int]:
        return times[times.index(both[0]) : times.index(both[-1]) + 1]

    return cut(some), cut(others)


@pytest.fixture(params=['with packetization-mode', 'without'])
def pulled(request, tmp_path, run_camera) -> Iterator[tuple[Between, MediaMtx, bool]]:
    camera = run_camera()
    hides = request.param == 'without'
    with closing(Between(camera.port, hides)) as between:
        source = camera.uri.replace(str(camera.port), str(between.port))
        server = MediaMtx(tmp_path, SETTINGS % source)
        server.start()
        try:
            yield between, server, hides
        finally:
            server.stop()


def test_all_readers_of_a_pulled_path_get_the_same_times(pulled):
    between, server, hides = pulled
    eventually(lambda: server.path('eo')['available'])
    with closing(Player(f'{server.server()}/eo')) as first:
        time.sleep(1.0)
        with closing(Player(f'{server.server()}/eo')) as second:
            viewed = asyncio.run(_view(server))
            eventually(lambda: viewed[-1] in first.times and len(second.times) > 40)
    for others in (second.times, viewed):
        ours, theirs = common(first.times, others)
        assert ours == theirs
    # The camera's own, but where its description lacks the mode: then others, though the same for all.
    own = set(between.times()) & set(first.times)
    assert (len(own) > 20) != hides, (first.times[:3], between.times()[:3])


async def _view(server: MediaMtx) -> list[int]:
    viewer = await Viewer(Server('mediamtx', 0, server.whep, server.api, 0), 'eo').open()
    assert viewer.status == 201, viewer.error
    await viewer.until(lambda: len(viewer.times) > 40)
    await viewer.close()
    return viewer.times
