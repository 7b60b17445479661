# SPDX-License-Identifier: Apache-2.0
"""Video out against GStreamer's RTSP server in RECORD mode, which takes packets and reports apart and decodes them."""

import itertools
import socket
import threading
import time

import numpy as np
import pytest

from gremsy_camera.stream_parameters import StreamParameters
from gremsy_camera.streaming import video_out
from gremsy_camera.streaming.rtp_sending import rtp_time
from gremsy_camera.streaming.rtsp_record import PublishError, RtspRecord
from gremsy_camera.streams.stream_address import StreamAddress
from gremsy_common.types.frame import Frame

from .publishing import BEFORE_WRAP_NS, PERIOD_NS, Publishing

pytest.importorskip('av', reason='PyAV encodes here: ./gremsy setup --extra encode')
pytestmark = pytest.mark.integration
pytest_plugins = ['gremsy_camera.trial.pytest_camera']


@pytest.fixture
def publish():
    made = []

    def make(server, **options):
        made.append(Publishing(server, **options))
        made[-1].out.watch(True)
        return made[-1]

    yield make
    for each in made:
        each.close()


def markers(server):
    return [each['rtp'] for each in server.reports('rtp') if each['marker']]


def test_the_server_gets_the_stamps_and_the_pictures_across_the_wrap(run_video_server, publish):
    server = run_video_server()
    publishing = publish(server.server)
    publishing.stamp_ns = BEFORE_WRAP_NS - 60 * 10**9
    # How long the encoder takes to be found is the machine's affair.
    assert server.wait_for('luma', 1, work=publishing.feed)
    publishing.stamp_ns = BEFORE_WRAP_NS
    assert server.wait_for('luma', 45, work=publishing.feed)
    times = markers(server)
    sent = [rtp_time(stamp) for stamp in publishing.stamps]
    assert max(times) > 2**32 - 40_000 and min(times) < 2**31
    assert set(times) <= set(sent) and len(set(times)) == len(times)
    numbers = [each['sequence'] for each in server.reports('rtp')]
    assert all((after - before) % 65536 == 1 for before, after in itertools.pairwise(numbers))
    assert {(each['width'], each['height']) for each in server.reports('luma')} == {(128, 96)}
    assert max(each['bytes'] for each in server.reports('rtp')) <= 1440


def test_the_reports_tell_the_stamp_of_an_rtp_time(run_video_server, publish):
    server = run_video_server()
    publishing = publish(server.server)
    assert server.wait_for('report', 3, work=publishing.feed)
    by_time = {rtp_time(stamp): stamp for stamp in publishing.stamps}
    for report in server.reports('report'):
        seconds, fraction = divmod(report['ntp'], 2**32)
        ntp_ns = (seconds - 2_208_988_800) * 10**9 + (fraction * 10**9 >> 32)
        # NTP's seconds have 32 bits, which come round in 2036.
        assert abs(ntp_ns - by_time[report['report']]) % (2**32 * 10**9) <= 1


@pytest.mark.parametrize('authentication', ['basic', 'digest'])
def test_credentials_are_given_when_they_are_asked_for(run_video_server, publish, authentication):
    server = run_video_server(user='robot', password='p@ss:/%', authentication=authentication)
    publishing = publish(server.server)
    assert server.wait_for('luma', 3, work=publishing.feed), publishing.out.problem


@pytest.mark.parametrize('authentication', ['basic', 'digest'])
def test_wrong_credentials_are_said_without_them(run_video_server, authentication, publish):
    server = run_video_server(user='robot', password='right', authentication=authentication)
    publishing = publish(f'rtsp://robot:wrong@127.0.0.1:{server.port}')
    publishing.until(lambda: publishing.out.problem, publishing.feed)
    assert publishing.out.problem == (
        f'The video server rtsp://127.0.0.1:{server.port}/eo cannot be published to: it refuses user name and password '
        '(401): check the credentials in `server`.'
    )
    assert publishing.said.infos == [publishing.out.problem]


def test_a_path_that_the_server_does_not_know_is_said(run_video_server, publish):
    server = run_video_server(path='/other')
    publishing = publish(server.server)
    publishing.until(lambda: publishing.out.problem, publishing.feed)
    assert publishing.out.problem == (
        f'The video server rtsp://127.0.0.1:{server.port}/eo cannot be published to: it has no such path (404): add '
        'the path to its configuration.'
    )


def test_a_server_that_restarts_gets_the_video_again_and_the_loop_never_waits(run_video_server, publish):
    server = run_video_server()
    publishing = publish(server.server)
    assert server.wait_for('luma', 5, work=publishing.feed)
    server.stop()
    publishing.until(lambda: publishing.out.problem, publishing.feed)
    assert not publishing.out.sending
    slowest_s = 0.0
    for _ in range(20):
        started_s = time.monotonic()
        publishing.out.put(Frame(np.zeros((96, 128, 3), np.uint8), publishing.stamp_ns, 'optical'))
        slowest_s = max(slowest_s, time.monotonic() - started_s)
    assert slowest_s < 0.5
    publishing.until(lambda: 'nothing listens on port' in publishing.out.problem, publishing.feed)
    before = len(server.reports('luma'))
    server.start()
    assert server.wait_for('luma', before + 5, work=publishing.feed)
    assert publishing.out.sending and publishing.out.problem == ''
    assert publishing.said.infos[-1] == (f'The video server rtsp://127.0.0.1:{server.port}/eo accepts the video again.')


def test_nothing_is_encoded_and_no_session_kept_while_nobody_watches(run_video_server, publish):
    server = run_video_server()
    publishing = publish(server.server)
    assert server.wait_for('luma', 5, work=publishing.feed)
    publishing.out.watch(False)
    assert publishing.out.wait_until_idle(20.0)
    assert not publishing.out.sending
    encoded = len(publishing.said.stages['encode'])
    for _ in range(10):
        publishing.feed()
    assert len(publishing.said.stages['encode']) == encoded
    assert publishing.out.rows()['encoder'] == 'none while nobody watches'
    before = len(server.reports('luma'))
    publishing.out.watch(True)
    assert server.wait_for('luma', before + 3, work=publishing.feed)


def test_whoever_comes_gets_a_key_frame_with_the_next_frame(run_video_server, publish):
    server = run_video_server()
    publishing = publish(server.server, gop=300)
    assert server.wait_for('luma', 10, work=publishing.feed)
    assert publishing.out.rows()['key frames sent'] == '1'
    publishing.out.want_key_frame()
    assert server.wait_for('luma', len(server.reports('luma')) + 3, work=publishing.feed)
    assert publishing.out.rows()['key frames sent'] == '2'


@pytest.mark.parametrize(
    ('image', 'encoding', 'size'),
    [
        (np.full((95, 127, 3), 90, np.uint8), 'bgr8', (126, 94)),
        (np.full((96, 128), 90, np.uint8), 'mono8', (128, 96)),
        (np.linspace(7000, 9000, 96 * 128).reshape(96, 128).astype(np.uint16), 'mono16', (128, 96)),
        (np.full((96, 128, 3), 90, np.uint8), 'rgb8', (128, 96)),
    ],
)
def test_pictures_of_every_kind_go_out(run_video_server, publish, image, encoding, size):
    server = run_video_server()
    publishing = publish(server.server)
    assert server.wait_for('luma', 4, work=lambda: publishing.feed(image, encoding))
    last = server.reports('luma')[-1]
    assert (last['width'], last['height']) == size
    if encoding != 'mono16':
        # BT.601's luma of 90 in limited range: 16 + 219 * 90 / 255.
        assert last['luma'] == pytest.approx(93.3, abs=2.0)


def test_a_picture_that_is_too_wide_is_sent_smaller_and_in_its_shape(run_video_server, publish):
    server = run_video_server()
    publishing = publish(server.server, widest_px=160)
    large = np.full((180, 320, 3), 90, np.uint8)
    assert server.wait_for('luma', 3, work=lambda: publishing.feed(large))
    assert (server.reports('luma')[-1]['width'], server.reports('luma')[-1]['height']) == (160, 90)
    publishing.out.parameters = StreamParameters(encoder='x264', widest_px=0)
    publishing.until(lambda: server.reports('luma')[-1]['width'] == 320, lambda: publishing.feed(large))


def test_another_size_in_mid_stream_goes_on(run_video_server, publish):
    server = run_video_server()
    publishing = publish(server.server)
    assert server.wait_for('luma', 4, work=publishing.feed)
    larger = np.full((144, 192, 3), 90, np.uint8)
    publishing.until(
        lambda: (server.reports('luma')[-1]['width'], server.reports('luma')[-1]['height']) == (192, 144),
        lambda: publishing.feed(larger),
    )
    assert publishing.out.rows()['times published'] == '1'


def test_frames_faster_than_the_rate_and_those_that_do_not_rise_are_left_out_and_counted(run_video_server, publish):
    server = run_video_server()
    publishing = publish(server.server, rate_hz=15.0)
    assert server.wait_for('luma', 10, work=publishing.feed)
    publishing.stamp_ns -= 3 * PERIOD_NS
    publishing.feed()
    publishing.until(lambda: publishing.out.rows().get('frames whose stamp does not rise') == '1')
    times = sorted(each - 2**32 if each > 2**31 else each for each in markers(server))
    assert min(after - before for before, after in itertools.pairwise(times)) >= 5900
    assert int(publishing.out.rows()['frames above the rate']) >= 8


def test_a_clock_that_was_set_back_begins_a_new_session(run_video_server, publish):
    server = run_video_server()
    publishing = publish(server.server)
    assert server.wait_for('luma', 4, work=publishing.feed)
    publishing.stamp_ns -= 3600 * 10**9
    before = len(server.reports('luma'))
    assert server.wait_for('luma', before + 4, work=publishing.feed)
    assert publishing.out.rows()['times the clock was set back'] == '1'
    assert publishing.out.rows()['times published'] == '2'


def test_an_encoding_that_is_not_known_is_said(run_video_server, publish):
    server = run_video_server()
    publishing = publish(server.server)
    publishing.until(
        lambda: publishing.said.drops, lambda: publishing.feed(np.zeros((96, 128, 3), np.uint8), 'no_such')
    )
    assert publishing.said.drops[0][0] == 'unknown encoding'
    assert server.wait_for('luma', 2, work=publishing.feed)


def test_no_encoder_is_said_and_looked_for_again(run_video_server, publish, monkeypatch):
    monkeypatch.setattr(video_out, '_NO_ENCODER_PAUSE_S', 0.1)
    server = run_video_server()
    publishing = publish(server.server, encoder='vaapih264enc')
    publishing.until(lambda: publishing.errors, publishing.feed)
    assert publishing.said.infos == [
        f'Nobody can watch rtsp://127.0.0.1:{server.port}/eo: {publishing.errors[0]}',
    ]
    assert str(publishing.errors[0]).startswith('No encoder for H.264 works here (vaapih264enc: ')
    assert str(publishing.errors[0]).endswith('): set `encoder` to auto.')
    publishing.out.parameters = StreamParameters(encoder='x264')
    assert server.wait_for('luma', 2, work=publishing.feed)


def test_while_somebody_is_on_the_way_key_frames_come_often_and_then_no_more(run_video_server, publish, monkeypatch):
    monkeypatch.setattr(video_out, '_COMING_S', 1.0)
    monkeypatch.setattr(video_out, '_KEYS_APART_S', 0.1)
    server = run_video_server()
    publishing = publish(server.server, gop=600)
    assert server.wait_for('luma', 5, work=publishing.feed)
    publishing.out.want_key_frame(coming=True)
    publishing.until(lambda: int(publishing.out.rows()['key frames sent']) >= 4, publishing.feed)
    time.sleep(1.0)
    before = publishing.out.rows()['key frames sent']
    sent = int(publishing.out.rows()['pictures sent'])
    publishing.until(lambda: int(publishing.out.rows()['pictures sent']) > sent + 20, publishing.feed)
    assert publishing.out.rows()['key frames sent'] == before


class Deaf:
    """Takes a stream as a server does, answers keep-alives until it is told to hang, and then reads nothing more."""

    def __init__(self):
        self._listener = socket.create_server(('127.0.0.1', 0))
        self.server = f'rtsp://127.0.0.1:{self._listener.getsockname()[1]}'
        self.hung = threading.Event()
        self.sessions = 0
        self.kept_alive = 0
        self._open = [self._listener]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        data = b''
        while not self.hung.is_set():
            data += connection.recv(65_536)
            while (start := data.find(b' RTSP/1.0\r\n')) >= 0 and (end := data.find(b'\r\n\r\n', start)) >= 0:
                head = data[data.rfind(b'\n', 0, start) + 1 : end].decode('latin-1')
                number = head.partition('CSeq: ')[2].partition('\r')[0]
                more = 'Session: 7\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n' if 'SETUP' in head else ''
                connection.sendall(f'RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{more}\r\n'.encode())
                self.sessions += 'RECORD' in head.partition(' ')[0]
                self.kept_alive += 'OPTIONS' in head
                data = data[end + 4 :]

    def close(self):
        self.hung.set()
        for each in self._open:
            each.close()


def test_a_server_that_hangs_is_left_and_frames_are_not_held_up(publish, monkeypatch):
    monkeypatch.setattr('gremsy_camera.streaming.rtsp_record._ANSWER_S', 0.5)
    monkeypatch.setattr('gremsy_camera.streaming.rtsp_record._KEEP_ALIVE_S', 0.2)
    deaf = Deaf()
    try:
        publishing = publish(deaf.server)
        publishing.until(lambda: deaf.kept_alive > 1, publishing.feed)
        assert deaf.sessions == 1 and publishing.out.problem == ''
        deaf.hung.set()
        publishing.until(lambda: publishing.out.problem, publishing.feed)
        assert publishing.out.problem == (
            f'The video server {deaf.server}/eo ended the connection (it has not answered for 0.5 s): it is published '
            'to again.'
        )
    finally:
        deaf.close()


def test_what_speaks_no_rtsp_and_what_never_answers_are_told_apart(monkeypatch):
    monkeypatch.setattr('gremsy_camera.streaming.rtsp_record._ANSWER_S', 0.3)
    key = b'\0\0\0\1\x67\x42\xc0\x1f\0\0\0\1\x68\xce\0\0\0\1\x65\x88'
    with socket.create_server(('127.0.0.1', 0)) as listener:
        port = listener.getsockname()[1]
        session = RtspRecord(StreamAddress.of(f'rtsp://127.0.0.1:{port}/eo', 'server'))
        with pytest.raises(PublishError) as raised:
            session.open(key)
        session.close()
        assert str(raised.value) == (
            f'The video server rtsp://127.0.0.1:{port}/eo cannot be published to: it has not answered for 0.3 s, '
            'though its port is open: see its log.'
        )
        accepted = [listener.accept()[0]]

        def answer():
            accepted.append(listener.accept()[0])
            accepted[-1].sendall(b'HTTP/1.1 400 Bad Request\r\n\r\n')

        thread = threading.Thread(target=answer)
        thread.start()
        session = RtspRecord(StreamAddress.of(f'rtsp://127.0.0.1:{port}/eo', 'server'))
        with pytest.raises(PublishError) as raised:
            session.open(key)
        thread.join()
        session.close()
        for each in accepted:
            each.close()
        assert str(raised.value) == (
            f'The video server rtsp://127.0.0.1:{port}/eo cannot be published to: what answers on port {port} does not '
            'speak RTSP: check the port.'
        )
