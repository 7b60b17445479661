# SPDX-License-Identifier: Apache-2.0
import pytest

from gremsy_camera.errors import SourceUnusable
from gremsy_camera.sources import available_sources, create_source, parse_uri

OFFER = 'use one of file:, sim: or the path of a video file.'


@pytest.mark.parametrize(
    ('text', 'scheme', 'path'),
    [
        ('/videos/walk.mp4', 'file', '/videos/walk.mp4'),
        ('walk.mp4', 'file', 'walk.mp4'),
        ('/videos/what?.mp4', 'file', '/videos/what?.mp4'),
        ('file:///videos/walk.mp4', 'file', '/videos/walk.mp4'),
        ('FILE:/videos/walk.mp4', 'file', '/videos/walk.mp4'),
        ('sim:', 'sim', ''),
        ('sim:/videos/walk.avi?ring=left', 'sim', '/videos/walk.avi'),
    ],
)
def test_a_uri_is_taken_apart(text, scheme, path):
    uri = parse_uri(text)
    assert (uri.scheme, uri.path) == (scheme, path)


def test_options_follow_a_question_mark():
    uri = parse_uri('sim:/videos/walk.avi?ring=left')
    assert uri.option('ring', 'payload') == 'left'
    assert uri.option('other', 'default') == 'default'


def test_sources_are_found_by_looking_into_the_folder():
    assert list(available_sources()) == ['file', 'sim']


@pytest.mark.parametrize('text', ['rtsp://10.1.2.3/eo', '/dev/video0', 'gst: videotestsrc ! appsink', 'ftp://x'])
def test_an_unknown_scheme_is_refused_with_what_there_is(context, text):
    with pytest.raises(SourceUnusable) as raised:
        create_source(text, context())
    assert str(raised.value) == f'There is no video source for `source` {text}: {OFFER}'


def test_an_empty_source_is_refused(context):
    with pytest.raises(SourceUnusable) as raised:
        create_source(' ', context())
    assert str(raised.value) == '`source` is empty: set one of file:, sim: or the path of a video file.'


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
    assert str(raised.value) == '`source` file:// names no file: write the path of a video after it.'
