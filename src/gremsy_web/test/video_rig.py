# SPDX-License-Identifier: Apache-2.0
"""For tests of video servers: a server as a process, a publisher whose RTP times are known, and a viewer of aiortc."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from urllib.parse import urljoin

import av
import httpx
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcdtlstransport import RTCDtlsTransport

from gremsy_camera.streaming.rtp_sending import rtp_payloads

PICTURE_TICKS = 3000
_PLI = b'\x81\xce'


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Attributes:
        name: 'built-in' or 'mediamtx'.
        rtsp: port.
        whep: address, without a slash at its end.
        control: likewise.
        pid: of its process.
    """

    name: str
    rtsp: int
    whep: str
    control: str
    pid: int

    def rtsp_address(self, path: str) -> str:
        return f'rtsp://127.0.0.1:{self.rtsp}/{path}'


def eventually(what: Callable[[], object], within_s: float = 15.0) -> object:
    """What it returns as soon as that is true."""
    until = time.monotonic() + within_s
    while not (value := what()):
        if time.monotonic() > until:
            raise TimeoutError(f'nothing within {within_s} s')
        time.sleep(0.05)
    return value


@contextmanager
def built_in(*arguments: str) -> Iterator[Server]:
    """The server of this package, on free ports; it has to end by itself when it is asked to."""
    command = [sys.executable, '-m', 'gremsy_web.video_server.video_server_command']
    free = '127.0.0.1:0'
    process = subprocess.Popen(
        [*command, '--rtsp', free, '--whep', free, '--api', free, *arguments], stderr=subprocess.PIPE, text=True
    )
    lines: deque[str] = deque(maxlen=200)
    try:
        first = process.stderr.readline()
        reader = threading.Thread(target=lambda: lines.extend(process.stderr), daemon=True)
        reader.start()
        ports = re.findall(r'127\.0\.0\.1:(\d+)', first)
        assert len(ports) == 3, first
        yield Server(
            'built-in', int(ports[0]), f'http://127.0.0.1:{ports[1]}', f'http://127.0.0.1:{ports[2]}', process.pid
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        reader.join(5)
        assert not [line for line in lines if 'Traceback' in line or '[ERROR]' in line], list(lines)
    finally:
        process.kill()
        process.wait(10)


@contextmanager
def mediamtx(folder: Path) -> Iterator[Server]:
    """A real MediaMTX, on free ports of loopback; skips where there is none."""
    program = shutil.which('mediamtx')
    if program is None:
        pytest.skip('no mediamtx is on PATH')
    rtsp, whep, ice, control = _free_ports(4)
    config = folder / 'mediamtx.yml'
    config.write_text(
        f'rtspTransports: [tcp]\nrtspAddress: 127.0.0.1:{rtsp}\nwebrtcAddress: 127.0.0.1:{whep}\n'
        f'webrtcLocalUDPAddress: 127.0.0.1:{ice}\nhls: false\nrtmp: false\nsrt: false\nmoq: false\n'
        f'api: true\napiAddress: 127.0.0.1:{control}\npaths:\n  all_others:\n'
    )
    with (folder / 'mediamtx.log').open('w') as log:
        process = subprocess.Popen([program, str(config)], cwd=folder, stdout=log, stderr=log)
    try:
        for port in (rtsp, whep, control):
            eventually(lambda port=port: _listens(port))
        yield Server('mediamtx', rtsp, f'http://127.0.0.1:{whep}', f'http://127.0.0.1:{control}', process.pid)
    finally:
        process.terminate()
        process.wait(10)


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(('127.0.0.1', 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


def _listens(port: int) -> bool:
    try:
        socket.create_connection(('127.0.0.1', port), 1).close()
    except OSError:
        return False
    return True


def offer_of(codec: str = '') -> str:
    """What aiortc offers to receive video, or only that codec."""

    async def make() -> str:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        transceiver = connection.addTransceiver('video', 'recvonly')
        if codec:
            codecs = transceiver.receiver.getCapabilities('video').codecs
            transceiver.setCodecPreferences([each for each in codecs if each.mimeType == codec])
        await connection.setLocalDescription(await connection.createOffer())
        sdp = connection.localDescription.sdp
        await connection.close()
        return sdp

    return asyncio.run(make())


class KnownPublisher:
    """Publishes a moving picture at 30 Hz over RTSP until it is closed, and remembers every RTP time that it sent.

    Args:
        server: where to.
        path: likewise.
        first_time: of RTP.
        gop: pictures from one key frame to the next, unless one is asked for (RTCP's picture loss indication).
    """

    def __init__(self, server: Server, path: str, first_time: int = 1000, gop: int = 30, rate_hz: float = 30.0) -> None:
        self.sent: list[int] = []
        self.sent_at_s: dict[int, float] = {}
        self.keys: list[int] = []
        self.asked = 0
        self.failed: BaseException | None = None
        self._time = first_time
        self._gop = gop
        self._interval_s = 1.0 / rate_hz
        self._address = server.rtsp_address(path)
        self._stop = threading.Event()
        self._force_key = threading.Event()
        self._socket = socket.create_connection(('127.0.0.1', server.rtsp), 5)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._number = 0
        self._sequence = 65_500
        self._handshake()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        self._listener.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5)
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            self.failed = self.failed or OSError('the server had closed')
        self._socket.close()
        self._listener.join(5)

    def __enter__(self) -> KnownPublisher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _handshake(self) -> None:
        sdp = (
            'v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n'
            'm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n'
            'a=control:trackID=0\r\n'
        )
        transport = 'RTP/AVP/TCP;unicast;interleaved=0-1;mode=record'
        session = ''
        for method, target, headers, body in (
            ('OPTIONS', self._address, {}, ''),
            ('ANNOUNCE', self._address, {'Content-Type': 'application/sdp'}, sdp),
            ('SETUP', f'{self._address}/trackID=0', {'Transport': transport}, ''),
            ('RECORD', self._address, {'Range': 'npt=0-'}, ''),
        ):
            answer = self._ask(method, target, {**headers, **({'Session': session} if session else {})}, body)
            assert answer.startswith('RTSP/1.0 200'), answer
            found = re.search(r'Session: ([^;\r]+)', answer)
            session = found[1] if found else session

    def _ask(self, method: str, target: str, headers: dict[str, str], body: str) -> str:
        self._number += 1
        headers = {'CSeq': str(self._number), **headers, **({'Content-Length': str(len(body))} if body else {})}
        lines = [f'{method} {target} RTSP/1.0', *(f'{name}: {value}' for name, value in headers.items())]
        self._socket.sendall(('\r\n'.join(lines) + '\r\n\r\n' + body).encode())
        answer = b''
        while b'\r\n\r\n' not in answer:
            more = self._socket.recv(65_536)
            assert more, f'the server closed after {method}'
            answer += more
        return answer.decode()

    def _run(self) -> None:
        encoder = av.CodecContext.create('libx264', 'w')
        encoder.width, encoder.height, encoder.pix_fmt = 320, 240, 'yuv420p'
        encoder.time_base, encoder.framerate = Fraction(1, 90_000), Fraction(30)
        encoder.options = {
            'preset': 'ultrafast',
            'tune': 'zerolatency',
            'g': '100000',
            'forced-idr': '1',
            'threads': '1',
        }
        picture = np.zeros((360, 320), np.uint8) + 128
        count, due = 0, time.monotonic()
        try:
            while not self._stop.wait(max(0.0, due - time.monotonic())):
                due += self._interval_s
                picture[:240] = (np.arange(320) * 3 + 5 * count) % 256
                frame = av.VideoFrame.from_ndarray(picture, 'yuv420p')
                frame.pts = count
                key = count % self._gop == 0 or self._force_key.is_set()
                if key:
                    self._force_key.clear()
                    frame.pict_type = av.video.frame.PictureType.I
                for packet in encoder.encode(frame):
                    self.sent_at_s[self._time] = time.time()
                    self._send(bytes(packet))
                    self.sent.append(self._time)
                    self.keys += [self._time] if packet.is_keyframe else []
                    self._time = (self._time + PICTURE_TICKS) % 2**32
                count += 1
        except OSError as error:
            self.failed = error

    def _send(self, data: bytes) -> None:
        payloads = rtp_payloads(data, 1400)
        out = bytearray()
        for index, payload in enumerate(payloads):
            marker = 0x80 if index == len(payloads) - 1 else 0
            packet = struct.pack('>BBHII', 0x80, 96 | marker, self._sequence, self._time, 0x1234_5678) + payload
            self._sequence = (self._sequence + 1) % 2**16
            out += struct.pack('>cBH', b'$', 0, len(packet)) + packet
        self._socket.sendall(out)

    def _listen(self) -> None:
        buffer = b''
        while not self._stop.is_set():
            try:
                more = self._socket.recv(65_536)
            except OSError:
                return
            if not more:
                return
            buffer = buffer[-3:] + more
            if _PLI in buffer:
                self.asked += buffer.count(_PLI)
                self._force_key.set()
                buffer = b''


@dataclass
class Viewer:
    """A viewer of aiortc, which counts packets as they come off the wire.

    Attributes:
        headers: of its requests, such as a key.
        times: of RTP, of each picture in the order of its first packet.
        decoded: RTP times of the decoded pictures.
        status: of the answer to the offer.
    """

    server: Server
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    times: list[int] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    decoded: list[int] = field(default_factory=list)
    status: int = 0
    error: str = ''
    session: str = ''
    connection: RTCPeerConnection | None = None

    async def open(self) -> Viewer:
        self.connection = connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        transceiver = connection.addTransceiver('video', 'recvonly')
        _listen_to(transceiver.receiver.transport, self._packet)
        connection.on('track', lambda track: asyncio.ensure_future(self._decode(track)))
        await connection.setLocalDescription(await connection.createOffer())
        async with httpx.AsyncClient(headers=self.headers) as client:
            url = f'{self.server.whep}/{self.path}/whep'
            headers = {'Content-Type': 'application/sdp'}
            answer = await client.post(url, content=connection.localDescription.sdp, headers=headers)
        self.status = answer.status_code
        if self.status != 201:
            self.error = answer.json()['error']
            await connection.close()
            return self
        self.session = urljoin(url, answer.headers['Location'])
        await connection.setRemoteDescription(RTCSessionDescription(answer.text, 'answer'))
        return self

    async def until(self, what: Callable[[], object], within_s: float = 15.0) -> None:
        end = time.monotonic() + within_s
        while not what():
            assert time.monotonic() < end, f'{len(self.times)} pictures, {self.connection.connectionState}'
            await asyncio.sleep(0.02)

    async def close(self, delete: bool = True) -> int:
        status = 0
        if delete and self.session:
            async with httpx.AsyncClient(headers=self.headers) as client:
                status = (await client.delete(self.session)).status_code
        await self.connection.close()
        return status

    def _packet(self, data: bytes) -> None:
        (timestamp,) = struct.unpack_from('>I', data, 4)
        if not self.times or self.times[-1] != timestamp:
            self.times.append(timestamp)

    async def _decode(self, track: object) -> None:
        from aiortc.mediastreams import MediaStreamError

        try:
            while True:
                self.decoded.append((await track.recv()).pts)
        except MediaStreamError:
            return


def _listen_to(transport: RTCDtlsTransport, packet: Callable[[bytes], None]) -> None:
    handle = transport._handle_rtp_data

    async def listen(data: bytes, arrival_time_ms: int) -> None:
        packet(data)
        await handle(data, arrival_time_ms=arrival_time_ms)

    transport._handle_rtp_data = listen
