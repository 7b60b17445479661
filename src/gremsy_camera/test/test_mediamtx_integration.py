# SPDX-License-Identifier: Apache-2.0
"""Video out through a real MediaMTX with `docker/mediamtx.yml`, read by the reader of this package.

Only where `mediamtx` is on PATH. Its addresses are moved to free ports by the environment; all else is the file's.
"""

import http.server
import json
import threading

import pytest
import yaml

from gremsy_camera.errors import SourceError
from gremsy_camera.streaming.rtp_sending import rtp_time
from gremsy_camera.streaming.viewers import ServerReaders
from gremsy_camera.streams.rtp_packets import take_apart
from gremsy_camera.streams.rtp_times import sender_report, signed_ticks
from gremsy_camera.streams.rtsp_session import RTCP, RtspSession
from gremsy_camera.streams.stream_address import StreamAddress
from gremsy_camera.trial.trial_camera import free_port, make_certificate

from .publishing import Publishing
from .real_mediamtx import PROGRAM, MediaMtx
from .test_mediamtx_file import FILE, with_what_is_off

pytest.importorskip('av', reason='PyAV encodes here: ./gremsy setup --extra encode')
with_mediamtx = pytest.mark.skipif(PROGRAM is None, reason='mediamtx is not on PATH: see docker/mediamtx.yml')
pytestmark = [pytest.mark.integration, with_mediamtx]
ALLOWED = {('robot', 'right'): {'publish'}, ('viewer', 'right'): {'read'}}


class Authority(http.server.BaseHTTPRequestHandler):
    """`/api/video/auth` as gremsy_web has it: the robot publishes, a viewer reads."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        actions = ALLOWED.get((asked['user'], asked['password']), ())
        self.send_response(200 if asked['action'] in actions else 401)
        self.send_header('Content-Length', '0')
        self.end_headers()

    def log_message(self, *_):
        """Quiet."""


class Reader:
    """Reads a path on a thread of its own until it ends."""

    def __init__(self, server):
        self.times, self.reports, self.ended = [], [], False
        self._session = RtspSession(StreamAddress.of(f'{server}/eo', 'source'))
        self._session.start(self._session.describe().track, 'tcp')
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        try:
            while not self._stopped.is_set():
                for each in self._session.receive(0.1):
                    if each.channel == RTCP:
                        report = sender_report(each.data)
                        self.reports += [report] if report is not None else []
                        continue
                    packet, _ = take_apart(each.data, 0)
                    self.times += [packet.timestamp] if packet.marker else []
        except SourceError:
            self.ended = True

    def close(self):
        self._stopped.set()
        self._thread.join()
        self._session.close()


@pytest.fixture
def authority():
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Authority)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f'http://127.0.0.1:{server.server_address[1]}/api/video/auth'
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def closing():
    made = []
    yield lambda each: made.append(each) or each
    for each in reversed(made):
        each.close()


@pytest.fixture
def mediamtx(tmp_path, authority):
    server = MediaMtx(tmp_path, FILE.read_text(encoding='utf-8'), MTX_AUTHHTTPADDRESS=authority)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def publishing(mediamtx, closing):
    made = closing(Publishing(mediamtx.server('robot', 'right')))
    made.out.watch(True)
    return made


def test_the_file_is_taken_as_it_is_and_opens_nothing_else(mediamtx):
    log = mediamtx.log
    assert ' WAR ' not in log and ' ERR ' not in log, log
    started = [line.partition('[')[2].partition(']')[0] for line in log.splitlines() if 'started with listener' in line]
    assert sorted(started) == ['API', 'RTSP', 'WebRTC', 'metrics']


def test_readers_get_the_stamps_as_rtp_times_and_the_frames_own_clock(mediamtx, publishing, closing):
    publishing.until(lambda: (mediamtx.path('eo') or {}).get('available'), publishing.feed)
    assert mediamtx.path('eo')['tracks'] == ['H264']
    reader = closing(Reader(mediamtx.server('viewer', 'right')))
    publishing.until(lambda: len(reader.times) >= 40 and reader.reports, publishing.feed)
    assert len(set(reader.times)) == len(reader.times)
    sent = {rtp_time(stamp): stamp for stamp in publishing.stamps}
    assert set(reader.times) <= sent.keys()
    for report in reader.reports:
        # The clock that the report tells, taken to the time of a frame that was sent.
        time_ns = report.camera_ns + signed_ticks(reader.times[-1] - report.timestamp) * 100_000 // 9
        assert time_ns == pytest.approx(sent[reader.times[-1]], abs=1_000_000)
    log = mediamtx.log
    assert 'too big' not in log and 'remuxed' not in log
    # Of the delimiter alone: the first picture is there whole.
    assert log.count('without absolute time') <= 1


def test_a_wrong_password_is_said_and_the_right_one_gets_in(mediamtx, closing):
    wrong = closing(Publishing(mediamtx.server('robot', 'wrong')))
    wrong.out.watch(True)
    wrong.until(lambda: wrong.out.problem, wrong.feed)
    assert wrong.out.problem == (
        f'The video server {mediamtx.server()}/eo cannot be published to: it refuses user name and password (401): '
        'check the credentials in `server`.'
    )
    assert not mediamtx.path('eo')['available']


def test_a_path_that_is_not_in_the_file_is_said(mediamtx, closing):
    other = closing(Publishing(mediamtx.server('robot', 'right'), path='other'))
    other.out.watch(True)
    other.until(lambda: other.out.problem, other.feed)
    assert other.out.problem.startswith(f'The video server {mediamtx.server()}/other cannot be published to: it ')


def test_a_server_that_was_killed_is_published_to_again(mediamtx, publishing, closing):
    publishing.until(lambda: (mediamtx.path('eo') or {}).get('available'), publishing.feed)
    mediamtx.stop()
    publishing.until(lambda: 'nothing listens' in publishing.out.problem, publishing.feed)
    mediamtx.start()
    publishing.until(lambda: (mediamtx.path('eo') or {}).get('available'), publishing.feed)
    reader = closing(Reader(mediamtx.server('viewer', 'right')))
    publishing.until(lambda: len(reader.times) >= 5, publishing.feed)
    assert set(reader.times) <= {rtp_time(stamp) for stamp in publishing.stamps}


def test_a_publisher_that_goes_and_comes_back_is_read_again(mediamtx, publishing, closing):
    publishing.until(lambda: (mediamtx.path('eo') or {}).get('available'), publishing.feed)
    reader = closing(Reader(mediamtx.server('viewer', 'right')))
    publishing.until(lambda: len(reader.times) >= 3, publishing.feed)
    publishing.out.watch(False)
    publishing.until(lambda: reader.ended and not mediamtx.path('eo')['available'])
    publishing.out.watch(True)
    publishing.until(lambda: mediamtx.path('eo')['available'], publishing.feed)
    again = closing(Reader(mediamtx.server('viewer', 'right')))
    publishing.until(lambda: len(again.times) >= 3, publishing.feed)


def test_it_is_published_to_by_tls(tmp_path, authority, closing):
    certificate = make_certificate(tmp_path)
    if certificate is None:
        pytest.skip('there is no openssl')
    port = free_port()
    server = MediaMtx(
        tmp_path,
        FILE.read_text(encoding='utf-8'),
        MTX_AUTHHTTPADDRESS=authority,
        MTX_RTSPENCRYPTION='optional',
        MTX_RTSPSADDRESS=f'127.0.0.1:{port}',
        MTX_RTSPSERVERKEY=str(certificate),
        MTX_RTSPSERVERCERT=str(certificate),
    )
    try:
        server.start()
        publishing = closing(Publishing(f'rtsps://robot:right@127.0.0.1:{port}'))
        publishing.out.watch(True)
        publishing.until(lambda: (server.path('eo') or {}).get('available'), publishing.feed)
        reader = closing(Reader(server.server('viewer', 'right')))
        publishing.until(lambda: len(reader.times) >= 3, publishing.feed)
        wrong = closing(Publishing(server.server('robot', 'right').replace('rtsp:', 'rtsps:')))
        wrong.out.watch(True)
        wrong.until(lambda: wrong.out.problem, wrong.feed)
        assert 'does not speak TLS on port' in wrong.out.problem
        assert wrong.out.problem.endswith('write rtsp:// for one that does not encrypt.')
    finally:
        server.stop()


def test_its_readers_are_counted(mediamtx, publishing, closing):
    states = {}
    readers = ServerReaders(mediamtx.api, ('eo',), lambda _path: True, states.__setitem__)
    readers.start()
    try:
        publishing.until(lambda: states.get('eo') is not None and publishing.out.sending, publishing.feed)
        assert (states['eo'].readers, states['eo'].pulled) == (0, False)
        reader = closing(Reader(mediamtx.server('viewer', 'right')))
        publishing.until(lambda: states['eo'].readers == 1, publishing.feed)
        reader.close()
        publishing.until(lambda: states['eo'].readers == 0, publishing.feed)
    finally:
        readers.stop()


def test_users_of_its_own_have_their_passwords_from_the_environment(tmp_path, closing):
    text = with_what_is_off(FILE.read_text(encoding='utf-8'))
    settings = yaml.safe_load(text)
    # The examples of other networks and of a camera that is not there.
    for name in ('webrtcLocalTCPAddress', 'webrtcAdditionalHosts', 'webrtcICEServers2'):
        del settings[name]
    del settings['paths']['front']
    server = MediaMtx(
        tmp_path,
        yaml.safe_dump(settings),
        MTX_AUTHINTERNALUSERS_0_PASS='robots',
        MTX_AUTHINTERNALUSERS_1_PASS='viewers',
    )
    try:
        server.start()
        wrong = closing(Publishing(server.server('robot', '')))
        wrong.out.watch(True)
        wrong.until(lambda: wrong.out.problem, wrong.feed)
        right = closing(Publishing(server.server('robot', 'robots')))
        right.out.watch(True)
        right.until(lambda: (server.path('eo') or {}).get('available'), right.feed)
        reader = closing(Reader(server.server('viewer', 'viewers')))
        right.until(lambda: len(reader.times) >= 3, right.feed)
        with pytest.raises(SourceError):
            Reader(server.server('viewer', 'robots'))
        assert 'deprecated' not in server.log and ' ERR ' not in server.log, server.log
    finally:
        server.stop()
