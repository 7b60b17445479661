# SPDX-License-Identifier: Apache-2.0
"""RTSP's texts against the examples of the RFCs and descriptions as cameras send them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gremsy_camera.streams.rtsp_messages import BadMessage, Credentials, read_description, take_answer

REALM = 'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '


def answered(credentials, method='GET', target='/dir/index.html'):
    return credentials.header(method, target)['Authorization']


def test_digest_is_the_example_of_rfc_2617(monkeypatch):
    monkeypatch.setattr('gremsy_camera.streams.rtsp_messages.secrets.token_hex', lambda _: '0a4f113b')
    credentials = Credentials('Mufasa', 'Circle Of Life')
    assert credentials.challenged([REALM + 'opaque="5ccc069c403ebaf9f0171e9517f40e41"'])
    header = answered(credentials)
    assert 'response="6629fae49393a05397450978507c4ef1"' in header
    assert 'qop=auth, nc=00000001, cnonce="0a4f113b"' in header
    assert 'opaque="5ccc069c403ebaf9f0171e9517f40e41"' in header


def test_digest_by_sha_256_is_the_example_of_rfc_7616(monkeypatch):
    mine = 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ'
    monkeypatch.setattr('gremsy_camera.streams.rtsp_messages.secrets.token_hex', lambda _: mine)
    credentials = Credentials('Mufasa', 'Circle of Life')
    assert credentials.challenged(
        [
            'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, '
            'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
            'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
        ]
    )
    assert 'response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"' in answered(credentials)


def test_digest_without_qop_as_most_cameras_ask_for():
    """The response is MD5(MD5(user:realm:password):nonce:MD5(method:uri)), by md5sum."""
    credentials = Credentials('admin', '12345')
    assert credentials.challenged(['Digest realm="cam", nonce="abc"'])
    header = answered(credentials, 'DESCRIBE', 'rtsp://h/eo')
    assert header == (
        'Digest username="admin", realm="cam", nonce="abc", uri="rtsp://h/eo", '
        'response="7f45cdc54663e82298ccd1f50f429f4d"'
    )


def test_basic_is_the_example_of_rfc_7617():
    credentials = Credentials('Aladdin', 'open sesame')
    assert credentials.challenged(['Basic realm="WallyWorld"'])
    assert answered(credentials) == 'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=='


def test_digest_is_preferred_in_whatever_order_and_strange_ways_are_passed_over():
    credentials = Credentials('a', 'b')
    assert credentials.challenged(['Bearer realm="x"', 'Basic realm="x"', 'Digest realm="x", nonce="n"', 'Basic y'])
    assert answered(credentials).startswith('Digest ')
    assert not Credentials('a', 'b').challenged(['Bearer realm="x"', 'Digest realm="x", nonce="n", algorithm=SHA-9'])


def test_the_same_challenge_again_means_that_the_credentials_are_wrong_but_a_stale_one_does_not():
    credentials = Credentials('a', 'b')
    challenge = 'Digest realm="x", nonce="n"'
    assert credentials.challenged([challenge])
    answered(credentials)
    assert not credentials.challenged([challenge])
    assert credentials.challenged([f'{challenge}, stale=TRUE'])


def test_without_a_user_nothing_is_answered():
    credentials = Credentials('', '')
    assert not credentials.challenged(['Basic realm="x"'])
    assert credentials.header('GET', '/') == {}


def test_an_answer_is_taken_whole_with_its_body_and_what_follows_is_left():
    whole = b'RTSP/1.0 200 OK\r\nCSeq: 2\r\ncontent-LENGTH: 5\r\nA: 1\r\nA: 2\r\n\r\nhello'
    buffer = bytearray()
    for byte in whole[:-1]:
        buffer.append(byte)
        assert take_answer(buffer) is None
    buffer += whole[-1:] + b'$'
    answer = take_answer(buffer)
    assert (answer.status, answer.reason, answer.body) == (200, 'OK', b'hello')
    assert answer.headers['a'] == ['1', '2'] and answer.header('CSEQ') == '2' and answer.header('b') == ''
    assert bytes(buffer) == b'$'


@given(st.binary(max_size=200))
def test_whatever_comes_is_an_answer_or_not_yet_or_none(data):
    try:
        take_answer(bytearray(data))
    except BadMessage:
        assert not data.startswith(b'RTSP/1.0 200 OK\r\n')


CAMERA = """v=0
o=- 1 1 IN IP4 0.0.0.0
s=Media Presentation
a=control:rtsp://10.1.2.3/eo/
m=audio 0 RTP/AVP 0
a=control:trackID=2
m=video 0 RTP/AVP 96
a=framerate:25.0
a=x-dimensions:1920,1080
a=control:trackID=1
a=rtpmap:96 H264/90000
a=fmtp:96 profile-level-id=420029; packetization-mode=1; sprop-parameter-sets=Z01AKI2NQDwBE/LgLcBAQFAAAD6A,aO44gA==
m=application 0 RTP/AVP 107
a=rtpmap:107 vnd.onvif.metadata/90000
"""


def test_a_cameras_description():
    description = read_description(CAMERA, 'rtsp://10.1.2.3/eo')
    track = description.track
    assert (track.encoding, track.clock_rate, track.payload_type) == ('H264', 90000, 96)
    assert (track.rate_hz, track.size) == (25.0, (1920, 1080))
    assert track.control == 'rtsp://10.1.2.3/eo/trackID=1' and description.control == 'rtsp://10.1.2.3/eo/'
    assert track.parameters['packetization-mode'] == '1'
    assert track.parameters['sprop-parameter-sets'].endswith(',aO44gA==')
    assert description.kinds == ('audio PCMU', 'video H264', 'application vnd.onvif.metadata')


@pytest.mark.parametrize(
    ('base', 'control', 'whole'),
    [
        ('rtsp://h/eo', 'track1', 'rtsp://h/eo/track1'),
        ('rtsp://h/eo/', 'track1', 'rtsp://h/eo/track1'),
        ('rtsp://h/eo', 'rtsp://h/other/track1', 'rtsp://h/other/track1'),
        ('rtsp://h/eo/x', '/track1', 'rtsp://h/track1'),
        ('rtsps://h/eo/x', '/track1', 'rtsps://h/track1'),
        ('rtsp://h/eo?x=1', '*', 'rtsp://h/eo?x=1'),
    ],
)
def test_controls_are_made_whole(base, control, whole):
    text = f'm=video 0 RTP/AVP 26\na=control:{control}\n'
    track = read_description(text, base).track
    assert (track.encoding, track.control) == ('JPEG', whole)


def test_a_description_without_video_that_is_known_has_no_track():
    text = 'm=video 0 RTP/AVP 96\na=rtpmap:96 VP8/90000\nm=audio 0 RTP/AVP 8\n'
    description = read_description(text, 'rtsp://h/eo')
    assert description.track is None and description.kinds == ('video VP8', 'audio PCMA')


@given(st.text())
def test_whatever_is_described_is_read(text):
    read_description(text, 'rtsp://h/eo')
    read_description(f'm=video 0 RTP/AVP 96\na={text}\na=rtpmap:96 {text}\na=fmtp:96 {text}', 'rtsp://h/eo')


@pytest.mark.parametrize('rate', ['', '/0', '/many'])
def test_a_clock_of_rtp_that_is_none_is_taken_for_that_of_all_video(rate):
    description = read_description(f'm=video 0 RTP/AVP 96\na=rtpmap:96 H264{rate}\n', 'rtsp://h/eo')
    assert description.track.clock_rate == 90_000
