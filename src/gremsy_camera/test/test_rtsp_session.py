# SPDX-License-Identifier: Apache-2.0
"""The conversation with a server that is scripted here, for what real cameras do and the trial camera does not."""

import socket
import threading
import time

import pytest

from gremsy_camera.errors import SourceError
from gremsy_camera.streams.rtsp_session import RTCP, RTP, RtspSession, TransportRefused, video_track
from gremsy_camera.streams.stream_address import StreamAddress

SDP = 'm=video 0 RTP/AVP 96\r\na=control:track1\r\na=rtpmap:96 H264/90000\r\n'
OK = 'RTSP/1.0 200 OK\r\nCSeq: {number}\r\n'


class ScriptedServer:
    """Answers the requests of each connection from a list; a tuple goes out piece by piece."""

    def __init__(self, *connections):
        self._listener = socket.create_server(('127.0.0.1', 0))
        self.port = self._listener.getsockname()[1]
        self.requests = []
        self._connections = connections
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        for answers in self._connections:
            connection, _ = self._listener.accept()
            with connection:
                for answer in answers:
                    head = b''
                    while not head.endswith(b'\r\n\r\n'):
                        byte = connection.recv(1)
                        if not byte:
                            return
                        head += byte
                        if head[:1] == b'$':
                            head = b''
                    text = head.decode()
                    self.requests.append(text)
                    number = text.split('CSeq: ')[1].split('\r\n')[0]
                    for piece in answer if isinstance(answer, tuple) else (answer,):
                        reply = piece if isinstance(piece, bytes) else piece.format(number=number).encode()
                        connection.sendall(reply)
                        time.sleep(0.05 * isinstance(answer, tuple))
                if answers is self._connections[-1]:
                    time.sleep(1.0)

    def close(self):
        self._listener.close()


def described():
    return OK + f'Content-Base: rtsp://inner.name/eo/\r\nContent-Length: {len(SDP)}\r\n\r\n{SDP}'


@pytest.fixture
def serve():
    made = []

    def make(*connections, user=''):
        server = ScriptedServer(*connections)
        session = RtspSession(StreamAddress.of(f'rtsp://{user}127.0.0.1:{server.port}/eo', 'source'))
        made.append((server, session))
        return server, session

    yield make
    for server, session in made:
        session.close()
        server.close()


def started(session, transport='tcp'):
    track = video_track(session.describe(), StreamAddress.of('rtsp://h/eo', 'source'))
    session.start(track, transport)


def packets(session, count):
    got, until_s = [], time.monotonic() + 5.0
    while len(got) < count and time.monotonic() < until_s:
        got += session.receive(0.1)
    return [(each.channel, each.data) for each in got]


def interleaved(channel, data):
    return b'$' + bytes((channel,)) + len(data).to_bytes(2, 'big') + data


SETUP = OK + 'Session: 1234;timeout=60\r\nTransport: RTP/AVP/TCP;unicast;interleaved=4-5\r\n\r\n'


def test_the_channels_that_the_camera_chose_and_garbage_between_packets(serve):
    play = OK + 'Session: 1234\r\n\r\n'
    stream = interleaved(4, b'one') + b'junk' + interleaved(5, b'two') + interleaved(9, b'other') + interleaved(4, b'3')
    server, session = serve([described(), SETUP, play.format(number=3).encode() + stream])
    started(session)
    assert packets(session, 3) == [(RTP, b'one'), (RTCP, b'two'), (RTP, b'3')]
    assert session.counts['bytes that were no packets'] >= 4
    setup, play = server.requests[1:3]
    assert setup.startswith('SETUP rtsp://inner.name/eo/track1 RTSP/1.0\r\n')
    assert play.startswith('PLAY rtsp://inner.name/eo/ RTSP/1.0\r\n') and 'Session: 1234\r\n' in play


def test_packets_that_come_before_the_answer_to_play_are_kept(serve):
    play = interleaved(4, b'early') + (OK + '\r\n').format(number=3).encode() + interleaved(4, b'late')
    _, session = serve([described(), SETUP, play])
    started(session)
    assert packets(session, 2) == [(RTP, b'early'), (RTP, b'late')]


def test_a_packet_that_is_not_whole_yet_when_the_answer_is_waited_for_is_no_answer(serve):
    packet = interleaved(4, b'early' * 20)
    play = packet[:10], packet[10:], OK + '\r\n', interleaved(4, b'late')
    _, session = serve([described(), SETUP, play])
    started(session)
    assert packets(session, 2) == [(RTP, b'early' * 20), (RTP, b'late')]


def test_a_camera_without_a_session_header_keeps_sending_after_an_answer_to_a_keep_alive(serve, monkeypatch):
    monkeypatch.setattr('gremsy_camera.streams.rtsp_session._REPORT_EVERY_S', 1000.0)
    setup = OK + 'Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n'
    alive = interleaved(0, b'one') + (OK + 'Public: OPTIONS\r\n\r\n').format(number=4).encode() + interleaved(0, b'two')
    server, session = serve([described(), setup, OK + '\r\n', alive])
    started(session)
    session._keep_alive_due_s = time.monotonic()
    assert packets(session, 2) == [(RTP, b'one'), (RTP, b'two')]
    assert server.requests[3].startswith('OPTIONS ')


def test_a_camera_that_ends_the_connection_with_its_challenge_is_connected_to_again(serve):
    challenge = 'RTSP/1.0 401 No\r\nCSeq: {number}\r\nConnection: close\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n'
    server, session = serve([challenge], [described()], user='a:b@')
    assert session.describe().track is not None
    assert 'Authorization: Basic YTpi' in server.requests[1]


def test_a_camera_that_answers_tcp_with_udp_refuses_it(serve):
    setup = OK + 'Transport: RTP/AVP;unicast;client_port=1-2;server_port=3-4\r\n\r\n'
    server, session = serve([described(), setup])
    with pytest.raises(TransportRefused) as raised:
        started(session)
    assert str(raised.value) == (
        f'The camera rtsp://127.0.0.1:{server.port}/eo does not send over TCP: set `transport` to udp or auto.'
    )


@pytest.mark.parametrize(
    ('answer', 'why'),
    [
        ('HTTP/1.1 400 Bad Request\r\n\r\n', 'what answers on port {port} does not speak RTSP: check the port'),
        (OK.replace('200 OK', '500 Oops') + '\r\n', 'it answers 500 Oops'),
        (
            OK.replace('200 OK', '403 No') + '\r\n',
            'it forbids this stream to this user (403): check the rights of the user on the camera',
        ),
    ],
)
def test_strange_answers_are_sentences(serve, answer, why):
    server, session = serve([answer])
    with pytest.raises(SourceError) as raised:
        session.describe()
    address = f'rtsp://127.0.0.1:{server.port}/eo'
    assert str(raised.value) == f'The camera {address} cannot be opened: {why.format(port=server.port)}.'


def test_a_server_that_says_nothing_is_given_up(serve, monkeypatch):
    monkeypatch.setattr('gremsy_camera.streams.rtsp_session._ANSWER_S', 0.3)
    server, session = serve([b''])
    with pytest.raises(SourceError) as raised:
        session.describe()
    assert str(raised.value) == (
        f'The camera rtsp://127.0.0.1:{server.port}/eo cannot be opened: it has not answered for 0.3 s, though its '
        'port is open: restart it if that goes on.'
    )


def test_datagrams_of_strangers_are_left_out_and_counted(serve):
    camera = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    camera.bind(('127.0.0.1', 0))
    stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stranger.bind(('127.0.0.2', 0))
    port = camera.getsockname()[1]
    setup = OK + f'Session: 1\r\nTransport: RTP/AVP;unicast;server_port={port}-{port + 1}\r\n\r\n'
    server, session = serve([described(), setup, OK + '\r\n'])
    started(session, 'udp')
    ports = server.requests[1].split('client_port=')[1].split('\r\n')[0]
    to = ('127.0.0.1', int(ports.split('-')[0]))
    assert to[1] % 2 == 0
    stranger.sendto(b'evil', to)
    camera.sendto(b'good', to)
    assert packets(session, 1) == [(RTP, b'good')]
    assert session.counts['packets of strangers'] == 1
    camera.close()
    stranger.close()


def moved(port, host='127.0.0.1'):
    return f'RTSP/1.0 302 Found\r\nCSeq: {{number}}\r\nLocation: rtsp://{host}:{port}/elsewhere\r\n\r\n'


def test_a_redirect_is_followed_as_mediamtx_sends_it(serve):
    there, _ = serve([described()])
    _, session = serve([moved(there.port)])
    assert session.describe().track is not None
    assert there.requests[0].startswith(f'DESCRIBE rtsp://127.0.0.1:{there.port}/elsewhere RTSP/1.0')


def test_credentials_do_not_follow_a_redirect_to_somebody_else(serve):
    challenge = 'RTSP/1.0 401 No\r\nCSeq: {number}\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n'
    there, _ = serve([challenge])
    here, session = serve([challenge, moved(there.port, 'localhost')], user='operator:sesame@')
    with pytest.raises(SourceError) as raised:
        session.describe()
    assert 'Authorization' in here.requests[1]
    assert 'Authorization' not in there.requests[0]
    assert str(raised.value) == (
        f'The camera rtsp://localhost:{there.port}/elsewhere cannot be opened: it requires a valid user name and '
        'password (401): check those in `source`.'
    )


def test_redirects_in_a_circle_and_to_no_address(serve):
    server, session = serve(*[['RTSP/1.0 302 Found\r\nCSeq: {number}\r\nLocation: /eo\r\n\r\n']] * 5)
    with pytest.raises(SourceError) as raised:
        session.describe()
    location = f'rtsp://127.0.0.1:{server.port}/eo'
    assert str(raised.value) == f'The camera {location} cannot be opened: it redirects in a circle.'
    server, session = serve(['RTSP/1.0 302 Found\r\nCSeq: {number}\r\nLocation: rtsp://h:0/eo\r\n\r\n'])
    with pytest.raises(SourceError) as raised:
        session.describe()
    assert str(raised.value) == (
        f'The camera rtsp://127.0.0.1:{server.port}/eo cannot be opened: it redirects to rtsp://h:0/eo, which is '
        'not an address.'
    )
    assert not raised.value.permanent
