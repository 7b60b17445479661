# SPDX-License-Identifier: Apache-2.0
import pytest

from gremsy_camera.errors import SourceUnusable
from gremsy_camera.sources import available_sources, create_source, parse_uri

OFFER = (
    'use one of external:, file:, gst:, http:, https:, rtsp:, rtsps:, sim:, v4l2:, /dev/videoN or the path of a video '
    'file.'
)


@pytest.mark.parametrize(
    ('text', 'scheme', 'path'),
    [
        ('/videos/walk.mp4', 'file', '/videos/walk.mp4'),
        ('walk.mp4', 'file', 'walk.mp4'),
        ('/videos/what?.mp4', 'file', '/videos/what?.mp4'),
        ('file:///videos/walk.mp4', 'file', '/videos/walk.mp4'),
        ('FILE:/videos/walk.mp4', 'file', '/videos/walk.mp4'),
        ('sim:', 'sim', ''),
        ('sim', 'sim', ''),
        ('external', 'external', ''),
        ('external:/usb_cam/image_raw', 'external', '/usb_cam/image_raw'),
        ('/dev/video0', 'v4l2', '/dev/video0'),
        ('/dev/v4l/by-id/usb-HD-video-index0?format=MJPG', 'v4l2', '/dev/v4l/by-id/usb-HD-video-index0'),
        ('/dev/shm/walk.mp4', 'file', '/dev/shm/walk.mp4'),
        ('sim:/videos/walk.avi?ring=left', 'sim', '/videos/walk.avi'),
    ],
)
def test_a_uri_is_taken_apart(text, scheme, path):
    uri = parse_uri(text)
    assert (uri.scheme, uri.path) == (scheme, path)


@pytest.mark.parametrize(
    ('text', 'scheme', 'rest'),
    [
        ('rtsp://10.1.2.3/eo?a=b', 'rtsp', '//10.1.2.3/eo?a=b'),
        ('10.1.2.3', 'rtsp', '//10.1.2.3'),
        ('10.1.2.3:8554/eo', 'rtsp', '//10.1.2.3:8554/eo'),
        ('[fe80::1]:554/eo', 'rtsp', '//[fe80::1]:554/eo'),
        ('camera.local/eo', 'rtsp', '//camera.local/eo'),
        ('payload:554', 'rtsp', '//payload:554'),
        ('localhost/eo', 'rtsp', '//localhost/eo'),
        ('operator:secret@payload/eo', 'rtsp', '//operator:secret@payload/eo'),
        ('10.1.2.3:80/video.mjpg', 'http', '//10.1.2.3:80/video.mjpg'),
        ('10.1.2.3:443/video.mjpg', 'https', '//10.1.2.3:443/video.mjpg'),
    ],
)
def test_a_bare_host_gets_the_scheme_that_fits(text, scheme, rest):
    uri = parse_uri(text)
    assert (uri.scheme, uri.rest) == (scheme, rest)


@pytest.mark.parametrize('text', ['videos/walk.mp4', 'v1.2/walk.mp4', '../walk.mp4', 'camera.mp4', '10.1.2/walk.mp4'])
def test_a_relative_path_is_no_host(text):
    assert parse_uri(text).scheme == 'file'


def test_what_is_shown_of_a_uri_is_without_its_credentials():
    uri = parse_uri('rtsp://operator:secret@10.1.2.3/eo')
    assert uri.text == 'rtsp://10.1.2.3/eo'
    assert 'secret' not in repr(uri) and 'secret' in uri.rest


def test_options_follow_a_question_mark():
    uri = parse_uri('sim:/videos/walk.avi?ring=left')
    assert uri.option('ring', 'payload') == 'left'
    assert uri.option('other', 'default') == 'default'


def test_sources_are_found_by_looking_into_the_folder():
    assert list(available_sources()) == ['external', 'file', 'gst', 'http', 'https', 'rtsp', 'rtsps', 'sim', 'v4l2']


@pytest.mark.parametrize('text', ['srt://10.1.2.3/eo', 'ftp://x'])
def test_an_unknown_scheme_is_refused_with_what_there_is(context, text):
    with pytest.raises(SourceUnusable) as raised:
        create_source(text, context())
    assert str(raised.value) == f'There is no video source for `source` {text}: {OFFER}'


def test_an_empty_source_is_refused(context):
    with pytest.raises(SourceUnusable) as raised:
        create_source(' ', context())
    offer = OFFER.removeprefix('use one of ')
    assert str(raised.value) == f'`source` is empty: set one of {offer}'


def test_an_unknown_option_is_refused(context):
    with pytest.raises(SourceUnusable) as raised:
        create_source('sim:?rings=a', context())
    assert str(raised.value) == "`source` sim:?rings=a has no option 'rings': its options are ring."


def test_a_ring_that_cannot_be_named_is_refused(context):
    with pytest.raises(SourceUnusable) as raised:
        create_source('sim:?ring=a/b', context())
    assert str(raised.value) == (
        "`source` sim:?ring=a/b cannot be used: 'a/b' cannot name a truth ring: use letters, digits, '-' and '_'."
    )


def test_a_file_uri_without_a_path_is_refused(context):
    with pytest.raises(SourceUnusable) as raised:
        create_source('file://', context())
    assert (
        str(raised.value)
        == '`source` file:// names no file: write the path of a video or of a folder of pictures after it.'
    )


@pytest.mark.parametrize(
    ('text', 'sentence'),
    [
        ('v4l2:', '`source` v4l2: names no device: write its path after it, as `v4l2:/dev/video0`.'),
        (
            '/dev/video0?size=big',
            "`source` /dev/video0?size=big has size 'big': write it in pixels, as `size=1280x720`.",
        ),
        (
            '/dev/video0?size=0x720',
            "`source` /dev/video0?size=0x720 has size '0x720': write it in pixels, as `size=1280x720`.",
        ),
        (
            '/dev/video0?rate=fast',
            "`source` /dev/video0?rate=fast has rate 'fast': write pictures per second, as `rate=30`.",
        ),
        ('/dev/video0?rate=0', "`source` /dev/video0?rate=0 has rate '0': write pictures per second, as `rate=30`."),
        (
            '/dev/video0?rate=1e9',
            "`source` /dev/video0?rate=1e9 has rate '1e9': write pictures per second, as `rate=30`.",
        ),
    ],
)
def test_what_a_camera_cannot_be_asked_for_is_refused(context, text, sentence):
    with pytest.raises(SourceUnusable) as raised:
        create_source(text, context())
    assert str(raised.value) == sentence
