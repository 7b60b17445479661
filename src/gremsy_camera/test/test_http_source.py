# SPDX-License-Identifier: Apache-2.0
"""`http:` and `https:` against bare sockets that answer as cameras do, and ffmpeg's and Python's own servers."""

import gc
import hashlib
import http.server
import itertools
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from gremsy_camera.errors import PictureDamaged, SourceError, SourceRefused, SourceUnusable
from gremsy_camera.footage.footage_reader import AtEnd
from gremsy_camera.footage.pacing import SystemClock
from gremsy_camera.http_stream.http_reader import HttpReader
from gremsy_camera.live.live_parameters import LiveParameters
from gremsy_camera.live.live_reader import TimeBase
from gremsy_camera.sources import create_source
from gremsy_camera.sources.source import SourceContext
from gremsy_camera.trial.trial_camera import make_certificate

from .http_camera import MULTIPART, HttpCamera, says, trusted_certificate
from .reader_steps import live_context, opening
from .test_jpeg_stream import CAMERAS, jpeg, mjpg_streamer

PICTURES = [jpeg(index, 64, 48) for index in range(30)]


@pytest.fixture
def camera():
    made = []

    def make(answer, context=None):
        made.append(HttpCamera(answer, context))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def make_reader():
    made = []

    def make(uri, rate_hz=0.0, tap=None):
        made.append(HttpReader(uri, live_context(tap=tap, rate_hz=rate_hz)))
        return made[-1]

    yield make
    for reader in made:
        reader.close()


def read(reader, count, within_s=10.0):
    pictures = []
    deadline = time.monotonic() + within_s
    while len(pictures) < count and time.monotonic() < deadline:
        picture = reader.read(0.2)
        if picture is not None:
            pictures.append(picture)
    assert len(pictures) == count
    return pictures


def is_picture(image, index):
    np.testing.assert_array_equal(image, cv2.imdecode(np.frombuffer(PICTURES[index], np.uint8), cv2.IMREAD_COLOR))


@pytest.mark.parametrize('announced', ['myboundary', '--myboundary', '"myboundary"', 'something-else'])
@pytest.mark.parametrize('kind', CAMERAS)
def test_pictures_come_in_order_whatever_the_boundary(camera, make_reader, kind, announced):
    reader = make_reader(camera(says(MULTIPART.format(announced), *kind(PICTURES[:5]), stay=True)).uri)
    info = reader.open()
    assert (info.width, info.height, dict(info.details)['codec']) == (64, 48, 'MJPEG')
    for index, picture in enumerate(read(reader, 5)):
        is_picture(picture.pixels(), index)
        assert picture.arrived_ns <= time.monotonic_ns() and (picture.width, picture.height) == (64, 48)


@pytest.mark.parametrize(
    'head',
    [
        'HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\nContent-Length: 9999999\r\n\r\n',
        'HTTP/1.0 200 OK\nContent-Type: multipart/mixed;boundary=videoframe\n\n',
        'HTTP/1.0 200 OK\r\n\r\n',
        'HTTP/1.1 200\r\nContent-Type: application/octet-stream\r\nno header at all\r\n\r\n',
        'ICY 200 OK\r\nContent-Type: video/x-motion-jpeg\r\n\r\n',
    ],
)
def test_heads_of_every_kind(camera, make_reader, head):
    reader = make_reader(camera(says(head, *mjpg_streamer(PICTURES[:3]), stay=True)).uri)
    reader.open()
    is_picture(read(reader, 3)[-1].pixels(), 2)


def test_a_chunked_body(camera, make_reader):
    # As the ESP32's httpd_resp_send_chunk sends it: the chunks end anywhere.
    body = b''.join(mjpg_streamer(PICTURES[:4]))
    chunks = [
        b'%x;x=y\r\n' % len(body[at : at + 777]) + body[at : at + 777] + b'\r\n' for at in range(0, len(body), 777)
    ]
    head = 'HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\nTransfer-Encoding: chunked\r\n\r\n'
    reader = make_reader(camera(says(head, *chunks, stay=True)).uri)
    reader.open()
    assert len(read(reader, 4)) == 4


def test_the_cameras_own_time_is_the_capture(camera, make_reader):
    reader = make_reader(camera(says(MULTIPART.format('b'), *mjpg_streamer(PICTURES[:3]), stay=True)).uri)
    reader.open()
    captures = [picture.capture for picture in read(reader, 3)]
    assert [(each.base, each.origin) for each in captures] == [(TimeBase.CAMERA, "the camera's X-Timestamp")] * 3
    assert [each.time_ns for each in captures] == [
        pytest.approx((2122192 + index) * 1_000_000_000 + 753_042_000, abs=1000) for index in range(3)
    ]


@pytest.mark.parametrize('told', ['0.000000', '12.5', 'yesterday', '-1', 'inf', 'nan', '1e300'])
def test_a_time_that_stands_still_or_is_none_is_not_taken(camera, make_reader, told):
    parts = [b'--b\r\nX-Timestamp: %s\r\n\r\n' % told.encode() + picture for picture in PICTURES[:3]]
    reader = make_reader(camera(says(MULTIPART.format('b'), *parts, stay=True)).uri)
    reader.open()
    assert [picture.capture for picture in read(reader, 3)][1:] == [None, None]


def snapshots(pictures, closes=False):
    """A picture for every request, on one connection where it stays."""
    left = iter(pictures)

    def answer(_request, connection):
        picture = next(left)
        length = '' if closes else f'Content-Length: {len(picture)}\r\n'
        connection.sendall(f'HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n{length}\r\n'.encode() + picture)
        return not closes

    return answer


@pytest.mark.parametrize('closes', [False, True])
def test_single_pictures_are_asked_for_at_the_rate(camera, make_reader, closes):
    reader = make_reader(camera(snapshots(PICTURES, closes)).uri, rate_hz=40.0)
    assert reader.open().rate_hz == 40.0
    before = time.monotonic()
    pictures = read(reader, 9)
    assert time.monotonic() - before > 7 / 40
    for index, picture in enumerate(pictures):
        is_picture(picture.pixels(), index)


def test_a_single_picture_is_not_waited_for_longer_than_asked(camera, make_reader):
    reader = make_reader(camera(snapshots(PICTURES)).uri, rate_hz=0.2)
    reader.open()
    read(reader, 1)
    before = time.monotonic()
    assert reader.read(0.05) is None
    assert time.monotonic() - before < 1.0


def digest_of(password, request, algorithm='MD5'):
    """RFC 7616, 3.4.1, written again for the test."""
    make = {'MD5': hashlib.md5, 'SHA-256': hashlib.sha256}[algorithm]
    fields = dict(
        re.findall(r'(\w+)="?([^",]+)"?', request.partition('Authorization: Digest ')[2].partition('\r\n')[0])
    )
    one = make(f'{fields["username"]}:{fields["realm"]}:{password}'.encode()).hexdigest()
    two = make(f'GET:{fields["uri"]}'.encode()).hexdigest()
    middle = f'{fields["nonce"]}:{fields["nc"]}:{fields["cnonce"]}:auth' if 'qop' in fields else fields['nonce']
    return fields['response'] == make(f'{one}:{middle}:{two}'.encode()).hexdigest()


CHALLENGES = {
    'basic': 'Basic realm="MJPG-Streamer"',
    'digest': 'Digest realm="AXIS_ACCC8E", nonce="00a1", algorithm=MD5, qop="auth"',
    'old digest': 'Digest realm="cam", nonce="00a1"',
    'sha': 'Digest realm="cam", nonce="00a1", algorithm=SHA-256, qop="auth,auth-int", opaque="x"',
}


def asking(kind, password):
    nonces = itertools.count(1)

    def answer(request, connection):
        if kind == 'basic':
            # base64 of 'operator:p@ss/word' by `base64`.
            good = 'Authorization: Basic b3BlcmF0b3I6cEBzcy93b3Jk' in request
        else:
            good = 'Digest' in request and digest_of(password, request, 'SHA-256' if kind == 'sha' else 'MD5')
        if not good:
            challenge = CHALLENGES[kind].replace('00a1', f'00a{next(nonces)}')
            head = f'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 2\r\n\r\nno'
            connection.sendall(head.encode())
            return True
        return says(MULTIPART.format('b'), *mjpg_streamer(PICTURES[:3]), stay=True)(request, connection)

    return answer


@pytest.mark.parametrize('kind', CHALLENGES)
def test_credentials_are_given_when_asked_for(camera, make_reader, monkeypatch, kind):
    server = camera(asking(kind, 'p@ss/word'))
    uri = server.uri.replace('//', '//${CAMERA_USER}:${CAMERA_PASSWORD}@')
    for name, value in {'CAMERA_USER': 'operator', 'CAMERA_PASSWORD': 'p@ss/word'}.items():
        monkeypatch.setenv(name, value)
    reader = make_reader(uri)
    reader.open()
    read(reader, 3)
    assert 'Authorization' not in server.requests[0] and len(server.requests) == 2


@pytest.mark.parametrize('kind', CHALLENGES)
@pytest.mark.parametrize('user', ['', 'operator:wrong-secret@'])
def test_wrong_credentials_are_refused_and_shown_nowhere(camera, make_reader, kind, user):
    server = camera(asking(kind, 'p@ss/word'))
    error = opening(make_reader(server.uri.replace('//', f'//{user}')))
    assert isinstance(error, SourceRefused)
    assert str(error) == (
        f'The camera {server.uri} cannot be opened: it requires a valid user name and password (401): '
        'check those in `source`.'
    )
    assert len(server.requests) <= 2


@pytest.mark.parametrize(
    ('status', 'why'),
    [
        ('404 Not Found', 'it has no such stream (404): check the path in `source`'),
        ('503 Service Unavailable', 'it accepts no more readers now (503): close another one, or read from the server '
         'that has it (`via`)'),
        ('500 Oh No', 'it answers 500 Oh No'),
    ],
)  # fmt: skip
def test_what_a_camera_refuses_with_is_explained(camera, make_reader, status, why):
    server = camera(says(f'HTTP/1.1 {status}\r\n\r\n'))
    error = opening(make_reader(server.uri))
    assert str(error) == f'The camera {server.uri} cannot be opened: {why}.' and not error.permanent


@pytest.mark.parametrize(
    ('kind', 'why'),
    [
        ('text/html; charset=utf-8', 'text/html is a page: write the address of the stream itself, which the manual of '
         'the camera names'),
        ('audio/basic', 'audio/basic is sound: write the address of the video'),
        ('video/mp4', 'video/mp4 is video of another kind: `gst: souphttpsrc location=... ! decodebin` may read it'),
        ('image/png', 'image/png is nothing that is read here: it must be JPEG pictures'),
    ],
)  # fmt: skip
def test_what_is_no_stream_of_pictures_is_named(camera, make_reader, kind, why):
    server = camera(says(f'HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n'))
    error = opening(make_reader(server.uri))
    assert isinstance(error, SourceUnusable)
    assert str(error) == f'The camera {server.uri} cannot be opened: {why}.'


def test_a_stream_without_pictures(camera, make_reader):
    server = camera(says(MULTIPART.format('b'), b'--b\r\nContent-Type: text/plain\r\n\r\nno picture' * 30_000))
    assert str(opening(make_reader(server.uri))) == (
        f'The camera {server.uri} sends no JPEG pictures: there is no JPEG in 1 MB.'
    )


def test_redirects_are_followed_and_credentials_go_to_nobody_else(camera, make_reader):
    end = camera(says(MULTIPART.format('b'), *mjpg_streamer(PICTURES[:3]), stay=True))
    far = end.uri.replace('127.0.0.1', 'localhost').replace('/eo', '/elsewhere?x=1')

    def answer(request, connection):
        if request.startswith('GET /eo '):
            connection.sendall(b'HTTP/1.1 302 Found\r\nLocation: /here\r\nContent-Length: 0\r\n\r\n')
        elif 'Authorization' not in request:
            connection.sendall(b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n')
        else:
            connection.sendall(f'HTTP/1.1 307 There\r\nLocation: {far}\r\nContent-Length: 0\r\n\r\n'.encode())
        return True

    server = camera(answer)
    reader = make_reader(server.uri.replace('//', '//user:secret@'))
    assert dict(reader.open().details)['redirected to'] == far
    read(reader, 3)
    assert 'Authorization' in server.requests[-1] and 'Authorization' not in end.requests[0]


def test_redirects_in_a_circle(camera, make_reader):
    server = camera(says('HTTP/1.1 302 Found\r\nLocation: /eo\r\n\r\n'))
    assert str(opening(make_reader(server.uri))) == (
        f'The camera {server.uri} cannot be opened: it asks and redirects in a circle (6 times).'
    )


def test_a_redirect_away_from_http(camera, make_reader):
    server = camera(says('HTTP/1.1 302 Found\r\nLocation: rtsp://other/eo\r\n\r\n'))
    assert str(opening(make_reader(server.uri))) == (
        f'The camera {server.uri} cannot be opened: it redirects to rtsp:, which is not HTTP.'
    )


@pytest.mark.parametrize('where', ['http://127.0.0.1:0/', 'http://[bad/'])
def test_a_redirect_to_no_address_is_the_cameras_fault_and_asked_again(camera, make_reader, where):
    server = camera(says(f'HTTP/1.1 302 Found\r\nLocation: {where}\r\n\r\n'))
    error = opening(make_reader(server.uri))
    assert str(error) == f'The camera {server.uri} cannot be opened: it redirects to {where}, which is not an address.'
    assert not error.permanent


@pytest.mark.parametrize('size', [b'-5', b'0x5', b'', b'many'])
def test_chunks_without_a_size_end_the_connection(camera, make_reader, size):
    head = 'HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\nTransfer-Encoding: chunked\r\n\r\n'
    server = camera(says(head, size + b'\r\nabc', stay=True))
    assert str(opening(make_reader(server.uri))) == f'The connection to the camera {server.uri} broke (no chunk).'


def test_a_picture_that_nobody_has_memory_for_is_left_out(camera, make_reader):
    (whole,) = PICTURES[:1]
    start = whole.index(b'\xff\xc0') + 5
    huge = whole[:start] + struct.pack('>HH', 20_000, 30_000) + whole[start + 4 :]
    reader = make_reader(camera(says(MULTIPART.format('b'), *mjpg_streamer([huge]), stay=True)).uri)
    reader.open()
    (picture,) = read(reader, 1)
    with pytest.raises(PictureDamaged) as raised:
        picture.pixels()
    assert str(raised.value) == 'A JPEG picture says that it has 30000x20000 px: it is left out.'


def test_a_port_on_which_nothing_listens(make_reader):
    with socket.socket() as bound:
        bound.bind(('127.0.0.1', 0))
        port = bound.getsockname()[1]
        assert str(opening(make_reader(f'http://127.0.0.1:{port}/eo'))) == (
            f'The camera http://127.0.0.1:{port}/eo cannot be opened: nothing listens on port {port} of 127.0.0.1: '
            'check that the camera has started and the port is right.'
        )


def test_a_name_that_nobody_knows(make_reader):
    assert str(opening(make_reader('http://camera.invalid/eo'))) == (
        'The camera http://camera.invalid/eo cannot be opened: the name camera.invalid is not known: check it and the '
        'DNS server, or write the IP address.'
    )


@pytest.mark.parametrize('head', ['SSH-2.0-OpenSSH_9.2\r\n', 'HTTP what\r\n\r\n', b'\x15\x03\x01\x00\x02'])
def test_a_server_of_something_else(camera, make_reader, head):
    server = camera(says(head, stay=True))
    assert str(opening(make_reader(server.uri))) == (
        f'The camera {server.uri} cannot be opened: it does not speak HTTP on this port: check the port.'
    )


def test_a_server_that_hangs_up(camera, make_reader):
    server = camera(says(b''))
    assert str(opening(make_reader(server.uri))) == (
        f'The camera {server.uri} cannot be opened: it closes the connection without a response.'
    )


@pytest.mark.parametrize(
    ('head', 'why'),
    [
        ('', 'it accepts the connection and does not answer within 5 s'),
        (MULTIPART.format('b'), 'no picture came within 5 s'),
    ],
)
def test_a_server_that_is_silent_is_given_up(camera, make_reader, head, why):
    server = camera(says(head, stay=True))
    assert str(opening(make_reader(server.uri))) == f'The camera {server.uri} cannot be opened: {why}.'


def test_a_stream_that_ends_breaks_the_reader_which_opens_again(camera, make_reader):
    server = camera(says(MULTIPART.format('b'), *mjpg_streamer(PICTURES[:3])))
    reader = make_reader(server.uri)
    for _ in range(2):
        reader.open()
        read(reader, 3)
        with pytest.raises(SourceError) as raised:
            read(reader, 1)
        assert str(raised.value) == f'The camera {server.uri} ended its stream.'
        reader.close()


def test_a_stall_is_none(camera, make_reader):
    reader = make_reader(camera(says(MULTIPART.format('b'), *mjpg_streamer(PICTURES[:2]), stay=True)).uri)
    reader.open()
    read(reader, 2)
    assert reader.read(0.05) is None


def test_damage_is_counted_and_left_out(camera, make_reader):
    # The frame header (T.81, B.2.2) asks for a precision that there is none of.
    bad = bytearray(PICTURES[1])
    bad[PICTURES[1].index(b'\xff\xc0') + 4] = 99
    half = jpeg(9, 320, 240)[:2000]
    parts = [b'--b\r\n\r\n' + each for each in (PICTURES[0], bytes(bad), half, PICTURES[2])]
    reader = make_reader(camera(says(MULTIPART.format('b'), *parts, stay=True)).uri)
    reader.open()
    first, damaged, last = read(reader, 3)
    is_picture(first.pixels(), 0)
    with pytest.raises(PictureDamaged) as raised:
        damaged.pixels()
    assert str(raised.value) == 'A JPEG picture cannot be decoded: it is left out.'
    is_picture(last.pixels(), 2)
    assert dict(reader.counts()) == {'pictures cut short': 1}


@pytest.fixture(scope='module')
def certificate(tmp_path_factory):
    path = make_certificate(tmp_path_factory.mktemp('tls'))
    if path is None:
        pytest.skip('openssl is not installed')
    return path


def test_a_certificate_that_is_trusted_nowhere_is_explained(camera, make_reader, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = camera(says(''), context)
    assert str(opening(make_reader(server.uri))) == (
        f'The camera {server.uri} cannot be opened: its certificate is not trusted here (self-signed certificate): '
        'put it into the file that the environment variable SSL_CERT_FILE names.'
    )


def test_a_certificate_that_is_put_there_is_taken(camera, make_reader, monkeypatch, tmp_path):
    context = trusted_certificate(tmp_path, monkeypatch)
    reader = make_reader(camera(says(MULTIPART.format('b'), *mjpg_streamer(PICTURES[:3]), stay=True), context).uri)
    reader.open()
    assert len(read(reader, 3)) == 3


def test_an_encrypted_connection_to_a_port_without_encryption(camera, make_reader):
    uri = camera(says('HTTP/1.0 200 OK\r\n\r\n')).uri.replace('http:', 'https:')
    port = urlsplit(uri).port
    assert str(opening(make_reader(uri))) == (
        f'The camera {uri} cannot be opened: it does not speak TLS on port {port} (no answer): write '
        'http:// for one that does not encrypt.'
    )


@dataclass
class Tap:
    wanted: bool = True

    def __post_init__(self):
        self.taken = []

    def put(self, video, packet):
        self.taken.append((video, packet))


def test_the_jpegs_go_to_the_tap_as_they_came(camera, make_reader):
    tap = Tap()
    server = camera(says(MULTIPART.format('b'), *mjpg_streamer(PICTURES[:3]), stay=True))
    reader = make_reader(server.uri, tap=tap)
    reader.open()
    read(reader, 3)
    assert [packet.data for _, packet in tap.taken] == PICTURES[:3]
    assert all((video.codec, video.width, packet.key) == ('mjpeg', 64, True) for video, packet in tap.taken)
    assert np.diff([packet.pts_ns for _, packet in tap.taken]).tolist() == [1_000_000_000] * 2


def test_ffmpegs_own_stream_is_read(make_reader):
    """FFmpeg's `mpjpeg` muxer behind its own HTTP server."""
    ffmpeg = shutil.which('ffmpeg')
    if ffmpeg is None:
        pytest.skip('ffmpeg is not installed')
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [ffmpeg, '-loglevel', 'error', '-re', '-f', 'lavfi', '-i', 'testsrc=size=322x242:rate=25', '-f', 'mpjpeg',
         '-listen', '1', '-content_type', 'multipart/x-mixed-replace;boundary=ffmpeg', f'http://127.0.0.1:{port}/'],
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        reader = make_reader(f'http://127.0.0.1:{port}/')
        deadline = time.monotonic() + 10
        while True:
            try:
                info = reader.open()
                break
            except SourceError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        assert (info.width, info.height) == (322, 242)
        pictures = read(reader, 10)
        assert pictures[-1].pixels().shape == (242, 322, 3)
        reader.close()
    finally:
        process.kill()
        process.wait()


def test_pythons_own_server_gives_single_pictures(make_reader, tmp_path):
    (tmp_path / 'snapshot.jpg').write_bytes(PICTURES[3])

    class Handler(http.server.SimpleHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'

        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *_arguments):
            pass

    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        reader = make_reader(f'http://127.0.0.1:{server.server_port}/snapshot.jpg', rate_hz=50.0)
        reader.open()
        for picture in read(reader, 5):
            is_picture(picture.pixels(), 3)
        reader.close()
        server.shutdown()


def test_a_source_is_read_through_to_its_frames(camera, said):
    parts = mjpg_streamer(PICTURES * 20)
    server = camera(says(MULTIPART.format('b'), *parts, pause_s=0.01, stay=True))
    context = SourceContext('eo', 0.0, AtEnd.LOOP, SystemClock(), said, LiveParameters())
    source = create_source(server.uri.replace('//', '//user:secret@').replace('/eo', '/eo?action=stream'), context)
    source.open()
    frames = []
    deadline = time.monotonic() + 10
    while len(frames) < 5 and time.monotonic() < deadline:
        captured = source.read(0.2)
        frames += [captured.frame] if captured else []
    source.close()
    stamps = [frame.stamp_ns for frame in frames]
    assert len(frames) == 5 and stamps == sorted(set(stamps)) and 'secret' not in str(said.sentences)
    assert server.requests[0].startswith('GET /eo?action=stream HTTP/1.1\r\n')


def test_opening_again_leaves_nothing_behind(camera, make_reader):
    reader = make_reader(camera(says(MULTIPART.format('b'), *mjpg_streamer(PICTURES[:2]))).uri)
    for opened in range(60):
        reader.open()
        read(reader, 1)
        reader.close()
        if opened == 9:
            gc.collect()
            before = sum(1 for _ in Path('/proc/self/fd').iterdir())
    time.sleep(0.2)
    gc.collect()
    # The server's side of a connection may still be closing.
    assert sum(1 for _ in Path('/proc/self/fd').iterdir()) <= before + 3
